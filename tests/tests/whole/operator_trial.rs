//! As a new operator would: a second supernode is added, and the first one killed or drained,
//! while 60 peers talk.

use overlay_tests::{Realm, Running, eventually};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const PEERS: usize = 60;
/// So many talk at a time; the machine has few cores, and each text starts a program.
const TALKERS: usize = 4;

fn name(number: usize) -> String {
    format!("user{number}")
}

/// Sends texts round the ring of all peers, from every `TALKERS`-th, until it is told to stop.
/// Answers how many rounds were begun and finished: in each, every sender wrote one text.
fn talk(realm: &Realm, talker: usize, stop: &AtomicBool, sent: &AtomicUsize) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        for from in (talker..PEERS).step_by(TALKERS) {
            let to = name((from + 1) % PEERS);
            let text = format!("{rounds}");
            let answer = realm.peer(&name(from), &["send", &to, &text]);
            assert_eq!(answer.code, Some(0), "{} to {to}, round {rounds}: {answer:?}", name(from));
            sent.fetch_add(1, Ordering::Relaxed);
        }
        rounds += 1;
    }
    rounds
}

/// Ends the talk when it is dropped, also by a failure.
struct Hush<'a>(&'a AtomicBool);

impl Drop for Hush<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A realm of one supernode with 60 peers, each with its neighbours.
fn settled() -> (Realm, Vec<Running>) {
    let realm = Realm::start(1);
    let names: Vec<String> = (0..PEERS).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let peers = realm.settle(&names);
    names.iter().for_each(|name| realm.in_place(name, 4));
    (realm, peers)
}

/// While all talk, a second supernode is added and `end` ends the first; then all are at the
/// second, and every text that was sent is in the right inbox once.
fn outlives_its_first_supernode(end: impl FnOnce(&Realm, &mut Running)) {
    let (mut realm, _peers) = settled();
    realm.add_supernode();
    // Taken out, so that it can be ended while others ask.
    let mut first = realm.supernodes.remove(0);
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let rounds: Vec<usize> = thread::scope(|scope| {
        let (realm, stop, sent) = (&realm, &stop, &sent);
        let hush = Hush(stop);
        let talkers: Vec<_> = (0..TALKERS)
            .map(|talker| scope.spawn(move || talk(realm, talker, stop, sent)))
            .collect();
        let more = |many: usize| {
            let goal = sent.load(Ordering::Relaxed) + many;
            eventually("more texts", || {
                let failed = talkers.iter().any(thread::ScopedJoinHandle::is_finished);
                (failed || sent.load(Ordering::Relaxed) >= goal).then_some(())
            });
        };
        more(PEERS);
        // What the guide tells the operator to wait for.
        eventually("a second supernode that can take over", || {
            let status = second(realm);
            let reached = status["children"].as_u64()? + status["standby_links"].as_u64()?;
            (reached >= PEERS as u64).then_some(())
        });
        end(realm, &mut first);
        more(2 * PEERS);
        eventually("everybody at the second supernode", || {
            (second(realm)["children"] == PEERS).then_some(())
        });
        more(PEERS);
        drop(hush);
        talkers.into_iter().map(|talker| talker.join().expect("all texts arrive")).collect()
    });
    for number in 0..PEERS {
        let from = (number + PEERS - 1) % PEERS;
        let written = rounds[from % TALKERS];
        let expected: Vec<_> = (0..written).map(|round| (name(from), round.to_string())).collect();
        assert_eq!(realm.inbox(&name(number)), expected, "what came for {}", name(number));
    }
    println!("{} texts while the first supernode ended, each once", sent.load(Ordering::Relaxed));
}

/// What the second supernode says of itself.
fn second(realm: &Realm) -> Value {
    realm.supernode("s1", &["status"]).json()
}

#[test]
fn nothing_is_lost_when_the_first_supernode_is_killed() {
    outlives_its_first_supernode(|_, first| first.kill9());
}

#[test]
fn nothing_is_lost_when_the_first_supernode_is_drained() {
    outlives_its_first_supernode(|realm, first| {
        let drained = realm.supernode("s0", &["drain"]).json();
        assert!(drained["moved"].as_u64() > Some(0), "{drained}");
        assert!(first.ended().success());
    });
}
