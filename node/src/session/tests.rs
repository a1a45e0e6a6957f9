//! Sessions between real nodes on loopback.

use super::opening::Opening;
use super::sessions::exchange;
use super::{Access, Incoming, REQUEST_BYTES_MAX, Service, SessionError, Sessions};
use crate::driver::Handle;
use crate::driver::tests::realm::*;
use overlay_proto::id::NodeId;
use overlay_proto::identity::SecretKey;
use overlay_proto::io::{Command, Event};
use overlay_proto::status::Status;
use overlay_proto::wire::Class;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(30);

fn service(text: &str) -> Service {
    text.parse().expect("valid")
}

mod stolen_key;
mod tampering;

struct Ends {
    _supernode: Handle,
    alice: Sessions,
    bob: Sessions,
}

/// Two users who are neighbours.
async fn ends() -> Ends {
    let (supernode, alice, bob) = handles().await;
    let sessions = |handle: &Handle, n: u8| {
        Sessions::start(handle, &device(n)).expect("starts").expect("the first")
    };
    Ends { alice: sessions(&alice, 1), bob: sessions(&bob, 2), _supernode: supernode }
}

fn device(n: u8) -> SecretKey {
    user(n, Vec::new()).identity.device.clone()
}

/// Their supernode and they.
async fn handles() -> (Handle, Handle, Handle) {
    let supernode = started(supernode(None)).await;
    let alice = started(user(1, contact(&supernode))).await;
    let mut events = alice.events();
    within(alice.command(Command::Login)).await;
    let bob = logged_in(2, &supernode).await;
    event(&mut events, |e| matches!(e, Event::NeighbourUp { node, .. } if *node == bob.id())).await;
    (supernode, alice, bob)
}

/// Sends back what comes.
async fn echo(incoming: Incoming) {
    let stream = incoming.accept().await.expect("accepted");
    let (mut from, mut to) = tokio::io::split(stream);
    tokio::io::copy(&mut from, &mut to).await.expect("copied");
    to.shutdown().await.expect("shut down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_carries_megabytes_both_ways_to_a_proven_user() {
    let ends = ends().await;
    let mut listener = ends.bob.listen(service("echo"), Access::Everyone).expect("free");
    tokio::spawn(async move {
        while let Some(incoming) = listener.next().await {
            assert_eq!(incoming.from(), Some(&name(1)));
            tokio::spawn(echo(incoming));
        }
    });
    for class in [Class::RealTime, Class::Message, Class::Bulk] {
        let sent: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
        let stream = within(ends.alice.open(&name(2), &service("echo"), class)).await;
        let stream = stream.expect("opened");
        assert_eq!(stream.with(), &name(2));
        let (mut from, mut to) = tokio::io::split(stream);
        let writing = sent.clone();
        tokio::spawn(async move {
            to.write_all(&writing).await.expect("written");
            to.shutdown().await.expect("shut down");
        });
        let mut came = Vec::new();
        within(from.read_to_end(&mut came)).await.expect("read");
        assert!(came == sent, "{} of {} bytes, or others", came.len(), sent.len());
    }
}

#[tokio::test]
async fn datagrams_come_beside_their_stream_and_no_other() {
    let ends = ends().await;
    let mut listener = ends.bob.listen(service("call"), Access::Everyone).expect("free");
    let taken = tokio::spawn(async move {
        let mut calls = Vec::new();
        for _ in 0..2 {
            let incoming = listener.next().await.expect("one");
            let mut stream = incoming.accept().await.expect("accepted");
            let datagrams = stream.datagrams().expect("the first to ask");
            assert!(stream.datagrams().is_none(), "once only");
            calls.push((stream, datagrams));
        }
        calls
    });
    let mut own = Vec::new();
    for _ in 0..2 {
        let (bob, call) = (name(2), service("call"));
        let opened = within(ends.alice.open(&bob, &call, Class::RealTime)).await;
        let mut stream = opened.expect("opened");
        let datagrams = stream.datagrams().expect("the first to ask");
        own.push((stream, datagrams));
    }
    let mut calls = within(taken).await.expect("both");
    for (number, (_, datagrams)) in own.iter().enumerate() {
        let max = datagrams.bytes_max();
        assert!(max > 1_000, "{max}");
        let large = datagrams.send(&vec![0; max + 1]).map_err(|error| error.status());
        assert_eq!(large, Err(Status::TOO_LARGE));
        datagrams.send(&vec![number as u8; max]).expect("fits");
    }
    for (number, (_, datagrams)) in calls.iter_mut().enumerate() {
        let came = within(datagrams.receive()).await.expect("came");
        assert!(came.iter().all(|byte| usize::from(*byte) == number), "of the right stream");
        datagrams.send(b"heard").expect("fits");
    }
    for (_, datagrams) in &mut own {
        assert_eq!(within(datagrams.receive()).await.as_deref(), Some(b"heard".as_slice()));
    }
    // For a stream that nobody has: dropped, and the session lives.
    drop(calls.remove(0).1);
    own[0].1.send(b"into the void").expect("sent");
    own[1].1.send(b"still here").expect("sent");
    assert_eq!(within(calls[0].1.receive()).await.as_deref(), Some(b"still here".as_slice()));
    ends.alice.close().await;
    assert_eq!(within(calls[0].1.receive()).await, None, "the session is over");
}

#[tokio::test]
async fn who_is_not_let_in_hears_no_and_why() {
    let ends = ends().await;
    let status =
        |refused: Result<super::Stream, SessionError>| refused.expect_err("refused").status();
    let open = async |text: &str| ends.alice.open(&name(2), &service(text), Class::Message).await;
    assert_eq!(status(within(open("nothing")).await), Status::NOT_SERVED);
    // The same if the no is there before the question has left.
    let opening = Opening { service: service("nothing"), deadline: Some(PATIENCE) };
    let bob = NodeId(device(2).public());
    let begun = within(ends.alice.begin(bob, &name(2), &opening, Class::Message)).await;
    let mut stream = begun.expect("begun");
    within(stream.send.stopped()).await.expect("a session that stands");
    let asked = within(exchange(&mut stream, b"late")).await;
    assert_eq!(asked.map_err(|error| error.status()), Err(Status::NOT_SERVED));
    let only = Access::Users([name(7)].into());
    let closed = ends.bob.listen(service("closed"), only).expect("free");
    assert_eq!(status(within(open("closed")).await), Status::NOT_SERVED);
    assert!(ends.bob.listen(service("closed"), Access::Everyone).is_err());
    drop(closed);
    let mut no = ends.bob.listen(service("closed"), Access::Everyone).expect("free again");
    tokio::spawn(async move {
        let incoming = no.next().await.expect("one");
        incoming.refuse(Status::TOO_MANY, "not today").await;
        // The second is dropped unanswered.
        drop(no.next().await);
    });
    let said = within(open("closed")).await.expect_err("refused").to_string();
    assert!(said.contains("not today"), "{said}");
    assert!(within(open("closed")).await.is_err());
    let (nobody, echo) = (name(9), service("echo"));
    let opened = within(ends.alice.open(&nobody, &echo, Class::Message)).await;
    // A supernode that has just started does not say who does not exist.
    assert_eq!(status(opened), Status::NO_ROUTE);
}

#[tokio::test]
async fn requests_have_answers_statuses_limits_and_deadlines() {
    let ends = ends().await;
    ends.bob
        .serve(service("double"), Access::Everyone, |from, body| async move {
            assert_eq!(from, name(1));
            match body.as_slice() {
                b"no" => Err(SessionError::refused(Status::FORBIDDEN)),
                b"slow" => {
                    tokio::time::sleep(Duration::from_secs(3_600)).await;
                    Ok(body)
                }
                _ => Ok([body.as_slice(), &body].concat()),
            }
        })
        .expect("free");
    let ask = async |body: &[u8], patience| {
        within(ends.alice.request(&name(2), &service("double"), body, patience)).await
    };
    assert_eq!(ask(b"ab", PATIENCE).await, Ok(b"abab".to_vec()));
    assert_eq!(ask(b"no", PATIENCE).await.map_err(|e| e.status()), Err(Status::FORBIDDEN));
    let slow = ask(b"slow", Duration::from_millis(300)).await;
    assert_eq!(slow.map_err(|e| e.status()), Err(Status::TIMEOUT));
    let large = ask(&vec![0; REQUEST_BYTES_MAX], PATIENCE).await;
    assert_eq!(large.map_err(|e| e.status()), Err(Status::INTERNAL), "twice as much is too large");
    let larger = ask(&vec![0; REQUEST_BYTES_MAX + 1], PATIENCE).await;
    assert_eq!(larger.map_err(|e| e.status()), Err(Status::TOO_LARGE));
}
