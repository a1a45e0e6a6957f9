//! What a running node does.

use super::realm::*;
use crate::driver::Store;
use overlay_proto::io::{Command, Event, Reply, StoreAnswer, StoreRequest};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Grants every name, but panics at the first.
#[derive(Debug, Default)]
struct ShakyStore {
    asked: AtomicBool,
}

impl Store for ShakyStore {
    fn submit(&self, _: StoreRequest) -> Pin<Box<dyn Future<Output = StoreAnswer> + Send>> {
        let asked = self.asked.swap(true, Ordering::Relaxed);
        Box::pin(async move {
            assert!(asked, "a store that fails badly");
            StoreAnswer::Granted { serial: 7 }
        })
    }
}

#[tokio::test]
async fn a_peer_logs_in_and_is_seen() {
    let supernode = started(supernode(None)).await;
    let mut there = supernode.events();
    let peer = started(user(1, contact(&supernode))).await;
    let mut here = peer.events();
    let reply = within(peer.command(Command::Login)).await;
    assert!(matches!(reply, Reply::LoggedIn { home, .. } if home == supernode.id()), "{reply:?}");
    let came = |e: &Event| matches!(e, Event::LoggedIn { home, failover: false } if *home == supernode.id());
    event(&mut here, came).await;
    event(&mut there, |e| matches!(e, Event::ChildIn { node, .. } if *node == peer.id())).await;

    let view = peer.peer_view().await.expect("a peer");
    assert_eq!((view.state.as_str(), view.name.as_deref()), ("online", Some("u1")));
    assert_eq!(supernode.child_views().await.len(), 1);
    assert_eq!(supernode.supernode_view().await.map(|view| view.children), Some(1));
    assert_eq!(peer.supernode_view().await, None);
    let counters = peer.counters().await;
    assert_eq!((counters.links, counters.dropped), (1, [0; 4]));
    assert!(counters.handshakes >= 1, "{counters:?}");
    assert!(counters.frames_in >= 2 && counters.frames_out >= 2);
}

#[tokio::test]
async fn two_peers_become_neighbours_and_talk() {
    let supernode = started(supernode(None)).await;
    let one = started(user(1, contact(&supernode))).await;
    let mut events = one.events();
    within(one.command(Command::Login)).await;
    let other = logged_in(2, &supernode).await;
    let mut received = other.events();
    event(&mut events, |e| matches!(e, Event::NeighbourUp { node, .. } if *node == other.id()))
        .await;
    assert_eq!(one.neighbour_views().await.iter().filter(|view| view.up).count(), 1);
    let text = "so it works".to_owned();
    let reply = within(one.command(Command::Send { to: name(2), text: text.clone() })).await;
    assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");
    let event = event(&mut received, |event| matches!(event, Event::Received(_))).await;
    let Event::Received(came) = event else { unreachable!("just matched") };
    assert_eq!((came.from, came.text), (name(1), text));
}

#[tokio::test]
async fn the_store_is_asked_for_names_and_survives_its_panic() {
    let supernode = started(supernode(Some(Arc::<ShakyStore>::default()))).await;
    let peer = started(newcomer(1, contact(&supernode))).await;
    let register = Command::Register { name: name(1), code: None };
    match within(peer.command(register)).await {
        Reply::Registered { chain } => {
            assert_eq!(chain.user.serial, 7);
            assert_eq!(chain.user.name, Some(name(1)));
        }
        other => panic!("not registered: {other:?}"),
    }
}

#[tokio::test]
async fn a_supernode_that_is_back_gets_its_peer_back() {
    let options = supernode(None);
    let first = started(options.clone()).await;
    let peer = logged_in(1, &first).await;
    let mut events = peer.events();
    let port = first.addresses()[0].as_str().rsplit('/').next().and_then(|port| port.parse().ok());
    within(first.shutdown()).await;
    let mut options = options;
    options.listen.port = port.expect("a port");
    let second = started(options).await;
    event(&mut events, |e| matches!(e, Event::LoggedIn { .. })).await;
    assert_eq!(second.child_views().await.len(), 1);
}
