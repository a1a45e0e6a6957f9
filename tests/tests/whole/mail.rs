//! Messages that wait: whoever is killed meanwhile, each is there once, in order.

use overlay_tests::{Realm, Running, eventually};
use serde_json::Value;

/// The states of what `name` has written.
fn states(realm: &Realm, name: &str) -> Vec<String> {
    realm.written(name).into_iter().map(|(_, state)| state).collect()
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
    eventually("all messages", || (realm.received("bob").len() > 20).then_some(()));
    assert_eq!(realm.received("bob"), expected);
    eventually("all receipts", || {
        let states = states(&realm, "alice");
        states.iter().all(|state| state == "delivered").then_some(())
    });
    assert_eq!(realm.received("bob"), expected, "and not again");
    let long = "x".repeat(100_000);
    let sent = realm.peer("alice", &["message", "bob", &long, "--wait"]).json();
    assert_eq!(sent["state"], "delivered");
    assert_eq!(realm.received("bob").last(), Some(&long), "in several parts");
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
    while !states(&realm, "laptop").is_empty() || realm.received("laptop").is_empty() {
        alice.kill9();
        alice = realm.run_peer("alice");
        written.push(written.len().to_string());
        let newest = written.last().expect("just written");
        let answer = realm.peer("alice", &["message", "bob", newest, "--wait"]).json();
        assert_eq!(answer["state"], "delivered");
    }
    // The laptop is shut; both have all in the end, each once.
    let first = realm.received("laptop").len();
    laptop.kill9();
    for _ in 0..3 {
        written.push(written.len().to_string());
        realm.peer("alice", &["message", "bob", written.last().expect("just written")]).json();
    }
    let _laptop = realm.run_peer("laptop");
    eventually("the rest", || (realm.received("laptop").len() == first + 3).then_some(()));
    assert!(written.ends_with(&realm.received("laptop")), "{written:?}");
    eventually("all on the first device", || {
        (realm.received("bob").len() >= written.len()).then_some(())
    });
    assert_eq!(realm.received("bob"), written);
}
