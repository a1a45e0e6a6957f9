//! `peer forward` and `peer expose`: TCP ports over streams.

use super::args::ExposeArgs;
use super::ask::Asker;
use super::exit::Failure;
use super::life::Ending;
use super::output::Output;
use crate::api::IncomingStream;
use overlay_proto::status::Status;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections of one forwarded port at a time: as many as a peer takes streams in a session.
const CONNECTIONS_MAX: usize = 128;
/// How long what listens behind an exposed port may take to answer.
const TARGET_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes copied at a time.
const COPY_BYTES: usize = 64 * 1024;

/// What both commands show to programs once they are ready.
#[derive(Debug, Serialize)]
struct Ready {
    listening: String,
    to: String,
}

pub(super) async fn forward(
    peer: &Asker,
    local: SocketAddr,
    to: &str,
    out: &Output,
) -> Result<(), Failure> {
    let mut ending = Ending::watch()?;
    let unclear = || Failure::usage(format!("{to:?} names no port: write it like bob:80"));
    let (user, port) = to.rsplit_once(':').ok_or_else(unclear)?;
    let port: u16 = port.parse().map_err(|_| unclear())?;
    super::ask::recipient(user)?;
    let listener = TcpListener::bind(local).await.map_err(|error| {
        Failure::local(format!("cannot listen on {local} ({error}): choose another port"))
    })?;
    let listening = listener.local_addr().unwrap_or(local).to_string();
    let ready = Ready { listening, to: to.to_owned() };
    out.show(&ready, || format!("{} leads to port {port} of {user}", ready.listening));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((connection, _)) = taken else { continue };
                let (peer, user, out) = (peer.clone(), user.to_owned(), *out);
                connections.spawn(async move {
                    match peer.stream(&user, &service(port)).await {
                        Ok(upgraded) => carry(connection, upgraded.stream).await,
                        // The connection is reset: whoever made it sees that at once.
                        Err(failure) => out.note(&failure.line()),
                    }
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = ending.wished() => return Ok(()),
        }
    }
}

pub(super) async fn expose(peer: &Asker, args: ExposeArgs, out: &Output) -> Result<(), Failure> {
    let mut ending = Ending::watch()?;
    let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), args.port);
    let target = args.target.unwrap_or(loopback);
    let mut wanted = peer.serve(&service(args.port), &args.to).await?;
    let ready = Ready { listening: target.to_string(), to: args.to.clone() };
    out.show(&ready, || format!("port {} leads {} to {target}, until Ctrl-C", args.port, args.to));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = wanted.next::<IncomingStream>() => {
                let Some(incoming) = incoming else {
                    return Err(Failure::local("the peer has ended: start `peer run` again"));
                };
                let (peer, out) = (peer.clone(), *out);
                connections.spawn(async move { reach(&peer, &incoming, target, &out).await });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = ending.wished() => return Ok(()),
        }
    }
}

/// Ties one stream to what listens behind the port.
async fn reach(peer: &Asker, incoming: &IncomingStream, target: SocketAddr, out: &Output) {
    let connection = match timeout(TARGET_PATIENCE, TcpStream::connect(target)).await {
        Ok(Ok(connection)) => connection,
        failed => {
            let reason = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "no answer".to_owned(),
            };
            out.note(&format!(
                "nothing answers on {target} ({reason}); {} sees 502",
                incoming.from
            ));
            let sentence = "nothing listens behind that port on the other side";
            let _ = peer.refuse(incoming.id, Status::UNREACHABLE, sentence).await;
            return;
        }
    };
    match peer.accept(incoming.id).await {
        Ok(upgraded) => carry(connection, upgraded.stream).await,
        Err(failure) => out.note(&failure.line()),
    }
}

async fn carry(mut connection: TcpStream, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // What is typed goes at once.
    let _ = connection.set_nodelay(true);
    let carried =
        copy_bidirectional_with_sizes(&mut connection, &mut stream, COPY_BYTES, COPY_BYTES);
    if let Err(error) = carried.await {
        tracing::debug!(%error, "a forwarded connection broke");
    }
}

fn service(port: u16) -> String {
    format!("tcp/{port}")
}
