//! What an operator has of a running supernode: metrics, health, tables.

use overlay_tests::Realm;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_supernode_with_metrics_in_its_settings_tells_how_it_fares() {
    let mut realm = Realm::start(1);
    let settings = realm.folder("s0").join("config.toml");
    let mut settings = OpenOptions::new().append(true).open(settings).expect("init wrote it");
    writeln!(settings, "metrics = \"127.0.0.1:0\"").expect("room");
    assert!(realm.supernode("s0", &["status"]).json()["metrics"].is_null(), "off by default");
    realm.crash_supernode(0);
    let _peers = realm.settle(&["alice", "bob"]);

    let status = realm.supernode("s0", &["status"]).json();
    let address = status["metrics"].as_str().and_then(|text| text.parse().ok()).expect("IP:PORT");
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200 "));
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 200 "));
    let page = get(address, "/metrics");
    for line in ["trellis_peers 2", "trellis_registrations_total 2", "trellis_ready 1"] {
        assert!(page.lines().any(|other| other == line), "{line:?} is not in {page}");
    }
    let peers = realm.supernode("s0", &["peers"]).json();
    let names: Vec<_> =
        peers.as_array().expect("a list").iter().map(|peer| &peer["name"]).collect();
    assert_eq!(names, ["alice", "bob"], "in order");
}

#[test]
fn a_supernode_gets_a_new_end_for_its_certificate() {
    let mut realm = Realm::start(2);
    let secs = |realm: &Realm| {
        realm.supernode("s1", &["status"]).json()["certificate_secs"].as_u64().expect("a number")
    };
    let year = 365 * 24 * 3_600;
    assert!((year - 600..=year).contains(&secs(&realm)), "{}", secs(&realm));
    let node = realm.supernode("s1", &["status"]).json()["node"].clone();
    let ticket = realm.invitation(&["--supernode"]);
    let running = realm.supernode("s1", &["renew", &ticket]);
    assert_eq!(running.code, Some(1), "it must not run meanwhile: {running:?}");
    let of_a_user = realm.supernode("s1", &["renew", &realm.invitation(&[])]);
    assert_eq!(of_a_user.code, Some(3), "{of_a_user:?}");
    realm.supernodes[1].kill9();
    let renewed = realm.supernode("s1", &["renew", &ticket, "--listen", "127.0.0.1:0"]).json();
    assert_eq!(renewed["node"], node, "its key is the same");
    assert!(renewed["until_ms"].is_u64(), "{renewed}");
    let elsewhere = realm.supernode("s2", &["join", &ticket]);
    assert_eq!(elsewhere.code, Some(3), "the invitation is used up: {elsewhere:?}");
    realm.revive_supernode(1);
    realm.acquaint();
    assert_eq!(realm.supernode("s1", &["status"]).json()["node"], node);
}
