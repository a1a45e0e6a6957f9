//! Who may have a name: codes, approval, and the registrar's desk, as people type it.

use overlay_tests::Realm;
use serde_json::Value;

fn states(users: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let users = users.as_array().expect("a list");
    users.iter().map(|user| (text(&user["name"]), text(&user["state"]))).collect()
}

#[test]
fn a_name_waits_until_the_operator_approves_it() {
    let realm = Realm::start_with(1, &["--registration", "approve"]);
    let invitation = realm.invitation(&[]);
    let join = |name: &str| realm.peer_typed(name, &["join", &invitation, "--name", name]);
    for _ in 0..2 {
        let waits = join("alice");
        waits.refused(6, 202);
        assert!(waits.err.contains("same command again"), "{waits:?}");
    }
    join("mallory").refused(6, 202);
    // Another machine does not get the name meanwhile.
    realm.peer_typed("eve", &["join", &invitation, "--name", "alice"]).refused(3, 409);
    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    let waiting = realm.supernode("s0", &["users", "--waiting"]).json();
    assert_eq!(states(&waiting), [pair("alice", "waiting"), pair("mallory", "waiting")]);
    let approved = realm.supernode("s0", &["approve", "Alice"]).json();
    assert_eq!((&approved["name"], &approved["state"]), (&"alice".into(), &"registered".into()));
    realm.supernode("s0", &["approve", "--deny", "mallory"]).json();
    assert_eq!(realm.supernode("s0", &["approve", "nobody"]).code, Some(3));
    assert_eq!(join("alice").code, Some(0));
    join("mallory").refused(3, 403);
    let users = realm.supernode("s0", &["users"]).json();
    assert_eq!(states(&users), [pair("mallory", "denied"), pair("alice", "registered")]);
    let _alice = realm.run_peer("alice");
}

#[test]
fn codes_open_the_door_so_many_times_and_a_backup_remembers_it() {
    let mut realm = Realm::start_with(1, &["--registration", "code"]);
    let made = realm.supernode("s0", &["codes", "new", "--uses", "2"]).json();
    let code = made["code"].as_str().expect("a code").to_owned();
    let plain = realm.invitation(&[]);
    let with_code = realm.invitation(&["--code", &code]);
    realm.peer_typed("alice", &["join", &plain, "--name", "alice"]).refused(3, 403);
    realm.peer("alice", &["join", &with_code, "--name", "alice"]).json();
    realm.peer("bob", &["join", &plain, "--name", "bob", "--code", &code]).json();
    realm.peer_typed("carol", &["join", &with_code, "--name", "carol"]).refused(3, 403);
    let codes = realm.supernode("s0", &["codes", "list"]).json();
    assert_eq!((&codes[0]["uses_left"], &codes[0]["good"]), (&0.into(), &false.into()));

    let file = realm.dir().join("names.backup");
    let file = file.to_str().expect("plain").to_owned();
    let copied = realm.supernode("s0", &["backup", &file]).json();
    assert_eq!(copied["users"], 2);
    // Not under the feet of a supernode that runs.
    assert_eq!(realm.supernode("s0", &["restore", &file]).code, Some(1));
    realm.supernodes[0].kill9();
    // Straight to the store, without a supernode.
    assert_eq!(realm.supernode("s0", &["users"]).json().as_array().map(Vec::len), Some(2));
    assert_eq!(realm.supernode("s0", &["restore", &file]).code, Some(3));
    assert_eq!(realm.supernode("s0", &["restore", "--force", &file]).json()["users"], 2);
    assert_eq!(realm.supernode("s0", &["users"]).json().as_array().map(Vec::len), Some(2));
    // A realm's backup is of no use to another.
    let other = Realm::start(1);
    let mut foreign = other;
    foreign.supernodes[0].kill9();
    assert_eq!(foreign.supernode("s0", &["restore", &file]).code, Some(3));
}
