//! A supernode is killed: its peers are on line elsewhere, and texts get through.

use overlay_tests::{Realm, Running, eventually};
use std::collections::BTreeMap;

const NAMES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// The home of each user who is on line.
fn homes(realm: &Realm) -> BTreeMap<&'static str, String> {
    let home = |name: &&'static str| {
        let status = realm.peer(name, &["status"]).json();
        let online = status["state"] == "online";
        Some((*name, status["home"].as_str()?.to_owned())).filter(|_| online)
    };
    NAMES.iter().filter_map(home).collect()
}

#[test]
fn peers_of_a_killed_supernode_go_on_elsewhere() {
    let mut realm = Realm::start(3);
    let mut peers: Vec<Running> = realm.settle(&NAMES);
    NAMES.iter().for_each(|name| realm.in_place(name, 4));
    let before = homes(&realm);
    assert_eq!(before.len(), NAMES.len());
    let node = |number: usize| {
        let status = realm.supernode(&format!("s{number}"), &["status"]).json();
        status["node"].as_str().expect("a text").to_owned()
    };
    // One with peers, but not the one that alone can register.
    let nodes = [node(0), node(1), node(2)];
    let victim = (1..3)
        .max_by_key(|number| before.values().filter(|home| **home == nodes[*number]).count())
        .expect("two of them");
    let orphans: Vec<&str> =
        before.iter().filter(|(_, home)| **home == nodes[victim]).map(|(name, _)| *name).collect();
    realm.supernodes[victim].kill9();

    let after = eventually("everybody on line at a living home", || {
        let homes = homes(&realm);
        let all = homes.len() == NAMES.len() && homes.values().all(|home| *home != nodes[victim]);
        all.then_some(homes)
    });
    for (name, peer) in NAMES.iter().zip(&mut peers) {
        if orphans.contains(name) {
            let back = peer.event("logged_in", |event| event["home"] == after[name].as_str());
            assert_eq!(back["failover"], true, "{name}");
        }
    }
    for (number, from) in NAMES.iter().enumerate() {
        let to = NAMES[(number + 1) % NAMES.len()];
        let sent = realm.peer(from, &["send", to, "still", "there?"]).json();
        assert_eq!(sent["to"], to);
    }
    for name in NAMES {
        eventually("one text in each inbox", || (realm.inbox(name).len() == 1).then_some(()));
    }
}

#[test]
fn a_killed_peer_is_replaced_and_comes_back() {
    let realm = Realm::start(1);
    let mut peers = realm.settle(&NAMES[..4]);
    NAMES[..4].iter().for_each(|name| realm.in_place(name, 3));
    peers[3].kill9();
    realm.peer("alice", &["send", "bob", "one", "less"]).json();
    peers[3] = realm.run_peer("dave");
    realm.in_place("dave", 3);
    let sent = realm.peer("alice", &["send", "dave", "welcome back"]).json();
    assert_eq!(sent["to"], "dave");
    eventually("the text in dave's inbox", || {
        let welcome = ("alice".to_owned(), "welcome back".to_owned());
        (realm.inbox("dave") == [welcome]).then_some(())
    });
}
