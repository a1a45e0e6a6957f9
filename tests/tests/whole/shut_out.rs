//! Devices and users let in and shut out, with real processes.

use overlay_tests::{Realm, echo, eventually};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn words<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Its running peer is told that it is out, and cannot come back.
fn is_out(realm: &Realm, name: &str) {
    let again = realm.peer(name, &["run"]);
    assert_eq!(again.code, Some(3), "{again:?}");
    assert!(again.out.contains("437"), "{again:?}");
}

#[test]
fn a_second_device_of_a_user_and_its_end() {
    let realm = Realm::start(2);
    let mut running = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    let made = realm.peer("alice", &["device", "add"]).json();
    let code = words(&made, "code").to_owned();
    assert!(code.starts_with("trellisdevice1"), "{made}");

    let joined = realm.peer("laptop", &["device", "join", &code, "--label", "laptop"]).json();
    assert_eq!((words(&joined, "name"), words(&joined, "label")), ("alice", "laptop"));
    let keys: Vec<String> = std::fs::read_dir(realm.folder("laptop"))
        .expect("a folder")
        .flatten()
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!keys.iter().any(|file| file.starts_with("user.key")), "no user's key: {keys:?}");
    let used = realm.peer("third", &["device", "join", &code]);
    assert_eq!(used.code, Some(3), "a code works once: {used:?}");
    let mistaken = realm.peer("third", &["join", &code, "--name", "carol"]);
    assert!(mistaken.out.contains("peer device join"), "{mistaken:?}");

    let mut laptop = realm.run_peer("laptop");
    realm.in_place("laptop", 1);
    let listed = eventually("two devices on line", || {
        let listed = realm.peer("alice", &["device", "list"]).json();
        let devices = listed["devices"].as_array().expect("a list").clone();
        let online = devices.iter().filter(|device| device["online"] == true).count();
        (online == 2).then_some(devices)
    });
    assert_eq!(listed[0]["this"], true);
    assert_eq!(listed[1]["label"], "laptop");
    let said = realm.peer("laptop", &["send", "bob", "from the laptop"]).json();
    assert_eq!(said["to"], "bob");
    assert_eq!(realm.inbox("bob"), [("alice".to_owned(), "from the laptop".to_owned())]);

    let done = realm.peer("alice", &["device", "revoke", "laptop"]).json();
    assert_eq!(done["status"], 200);
    laptop.event("logged_out", |event| event["status"] == 437);
    drop(laptop);
    is_out(&realm, "laptop");
    let listed = realm.peer("alice", &["device", "list"]).json();
    assert!(listed["devices"][1]["revoked_ms"].is_u64(), "{listed}");
    let entries = realm.supernode("s1", &["revocations"]).json();
    assert_eq!(entries[0]["entries"][0]["role"], "device", "{entries}");
    running.truncate(2);
}

#[test]
fn a_user_is_shut_out_and_stays_so_after_every_restart() {
    let mut realm = Realm::start(2);
    let mut running = realm.settle(&["mallory", "bob"]);
    realm.in_place("mallory", 1);
    let unknown = realm.supernode("s0", &["revoke", "nobody"]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    let no_registrar = realm.supernode("s1", &["revoke", "mallory"]);
    assert!(no_registrar.out.contains("501"), "{no_registrar:?}");
    assert_eq!(realm.supernode("s0", &["revoke", "mallory"]).json()["status"], 200);
    running[0].event("logged_out", |event| event["status"] == 437);
    running.remove(0);
    eventually("the list at the other supernode", || {
        let lists = realm.supernode("s1", &["revocations"]).json();
        (lists[0]["entries"][0]["role"] == "user").then_some(())
    });
    for crashed in [0, 1] {
        realm.crash_supernode(crashed);
        is_out(&realm, "mallory");
        let lists = realm.supernode(&format!("s{crashed}"), &["revocations"]).json();
        assert_eq!(lists[0]["entries"].as_array().map(Vec::len), Some(1), "{lists}");
    }
    // The name is nobody's.
    let again = realm.peer("other", &["join", &realm.invitation(&[]), "--name", "mallory"]);
    assert!(again.out.contains("409"), "{again:?}");
}

/// Mallory's machine stands still meanwhile: nothing of what ends is her own doing.
#[test]
fn a_session_with_who_is_shut_out_ends_at_the_other_end() {
    let realm = Realm::start(2);
    let mut running = realm.settle(&["bob", "mallory"]);
    realm.in_place("bob", 1);
    realm.peer("bob", &["contacts", "add", "mallory"]).json();
    realm.peer("mallory", &["contacts", "add", "bob"]).json();
    let target = echo::start();
    let words = ["expose", "80", "--to", "bob", "--target", &target];
    let _exposing = realm.ready("mallory", &words);
    let (_forwarding, ready) = realm.ready("bob", &["forward", "127.0.0.1:0", "mallory:80"]);
    let local = ready["listening"].as_str().expect("an address");
    let mut connection = TcpStream::connect(local).expect("forwarded");
    connection.write_all(b"hello").expect("written");
    let mut came = [0; 5];
    connection.read_exact(&mut came).expect("read");
    assert_eq!(realm.peer("bob", &["sessions"]).json()[0]["name"], "mallory");

    running[1].signal("STOP");
    let asked = Instant::now();
    assert_eq!(realm.supernode("s0", &["revoke", "mallory"]).json()["status"], 200);
    running[0].event("shut_out", |event| event["name"] == "mallory");
    println!("bob's session was over {:?} after `supernode revoke` was typed", asked.elapsed());
    let patience = Some(Duration::from_secs(60));
    connection.set_read_timeout(patience).expect("a time");
    let end = connection.read(&mut came).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)), "{end:?}");
    assert_eq!(realm.peer("bob", &["sessions"]).json(), Value::Array(Vec::new()));
    realm.peer_typed("bob", &["request", "mallory", "echo", "hi"]).code.expect("refused");
    // What bob knows is on his disk.
    running[0].kill9();
    assert!(realm.folder("bob").join("revocations.cbor").exists());
}

/// What is served on one device of a user only is found there, whichever device is the newest.
#[test]
fn of_two_devices_each_can_be_meant_and_both_are_asked() {
    let realm = Realm::start(1);
    let _running = realm.settle(&["alice", "bob"]);
    let code = realm.peer("alice", &["device", "add"]).json();
    let code = words(&code, "code").to_owned();
    realm.peer("laptop", &["device", "join", &code, "--label", "laptop"]).json();
    let _laptop = realm.run_peer("laptop");
    realm.in_place("laptop", 1);
    for (one, other) in [("bob", "alice"), ("alice", "bob"), ("laptop", "bob")] {
        realm.peer(one, &["contacts", "add", other]).json();
    }
    let node = |name: &str| words(&realm.peer(name, &["status"]).json(), "node").to_owned();
    let (desktop, laptop) = (node("alice"), node("laptop"));
    let (at_desktop, at_laptop) =
        (format!("alice/{}", &desktop[..12]), format!("alice/{}", &laptop[..12]));
    let content = vec![7; 100_000];
    let file = realm.dir().join("notes.txt");
    std::fs::write(&file, &content).expect("written");
    let file = file.to_str().expect("plain");
    for (receiver, named, other) in
        [("alice", &at_desktop, &at_laptop), ("laptop", &at_laptop, &at_desktop)]
    {
        let into = realm.dir().join(format!("in-{receiver}"));
        std::fs::create_dir(&into).expect("made");
        let words = ["receive", "--into", into.to_str().expect("plain")];
        let (_receiving, _) = realm.ready(receiver, &words);
        realm.peer_typed("bob", &["send-file", other, file]).refused(4, 501);
        realm.peer("bob", &["send-file", named, file]).json();
        assert!(std::fs::read(into.join("notes.txt")).expect("there") == content);
        std::fs::remove_file(into.join("notes.txt")).expect("ours");
        // By the name alone: the one that receives is found, whether it is the newest or not.
        realm.peer("bob", &["send-file", "alice", file]).json();
        assert!(std::fs::read(into.join("notes.txt")).expect("there") == content);
    }
    let nobody = realm.peer_typed("bob", &["request", "alice/0000000000", "echo", "hi"]);
    nobody.refused(4, 480);
    let unclear = realm.peer_typed("bob", &["request", "alice/laptop", "echo", "hi"]);
    assert_eq!(unclear.code, Some(2), "{unclear:?}");
}
