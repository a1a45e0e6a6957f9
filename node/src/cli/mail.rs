//! `peer message` and `peer messages`: what waits for its recipient, and what has come.

use super::ask::Asker;
use super::exit::Failure;
use super::output::{Output, clock, printable, short, table};
use crate::api::{MailInbox, MailRequest, MailSent, SentMail};
use crate::driver;
use crate::mail::InboxLetter;
use overlay_proto::status::Status;
use overlay_proto::time::WallTime;
use serde::Serialize;
use std::time::Duration;

/// Between two looks at a message that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What `peer messages` shows.
#[derive(Debug, Serialize)]
struct All {
    sent: Vec<SentMail>,
    received: Vec<InboxLetter>,
}

pub(super) async fn write(
    peer: &Asker,
    request: MailRequest,
    wait: bool,
    out: &Output,
) -> Result<(), Failure> {
    let written = peer.write(&request).await?;
    let mut shown = String::new();
    loop {
        let MailSent { messages } = peer.sent_mail().await?;
        let Some(found) = messages.into_iter().find(|sent| sent.id == written.id) else {
            return Err(Failure::local("the message is not in the outbox any more"));
        };
        if wait && is_over(&found) && found.status != Status::OK {
            return Err(Failure::new(found.status, sentence(&found), found.status.way_out()));
        }
        if !wait || is_over(&found) {
            out.show(&found, || sentence(&found));
            return Ok(());
        }
        if shown != found.state {
            out.note(&sentence(&found));
            shown = found.state;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_over(sent: &SentMail) -> bool {
    !matches!(sent.state.as_str(), "waiting" | "kept")
}

fn sentence(sent: &SentMail) -> String {
    let (id, to) = (short(&sent.id), &sent.to);
    match sent.state.as_str() {
        "waiting" => format!("message {id} to {to} is on this device's disk, and on its way"),
        "kept" => format!("message {id} waits for {to} in the mailbox"),
        "delivered" => format!("{to} has message {id}"),
        "expired" => format!("message {id} expired before {to} fetched it"),
        _ => format!("message {id} to {to} came back: {}", sent.status),
    }
}

pub(super) async fn list(peer: &Asker, after: u64, out: &Output) -> Result<(), Failure> {
    let sent = peer.sent_mail().await?.messages;
    let (mut received, mut last) = (Vec::new(), after);
    loop {
        let MailInbox { messages } = peer.mail_inbox(last).await?;
        let Some(newest) = messages.last() else { break };
        last = newest.number;
        received.extend(messages);
    }
    let all = All { sent, received };
    out.show(&all, || shown(&all));
    Ok(())
}

fn shown(all: &All) -> String {
    let mut parts = Vec::new();
    if !all.sent.is_empty() {
        let mut rows = table(&["written", "to", "message", "state"]);
        for sent in &all.sent {
            let state = match sent.state.as_str() {
                "returned" => format!("returned: {}", sent.status),
                state => state.to_owned(),
            };
            rows.add_row([
                clock(WallTime(sent.sent_ms), driver::wall()),
                sent.to.clone(),
                short(&sent.id).to_owned(),
                state,
            ]);
        }
        parts.push(rows.to_string());
    }
    for letter in &all.received {
        let time = clock(WallTime(letter.sent_ms), driver::wall());
        parts.push(format!("[{time}] {}: {}", letter.from, printable(&letter.text)));
    }
    if parts.is_empty() { "no messages".to_owned() } else { parts.join("\n") }
}
