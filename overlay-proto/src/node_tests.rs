//! Whole nodes on a small network.

use crate::Config;
use crate::id::NodeId;
use crate::identity::Validity;
use crate::io::{Command, Event, Reply};
use crate::name::Name;
use crate::status::Status;
use crate::testing::{Net, Realm};
use crate::time::{Span, WallTime};
use std::sync::Arc;

fn name(n: u8) -> Name {
    Name::new(&format!("u{n}")).expect("valid")
}

/// `supernodes` and `peers`, all logged in and placed.
fn world(supernodes: u8, peers: u8) -> (Net, Realm, Vec<NodeId>, Vec<NodeId>) {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let supers = net.start_supernodes(&mut realm, 0..supernodes);
    net.run(Span::secs(5));
    let users = net.log_in(&mut realm, 0..peers);
    net.run(Span::secs(20));
    (net, realm, supers, users)
}

fn send(net: &mut Net, from: NodeId, to: u8) -> Reply {
    net.ask(from, Command::Send { to: name(to), text: format!("to u{to}") })
}

fn received(net: &Net, node: NodeId) -> usize {
    net.events.iter().filter(|(n, e)| *n == node && matches!(e, Event::Received(_))).count()
}

#[test]
fn two_peers_and_a_supernode_exchange_a_text_once() {
    let (mut net, _, _, users) = world(1, 2);
    let reply = send(&mut net, users[0], 1);
    assert!(
        matches!(reply, Reply::Delivered { hops: 1, tries: 1, escalated: false, .. }),
        "{reply:?}"
    );
    assert_eq!(received(&net, users[1]), 1);
}

#[test]
fn everyone_has_neighbours_and_labels_and_reaches_everyone() {
    let (mut net, _, _, users) = world(3, 24);
    for user in &users {
        let view = net.peer(*user);
        assert!(view.neighbours >= 7 && view.neighbours <= 8, "{view:?}");
        assert_eq!(view.labels, view.trees, "{view:?}");
    }
    for (i, user) in users.iter().enumerate() {
        let to = (i as u8 + 7) % 24;
        let reply = send(&mut net, *user, to);
        assert!(matches!(reply, Reply::Delivered { tries: 1, escalated: false, .. }), "{reply:?}");
    }
}

#[test]
fn what_a_peer_believes_of_its_neighbours_can_be_compared_with_them() {
    let (net, _, supers, users) = world(1, 4);
    assert_eq!(net.nodes[&supers[0]].place(), None, "a supernode has no place");
    let places: Vec<_> = users.iter().filter_map(|user| net.nodes[user].place()).collect();
    for place in &places {
        assert_eq!(place.neighbours.len(), 3);
        for belief in &place.neighbours {
            let it = places.iter().find(|other| other.node == belief.node).expect("one of four");
            assert_eq!(belief.issued, it.issued, "what is held is what was issued");
            for near in it.neighbours.iter().filter(|near| near.node != place.node) {
                let short = near.node.short();
                let told =
                    belief.far.iter().any(|(slot, far, _)| (*slot, *far) == (near.slot, short));
                assert!(told, "{:?} has not told of {short:?}", it.node);
            }
        }
    }
}

#[test]
fn trees_grow_with_the_realm_without_a_flag_day() {
    let config = Config { trees: 4, tree_steps: vec![(10, 9)], ..Config::default() };
    let mut realm = Realm::new(config);
    let mut net = Net::new();
    net.start_supernodes(&mut realm, 0..2);
    net.run(Span::secs(5));
    let mut users = Vec::new();
    for n in 0..12 {
        users.push(net.add(realm.user(n)));
        net.ask(users[users.len() - 1], Command::Login);
        if n == 8 {
            net.run(Span::secs(20));
            assert!(users.iter().all(|user| net.peer(*user).labels == 4));
        }
    }
    net.run(Span::secs(30));
    for user in &users {
        assert_eq!((net.peer(*user).labels, net.peer(*user).trees), (9, 9));
    }
    let reply = send(&mut net, users[0], 11);
    assert!(matches!(reply, Reply::Delivered { tries: 1, escalated: false, .. }), "{reply:?}");
}

#[test]
fn a_killed_home_is_replaced_by_a_standby() {
    let (mut net, _, supers, users) = world(3, 12);
    net.kill(supers[0]);
    for _ in 0..20 {
        net.run(Span::millis(500));
        for user in &users {
            let view = net.peer(*user);
            assert_eq!(view.state, "online");
            // The trees stand as long as their roots do, whoever is their home.
            assert_eq!(view.labels, view.trees, "{view:?}");
        }
    }
    for user in &users {
        let reply = send(&mut net, *user, 5);
        assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");
    }
}

#[test]
fn a_supernode_that_joins_later_becomes_a_standby_too() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let setup = realm.supernode(0);
    let first = net.add(setup);
    let users: Vec<NodeId> = (0..4).map(|n| net.add(realm.user(n))).collect();
    for user in &users {
        assert!(matches!(net.ask(*user, Command::Login), Reply::LoggedIn { .. }));
    }
    let setup = realm.supernode(1);
    net.add(setup);
    net.run(Span::secs(5));
    net.kill(first);
    net.run(Span::secs(2));
    for user in &users {
        assert_eq!(net.peer(*user).state, "online");
    }
}

#[test]
fn a_text_between_two_homes_waits_for_the_next() {
    let (mut net, _, supers, users) = world(3, 12);
    net.kill(supers[0]);
    net.run(Span::millis(10));
    let between = users.iter().find(|user| net.peer(**user).state != "online");
    let from = *between.expect("a peer that has just lost its home");
    let to = (0..12).find(|n| users[usize::from(*n)] != from).expect("another");
    let reply = send(&mut net, from, to);
    assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");
}

#[test]
fn vanished_neighbours_are_noticed_and_replaced() {
    let (mut net, _, _, users) = world(3, 24);
    for user in &users[..5] {
        net.vanish(*user);
    }
    net.run(Span::secs(40));
    for user in &users[5..] {
        let view = net.peer(*user);
        assert!(view.neighbours >= 7, "{view:?}");
        assert_eq!(view.labels, view.trees, "{view:?}");
    }
    let reply = send(&mut net, users[6], 2);
    assert_eq!(reply, Reply::Failed { status: Status::OFFLINE });
}

#[test]
fn names_are_registered_once_and_unknown_ones_refused() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let setup = realm.supernode(0);
    net.add(setup);
    let (a, b) = (net.add(realm.newcomer(1)), net.add(realm.newcomer(2)));
    let alice = Name::new("alice").expect("valid");
    let register = || Command::Register { name: alice.clone(), code: None };
    assert_eq!(net.ask(a, Command::Login), Reply::Failed { status: Status::UNPROVEN });
    assert!(matches!(net.ask(a, register()), Reply::Registered { .. }));
    assert_eq!(net.ask(b, register()), Reply::Failed { status: Status::NAME_TAKEN });
    assert!(matches!(net.ask(a, Command::Login), Reply::LoggedIn { .. }));
    let nobody = Command::Lookup { name: Name::new("nobody").expect("valid") };
    assert_eq!(net.ask(a, nobody), Reply::Failed { status: Status::UNKNOWN_NAME });
}

#[test]
fn a_registrar_whose_store_fails_is_named_in_the_end() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let setup = realm.supernode(0);
    net.add(setup);
    net.store_fails = true;
    let a = net.add(realm.newcomer(1));
    let register = Command::Register { name: name(1), code: None };
    assert_eq!(net.ask(a, register), Reply::Failed { status: Status::STORE_FAILED });
}

#[test]
fn expired_foreign_and_stolen_certificates_are_refused() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let setup = realm.supernode(0);
    net.add(setup);
    let refusal = |net: &mut Net, setup| {
        let node = net.add(setup);
        match net.ask(node, Command::Login) {
            Reply::Failed { status } => status,
            other => panic!("{other:?}"),
        }
    };
    let long_ago = Validity::starting(WallTime::from_secs(1_000_000), Span::secs(1_000));
    assert_eq!(refusal(&mut net, realm.user_valid(1, long_ago)), Status::EXPIRED);

    let mut other = Realm::with_root(9, Config::default());
    other.hosts = realm.hosts.clone();
    assert_eq!(refusal(&mut net, other.user(2)), Status::FOREIGN_REALM);

    // Another realm's certificates under this realm's name.
    let mut disguised = other.user(3);
    Arc::make_mut(&mut disguised.identity).realm = realm.id();
    assert_eq!(refusal(&mut net, disguised), Status::FOREIGN_REALM);

    // Somebody else's certificates, with a key of one's own.
    let mut thief = realm.newcomer(4);
    let stolen = realm.user(5).identity.chain().cloned();
    Arc::make_mut(&mut thief.identity).user.as_mut().expect("a user").chain = stolen;
    assert_eq!(refusal(&mut net, thief), Status::UNPROVEN);
    assert_eq!(net.peers_of_supernodes(), 0);
}

#[test]
fn ping_and_trace_show_the_way() {
    let (mut net, _, _, users) = world(2, 20);
    for to in 1..20 {
        let Reply::Pong { hops, .. } = net.ask(users[0], Command::Ping { to: name(to) }) else {
            panic!("no pong from u{to}")
        };
        let Reply::Traced { hops: seen, arrived } =
            net.ask(users[0], Command::Trace { to: name(to) })
        else {
            panic!("no trace to u{to}")
        };
        assert!(arrived);
        assert_eq!(seen.len(), usize::from(hops), "u{to}: {seen:?}");
        assert_eq!(seen.last().map(|hop| hop.node), Some(users[usize::from(to)]));
    }
}

#[test]
fn logging_out_is_at_once() {
    let (mut net, _, _, users) = world(2, 6);
    assert_eq!(net.ask(users[3], Command::Logout), Reply::Done);
    net.run(Span::secs(1));
    assert_eq!(send(&mut net, users[0], 3), Reply::Failed { status: Status::OFFLINE });
    assert!(matches!(net.ask(users[3], Command::Login), Reply::LoggedIn { .. }));
    net.run(Span::secs(5));
    let reply = send(&mut net, users[0], 3);
    assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");
}

mod hostile {
    use super::*;
    use crate::id::LinkId;
    use crate::io::{Input, Output};
    use crate::wire::{Frame, Message, TransportAddress};
    use proptest::prelude::*;
    use std::cell::RefCell;

    thread_local! {
        /// A supernode and a peer in a living network, with a greeted link each. Made once: no
        /// case may change them.
        static VICTIMS: RefCell<(Net, Vec<(NodeId, LinkId)>)> = RefCell::new(victims());
    }

    fn victims() -> (Net, Vec<(NodeId, LinkId)>) {
        let (net, _, supers, users) = world(2, 12);
        let victims = [supers[0], users[0]].map(|node| (node, net.link_of(node))).into();
        (net, victims)
    }

    /// What the node says to a frame, and whether the frame has changed it.
    fn try_frame(net: &mut Net, node: NodeId, link: LinkId, frame: Vec<u8>) -> (Vec<Output>, bool) {
        let now = net.now;
        let node = net.nodes.get_mut(&node).expect("alive");
        // What the time brings is not the frame's doing.
        node.handle_input(now, Input::Tick);
        while node.poll_output().is_some() {}
        let before = node.digest();
        node.handle_input(now, Input::Received { link, frame });
        let outputs = std::iter::from_fn(|| node.poll_output()).collect();
        (outputs, before == node.digest())
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_frame_change_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assume!(Frame::decode(bytes.clone()).is_err());
            VICTIMS.with_borrow_mut(|(net, victims)| {
                for (node, link) in victims.clone() {
                    let (_, unchanged) = try_frame(net, node, link, bytes.clone());
                    assert!(unchanged, "{bytes:02x?}");
                }
            });
        }

        #[test]
        fn messages_with_random_bodies_never_panic(number in 0u8..70, body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frame = vec![0x82];
            if number >= 24 { frame.push(0x18) }
            frame.push(number);
            frame.extend(body);
            VICTIMS.with_borrow_mut(|(net, victims)| {
                for (node, link) in victims.clone() {
                    try_frame(net, node, link, frame.clone());
                }
            });
        }
    }

    #[test]
    fn a_malformed_frame_ends_the_link_with_a_reason() {
        VICTIMS.with_borrow_mut(|(net, victims)| {
            let (node, link) = victims[1];
            let (outputs, unchanged) = try_frame(net, node, link, vec![0xff; 40]);
            assert!(unchanged);
            assert!(outputs.iter().any(|o| matches!(o, Output::HangUp { link: l } if *l == link)));
            let refused = |o: &Output| matches!(o, Output::Event(Event::Refused { status, .. }) if *status == Status::MALFORMED);
            assert!(outputs.iter().any(refused));
        });
    }

    #[test]
    fn a_message_of_a_later_version_is_answered_and_the_link_stands() {
        VICTIMS.with_borrow_mut(|(net, victims)| {
            for (node, link) in victims.clone() {
                let (outputs, unchanged) = try_frame(net, node, link, vec![0x82, 9, 0x80]);
                assert!(unchanged);
                let [Output::Send { frame, .. }] = &outputs[..] else { panic!("{outputs:?}") };
                assert!(matches!(
                    Frame::decode(frame.clone()),
                    Ok(Frame::Message(Message::Unsupported(answer)))
                        if answer.number == 9 && answer.status == Status::NOT_SERVED
                ));
                // The answer itself is known and is never answered: no two nodes go round.
                let (outputs, _) = try_frame(net, node, link, frame.clone());
                assert!(outputs.is_empty());
            }
        });
    }

    #[test]
    fn frames_on_unknown_links_and_before_the_greeting_are_refused() {
        VICTIMS.with_borrow_mut(|(net, victims)| {
            let (node, _) = victims[0];
            let (outputs, unchanged) =
                try_frame(net, node, LinkId(u64::MAX), vec![0x82, 2, 0x82, 1, 0xf4]);
            assert!(outputs.is_empty() && unchanged);
            let link = LinkId(u64::MAX - 1);
            let remote = TransportAddress::new("x").expect("short");
            let stranger = NodeId([7; 32]);
            net.input(node, Input::LinkUp { link, node: stranger, remote, dial: None });
            let (outputs, _) = try_frame(net, node, link, vec![0x82, 2, 0x82, 1, 0xf4]);
            assert!(outputs.iter().any(|o| matches!(o, Output::HangUp { .. })));
        });
    }
}

#[test]
fn a_supernode_that_drains_hands_its_peers_over_and_loses_nothing() {
    let (mut net, mut realm, supers, users) = world(2, 12);
    let drained = supers[0];
    let children =
        |net: &Net, node| net.nodes[&node].supernode_view().expect("a supernode").children;
    assert!(children(&net, drained) > 0, "else there is nothing to see");
    let neighbours: Vec<usize> = users.iter().map(|user| net.peer(*user).neighbours).collect();
    net.events.clear();
    assert_eq!(net.ask(drained, Command::Drain), Reply::Done);
    // Texts go on all the while.
    for (i, user) in users.iter().enumerate() {
        let to = ((i + 5) % users.len()) as u8;
        let reply = send(&mut net, *user, to);
        assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");
        net.run(Span::millis(700));
    }
    assert!(net.events.contains(&(drained, Event::Drained)));
    assert_eq!((children(&net, drained), children(&net, supers[1])), (0, users.len()));
    let lost =
        |event: &Event| matches!(event, Event::LoggedOut { .. } | Event::NeighbourDown { .. });
    assert!(!net.events.iter().any(|(_, event)| lost(event)), "a hand-over changes no slot");
    let after: Vec<usize> = users.iter().map(|user| net.peer(*user).neighbours).collect();
    assert_eq!(after, neighbours);
    // Whoever comes now is sent to the other one.
    let newcomer = net.log_in(&mut realm, 12..13)[0];
    let home = net.peer(newcomer).home;
    assert_eq!(home, Some(supers[1].to_string()));
}

#[test]
fn the_only_supernode_keeps_its_peers_while_it_drains() {
    let (mut net, _, supers, users) = world(1, 3);
    assert_eq!(net.ask(supers[0], Command::Drain), Reply::Done);
    net.run(Span::secs(30));
    assert!(users.iter().all(|user| net.peer(*user).state == "online"));
    assert!(!net.events.contains(&(supers[0], Event::Drained)));
}
