//! `peer send-file` and `peer receive`.

use super::args::ReceiveArgs;
use super::ask::Asker;
use super::exit::Failure;
use super::life::Ending;
use super::output::{Output, printable};
use crate::api::{IncomingStream, Upgraded};
use crate::transfer::{self, SERVICE, TransferError};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use overlay_proto::status::Status;
use serde::Serialize;
use std::path::Path;
use tokio::task::JoinSet;

/// What `peer send-file` shows to programs.
#[derive(Debug, Serialize)]
struct FileSent {
    to: String,
    file: String,
    bytes: u64,
    resumed: u64,
}

/// What `peer receive` shows to programs first.
#[derive(Debug, Serialize)]
struct Receiving {
    from: String,
    into: String,
}

/// What `peer receive` shows to programs then, a line a file.
#[derive(Debug, Serialize)]
struct FileReceived {
    from: String,
    file: String,
    bytes: u64,
    resumed: u64,
}

pub(super) async fn send(peer: &Asker, to: &str, file: &Path, out: &Output) -> Result<(), Failure> {
    // What cannot be read needs no stream.
    let metadata = std::fs::metadata(file)
        .map_err(|source| TransferError::File { path: file.to_owned(), source })?;
    if !metadata.is_file() {
        let text = format!("{} is no file: pack a folder first, as with `tar`", file.display());
        return Err(Failure::usage(text));
    }
    let Upgraded { mut stream, with } = peer.stream(to, SERVICE).await.map_err(not_receiving)?;
    let bar = bar(out);
    let sent = transfer::send(&mut stream, file, |done, size| {
        bar.set_length(size);
        bar.set_position(done);
    });
    let sent = sent.await;
    bar.finish_and_clear();
    let transfer::Sent { size, resumed } = sent?;
    let file = file.display().to_string();
    let sent = FileSent { to: with, file, bytes: size, resumed };
    out.show(&sent, || format!("{} has {}, {} bytes{}", sent.to, sent.file, size, again(resumed)));
    Ok(())
}

pub(super) async fn receive(peer: &Asker, args: ReceiveArgs, out: &Output) -> Result<(), Failure> {
    let mut ending = Ending::watch()?;
    if !args.into.is_dir() {
        let text = format!("{} is no folder: make it, or name another --into", args.into.display());
        return Err(Failure::usage(text));
    }
    let mut wanted = peer.serve(SERVICE, &args.from).await?;
    let ready = Receiving { from: args.from.clone(), into: args.into.display().to_string() };
    out.show(&ready, || format!("taking files from {} into {}", ready.from, ready.into));
    let mut under_way = JoinSet::new();
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        tokio::select! {
            incoming = wanted.next::<IncomingStream>() => {
                let Some(incoming) = incoming else {
                    return Err(Failure::local("the peer has ended: start `peer run` again"));
                };
                let (peer, into, out) = (peer.clone(), args.into.clone(), *out);
                under_way.spawn(async move { take(&peer, &incoming, &into, &out).await });
            }
            Some(taken) = under_way.join_next(), if !under_way.is_empty() => {
                left -= u64::from(taken.unwrap_or(false));
            }
            () = ending.wished() => return Ok(()),
        }
    }
    Ok(())
}

/// Takes one file. True if it is here.
async fn take(peer: &Asker, incoming: &IncomingStream, into: &Path, out: &Output) -> bool {
    let bar = bar(out);
    let taken = async {
        let mut stream = peer.accept(incoming.id).await?.stream;
        let received = transfer::receive(&mut stream, into, |name, done, size| {
            bar.set_message(format!("{} from {}", printable(name), incoming.from));
            bar.set_length(size);
            bar.set_position(done);
        });
        received.await.map_err(Failure::from)
    };
    let taken = taken.await;
    bar.finish_and_clear();
    match taken {
        Ok(transfer::Received { path, size, resumed }) => {
            let file = path.display().to_string();
            let from = incoming.from.clone();
            let received = FileReceived { from, file, bytes: size, resumed };
            out.show(&received, || {
                let (from, file) = (&received.from, printable(&received.file));
                format!("{from} has sent {file}, {size} bytes{}", again(resumed))
            });
            true
        }
        Err(failure) => {
            let line = failure.line();
            out.show(&failure.problem, || format!("from {}: {}", incoming.from, printable(&line)));
            false
        }
    }
}

fn again(resumed: u64) -> String {
    if resumed > 0 { format!(", {resumed} of them from before") } else { String::new() }
}

/// A bar for people at a terminal.
fn bar(out: &Output) -> ProgressBar {
    let target = if out.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("a template of ours"));
    bar
}

fn not_receiving(failure: Failure) -> Failure {
    match failure.problem.status {
        Status::NOT_SERVED => Failure::new(
            Status::NOT_SERVED,
            "the other side takes no files from you now",
            "they have to run `peer receive`, and you have to be a contact of theirs",
        ),
        _ => failure,
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Failure {
        match error {
            TransferError::File { .. } => Failure::local(error.to_string()),
            _ => Failure::new(error.status(), error.to_string(), ""),
        }
    }
}
