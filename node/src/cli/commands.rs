//! The commands that ask the running peer.

use super::args::{ContactCommand, PeerCommand};
use super::ask::Asker;
use super::exit::Failure;
use super::mail;
use super::output::{Output, clock, duration, printable, short, table, table_of};
use super::{chat, contacts, files, ports};
use crate::api::{Device, InboxPage, Located, MailRequest, PeerStatus, Pong, Sent, Trace};
use crate::data::{Folder, INBOX_PAGE, InboxEntry};
use crate::driver;
use overlay_proto::time::WallTime;
use overlay_proto::view::{CorrespondentView, NeighbourView};
use std::time::Duration;

pub(super) async fn ask(
    folder: &Folder,
    command: PeerCommand,
    out: &Output,
) -> Result<(), Failure> {
    let peer = Asker::of(folder);
    match command {
        PeerCommand::Send { to, text } => {
            let sent = peer.send(&to, text.join(" ")).await?;
            out.show(&sent, || receipt(&sent));
        }
        PeerCommand::Message { to, text, wait, life } => {
            let request = MailRequest { to, text: text.join(" "), life_secs: life };
            mail::write(&peer, request, wait, out).await?;
        }
        PeerCommand::Chat { name } => chat::chat(&peer, name.as_deref(), out).await?,
        PeerCommand::Away => {
            let done = peer.away(true).await?;
            out.show(&done, || "contacts see that you are away".to_owned());
        }
        PeerCommand::Back => {
            let done = peer.away(false).await?;
            out.show(&done, || "contacts see that you are here".to_owned());
        }
        PeerCommand::Messages { after } => mail::list(&peer, after, out).await?,
        PeerCommand::Inbox { after } => inbox(folder, &peer, after, out).await?,
        PeerCommand::Status => {
            let status = peer.status().await?;
            out.show(&status, || glance(&status));
        }
        PeerCommand::Neighbours => {
            let neighbours = peer.neighbours().await?;
            out.show(&neighbours, || neighbour_table(&neighbours));
        }
        PeerCommand::Sessions => {
            let with = peer.correspondents().await?;
            out.show(&with, || session_table(&with));
        }
        PeerCommand::Ping { name } => {
            let pong = peer.ping(&name).await?;
            out.show(&pong, || answered(&pong));
        }
        PeerCommand::Trace { name } => {
            let trace = peer.trace(&name).await?;
            out.show(&trace, || hop_table(&trace));
        }
        PeerCommand::Lookup { name } => {
            let located = peer.lookup(&name).await?;
            out.show(&located, || whereabouts(&located));
        }
        PeerCommand::Logout => {
            let done = peer.logout().await?;
            out.show(&done, || "logged out".to_owned());
        }
        PeerCommand::Contacts { command } => {
            contacts::follow(&peer, command.unwrap_or(ContactCommand::List), out).await?;
        }
        PeerCommand::SendFile { to, file } => files::send(&peer, &to, &file, out).await?,
        PeerCommand::Receive(args) => files::receive(&peer, args, out).await?,
        PeerCommand::Forward { local, to } => ports::forward(&peer, local, &to, out).await?,
        PeerCommand::Expose(args) => ports::expose(&peer, args, out).await?,
        PeerCommand::Request(args) => {
            let deadline = Duration::from_secs(args.deadline);
            let body = args.text.join(" ").into_bytes();
            let answered = peer.request(&args.to, &args.service, body, deadline).await?;
            out.show(&answered, || printable(&answered.answer));
        }
        PeerCommand::Join(_)
        | PeerCommand::Run(_)
        | PeerCommand::Device { .. }
        | PeerCommand::Decode(_) => {
            return Err(Failure::local("this command asks no running peer"));
        }
    }
    Ok(())
}

async fn inbox(folder: &Folder, peer: &Asker, after: u64, out: &Output) -> Result<(), Failure> {
    let mut after = after;
    let mut all = Vec::new();
    loop {
        let messages = match peer.inbox(after).await? {
            Some(page) => page.messages,
            None => folder.read_inbox(after)?,
        };
        let more = messages.len() == INBOX_PAGE;
        after = messages.last().map_or(after, |entry| entry.number);
        all.extend(messages);
        if !more {
            break;
        }
    }
    let page = InboxPage { messages: all };
    out.show(&page, || match page.messages.is_empty() {
        true => "no messages".to_owned(),
        false => page.messages.iter().map(message).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

/// A text as it is shown.
pub(super) fn message(entry: &InboxEntry) -> String {
    let time = clock(WallTime(entry.received_ms), driver::wall());
    format!("[{time}] {}: {}", entry.from, printable(&entry.text))
}

/// The receipt of a text as it is shown.
pub(super) fn receipt(sent: &Sent) -> String {
    let tries = if sent.tries > 1 { format!(", {} tries", sent.tries) } else { String::new() };
    let scaffold = if sent.escalated { ", over the scaffold" } else { "" };
    format!("{} has it: {}, {:.1} ms{tries}{scaffold}", sent.to, hops(sent.hops), sent.ms)
}

fn hops(count: u8) -> String {
    if count == 1 { "1 hop".to_owned() } else { format!("{count} hops") }
}

fn glance(status: &PeerStatus) -> String {
    let peer = &status.peer;
    table_of(&[
        ("name", peer.name.clone().unwrap_or_else(|| "-".to_owned())),
        ("state", peer.state.clone()),
        ("node", peer.node.clone()),
        ("home", peer.home.clone().unwrap_or_else(|| "-".to_owned())),
        ("standbys", peer.standbys.iter().map(|node| short(node)).collect::<Vec<_>>().join(" ")),
        ("lease", duration(peer.lease_secs)),
        ("neighbours", format!("{} of {}", peer.neighbours, peer.degree)),
        ("trees", format!("{} of {}", peer.labels, peer.trees)),
        ("received", format!("{} texts since the start, {} in all", peer.received, status.inbox)),
        (
            "forwarded",
            format!("{} packets, {} handed to the scaffold", peer.forwarded, peer.escalated),
        ),
        ("addresses", status.addresses.join(" ")),
        ("process", format!("{}, version {}", status.process, status.version)),
    ])
}

fn neighbour_table(neighbours: &[NeighbourView]) -> String {
    if neighbours.is_empty() {
        return "no neighbours yet: the home names them after the log-in".to_owned();
    }
    let mut shown = table(&["slot", "node", "link", "rtt", "its neighbours", "address"]);
    for neighbour in neighbours {
        shown.add_row([
            neighbour.slot.to_string(),
            short(&neighbour.node).to_owned(),
            if neighbour.up { "up" } else { "down" }.to_owned(),
            neighbour.rtt_ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms")),
            neighbour.neighbours.to_string(),
            printable(&neighbour.address),
        ]);
    }
    shown.to_string()
}

fn session_table(with: &[CorrespondentView]) -> String {
    if with.is_empty() {
        return "no sessions of late".to_owned();
    }
    let mut shown = table(&["with", "device", "way", "rtt", "quiet"]);
    for one in with {
        shown.add_row([
            printable(&one.name),
            short(&one.node).to_owned(),
            if one.direct { "direct".to_owned() } else { hops(one.hops) },
            one.rtt_ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms")),
            format!("{} s", one.quiet_secs),
        ]);
    }
    shown.to_string()
}

fn answered(pong: &Pong) -> String {
    let (there, back) = (hops(pong.hops), hops(pong.hops_back));
    format!("{} answers: {there} there, {back} back, {:.1} ms", pong.name, pong.ms)
}

fn hop_table(trace: &Trace) -> String {
    let mut shown = table(&["hop", "node", "user", "time"]);
    for hop in &trace.hops {
        shown.add_row([
            hop.hop.to_string(),
            short(&hop.node).to_owned(),
            hop.name.as_deref().map_or("-".to_owned(), printable),
            format!("{:.1} ms", hop.ms),
        ]);
    }
    match trace.arrived {
        true => shown.to_string(),
        false => format!("{shown}\n{} did not answer: try again", trace.name),
    }
}

fn whereabouts(located: &Located) -> String {
    let device = |device: &Device| {
        let state = match device.online {
            true => {
                format!("on line, for {} more unless renewed", duration(device.lease_ms / 1_000))
            }
            false => format!("off line since {}", duration(device.age_ms / 1_000)),
        };
        table_of(&[
            ("user", located.name.clone()),
            ("state", state),
            ("node", device.node.clone()),
            ("home", device.home.clone()),
            ("trees", device.labels.to_string()),
            ("addresses", device.addresses.join(" ")),
            ("said", format!("{} ago", duration(device.age_ms / 1_000))),
            ("found in", format!("{:.1} ms", located.ms)),
        ])
    };
    match located.devices.is_empty() {
        true => format!("{} has no device on line", located.name),
        false => located.devices.iter().map(device).collect::<Vec<_>>().join("\n\n"),
    }
}
