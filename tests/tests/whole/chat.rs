//! Two users who find each other, from the first key to the log-out.

use overlay_tests::{Realm, eventually};

#[test]
fn two_users_chat_by_name_and_see_the_way() {
    let realm = Realm::start(1);
    let mut peers = realm.settle(&["alice", "bob"]);
    for name in ["alice", "bob"] {
        realm.in_place(name, 1);
    }
    let sent = realm.peer("alice", &["send", "bob", "hello", "there"]).json();
    assert_eq!((sent["to"].as_str(), sent["hops"].as_u64()), (Some("bob"), Some(1)));
    assert_eq!((&sent["tries"], &sent["escalated"]), (&1.into(), &false.into()));
    peers[0].type_line("@bob typed");
    peers[1].event("message", |message| message["text"] == "typed");
    realm.peer("bob", &["send", "Alice", "hi"]).json();
    let from = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let both = vec![from("alice", "hello there"), from("alice", "typed")];
    eventually("both texts in bob's inbox", || (realm.inbox("bob") == both).then_some(()));
    let one = vec![from("bob", "hi")];
    eventually("one text in alice's inbox", || (realm.inbox("alice") == one).then_some(()));

    let pong = realm.peer("alice", &["ping", "bob"]).json();
    assert_eq!((&pong["hops"], &pong["hops_back"]), (&1.into(), &1.into()));
    let trace = realm.peer("alice", &["trace", "bob"]).json();
    assert_eq!(trace["arrived"], true);
    assert_eq!(trace["hops"][0]["name"], "bob");
    let found = realm.peer("alice", &["lookup", "bob"]).json();
    let bob = realm.peer("bob", &["status"]).json();
    assert_eq!(found["devices"][0]["node"], bob["node"]);
    let neighbours = realm.peer("alice", &["neighbours"]).json();
    assert_eq!((&neighbours[0]["node"], &neighbours[0]["up"]), (&bob["node"], &true.into()));
    let children = realm.supernode("s0", &["peers"]).json();
    assert_eq!(children.as_array().map(Vec::len), Some(2));

    realm.peer("bob", &["logout"]).json();
    assert!(peers[1].ended().success(), "a log-out ends the program well");
    let found = eventually("bob off line", || {
        let found = realm.peer("alice", &["lookup", "bob"]);
        (found.code != Some(0) || found.json()["devices"][0]["online"] == false).then_some(found)
    });
    assert!(!found.err.contains("panicked"), "{found:?}");
    peers[0].signal("INT");
    assert!(peers[0].ended().success(), "Ctrl-C ends the program well");
}

#[test]
fn names_and_texts_outlive_a_crash_of_everybody() {
    let mut realm = Realm::start(1);
    let mut peers = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    realm.peer("alice", &["send", "bob", "before"]).json();
    eventually("the text in bob's inbox", || (realm.inbox("bob").len() == 1).then_some(()));
    peers.iter_mut().for_each(|peer| peer.kill9());
    realm.crash_supernode(0);
    // The name is taken for ever, by her key.
    let taken = realm.peer_typed("eve", &["join", &realm.invitation(&[]), "--name", "alice"]);
    taken.refused(3, 409);
    let _again = [realm.run_peer("alice"), realm.run_peer("bob")];
    realm.in_place("alice", 1);
    realm.peer("alice", &["send", "bob", "after"]).json();
    let texts = ["before", "after"].map(|text| ("alice".to_owned(), text.to_owned()));
    eventually("both texts in bob's inbox", || (realm.inbox("bob") == texts).then_some(()));
}
