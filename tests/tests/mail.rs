//! Messages that wait: whoever is killed meanwhile, each is there once, in order.

use overlay_tests::{Realm, Running, eventually};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Seconds for which processes are killed at random, and the seed of the dice.
const SECS_VARIABLE: &str = "MAIL_KILLS_SECS";
const SEED_VARIABLE: &str = "MAIL_KILLS_SEED";
const SECS: u64 = 30;

/// What came for `name`, oldest first.
fn received(realm: &Realm, name: &str) -> Vec<String> {
    let all = realm.peer(name, &["messages"]).json();
    let texts = all["received"].as_array().expect("a list").iter();
    texts.map(|letter| letter["text"].as_str().expect("a text").to_owned()).collect()
}

/// The states of what `name` has written.
fn states(realm: &Realm, name: &str) -> Vec<String> {
    let all = realm.peer(name, &["messages"]).json();
    let sent = all["sent"].as_array().expect("a list").iter();
    sent.map(|sent| sent["state"].as_str().expect("a text").to_owned()).collect()
}

/// Alice and bob, who have exchanged a message each, so that each knows the other's keys.
fn acquainted(realm: &Realm) -> (Running, Running) {
    let mut both = realm.settle(&["alice", "bob"]);
    let delivered = |answer: Value| assert_eq!(answer["state"], "delivered", "{answer}");
    delivered(realm.peer("alice", &["message", "bob", "0", "--wait"]).json());
    delivered(realm.peer("bob", &["message", "alice", "hello", "--wait"]).json());
    let bob = both.pop().expect("two");
    (both.pop().expect("two"), bob)
}

#[test]
fn messages_outlive_their_sender_and_a_mailbox() {
    let mut realm = Realm::start(3);
    let (mut alice, mut bob) = acquainted(&realm);
    bob.kill9();
    for number in 1..=20 {
        let written = realm.peer("alice", &["message", "bob", &number.to_string()]).json();
        assert_eq!(written["to"], "bob");
    }
    alice.kill9();
    let _alice = realm.run_peer("alice");
    eventually("all in the mailboxes", || {
        let kept = states(&realm, "alice").iter().filter(|state| *state == "kept").count();
        (kept == 20).then_some(())
    });
    realm.supernodes[1].kill9();
    let _bob = realm.run_peer("bob");
    let expected: Vec<String> = (0..=20).map(|number| number.to_string()).collect();
    eventually("all messages", || (received(&realm, "bob").len() > 20).then_some(()));
    assert_eq!(received(&realm, "bob"), expected);
    eventually("all receipts", || {
        let states = states(&realm, "alice");
        states.iter().all(|state| state == "delivered").then_some(())
    });
    assert_eq!(received(&realm, "bob"), expected, "and not again");
    let long = "x".repeat(100_000);
    let sent = realm.peer("alice", &["message", "bob", &long, "--wait"]).json();
    assert_eq!(sent["state"], "delivered");
    assert_eq!(received(&realm, "bob").last(), Some(&long), "in several parts");
    let returned = realm.peer("alice", &["message", "nobody", "hello", "--wait"]);
    assert_eq!(returned.code, Some(3), "{returned:?}");
    assert!(returned.out.contains("\"status\":404"), "{returned:?}");
}

#[test]
fn every_device_gets_what_is_written() {
    let realm = Realm::start(2);
    let (mut alice, _bob) = acquainted(&realm);
    let code = realm.peer("bob", &["device", "add"]).json()["code"].clone();
    let code = code.as_str().expect("a text");
    realm.peer("laptop", &["device", "join", code, "--label", "laptop"]).json();
    let mut laptop = realm.run_peer("laptop");
    // Until alice has heard of the new device's keys; she asks anew after a start.
    let mut written = vec!["0".to_owned()];
    while !states(&realm, "laptop").is_empty() || received(&realm, "laptop").is_empty() {
        alice.kill9();
        alice = realm.run_peer("alice");
        written.push(written.len().to_string());
        let newest = written.last().expect("just written");
        let answer = realm.peer("alice", &["message", "bob", newest, "--wait"]).json();
        assert_eq!(answer["state"], "delivered");
    }
    // The laptop is shut; both have all in the end, each once.
    let first = received(&realm, "laptop").len();
    laptop.kill9();
    for _ in 0..3 {
        written.push(written.len().to_string());
        realm.peer("alice", &["message", "bob", written.last().expect("just written")]).json();
    }
    let _laptop = realm.run_peer("laptop");
    eventually("the rest", || (received(&realm, "laptop").len() == first + 3).then_some(()));
    assert!(written.ends_with(&received(&realm, "laptop")), "{written:?}");
    eventually("all on the first device", || {
        (received(&realm, "bob").len() >= written.len()).then_some(())
    });
    assert_eq!(received(&realm, "bob"), written);
}

/// A row of numbers that are hard to foresee (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn messages_outlive_whoever_is_killed() {
    let number = |name, otherwise| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (secs, seed) = (number(SECS_VARIABLE, SECS), number(SEED_VARIABLE, 1));
    let mut dice = Dice(seed);
    let mut realm = Realm::start(3);
    let (mut alice, mut bob) = acquainted(&realm);
    let (mut written, mut kills) = (1, 0);
    // At most one of three at a time.
    let mut down: Option<usize> = None;
    let end = Instant::now() + Duration::from_secs(secs);
    while Instant::now() < end {
        for _ in 0..=dice.below(3) {
            // Only what was promised counts.
            let answer = realm.peer("alice", &["message", "bob", &written.to_string()]);
            answer.json();
            written += 1;
        }
        kills += 1;
        match dice.below(7) {
            0 => {
                alice.kill9();
                alice = realm.run_peer("alice");
            }
            1 | 2 => {
                bob.kill9();
                bob = realm.run_peer("bob");
            }
            victim @ 3..5 if down.is_none() => realm.crash_supernode(victim as usize - 2),
            // One stays down for a while, then comes back.
            _ => match down.take() {
                Some(victim) => realm.revive_supernode(victim),
                None => {
                    let victim = 1 + dice.below(2) as usize;
                    realm.supernodes[victim].kill9();
                    down = Some(victim);
                }
            },
        }
    }
    // One mailbox of three may be gone for good.
    let expected: Vec<String> = (0..written).map(|number: u64| number.to_string()).collect();
    eventually("all messages", || (received(&realm, "bob").len() >= expected.len()).then_some(()));
    assert_eq!(received(&realm, "bob"), expected, "seed {seed}");
    eventually("every end", || {
        states(&realm, "alice").iter().all(|state| state == "delivered").then_some(())
    });
    println!("{written} messages, {kills} kills, seed {seed}: each once, in order");
}
