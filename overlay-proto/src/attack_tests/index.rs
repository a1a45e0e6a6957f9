//! Supernodes that lie about the index: what they say of others is never believed, and what they
//! hide is found elsewhere.

use crate::Config;
use crate::config::LOCATION_REPLICAS;
use crate::denial::{Denial, Question};
use crate::id::NodeId;
use crate::identity::{Certificate, DeviceChain, Role, SecretKey, Validity};
use crate::io::{Command, Reply};
use crate::location::{LocationRecord, index_key};
use crate::name::Name;
use crate::rendezvous;
use crate::status::Status;
use crate::testing::{Net, Realm, WALL, user_name};
use crate::time::Span;
use crate::wire::Message;
use crate::wire::message::{Found, Locate, LookupReply};
use std::sync::Arc;

const SUPERNODES: u8 = 6;
const USERS: u8 = 6;
/// A name that nobody has.
const NOBODY: u8 = 77;

struct Index {
    net: Net,
    realm: Realm,
    supers: Vec<NodeId>,
    users: Vec<NodeId>,
}

/// How a supernode lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It has nobody, and signs that.
    Hides,
    /// It says nothing.
    Silent,
    /// It shows the record of somebody else.
    SomebodyElse,
    /// It shows a record that it has made itself, with keys of its own for the same name.
    OwnKeys,
    /// It moves the device to another home.
    OtherHome,
    /// It makes the record newer than any.
    Newer,
    /// It shows a record of before the user went elsewhere, as if it still held.
    RollsBack,
}

const FORGERIES: [How; 4] = [How::SomebodyElse, How::OwnKeys, How::OtherHome, How::Newer];

impl Index {
    fn new() -> Index {
        let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
        let supers = net.start_supernodes(&mut realm, 0..SUPERNODES);
        net.run(Span::secs(5));
        let users = net.log_in(&mut realm, 0..USERS);
        // Nobody has just started then, and everybody says what it knows.
        net.run(Span::secs(60));
        Index { net, realm, supers, users }
    }

    /// The supernodes that keep the records of a user, first asked first.
    fn replicas(&self, user: u8) -> Vec<NodeId> {
        let key = index_key(self.realm.id(), &user_name(user));
        rendezvous::first(b"index", key.0, self.supers.iter().copied(), LOCATION_REPLICAS)
    }

    fn home(&self, user: NodeId) -> NodeId {
        let home = self.net.peer(user).home.expect("on line");
        *self.supers.iter().find(|node| node.to_string() == home).expect("one of them")
    }

    /// Somebody else whose home is none of the replicas of `user`.
    fn asker(&self, user: u8) -> NodeId {
        let (replicas, sought) = (self.replicas(user), self.users[usize::from(user)]);
        let far = |node: &&NodeId| **node != sought && !replicas.contains(&self.home(**node));
        *self.users.iter().find(far).expect("six homes, three of them replicas")
    }

    fn record(&self, user: u8) -> LocationRecord {
        let asker = self.asker(user);
        let mut other = Index::new();
        match other.net.ask(asker, Command::Lookup { name: user_name(user) }) {
            Reply::Located { found, .. } => found[0].record.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn corrupt(&mut self, node: NodeId, how: How, user: u8) {
        let key = index_key(self.realm.id(), &user_name(user));
        let keys = self.net.nodes[&node].clone_identity();
        let (foreign, old, realm) = (self.record(user ^ 1), self.record(user), self.realm.id());
        let own = self.own_record(user);
        let question = move |nonce| Question { realm, key, nonce };
        let verifier = self.realm.config.verifier.clone();
        // What it answers depends on what it was asked, which it sees before.
        let lie = move |message: &Message| -> Option<Message> {
            let Message::LookupReply(reply) = message else { return None };
            let about = |f: &Found| f.record.chain.claimed_name() == Some(&user_name(user));
            if !reply.found.iter().any(about) {
                return None;
            }
            let mut lied = LookupReply { status: Status::OK, ..reply.clone() };
            let found = &mut lied.found[0];
            found.lease_ms = 50_000;
            match how {
                How::Silent => lied.id = 0,
                How::SomebodyElse => found.record = foreign.clone(),
                How::OwnKeys => found.record = own.clone(),
                How::OtherHome => found.record.home = NodeId([7; 32]),
                How::Newer => found.record.seq = u64::MAX,
                How::RollsBack => found.record = old.clone(),
                How::Hides => {
                    lied.status = Status::UNKNOWN_NAME;
                    lied.found.clear();
                    let by = keys.supernode.as_ref()?.certificate.clone();
                    // It has seen the asker's number in the question, which is not at hand here.
                    let nonce = NONCE.get();
                    lied.denials =
                        vec![Denial::sign(&keys.device, by, &question(nonce), WALL, &*verifier)];
                }
            }
            Some(lied.into())
        };
        self.net.liars.insert(node, Box::new(lie));
    }

    /// A record of the same name under certificates that the realm's root has not signed.
    fn own_record(&self, user: u8) -> LocationRecord {
        let key = |n: u8| SecretKey::from_bytes([n; 32]);
        let (registrar, person, device) = (key(201), key(202), key(203));
        let validity = Validity::starting(WALL, Span::secs(1_000_000));
        let issue = |by: &SecretKey, role, of: &SecretKey, name: Option<Name>| {
            Certificate::issue(by, self.realm.id(), role, of.public(), name, 1, validity)
        };
        let chain = DeviceChain {
            registrar: issue(&registrar, Role::Registrar, &registrar, None),
            user: issue(&registrar, Role::User, &person, Some(user_name(user))),
            device: issue(&person, Role::Device, &device, None),
        };
        let record = LocationRecord { chain: Arc::new(chain), ..self.record(user) };
        record.signed(&device, &*self.realm.config.verifier)
    }

    /// Looks a user up, and how many replicas were asked for that.
    fn look_up(&mut self, asker: NodeId, user: u8) -> (Reply, usize) {
        let before = self.asked();
        let reply = self.net.ask(asker, Command::Lookup { name: user_name(user) });
        (reply, self.asked() - before)
    }

    fn asked(&self) -> usize {
        self.net.sent.iter().filter(|(number, _)| *number == 43).count()
    }
}

thread_local! {
    /// The number in the question that was put last.
    static NONCE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Every supernode but the liars passes the asker's number on as it is; so a liar's is what the
/// newest question has.
fn overhear_nonces(index: &mut Index) {
    for node in index.supers.clone() {
        let listen = |message: &Message| {
            if let Message::Locate(Locate { nonce, .. }) = message {
                NONCE.set(*nonce);
            }
            None
        };
        index.net.liars.entry(node).or_insert_with(|| Box::new(listen));
    }
}

/// Whether the true device was found; panics if anything false was.
fn found(reply: &Reply, user: u8, index: &Index) -> bool {
    match reply {
        Reply::Located { found, .. } => {
            for found in found {
                assert_eq!(found.record.node(), index.users[usize::from(user)], "a false answer");
                assert_eq!(found.record.home, index.home(found.record.node()));
            }
            found.iter().any(|found| found.lease_ms > 0)
        }
        Reply::Failed { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_that_its_device_has_not_signed_is_never_believed() {
    let (mut accepted, mut tried) = (0, 0);
    for how in FORGERIES {
        for liars in 1..=LOCATION_REPLICAS {
            let mut index = Index::new();
            for liar in index.replicas(1).into_iter().take(liars) {
                index.corrupt(liar, how, 1);
            }
            let asker = index.asker(1);
            let (reply, asked) = index.look_up(asker, 1);
            tried += 1;
            accepted += usize::from(found(&reply, 1, &index) != (liars < LOCATION_REPLICAS));
            assert!(asked <= 1 + LOCATION_REPLICAS, "{how:?}: {asked} questions");
        }
    }
    assert_eq!(accepted, 0, "of {tried}");
}

#[test]
fn what_replicas_hide_is_found_while_fewer_than_two_do() {
    for (how, liars, finds) in [
        (How::Hides, 0, true),
        (How::Hides, 1, true),
        (How::Hides, 2, false),
        (How::Silent, 1, true),
        (How::Silent, 2, true),
        (How::Silent, 3, false),
    ] {
        let mut index = Index::new();
        for liar in index.replicas(1).into_iter().take(liars) {
            index.corrupt(liar, how, 1);
        }
        overhear_nonces(&mut index);
        let asker = index.asker(1);
        let (reply, _) = index.look_up(asker, 1);
        assert_eq!(found(&reply, 1, &index), finds, "{liars} x {how:?}: {reply:?}");
        let hidden = Reply::Failed { status: Status::UNKNOWN_NAME };
        assert_eq!(reply == hidden, how == How::Hides && !finds, "silence denies nothing");
    }
}

#[test]
fn a_common_look_up_asks_one_replica_and_a_negative_one_two() {
    let mut index = Index::new();
    let asker = index.asker(1);
    let (reply, asked) = index.look_up(asker, 1);
    assert!(found(&reply, 1, &index));
    assert_eq!(asked, 1);

    let far = |node: &&NodeId| !index.replicas(NOBODY).contains(&index.home(**node));
    let asker = *index.users.iter().find(far).expect("some home is no replica");
    let (reply, asked) = index.look_up(asker, NOBODY);
    assert_eq!(reply, Reply::Failed { status: Status::UNKNOWN_NAME });
    assert_eq!(asked, 2);
}

#[test]
fn a_home_alone_can_deny_nobody() {
    // It takes the signatures away, or shows its own twice.
    for doubled in [false, true] {
        let mut index = Index::new();
        let asker = index.users[0];
        let home = index.home(asker);
        index.net.liars.insert(
            home,
            Box::new(move |message| match message {
                Message::LookupReply(reply) => {
                    let mut denials = reply.denials.clone();
                    denials.truncate(usize::from(doubled));
                    denials.extend(denials.clone());
                    let (status, found) = (Status::UNKNOWN_NAME, Vec::new());
                    Some(LookupReply { id: reply.id, status, found, denials }.into())
                }
                _ => None,
            }),
        );
        for user in [1, NOBODY] {
            let (reply, _) = index.look_up(asker, user);
            assert_eq!(reply, Reply::Failed { status: Status::NO_ROUTE }, "u{user}");
        }
    }
}

#[test]
fn who_denies_a_user_that_it_was_told_of_has_signed_its_lie() {
    let mut index = Index::new();
    let record = index.record(1);
    let liar = index.net.nodes[&index.supers[0]].clone_identity();
    let by = liar.supernode.as_ref().expect("a supernode").certificate.clone();
    let key = index_key(index.realm.id(), &user_name(1));
    let question = Question { realm: index.realm.id(), key, nonce: 5 };
    let verifier = &*index.realm.config.verifier;
    let at = |ms: u64| crate::time::WallTime(record.seq + ms);
    let sign = |ms| Denial::sign(&liar.device, by.clone(), &question, at(ms), verifier);
    assert!(!sign(1_000).contradicts(&record), "it may have been on its way");
    assert!(sign(30_000).contradicts(&record));
    assert!(!sign(61_000).contradicts(&record), "the lease has ended");

    // It is no answer to any other question, and nobody else's.
    let denial = sign(30_000);
    assert_eq!(denial.check(&question, verifier, WALL), Ok(index.supers[0]));
    for other in [
        Question { nonce: 6, ..question },
        Question { key: crate::id::IndexKey(key.0 ^ 1), ..question },
        Question { realm: crate::id::RealmId([9; 32]), ..question },
    ] {
        assert!(denial.check(&other, verifier, WALL).is_err(), "{other:?}");
    }
    let other = index.net.nodes[&index.supers[1]].clone_identity();
    let theirs = other.supernode.as_ref().expect("a supernode").certificate.clone();
    let stolen = Denial { by: theirs, ..denial.clone() };
    assert!(stolen.check(&question, verifier, WALL).is_err());
    let later = Denial { at_ms: denial.at_ms + 1, ..denial };
    assert!(later.check(&question, verifier, WALL).is_err());
    let _ = index.look_up(index.users[0], 1);
}

#[test]
fn after_a_restart_of_all_supernodes_nobody_is_unknown_while_records_return() {
    let mut index = Index::new();
    // The registrar's store knows the users: only it can say that there is none.
    let (mut unknown, mut later, mut asked) = (0, 0, 0);
    let gone = index.users.pop().expect("users");
    index.net.kill(gone);
    for node in index.supers.clone() {
        index.net.kill(node);
    }
    let mut again = Realm::new(Config::default());
    let setups: Vec<_> = (0..SUPERNODES).map(|n| again.supernode(n)).collect();
    setups.into_iter().for_each(|setup| {
        index.net.add(setup);
    });
    for round in 0..60 {
        index.net.run(Span::secs(1));
        for asker in index.users.clone() {
            let user = (round % u64::from(USERS - 1)) as u8;
            let reply = index.net.ask(asker, Command::Lookup { name: user_name(user) });
            asked += 1;
            unknown += usize::from(reply == Reply::Failed { status: Status::UNKNOWN_NAME });
            later += usize::from(reply == Reply::Failed { status: Status::NO_ROUTE });
        }
    }
    assert_eq!(unknown, 0, "of {asked}, {later} of which were put off");
    // And the name that nobody has is known as such to the registrar at once, to others later.
    let reply = index.net.ask(index.users[0], Command::Lookup { name: user_name(NOBODY) });
    assert_eq!(reply, Reply::Failed { status: Status::UNKNOWN_NAME });
    // Nobody has a record of who has not been there since. The registrar's store has their name.
    let at_registrar = |node: &&NodeId| index.home(**node) == index.supers[0];
    let asker = *index.users.iter().find(at_registrar).expect("one in six");
    let reply = index.net.ask(asker, Command::Lookup { name: user_name(USERS - 1) });
    assert_eq!(reply, Reply::Failed { status: Status::OFFLINE });
    let reply = index.net.ask(asker, Command::Lookup { name: user_name(NOBODY) });
    assert_eq!(reply, Reply::Failed { status: Status::UNKNOWN_NAME });
}

#[test]
fn a_replica_cannot_lead_back_who_has_seen_a_newer_record() {
    for (liars, held_off) in [(1, true), (2, false)] {
        let mut index = Index::new();
        let (asker, user, old) = (index.asker(1), 1, index.record(1));
        index.net.run(Span::secs(60));
        let seq = |reply: Reply| match reply {
            Reply::Located { found, .. } => found[0].record.seq,
            other => panic!("{other:?}"),
        };
        let newer = seq(index.look_up(asker, user).0);
        assert!(newer > old.seq);
        for liar in index.replicas(user).into_iter().take(liars) {
            index.corrupt(liar, How::RollsBack, user);
        }
        let (reply, asked) = index.look_up(asker, user);
        assert_eq!(seq(reply) >= newer, held_off, "{liars} liars");
        assert_eq!(asked, 3, "one, and then two");
        // Who has never seen it is led back, until a text does not arrive.
        let stranger = index.users.iter().find(|node| **node != asker && **node != index.users[1]);
        let stranger = *stranger.expect("six users");
        let text = Command::Send { to: user_name(user), text: "well?".into() };
        let reply = index.net.ask(stranger, text);
        assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");
    }
}
