//! What people do over sessions, with real processes: contacts, files, ports, requests.

use overlay_tests::{Realm, Running, echo, eventually};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// More than one packet may hold, and no round number.
const FILE_BYTES: usize = 20_000_003;

fn content() -> Vec<u8> {
    (0..FILE_BYTES).map(|n| (n * 31 % 251) as u8).collect()
}

fn befriend(realm: &Realm, one: &str, other: &str) {
    let asked = realm.peer(one, &["contacts", "add", other, "--say", "it is me"]).json();
    assert_eq!((&asked["standing"], &asked["told"]), (&"asked".into(), &true.into()));
    let book = realm.peer(other, &["contacts", "list"]).json();
    assert_eq!(book["contacts"][0]["standing"], "wants");
    assert_eq!(book["contacts"][0]["greeting"], "it is me");
    let accepted = realm.peer(other, &["contacts", "add", one]).json();
    assert_eq!(accepted["standing"], "contact");
    eventually("both to be contacts", || {
        let book = realm.peer(one, &["contacts", "list"]).json();
        (book["contacts"][0]["standing"] == "contact").then_some(())
    });
}

fn receive(realm: &Realm, name: &str, into: &Path) -> Running {
    realm.ready(name, &["receive", "--into", into.to_str().expect("plain")]).0
}

#[test]
fn files_ports_and_requests_are_for_contacts() {
    let realm = Realm::start(1);
    let _peers = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    // Strangers can do nothing but ask.
    realm.peer_typed("alice", &["request", "bob", "echo", "hi"]).refused(4, 501);
    realm.peer_typed("alice", &["request", "bob", "presence", ""]).refused(4, 501);
    befriend(&realm, "alice", "bob");
    let answered = realm.peer("alice", &["request", "bob", "echo", "hello", "there"]).json();
    assert_eq!(answered["answer"], "hello there");
    realm.peer_typed("alice", &["request", "bob", "nothing", "x"]).refused(4, 501);

    realm.peer("bob", &["away"]).json();
    assert_eq!(realm.peer("bob", &["status"]).json()["away"], true);
    eventually("bob to be away", || {
        let book = realm.peer("alice", &["contacts", "list"]).json();
        (book["contacts"][0]["away"] == true).then_some(())
    });
    realm.peer("bob", &["back"]).json();
    eventually("bob to be back", || {
        let book = realm.peer("alice", &["contacts", "list"]).json();
        (book["contacts"][0]["away"] == false).then_some(())
    });

    let file = realm.dir().join("photo.jpg");
    std::fs::write(&file, content()).expect("written");
    let file = file.to_str().expect("plain");
    realm.peer_typed("alice", &["send-file", "bob", file]).refused(4, 501);
    let into = realm.dir().join("in");
    std::fs::create_dir(&into).expect("made");
    let _receiving = receive(&realm, "bob", &into);
    let sent = realm.peer("alice", &["send-file", "bob", file]).json();
    assert_eq!((&sent["bytes"], &sent["resumed"]), (&FILE_BYTES.into(), &0.into()));
    assert!(std::fs::read(into.join("photo.jpg")).expect("there") == content());

    let echo = echo::start();
    let port = echo.rsplit_once(':').expect("an address").1;
    let words = ["expose", "80", "--to", "alice", "--target", &echo];
    let _exposing = realm.ready("bob", &words);
    let (_forwarding, ready) = realm.ready("alice", &["forward", "127.0.0.1:0", "bob:80"]);
    let local = ready["listening"].as_str().expect("an address");
    let mut connection = TcpStream::connect(local).expect("forwarded");
    connection.write_all(b"over the hops").expect("written");
    let mut came = [0; 13];
    connection.read_exact(&mut came).expect("read");
    assert_eq!(&came, b"over the hops");
    // A port that nobody exposes.
    let to = format!("bob:{port}");
    let (_closed, ready) = realm.ready("alice", &["forward", "127.0.0.1:0", &to]);
    let mut connection =
        TcpStream::connect(ready["listening"].as_str().expect("an address")).expect("listening");
    assert_eq!(connection.read(&mut came).unwrap_or(0), 0, "closed at once");

    // One that is exposed, behind which nothing listens.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = gone.local_addr().expect("bound").to_string();
    drop(gone);
    let (_exposing, _) =
        realm.ready("bob", &["expose", "81", "--to", "alice", "--target", &target]);
    let (_gone, ready) = realm.ready("alice", &["forward", "127.0.0.1:0", "bob:81"]);
    let mut connection =
        TcpStream::connect(ready["listening"].as_str().expect("an address")).expect("listening");
    assert_eq!(connection.read(&mut came).unwrap_or(0), 0, "closed at once");

    realm.peer("bob", &["contacts", "block", "alice"]).json();
    realm.peer_typed("alice", &["request", "bob", "echo", "hi"]).refused(4, 501);
    realm.peer_typed("alice", &["send-file", "bob", file]).refused(4, 501);
}

#[test]
fn a_file_whose_receiver_is_killed_goes_on_where_it_stopped() {
    let realm = Realm::start(1);
    let mut peers = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    befriend(&realm, "alice", "bob");
    let file = realm.dir().join("photo.jpg");
    let large: Vec<u8> = content().into_iter().cycle().take(20 * FILE_BYTES).collect();
    std::fs::write(&file, &large).expect("written");
    let file = file.to_str().expect("plain");
    let into = realm.dir().join("in");
    std::fs::create_dir(&into).expect("made");
    let mut receiving = receive(&realm, "bob", &into);
    let sending = realm.staying("alice", &["send-file", "bob", file]);
    eventually("a part to come", || {
        let parts = std::fs::read_dir(&into).expect("there").flatten();
        parts.filter_map(|part| part.metadata().ok()).any(|part| part.len() > 0).then_some(())
    });
    peers[1].kill9();
    receiving.kill9();
    drop(sending);
    peers[1] = realm.run_peer("bob");
    realm.in_place("bob", 1);
    let _receiving = receive(&realm, "bob", &into);
    let sent = eventually("the rest to come", || {
        let sent = realm.peer("alice", &["send-file", "bob", file]);
        (sent.code == Some(0)).then(|| sent.json())
    });
    assert!(sent["resumed"].as_u64() > Some(0), "{sent}");
    assert!(std::fs::read(into.join("photo.jpg")).expect("there") == large);
    assert_eq!(std::fs::read_dir(&into).expect("there").count(), 1, "no part is left");
}
