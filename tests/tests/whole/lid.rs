//! As two new users would: they chat, one shuts the lid of the laptop and comes back later.

use overlay_tests::{Realm, Terminal};

fn chat(realm: &Realm, name: &str, with: &str) -> Option<Terminal> {
    let folder = realm.folder(name);
    Terminal::start("peer", &["chat", with, "--data", folder.to_str().expect("plain")])
}

fn befriend(realm: &Realm, one: &str, other: &str) {
    realm.peer(one, &["contacts", "add", other]).json();
    realm.peer(other, &["contacts", "add", one]).json();
}

#[test]
fn who_shuts_the_lid_has_missed_nothing() {
    let realm = Realm::start(3);
    let mut peers = realm.settle(&["alice", "bob", "carol"]);
    realm.in_place("alice", 2);
    befriend(&realm, "alice", "bob");
    let Some(mut alice) = chat(&realm, "alice", "bob") else { return };
    let mut bob = chat(&realm, "bob", "alice").expect("as for alice");
    alice.shows("online");
    alice.type_line("hello bob");
    bob.shows("alice: hello bob");
    alice.shows("hello bob ✓✓");
    bob.type_line("hello alice");
    alice.shows("bob: hello alice");

    // The lid is shut; the battery dies later.
    peers[1].signal("STOP");
    alice.type_line("are you there?");
    alice.shows("are you there?");
    peers[1].kill9();
    alice.type_line("then later");
    alice.shows("then later ✓");
    bob.shows("no peer runs");
    assert!(!bob.seen().contains("later"), "{}", bob.seen());

    // It is opened again: the screen that stayed finds the peer, and a new one shows all.
    peers[1] = realm.run_peer("bob");
    bob.shows("alice: then later");
    alice.shows("then later ✓✓");
    let again = chat(&realm, "bob", "alice").expect("as before");
    for text in ["alice: hello bob", "you: hello alice", "are you there?", "alice: then later"] {
        again.shows(text);
        assert_eq!(again.seen().matches(text).count(), 1, "{}", again.seen());
    }
    bob.type_line("/quit");
    assert!(bob.ended().success());
    // Ctrl-C.
    alice.press("\u{3}");
    assert!(alice.ended().success());
}

#[test]
fn a_chat_needs_a_terminal_and_says_so() {
    let realm = Realm::start(1);
    let _alice = realm.settle(&["alice"]);
    let refused = realm.peer_typed("alice", &["chat", "bob"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("terminal") && refused.err.contains("peer message"),
        "{refused:?}"
    );
}
