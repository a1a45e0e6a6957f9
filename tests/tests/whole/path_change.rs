//! A file is on its way when the way changes: hop by hop, over a direct link, and hop by hop again.

use overlay_tests::{Realm, eventually};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of the file.
const BYTES_VARIABLE: &str = "PATH_CHANGE_BYTES";
const BYTES: u64 = 200_000_000;
/// Enough that most are not neighbours of each other.
const NAMES: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
const DEGREE: usize = 4;
/// Between two looks at what has come.
const LOOK: Duration = Duration::from_millis(20);

/// Writes a file in which no two places are alike.
fn write(path: &Path, bytes: u64) {
    let mut out = BufWriter::new(std::fs::File::create(path).expect("created"));
    let mut state = 1_u64;
    for _ in 0..bytes / 8 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        out.write_all(&state.to_le_bytes()).expect("written");
    }
    out.flush().expect("written");
}

fn same(one: &Path, other: &Path) -> bool {
    let read = |path| std::fs::File::open(path).expect("there");
    let (mut one, mut other) = (read(one), read(other));
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = one.read(&mut a).expect("read");
        if n == 0 {
            return other.read(&mut b).expect("read") == 0;
        }
        if other.read_exact(&mut b[..n]).is_err() || a[..n] != b[..n] {
            return false;
        }
    }
}

/// Somebody who is not a neighbour of alice.
fn far_from_alice(realm: &Realm) -> &'static str {
    let neighbours = realm.peer("alice", &["neighbours"]).json();
    let near: Vec<&str> =
        neighbours.as_array().expect("a list").iter().filter_map(|n| n["node"].as_str()).collect();
    let far = NAMES[1..].iter().find(|name| {
        let node = realm.peer(name, &["status"]).json()["node"].clone();
        !near.contains(&node.as_str().expect("a text"))
    });
    far.expect("there are more than she has neighbours")
}

fn befriend(realm: &Realm, one: &str, other: &str) {
    realm.peer(one, &["contacts", "add", other]).json();
    realm.peer(other, &["contacts", "add", one]).json();
    eventually("both to be contacts", || {
        let book = realm.peer(one, &["contacts", "list"]).json();
        (book["contacts"][0]["standing"] == "contact").then_some(())
    });
}

/// Bytes that have come so far.
fn arrived(into: &Path) -> u64 {
    let files = std::fs::read_dir(into).expect("there").flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).max().unwrap_or(0)
}

/// Watches until `over`; answers the longest time in which nothing came, while something was to.
fn longest_stall(into: PathBuf, over: &AtomicBool) -> Duration {
    let (mut longest, mut last) = (Duration::ZERO, (arrived(&into), Instant::now()));
    while !over.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
        let now = arrived(&into);
        if now > last.0 {
            longest = longest.max(if last.0 > 0 { last.1.elapsed() } else { Duration::ZERO });
            last = (now, Instant::now());
        }
    }
    longest
}

#[test]
fn a_file_does_not_notice_that_its_way_changes() {
    let bytes = std::env::var(BYTES_VARIABLE).ok().and_then(|text| text.parse().ok());
    let bytes: u64 = bytes.unwrap_or(BYTES);
    let Some(realm) = Realm::start_on_machines(&NAMES, &["--degree", &DEGREE.to_string()]) else {
        return;
    };
    let mut peers = realm.settle(&NAMES);
    // Of an odd number of free slots one is left over.
    NAMES.iter().for_each(|name| realm.in_place(name, DEGREE as u64 - 1));
    let friend = far_from_alice(&realm);
    let hops = realm.peer("alice", &["ping", friend]).json()["hops"].clone();
    assert!(hops.as_u64() > Some(1), "{hops}");
    befriend(&realm, "alice", friend);
    let (file, into) = (realm.dir().join("film"), realm.dir().join("in"));
    write(&file, bytes);
    std::fs::create_dir(&into).expect("made");
    let mut receiving =
        realm.staying(friend, &["receive", "--into", into.to_str().expect("plain")]);
    receiving.line("its readiness", |line| line.contains("into").then_some(()));
    let lan = realm.lan.as_ref().expect("machines of their own");
    let over = AtomicBool::new(false);
    let (stall, took) = thread::scope(|scope| {
        let watching = scope.spawn(|| longest_stall(into.clone(), &over));
        let began = Instant::now();
        let mut sending =
            realm.staying("alice", &["send-file", friend, file.to_str().expect("plain")]);
        let alice = &mut peers[0];
        let path = |direct: bool| move |e: &serde_json::Value| e["direct"] == direct;
        alice.event("path_changed", path(true));
        eventually("a third of it", || (arrived(&into) >= bytes / 3).then_some(()));
        assert!(arrived(&into) < bytes, "too quick to change anything");
        lan.cut("alice", friend);
        alice.event("path_changed", path(false));
        let ended = sending.ended();
        let took = began.elapsed();
        over.store(true, Ordering::Relaxed);
        assert!(ended.success(), "{:?}", sending.lines());
        (watching.join().expect("watched"), took)
    });
    assert!(same(&file, &into.join("film")), "the file came as it was sent");
    println!(
        "{bytes} bytes in {:.1} s, over {hops} hops, a direct link and {hops} hops again; the longest stall: {:.2} s",
        took.as_secs_f64(),
        stall.as_secs_f64()
    );
}
