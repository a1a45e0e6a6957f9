//! Bad input gets one clear line with its status code and the way out, and an exit code.

use overlay_tests::{Realm, Running, run};
use std::net::TcpListener;

#[test]
fn what_cannot_be_delivered_is_told_why() {
    let realm = Realm::start(1);
    let mut peers = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    realm.peer_typed("alice", &["send", "nobody", "hello"]).refused(3, 404);
    realm.peer_typed("alice", &["lookup", "nobody"]).refused(3, 404);
    realm.peer_typed("alice", &["send", "not a name!", "hello"]).refused(3, 414);
    let long = "x".repeat(16 * 1_024 + 1);
    realm.peer_typed("alice", &["send", "bob", &long]).refused(3, 413);
    realm.peer("bob", &["logout"]).json();
    assert!(peers[1].ended().success());
    realm.peer_typed("alice", &["send", "bob", "hello"]).refused(4, 480);
    realm.peer_typed("bob", &["send", "alice", "hello"]).refused(5, 481);
    // With --json the same, for programs.
    let refused = realm.peer("alice", &["send", "nobody", "hello"]);
    assert_eq!(refused.code, Some(3));
    let problem: serde_json::Value = serde_json::from_str(&refused.out).expect("JSON");
    assert_eq!(problem["status"], 404);
    // Nothing of this has hurt the peer.
    assert_eq!(realm.peer("alice", &["status"]).json()["state"], "online");
}

#[test]
fn a_folder_belongs_to_one_process() {
    let realm = Realm::start(1);
    let _alice = realm.settle(&["alice"]);
    realm.peer_typed("alice", &["run"]).refused(1, 500);
    let second = realm.peer_typed("alice", &["run"]);
    assert!(second.err.contains("in use by process"), "{second:?}");
    assert_eq!(realm.peer("alice", &["status"]).json()["state"], "online");
}

#[test]
fn invitations_that_are_none_or_of_others() {
    let realm = Realm::start(1);
    let other = Realm::start(1);
    let good = realm.invitation(&[]);
    for bad in ["", "hello", "trellis1qqqq", &good[..good.len() - 3]] {
        let refused = realm.peer_typed("zoe", &["join", bad, "--name", "zoe"]);
        refused.refused(3, 400);
    }
    realm.join("alice");
    let foreign = other.invitation(&[]);
    realm.peer_typed("alice", &["join", &foreign, "--name", "alice"]).refused(3, 421);
    realm.peer_typed("alice", &["join", &good, "--name", "alice"]).refused(3, 403);
    realm.peer_typed("eve", &["join", &good, "--name", "alice"]).refused(3, 409);
    let names: Vec<_> = std::fs::read_dir(realm.folder("eve"))
        .expect("it was made")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("key"))
        .collect();
    assert!(names.is_empty(), "keys of a refused join: {names:?}");
    // With another name the same folder is good.
    realm.peer("eve", &["join", &good, "--name", "eve"]).json();
}

#[test]
fn a_ticket_makes_one_supernode() {
    let realm = Realm::start(1);
    let ticket = realm.invitation(&["--supernode"]);
    realm.supernode("s1", &["join", &ticket]).json();
    let folder = realm.folder("s2");
    let words = ["join", ticket.as_str(), "--data", folder.to_str().expect("plain")];
    let refused = run("supernode", &words);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert_eq!(refused.err.trim_end().lines().count(), 1, "{refused:?}");
    // Users have no tickets.
    let users = realm.invitation(&[]);
    let refused = run("supernode", &["join", &users, "--data", folder.to_str().expect("plain")]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
}

#[test]
fn damaged_keys_and_ports_in_use() {
    let realm = Realm::start(1);
    realm.join("alice");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = taken.local_addr().expect("bound").to_string();
    let refused = realm.peer_typed("alice", &["run", "--listen", &at]);
    refused.refused(1, 500);
    assert!(refused.err.contains("in use"), "{refused:?}");
    let key = realm.folder("alice").join("device.key");
    let good = std::fs::read(&key).expect("it has a key");
    for damaged in [&b""[..], b"garbage", &good[..good.len() / 2]] {
        std::fs::write(&key, damaged).expect("ours");
        realm.peer_typed("alice", &["run"]).refused(1, 500);
    }
    std::fs::write(&key, &good).expect("ours");
    let folder = realm.folder("alice");
    let words = ["run", "--data", folder.to_str().expect("plain"), "--json"];
    let mut alice = Running::start("peer", &words);
    alice.event("logged_in", |_| true);
    // Its input ends: nothing more is typed, and it stays.
    alice.close_input();
    alice.signal("TERM");
    assert!(alice.ended().success());
}
