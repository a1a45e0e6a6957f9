//! How nodes end, or do not begin.

use super::realm::*;
use crate::driver::{StartError, start};
use overlay_proto::io::{Command, Event, Reply};
use overlay_proto::status::Status;
use tokio::sync::broadcast::error::RecvError;

#[tokio::test]
async fn a_shutdown_logs_out_first() {
    let supernode = started(supernode(None)).await;
    let mut there = supernode.events();
    let peer = logged_in(1, &supernode).await;
    let mut here = peer.events();
    within(peer.shutdown()).await;
    let out = event(&mut there, |e| matches!(e, Event::ChildOut { .. })).await;
    assert_eq!(out, Event::ChildOut { node: peer.id(), status: Status::OK });
    event(&mut here, |e| *e == Event::LoggedOut { status: Status::OK }).await;

    assert_eq!(within(here.recv()).await, Err(RecvError::Closed));
    assert_eq!(within(peer.events().recv()).await, Err(RecvError::Closed));
    let failed = Reply::Failed { status: Status::INTERNAL };
    assert_eq!(within(peer.command(Command::Login)).await, failed);
    assert_eq!(peer.peer_view().await, None);
    within(peer.shutdown()).await;
}

#[tokio::test]
async fn a_command_without_an_end_fails_with_the_node() {
    let nobody = started(supernode(None)).await;
    let peer = started(user(1, contact(&nobody))).await;
    within(nobody.shutdown()).await;
    let waiting = tokio::spawn({
        let peer = peer.clone();
        async move { peer.command(Command::Login).await }
    });
    within(peer.shutdown()).await;
    let reply = within(waiting).await.expect("no panic");
    assert_eq!(reply, Reply::Failed { status: Status::INTERNAL });
}

#[tokio::test]
async fn a_node_without_an_owner_ends() {
    let supernode = started(supernode(None)).await;
    let peer = logged_in(1, &supernode).await;
    let mut events = peer.events();
    drop(peer);
    while within(events.recv()).await != Err(RecvError::Closed) {}
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_what_to_do() {
    let first = started(supernode(None)).await;
    let port = first.addresses()[0].as_str().rsplit('/').next().and_then(|port| port.parse().ok());
    let mut options = user(1, Vec::new());
    options.listen.port = port.expect("a port");
    let error = within(start(options.clone())).await.expect_err("in use");
    assert!(matches!(error, StartError::PortInUse { port } if port == options.listen.port));
    assert!(error.to_string().contains("choose another port"), "{error}");

    options.listen = loopback();
    options.listen.announce = vec!["example.org".to_owned()];
    let error = within(start(options)).await.expect_err("no multiaddr");
    assert!(error.to_string().contains("/ip4/203.0.113.5/tcp/4001"), "{error}");
}

#[tokio::test]
async fn announced_addresses_stand_in_place_of_the_own() {
    let mut options = supernode(None);
    options.listen.announce = vec!["/ip4/203.0.113.5/tcp/4001".to_owned()];
    let node = started(options).await;
    let announced: Vec<String> = node.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(announced, ["/ip4/203.0.113.5/tcp/4001"]);
}
