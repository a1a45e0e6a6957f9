//! Thousands of connections on which nothing is said keep nobody out (catalogue 19).

use overlay_tests::Realm;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Connections that mallory holds at a time, over and over again.
const SILENT: usize = 2_000;

/// Opens connections to a supernode and says nothing, until it is dropped.
struct Flood(Child);

impl Flood {
    fn start(realm: &Realm, from: &str) -> Flood {
        let lan = realm.lan.as_ref().expect("machines of their own");
        let to = format!("/dev/tcp/{}/4001", lan.ip("s0"));
        let script = format!(
            "ulimit -n 10000; while true; do \
             for ((n = 0; n < {SILENT}; n++)); do exec {{fd}}<>{to}; all[n]=$fd; done 2>/dev/null; \
             echo full; \
             for fd in \"${{all[@]}}\"; do exec {{fd}}>&-; done; done"
        );
        let flood = Command::new("ip")
            .args(["netns", "exec", lan.namespace(from), "bash", "-c", &script])
            .stdout(Stdio::piped())
            .spawn();
        let mut flood = flood.expect("bash can be started");
        let out = flood.stdout.take().expect("piped");
        let mut lines = BufReader::new(out).lines();
        let full = lines.next().expect("it goes on").expect("text");
        assert_eq!(full, "full");
        // Read on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Flood(flood)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn silent_connections_of_one_address_keep_nobody_out() {
    let Some(realm) = Realm::start_on_machines(&["alice", "bob", "mallory"], 4) else { return };
    let _alice = realm.settle(&["alice"]);
    let flood = Flood::start(&realm, "mallory");
    // Bob is new: he registers, logs in and finds his place meanwhile.
    let _bob = realm.settle(&["bob"]);
    realm.in_place("bob", 1);
    let sent = realm.peer("alice", &["send", "bob", "in spite of it"]).json();
    assert_eq!(sent["to"], "bob");
    drop(flood);
}
