//! Datagrams between two peers of a small network.

use crate::Config;
use crate::config::DATAGRAM_BYTES_MAX;
use crate::id::{LinkId, NodeId};
use crate::io::{Command, Event, Input, Reply};
use crate::name::Name;
use crate::testing::{Net, Realm};
use crate::time::Span;
use crate::wire::Class;

/// Three supernodes and as many peers, of which the first two are not neighbours.
fn world(peers: u8) -> (Net, Realm, NodeId, NodeId) {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    net.start_supernodes(&mut realm, 0..3);
    net.run(Span::secs(5));
    let users = net.log_in(&mut realm, 0..peers);
    net.run(Span::secs(20));
    let alice = users[0];
    let far = |user: &&NodeId| !linked(&net, alice, **user);
    let bob = *users[1..].iter().find(far).expect("eight neighbours of more");
    (net, realm, alice, bob)
}

fn linked(net: &Net, a: NodeId, b: NodeId) -> bool {
    net.nodes[&a].neighbour_views().iter().any(|view| view.up && view.node == b.to_string())
}

fn name_of(net: &Net, node: NodeId) -> Name {
    Name::new(&net.peer(node).name.expect("certified")).expect("valid")
}

fn meet(net: &mut Net, from: NodeId, to: NodeId) {
    let to_name = name_of(net, to);
    let reply = net.ask(from, Command::Meet { to: to_name.clone(), node: None });
    assert_eq!(reply, Reply::Met { node: to, name: to_name });
    // Until then the other end does not know us.
    net.run(Span::millis(200));
}

fn send(net: &mut Net, from: NodeId, to: NodeId, class: Class, bytes: &[u8]) {
    net.input(from, Input::Datagram { to, class, bytes: bytes.to_vec() });
}

/// What has come to `at` since it was asked last.
fn come(net: &mut Net, at: NodeId) -> Vec<Vec<u8>> {
    let (here, there) = std::mem::take(&mut net.datagrams).into_iter().partition(|(n, _)| *n == at);
    net.datagrams = there;
    let here: Vec<(NodeId, crate::io::Datagram)> = here;
    here.into_iter().map(|(_, datagram)| datagram.bytes().to_vec()).collect()
}

/// Each says something to the other every 100 ms; returns how many came to each.
fn talk(net: &mut Net, a: NodeId, b: NodeId, times: usize) -> (usize, usize) {
    let (mut at_a, mut at_b) = (0, 0);
    for _ in 0..times {
        send(net, a, b, Class::Message, b"ping");
        send(net, b, a, Class::Message, b"pong");
        net.run(Span::millis(100));
        at_a += come(net, a).len();
        at_b += come(net, b).len();
    }
    (at_a, at_b)
}

fn hops(net: &Net, at: NodeId, from: NodeId) -> (u8, bool) {
    let views = net.nodes[&at].correspondent_views();
    let view = views.iter().find(|view| view.node == from.to_string()).expect("known");
    (view.hops, view.direct)
}

/// The neighbour over which packets from `a` to `b` go first.
fn first_hop(net: &mut Net, a: NodeId, b: NodeId) -> NodeId {
    let to = name_of(net, b);
    let Reply::Traced { hops, .. } = net.ask(a, Command::Trace { to }) else { panic!("no way") };
    hops[0].node
}

fn link_up(net: &Net, a: NodeId, b: NodeId) -> Option<LinkId> {
    net.try_link_between(a, b)
}

#[test]
fn datagrams_go_both_ways_once_one_end_has_met_the_other() {
    let (mut net, _, alice, bob) = world(24);
    send(&mut net, alice, bob, Class::Bulk, b"too early");
    net.run(Span::secs(1));
    assert!(come(&mut net, bob).is_empty(), "nobody has met anybody");

    meet(&mut net, alice, bob);
    send(&mut net, alice, bob, Class::RealTime, b"hello");
    send(&mut net, alice, bob, Class::Bulk, &[7; DATAGRAM_BYTES_MAX]);
    send(&mut net, alice, bob, Class::Bulk, &[7; DATAGRAM_BYTES_MAX + 1]);
    net.run(Span::secs(1));
    assert_eq!(come(&mut net, bob), [b"hello".to_vec(), vec![7; DATAGRAM_BYTES_MAX]]);
    let asked = net.sent.len();
    send(&mut net, bob, alice, Class::RealTime, b"hello yourself");
    net.run(Span::millis(200));
    assert_eq!(come(&mut net, alice), [b"hello yourself"], "the first end has said where it is");
    let lookups = net.sent[asked..].iter().filter(|(number, _)| *number == 32).count();
    assert_eq!(lookups, 0);
    assert!(hops(&net, alice, bob).0 >= 2);
}

#[test]
fn much_talk_makes_a_direct_link_and_its_loss_costs_no_datagram_sent_later() {
    let (mut net, _, alice, bob) = world(24);
    meet(&mut net, alice, bob);
    assert_eq!(talk(&mut net, alice, bob, 60), (60, 60));
    assert_eq!(hops(&net, alice, bob), (0, true));
    let up = |e: &(NodeId, Event)| matches!(e.1, Event::PathChanged { direct: true, .. });
    assert_eq!(net.events.iter().filter(|e| up(e)).count(), 2, "once at each end");

    let link = link_up(&net, alice, bob).expect("linked");
    net.break_link(link);
    net.run(Span::millis(20));
    assert_eq!(talk(&mut net, alice, bob, 5), (5, 5));
    assert!(hops(&net, alice, bob).0 >= 1);

    net.run(Span::secs(90));
    assert_eq!(link_up(&net, alice, bob), None, "it carries nothing any more");
}

/// One end speaks every 50 ms, the other only answers; returns how many answers came.
fn dictate(net: &mut Net, from: NodeId, to: NodeId, times: usize) -> usize {
    let mut answers = 0;
    for _ in 0..times {
        send(net, from, to, Class::Bulk, b"data");
        net.run(Span::millis(50));
        for _ in come(net, to) {
            send(net, to, from, Class::Bulk, b"taken");
        }
        answers += come(net, from).len();
    }
    answers
}

#[test]
fn a_direct_link_that_went_mute_is_left_by_both_ends_though_one_only_answers() {
    let (mut net, _, alice, bob) = world(24);
    meet(&mut net, alice, bob);
    dictate(&mut net, alice, bob, 80);
    assert_eq!(hops(&net, alice, bob), (0, true));
    let link = link_up(&net, alice, bob).expect("linked");
    net.mute = [link].into();
    dictate(&mut net, alice, bob, 30);
    assert!(dictate(&mut net, alice, bob, 20) >= 19, "after 1.5 s answers come again");
    assert!(!hops(&net, alice, bob).1 && !hops(&net, bob, alice).1);
}

#[test]
fn who_drops_what_it_should_forward_is_left_within_seconds() {
    let (mut net, _, alice, bob) = world(24);
    meet(&mut net, alice, bob);
    net.no_dials = true;
    assert_eq!(talk(&mut net, alice, bob, 10), (10, 10));
    for (from, to) in [(alice, bob), (bob, alice)] {
        let dropper = first_hop(&mut net, from, to);
        net.droppers = [dropper].into();
        let lost = talk(&mut net, alice, bob, 30);
        assert!(lost.0 >= 5 && lost.1 >= 5, "{lost:?} of 30 although one neighbour drops");
        assert_eq!(talk(&mut net, alice, bob, 50), (50, 50));
        net.droppers.clear();
    }
}

#[test]
fn only_a_signed_place_makes_a_correspondent() {
    let (mut net, _, alice, bob) = world(24);
    meet(&mut net, alice, bob);
    send(&mut net, alice, bob, Class::Message, b"hello");
    net.run(Span::secs(1));
    let known = |net: &Net, at: NodeId| net.nodes[&at].correspondent_views().len();
    assert_eq!((known(&net, alice), known(&net, bob)), (1, 1));
    net.run(Span::secs(400));
    assert_eq!((known(&net, alice), known(&net, bob)), (0, 0), "who is quiet is forgotten");
}
