//! What a peer has to do with somebody who is out: nothing, whoever helps them.

use crate::Config;
use crate::config::{REVOCATIONS_MAX, REVOCATIONS_PER_MESSAGE, REVOKERS_MAX};
use crate::id::NodeId;
use crate::identity::{Revocation, RevocationList, Revoker, Role, Subject};
use crate::io::{Command, Event, Input, Outcast, Reply};
use crate::status::Status;
use crate::testing::{Net, Realm, WALL, user_name};
use crate::time::Span;
use crate::wire::message::{RevocationsKnown, RevocationsWanted};
use crate::wire::{Class, Message, codec};
use std::sync::Arc;

/// As supernode/revocation.rs says.
const DEADLINE: Span = Span::secs(5);
/// Messages that tell of lists.
const KNOWN: u8 = 60;
const LISTS: [u8; 3] = [60, 61, 62];

struct Street {
    net: Net,
    realm: Realm,
    supernodes: Vec<NodeId>,
    users: Vec<NodeId>,
}

impl Street {
    fn new(supernodes: u8, peers: u8) -> Street {
        let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
        let supernodes = net.start_supernodes(&mut realm, 0..supernodes);
        net.run(Span::secs(5));
        net.know(&realm, 0..peers);
        let users = net.log_in(&mut realm, 0..peers);
        net.run(Span::secs(20));
        Street { net, realm, supernodes, users }
    }

    fn meet(&mut self, from: usize, to: usize) {
        let name = user_name(to as u8);
        let reply = self.net.ask(self.users[from], Command::Meet { to: name.clone(), node: None });
        assert_eq!(reply, Reply::Met { node: self.users[to], name });
        self.net.run(Span::millis(200));
    }

    /// Each says something to the other every 100 ms; returns how many came to each.
    fn talk(&mut self, a: usize, b: usize, times: usize) -> (usize, usize) {
        let (a, b) = (self.users[a], self.users[b]);
        self.net.datagrams.clear();
        for _ in 0..times {
            for (from, to) in [(a, b), (b, a)] {
                let input = Input::Datagram { to, class: Class::Message, bytes: b"hi".to_vec() };
                self.net.input(from, input);
            }
            self.net.run(Span::millis(100));
        }
        let came = |at| self.net.datagrams.iter().filter(|(n, _)| *n == at).count();
        (came(a), came(b))
    }

    fn revoke(&mut self, user: u8) {
        let outcast = Outcast::User(user_name(user));
        let done = self.net.ask(self.supernodes[0], Command::Revoke { outcast });
        assert_eq!(done, Reply::Done);
    }

    fn registrar(&mut self) -> Revoker {
        let keys = self.realm.supernode(0).identity.supernode.clone().expect("a supernode");
        Revoker::Registrar(keys.registrar.expect("the registrar"))
    }

    /// A list with this user alone, which nobody has been told of.
    fn list_against(&mut self, user: u8) -> Arc<RevocationList> {
        let key = self.realm.user(user).identity.user.as_ref().map(|user| user.public());
        let subject = Subject(key.expect("a user").0);
        let entry = Revocation {
            number: 1,
            role: Role::User,
            serial: 0,
            subject,
            issuer: None,
            since: 1,
            until: u64::MAX,
        };
        Arc::new(RevocationList::issue(&self.registrar(), self.realm.id(), vec![entry], WALL))
    }

    fn entries_at(&self, node: NodeId) -> usize {
        self.net.nodes[&node].revocations().iter().map(|list| list.entries.len()).sum()
    }

    fn knows(&self, at: usize, of: usize) -> bool {
        let of = self.users[of].to_string();
        self.net.nodes[&self.users[at]].correspondent_views().iter().any(|view| view.node == of)
    }

    fn told_of(&self, at: usize, out: usize) -> usize {
        let event = Event::ShutOut { node: self.users[out], name: user_name(out as u8) };
        self.net.events.iter().filter(|(n, e)| *n == self.users[at] && *e == event).count()
    }
}

/// Two who are not neighbours.
fn strangers(street: &Street) -> (usize, usize) {
    let near = street.net.nodes[&street.users[0]].neighbour_views();
    let far = |user: &usize| near.iter().all(|n| n.node != street.users[*user].to_string());
    (0, (1..street.users.len()).find(far).expect("eight neighbours of more"))
}

/// All others, supernodes too, go on helping: nobody but alice has heard.
#[test]
fn a_living_session_ends_at_who_has_heard_whoever_helps_the_outcast() {
    let mut street = Street::new(3, 24);
    let (alice, mallory) = strangers(&street);
    street.meet(alice, mallory);
    let (at_alice, at_mallory) = street.talk(alice, mallory, 60);
    assert!(at_alice >= 59 && at_mallory >= 59, "they talk: {at_alice}, {at_mallory}");
    let direct = street.net.try_link_between(street.users[alice], street.users[mallory]);
    assert!(direct.is_some(), "over a link of their own");

    let list = street.list_against(mallory as u8);
    street.net.input(street.users[alice], Input::Revocations(vec![list]));
    assert_eq!(street.told_of(alice, mallory), 1, "the application hears");
    assert!(!street.knows(alice, mallory));
    street.net.run(Span::millis(200));
    let direct = street.net.try_link_between(street.users[alice], street.users[mallory]);
    assert!(direct.is_none(), "the direct link is gone");
    // It tries for a minute, with its binding and by all ways.
    assert_eq!(street.talk(alice, mallory, 600), (0, 0));
    assert!(!street.knows(alice, mallory));
    assert_eq!(street.told_of(alice, mallory), 1, "once");
}

#[test]
fn nothing_new_begins_with_who_is_out() {
    let mut street = Street::new(3, 24);
    let (alice, mallory) = strangers(&street);
    let list = street.list_against(mallory as u8);
    street.net.input(street.users[alice], Input::Revocations(vec![list]));
    // The supernodes still say where she is, and carry what she sends.
    let met = street
        .net
        .ask(street.users[alice], Command::Meet { to: user_name(mallory as u8), node: None });
    assert!(matches!(met, Reply::Failed { .. }), "{met:?}");
    street.meet(mallory, alice);
    assert_eq!(street.talk(mallory, alice, 20), (0, 0));
    let (to, text) = (user_name(alice as u8), "it is me".to_owned());
    let sent = street.net.ask(street.users[mallory], Command::Send { to, text });
    assert_eq!(sent, Reply::Failed { status: Status::TIMEOUT });
    let received = |(node, event): &(NodeId, Event)| {
        *node == street.users[alice] && matches!(event, Event::Received(_))
    };
    assert!(!street.net.events.iter().any(received), "no text of hers is shown");
    // Everybody else is served as before.
    let other = (0..24).find(|n| *n != alice && *n != mallory).expect("many");
    street.meet(other, alice);
    assert_eq!(street.talk(other, alice, 20), (20, 20));
}

#[test]
fn every_peer_hears_within_the_deadline_and_nothing_is_said_while_nobody_is_out() {
    let mut street = Street::new(4, 16);
    street.net.run(Span::secs(60));
    let said = |net: &Net| net.sent.iter().filter(|(n, _)| LISTS.contains(n)).count();
    assert_eq!(said(&street.net), 0);
    street.meet(1, 5);
    street.revoke(5);
    street.net.run(DEADLINE);
    for (n, user) in street.users.iter().enumerate().filter(|(n, _)| *n != 5) {
        assert_eq!(street.entries_at(*user), 1, "u{n}");
    }
    assert_eq!(street.told_of(1, 5), 1);
    // Who logs in later hears at once.
    let late = street.net.log_in(&mut street.realm, 16..17)[0];
    street.net.run(Span::secs(1));
    assert_eq!(street.entries_at(late), 1);
    let sent = street.net.sent.len();
    street.net.run(Span::secs(60));
    // What supernodes tell each other with their heartbeats is not for peers.
    let asked = street.net.sent[sent..].iter().filter(|(n, _)| *n > KNOWN && LISTS.contains(n));
    assert_eq!(asked.count(), 0, "nobody asks again");
}

/// A home that hides what it knows does so in vain: the standbys tell.
#[test]
fn a_silent_home_hides_nobody() {
    let mut street = Street::new(4, 12);
    let home = street.net.peer(street.users[1]).home.expect("on line");
    let home = *street.supernodes.iter().find(|node| node.to_string() == home).expect("there");
    let hide = |message: &Message| match message {
        Message::RevocationsKnown(_) => Some(RevocationsKnown { lists: Vec::new() }.into()),
        _ => None,
    };
    if home != street.supernodes[0] {
        street.net.liars.insert(home, Box::new(hide));
    }
    street.revoke(5);
    street.net.run(DEADLINE);
    assert_eq!(street.entries_at(street.users[1]), 1);
}

#[test]
fn a_list_that_does_not_come_is_asked_for_again() {
    let mut street = Street::new(2, 8);
    street.net.losing = Some(62);
    street.revoke(5);
    street.net.run(Span::secs(2));
    assert_eq!(street.entries_at(street.users[1]), 0, "lost on its way");
    street.net.losing = None;
    street.net.run(Span::secs(10));
    assert_eq!(street.entries_at(street.users[1]), 1);
}

#[test]
fn a_full_list_costs_a_peer_a_megabyte_and_who_wants_more_waits() {
    let mut street = Street::new(1, 2);
    let entry = |number: u64| Revocation {
        number,
        role: Role::Device,
        serial: number,
        subject: Subject(*blake3::hash(&number.to_be_bytes()).as_bytes()),
        issuer: None,
        since: 1,
        until: u64::MAX,
    };
    let entries: Vec<Revocation> = (1..=REVOCATIONS_MAX as u64).map(entry).collect();
    let list = RevocationList::issue(&street.registrar(), street.realm.id(), entries, WALL);
    let signer = list.head.signer();
    let bytes = |street: &Street| street.net.nodes[&street.users[0]].state_bytes().expect("a peer");
    let before = bytes(&street);
    street.net.input(street.supernodes[0], Input::Revocations(vec![Arc::new(list)]));
    street.net.run(DEADLINE);
    assert_eq!(street.entries_at(street.users[0]), REVOCATIONS_MAX);
    let cost = bytes(&street) - before;
    assert!((1_000_000..1_250_000).contains(&cost), "{cost} bytes");

    street.net.sent.clear();
    let link = street.net.link_between(street.users[0], street.supernodes[0]);
    let most = REVOKERS_MAX * (REVOCATIONS_MAX / REVOCATIONS_PER_MESSAGE + 1);
    for _ in 0..most + 100 {
        let wanted = RevocationsWanted { signer, after: 0 };
        let frame = codec::encode(&wanted.into()).expect("short");
        street.net.input(street.supernodes[0], Input::Received { link, frame });
    }
    let told = street.net.sent.iter().filter(|(number, _)| *number == 62).count();
    assert!(told <= most, "{told} parts");
}

#[test]
fn what_was_known_is_known_after_a_restart_and_of_supernodes_too() {
    let mut street = Street::new(3, 9);
    let outcast = Outcast::Node(street.supernodes[2]);
    let done = street.net.ask(street.supernodes[0], Command::Revoke { outcast });
    assert_eq!(done, Reply::Done);
    street.net.run(DEADLINE);
    let out = street.supernodes[2].to_string();
    for user in &street.users {
        let view = street.net.peer(*user);
        assert!(view.home.as_ref() != Some(&out) && !view.standbys.contains(&out), "{view:?}");
        assert!(street.net.try_link_between(*user, street.supernodes[2]).is_none());
    }
    let user = street.users[3];
    let kept = street.net.events.iter().rev().find_map(|(node, event)| match event {
        Event::RevocationsChanged(lists) if *node == user => Some(lists.clone()),
        _ => None,
    });
    // A peer that knows but this one supernode: it finds nobody, rather than that one.
    let mut setup = street.realm.user(3);
    setup.hosts.retain(|host| host.node == street.supernodes[2]);
    street.net.kill(user);
    street.net.run(Span::secs(1));
    street.net.add(setup);
    street.net.input(user, Input::Revocations(kept.expect("given to the driver")));
    let reply = street.net.ask(user, Command::Login);
    assert!(matches!(reply, Reply::Failed { .. }), "{reply:?}");
}
