//! Floods and crowds before one supernode, in the hands of the test.

mod registering;

use crate::config::{GUESTS_MAX, STRANGERS_MAX};
use crate::id::{Cookie, LinkId, NodeId, Nonce};
use crate::identity::{Domain, SecretKey};
use crate::io::{Event, Input, Output};
use crate::status::Status;
use crate::testing::{Net, Realm, user_name};
use crate::time::{Span, Time};
use crate::wire::message::{Hello, Login, LoginReply, Lookup};
use crate::wire::{Message, TransportAddress, codec};
use crate::{Config, Node};
use std::collections::BTreeSet;

/// A supernode and what goes to and fro.
struct Desk {
    node: Node,
    realm: Realm,
    now: Time,
    links: u64,
    /// Links that the supernode has ended.
    ended: BTreeSet<LinkId>,
}

/// A link to it.
struct Visitor {
    link: LinkId,
    key: SecretKey,
    transcript: [u8; 32],
}

fn desk(logins_per_second: u32) -> Desk {
    desk_of(0, logins_per_second)
}

/// The desk of this supernode; the first one is the registrar.
fn desk_of(supernode: u8, logins_per_second: u32) -> Desk {
    let config = Config { logins_per_second, login_ramp: Span::millis(1), ..Config::default() };
    let mut realm = Realm::new(config);
    let node = Node::new(realm.supernode(supernode), Time(0));
    let mut desk = Desk { node, realm, now: Time(0), links: 0, ended: BTreeSet::new() };
    desk.pass(Span::secs(1));
    desk
}

fn frame(message: impl Into<Message>) -> Vec<u8> {
    codec::encode(&message.into()).expect("fits")
}

impl Desk {
    fn pass(&mut self, span: Span) {
        self.now += span;
        self.give(Input::Tick);
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        self.node.handle_input(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| self.node.poll_output()).collect();
        self.ended.extend(outputs.iter().filter_map(|output| match output {
            Output::HangUp { link } => Some(*link),
            _ => None,
        }));
        outputs
    }

    /// A link comes from there, and nothing is said on it.
    fn knock(&mut self, key: &SecretKey, from: &str) -> (LinkId, Vec<Output>) {
        self.links += 1;
        let link = LinkId(self.links);
        let remote = TransportAddress::new(from).expect("short");
        let node = NodeId(key.public());
        let outputs = self.give(Input::LinkUp { link, node, remote, dial: None });
        (link, outputs)
    }

    /// The same, with a greeting.
    fn visit(&mut self, key: SecretKey, from: &str) -> Visitor {
        let (link, outputs) = self.knock(&key, from);
        let theirs = outputs.into_iter().find_map(sent).expect("greeted");
        let node = NodeId(key.public());
        let hello = frame(Hello {
            version_min: 1,
            version_max: 1,
            capabilities: 0,
            realm: self.realm.id(),
            nonce: Nonce([7; 32]),
            observed: None,
            supernode: None,
        });
        let transcript = crate::links::transcript(node, &hello, self.node.id(), &theirs);
        self.give(Input::Received { link, frame: hello });
        Visitor { link, key, transcript }
    }

    /// Asks for a session; the answer.
    fn log_in(&mut self, who: &Visitor, good: bool, cookie: Option<Cookie>) -> LoginReply {
        let proven = if good { who.transcript } else { [0; 32] };
        let login = self.login(who, proven, cookie);
        self.ask(who, login)
    }

    /// Asks for a warm link, to have a standby; the answer.
    fn stand_by(&mut self, who: &Visitor) -> LoginReply {
        let login = Login { warm: true, ..self.login(who, who.transcript, None) };
        self.ask(who, login)
    }

    fn login(&self, who: &Visitor, proven: [u8; 32], cookie: Option<Cookie>) -> Login {
        Login {
            chain: std::sync::Arc::new(self.realm.chain_of(&who.key)),
            issuer: None,
            coordinates: None,
            neighbours: Vec::new(),
            addresses: Vec::new(),
            warm: false,
            rtts: Vec::new(),
            proof: who.key.sign(Domain::Login, &proven),
            cookie,
        }
    }

    fn ask(&mut self, who: &Visitor, login: Login) -> LoginReply {
        let outputs = self.give(Input::Received { link: who.link, frame: frame(login) });
        let replies = outputs.into_iter().filter_map(sent);
        let reply = replies.filter_map(|frame| match codec::decode_message(&frame) {
            Ok(Message::LoginReply(reply)) => Some(reply),
            _ => None,
        });
        reply.last().expect("an answer")
    }

    /// Logs somebody in, who asks for a user that the index has no record of; the answer.
    fn look_up_nobody(&mut self, n: u32) -> Status {
        let visitor = self.visit(key(n), &address(n));
        assert_eq!(insist(self, &visitor, true).status, Status::OK);
        let lookup = Lookup { id: 1, name: user_name(77), nonce: 5, careful: false };
        let asked = Input::Received { link: visitor.link, frame: frame(lookup) };
        let mut replies = self.give(asked).into_iter().filter_map(sent);
        let status = replies.find_map(|frame| match codec::decode_message(&frame) {
            Ok(Message::LookupReply(reply)) => Some(reply.status),
            _ => None,
        });
        status.expect("an answer")
    }

    fn leave(&mut self, who: &Visitor) {
        self.give(Input::LinkDown { link: who.link });
    }

    /// Everything that the node knows, written out.
    fn size(&self) -> usize {
        format!("{:?}", self.node).len()
    }
}

fn sent(output: Output) -> Option<Vec<u8>> {
    match output {
        Output::Send { frame, .. } => Some(frame),
        _ => None,
    }
}

fn key(n: u32) -> SecretKey {
    let mut bytes = [9; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_bytes(bytes)
}

fn address(n: u32) -> String {
    format!("/ip4/10.{}.{}.{}/tcp/1", n >> 16 & 255, n >> 8 & 255, n & 255)
}

/// Asks for a session, and shows at once what may be shown at once.
fn insist(desk: &mut Desk, who: &Visitor, good: bool) -> LoginReply {
    let reply = desk.log_in(who, good, None);
    match reply.cookie {
        Some(cookie) if reply.retry_after_secs == 0 => desk.log_in(who, good, Some(cookie)),
        _ => reply,
    }
}

/// Takes what the bucket holds.
fn drain(desk: &mut Desk) {
    for n in 1_000_000.. {
        let visitor = desk.visit(key(n), &address(n));
        if insist(desk, &visitor, true).status != Status::OK {
            break;
        }
    }
}

#[test]
fn the_quiet_path_has_no_extra_round_trip() {
    let mut desk = desk(10);
    let visitor = desk.visit(key(1), &address(1));
    assert_eq!(desk.log_in(&visitor, true, None).status, Status::OK);
}

#[test]
fn a_crowd_is_put_in_line_and_served_at_the_rate() {
    let mut desk = desk(10);
    drain(&mut desk);
    let mut waits = Vec::new();
    let crowd: Vec<(Visitor, LoginReply)> = (0..200)
        .map(|n| {
            let visitor = desk.visit(key(n), &address(n));
            let first = insist(&mut desk, &visitor, true);
            waits.push(first.retry_after_secs);
            (visitor, first)
        })
        .collect();
    // A few share a counter with others and are taken for impatient.
    let placed: Vec<u16> = waits.iter().copied().filter(|secs| *secs < 30).collect();
    assert!(placed.len() >= 195 && placed.is_sorted(), "first come, first served: {waits:?}");
    let last = placed.last().copied().unwrap_or(0);
    assert!((12..=20).contains(&last), "200 at 12.5 a second: {last}");
    let mut served = Vec::new();
    for (visitor, first) in &crowd {
        desk.leave(visitor);
        // Whole seconds are told; peers add dice of their own.
        let due = Time(2_000_000 + u64::from(first.retry_after_secs) * 1_000_000);
        desk.now = desk.now.max(due);
        let n = served.len() as u32;
        let again = desk.visit(key(n), &address(n));
        served.push(desk.log_in(&again, true, first.cookie).status);
    }
    let ok = served.iter().filter(|status| **status == Status::OK).count();
    assert!(ok >= 150, "{ok} of 200 at their first return; the bucket is overbooked by a quarter");
}

#[test]
fn who_wants_a_standby_waits_until_nobody_waits_for_a_session() {
    let mut desk = desk(10);
    drain(&mut desk);
    for n in 100..130 {
        let visitor = desk.visit(key(n), &address(n));
        assert_eq!(insist(&mut desk, &visitor, true).status, Status::OVERLOADED);
    }
    // None of them has come back yet, and there are more log-ins to give than half a bucket.
    desk.pass(Span::millis(1_500));
    let one = desk.visit(key(1), &address(1));
    assert_eq!(desk.stand_by(&one).status, Status::OVERLOADED);
    desk.pass(Span::secs(2));
    let one = desk.visit(key(1), &address(1));
    assert_eq!(desk.stand_by(&one).status, Status::ACCEPTED);
}

#[test]
fn nobody_is_unknown_while_newcomers_wait_or_shortly_after() {
    let mut desk = desk_of(1, 10);
    let two_renewals = Span(2 * Config::default().renew.0);
    assert_eq!(desk.look_up_nobody(1), Status::NO_ROUTE, "it has just started");
    desk.pass(two_renewals);
    assert_eq!(desk.look_up_nobody(2), Status::UNKNOWN_NAME);
    drain(&mut desk);
    for n in 100..130 {
        let visitor = desk.visit(key(n), &address(n));
        assert_eq!(insist(&mut desk, &visitor, true).status, Status::OVERLOADED);
    }
    // The turn of the last one has come, and the bucket is full again.
    desk.pass(Span::secs(10));
    assert_eq!(desk.look_up_nobody(3), Status::NO_ROUTE);
    desk.pass(two_renewals);
    assert_eq!(desk.look_up_nobody(4), Status::UNKNOWN_NAME);
}

#[test]
fn a_cookie_is_good_for_its_bearer_and_for_a_while() {
    let mut desk = desk(10);
    drain(&mut desk);
    let first = desk.visit(key(1), &address(1));
    let cookie = insist(&mut desk, &first, true).cookie.expect("put off");
    desk.leave(&first);
    // One token: enough for who has waited, not for who has just come.
    desk.pass(Span::millis(200));
    let thief = desk.visit(key(2), &address(2));
    assert_ne!(desk.log_in(&thief, true, Some(cookie)).status, Status::OK);
    let moved = desk.visit(key(1), &address(3));
    assert_ne!(desk.log_in(&moved, true, Some(cookie)).status, Status::OK);
    desk.leave(&moved);
    let mut forged = cookie;
    forged.0[3] ^= 1;
    let forger = desk.visit(key(1), &address(1));
    assert_ne!(desk.log_in(&forger, true, Some(forged)).status, Status::OK);
    desk.leave(&forger);
    let bearer = desk.visit(key(1), &address(1));
    assert_eq!(desk.log_in(&bearer, true, Some(cookie)).status, Status::OK);
}

#[test]
fn nothing_is_kept_of_ten_thousand_who_are_put_off() {
    let mut desk = desk(10);
    drain(&mut desk);
    let once = |n: u32, desk: &mut Desk| {
        let visitor = desk.visit(key(n), &address(n));
        assert_eq!(insist(desk, &visitor, false).status, Status::OVERLOADED);
        desk.leave(&visitor);
    };
    (0..200).for_each(|n| once(n, &mut desk));
    let before = desk.size();
    (200..10_200).for_each(|n| once(n, &mut desk));
    let grown = desk.size().saturating_sub(before);
    assert!(grown < 32, "digits of counters may grow, nothing else: {grown}");
}

#[test]
fn who_proves_nothing_pays_and_the_table_of_the_guilty_has_an_end() {
    let mut desk = desk(500);
    let liar = |n: u32, from: u32, desk: &mut Desk| {
        let visitor = desk.visit(key(n), &address(from));
        let reply = insist(desk, &visitor, false);
        desk.leave(&visitor);
        reply
    };
    for _ in 0..2 {
        assert_eq!(liar(1, 1, &mut desk).status, Status::UNPROVEN, "in quiet times all are told");
    }
    // More than half of what the bucket holds, from everywhere.
    (10_000..10_260).for_each(|n| _ = liar(n, n, &mut desk));
    let again = liar(1, 1, &mut desk);
    assert_eq!(again.status, Status::TOO_MANY, "the key has used up its budget");
    assert!(again.retry_after_secs >= 1);
    // One address with ever new keys is looked at no more often than its share allows.
    let looked = (100..1_100).filter(|n| liar(*n, 2, &mut desk).status == Status::UNPROVEN).count();
    assert!((5..40).contains(&looked), "{looked} of 1,000 in no time");
    desk.pass(Span::secs(60));
    let honest = desk.visit(key(5), &address(5));
    assert_eq!(desk.log_in(&honest, true, None).status, Status::OK);
}

#[test]
fn a_peer_of_ours_comes_before_the_crowd() {
    let mut desk = desk(10);
    let first = desk.visit(key(1), &address(1));
    assert_eq!(desk.log_in(&first, true, None).status, Status::OK);
    drain(&mut desk);
    desk.leave(&first);
    let again = desk.visit(key(1), &address(9));
    assert_eq!(desk.log_in(&again, true, None).status, Status::OK, "its link has moved");
    desk.leave(&again);
    desk.pass(Span::secs(61));
    drain(&mut desk);
    let late = desk.visit(key(1), &address(9));
    assert_ne!(desk.log_in(&late, true, None).status, Status::OK, "its lease has ended");
}

#[test]
fn who_greets_and_asks_for_nothing_makes_room_for_others() {
    let mut desk = desk(500);
    let honest = desk.visit(key(7_000_000), &address(7));
    let mut up = BTreeSet::from([honest.link]);
    for n in 0..3_000 {
        up.insert(desk.visit(key(n), &address(3)).link);
        for link in std::mem::take(&mut desk.ended) {
            up.remove(&link);
            desk.give(Input::LinkDown { link });
        }
        desk.now += Span::millis(1);
        assert!(up.len() <= GUESTS_MAX, "{}", up.len());
    }
    assert!(up.contains(&honest.link));
    assert_eq!(desk.log_in(&honest, true, None).status, Status::OK);
}

#[test]
fn what_was_measured_is_what_is_taken() {
    let mut desk = desk(500);
    let admitted = |desk: &mut Desk, first: u32| {
        desk.pass(Span::secs(5));
        let visits = (0..200).map(|n| desk.visit(key(first + n), &address(first + n)));
        let visits: Vec<Visitor> = visits.collect();
        let taken = visits.iter().filter(|v| desk.log_in(v, true, None).status == Status::OK);
        taken.count()
    };
    assert_eq!(admitted(&mut desk, 0), 200);
    desk.give(Input::Capacity { logins_per_second: 20 });
    assert_eq!(desk.node.supernode_view().map(|view| view.logins_per_second), Some(20));
    let few = admitted(&mut desk, 1_000);
    assert!((5..=20).contains(&few), "{few}");
    desk.give(Input::Capacity { logins_per_second: 500 });
    desk.pass(Span::secs(30));
    assert_eq!(admitted(&mut desk, 2_000), 200);
}

#[test]
fn ten_thousand_silent_links_do_not_keep_a_newcomer_out() {
    let mut desk = desk(500);
    let mut up = BTreeSet::new();
    for n in 0..10_000_u32 {
        // A hundred addresses, a link a millisecond.
        let (link, outputs) = desk.knock(&key(n), &address(n % 100));
        up.insert(link);
        for output in &outputs {
            if let Output::HangUp { link } = output {
                up.remove(link);
                desk.give(Input::LinkDown { link: *link });
            }
        }
        desk.now += Span::millis(1);
        assert!(up.len() <= STRANGERS_MAX);
        if n % 1_000 == 500 {
            // It takes a fifth of a second to greet.
            let visitor = key(1_000_000 + n);
            let (link, outputs) = desk.knock(&visitor, &address(1_000_000 + n));
            assert!(!outputs.iter().any(|o| matches!(o, Output::HangUp { link: l } if *l == link)));
        }
    }
    let honest = desk.visit(key(7_000_000), &address(7_000_000));
    assert_eq!(desk.log_in(&honest, true, None).status, Status::OK);
}

#[test]
fn a_storm_of_real_peers_ends_with_all_of_them_in() {
    let config = Config { logins_per_second: 4, login_ramp: Span::secs(2), ..Config::default() };
    let mut realm = Realm::new(config);
    let mut net = Net::new();
    let setup = realm.supernode(0);
    net.add(setup);
    let users: Vec<NodeId> = (0..60).map(|n| net.add(realm.user(n))).collect();
    for user in &users {
        net.command(*user, crate::io::Command::Login);
    }
    net.run(Span::secs(40));
    assert!(users.iter().all(|user| net.peer(*user).state == "online"));
    let refused = net.events.iter().filter(|(_, e)| matches!(e, Event::Refused { .. })).count();
    assert!((20..400).contains(&refused), "{refused}: put off, and not again and again");
}
