//! Many strangers and a peer that praises itself: a slot is given by a home, and a home gives it to
//! who has a certificate of the realm.

use crate::Config;
use crate::coordinates::{Label, Labels};
use crate::id::NodeId;
use crate::io::{Command, Event, Reply};
use crate::status::Status;
use crate::testing::{Net, Realm, user_name};
use crate::time::Span;
use crate::wire::Message;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

const HONEST: u8 = 6;
/// As many for each honest peer (the I2P incident of 2026 had 35 bots to a router).
const RATIO: u8 = 35;

/// A realm and the identities of another one, which call themselves of this.
fn strangers(realm: &Realm, count: u8) -> Vec<crate::node::Setup> {
    let mut other = Realm::with_root(9, Config::default());
    other.hosts = realm.hosts.clone();
    let disguised = |n: u8| {
        let mut setup = other.user(40 + n);
        std::sync::Arc::make_mut(&mut setup.identity).realm = realm.id();
        setup
    };
    (0..count).map(disguised).collect()
}

#[test]
fn thirty_five_strangers_to_each_peer_get_no_slot_and_keep_nobody_out() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    net.start_supernodes(&mut realm, 0..3);
    net.run(Span::secs(5));
    let count = HONEST * RATIO;
    let sybils: BTreeSet<NodeId> =
        strangers(&realm, count).into_iter().map(|setup| net.add(setup)).collect();
    assert_eq!(sybils.len(), usize::from(count));
    // They come all at once and go on coming, and the honest ones after them.
    sybils.iter().for_each(|node| {
        net.command(*node, Command::Login);
    });
    let users = net.log_in(&mut realm, 0..HONEST);
    for round in 0..6 {
        net.run(Span::secs(10));
        for node in sybils.iter().skip(round).step_by(6) {
            net.command(*node, Command::Login);
        }
    }
    assert_eq!(net.peers_of_supernodes(), usize::from(HONEST), "only these have sessions");
    let texts: BTreeSet<String> = sybils.iter().map(ToString::to_string).collect();
    for user in &users {
        let near = net.nodes[user].neighbour_views();
        assert!(near.iter().all(|view| !texts.contains(&view.node)), "a stranger in a slot");
        assert_eq!(net.peer(*user).neighbours, usize::from(HONEST) - 1);
    }
    let mut delivered = 0;
    for (at, user) in users.iter().enumerate() {
        let to = user_name((at as u8 + 1) % HONEST);
        let reply = net.ask(*user, Command::Send { to, text: "still here".into() });
        delivered += usize::from(matches!(reply, Reply::Delivered { .. }));
    }
    assert_eq!(delivered, users.len(), "of {} honest texts", users.len());
    for sybil in sybils.iter().take(3) {
        let refused = Reply::Failed { status: Status::NOT_LOGGED_IN };
        assert_eq!(net.ask(*sybil, Command::Lookup { name: user_name(0) }), refused);
    }
}

#[test]
fn who_calls_itself_the_root_of_all_trees_is_no_neighbour_any_more() {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let setup = realm.supernode(0);
    net.add(setup);
    let users = net.log_in(&mut realm, 0..12);
    net.run(Span::secs(20));
    let (liar, to) = (users[3], users[5]);
    // A place that no home has signed, the best there is.
    let lies = Rc::new(Cell::new(0));
    let counted = lies.clone();
    net.liars.insert(
        liar,
        Box::new(move |message| match message {
            Message::Placed(placed) => {
                let mut placed = placed.clone();
                let root = |label: Label| label.epoch().map_or(Label::NONE, Label::root);
                let labels = placed.coordinates.labels.iter().map(root).collect::<Vec<_>>();
                placed.coordinates.labels = Labels::from(labels);
                placed.coordinates.seq += 1_000;
                counted.set(counted.get() + 1);
                Some(placed.into())
            }
            _ => None,
        }),
    );
    // Something changes, so that places are told anew.
    for gone in &users[8..11] {
        net.kill(*gone);
        net.run(Span::secs(30));
    }
    let refused = net.events.iter().any(|(_, event)| {
        matches!(event, Event::Refused { node, status: Status::UNPROVEN } if *node == liar)
    });
    let believed = net.nodes.values().filter_map(|node| node.place()).any(|place| {
        let mut of_liar = place.neighbours.iter().filter(|near| near.node == liar);
        let is_root = |label: Label| label.parent().is_none();
        of_liar.any(|near| {
            near.issued.iter().any(|issued| issued.labels.iter().all(|label| is_root(*label)))
        })
    });
    assert!(lies.get() > 0 && refused && !believed, "{} lies, {refused}, {believed}", lies.get());
    let from = users[0];
    let reply = net.ask(from, Command::Send { to: user_name(5), text: "past the liar".into() });
    assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?} to {to:?}");
}
