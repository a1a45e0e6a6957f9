//! The wire, looked at: captures of a running network, `peer decode`, and the dissector in tshark.

use overlay_tests::strace::left_out;
use overlay_tests::{Realm, run};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const TEXT: &str = "readable on the wire";

fn file(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(below)
}

/// What `peer decode` shows of a capture.
fn decoded(capture: &Path) -> Vec<Value> {
    let path = capture.to_str().expect("plain");
    let answer = run("peer", &["decode", "--capture", path, "--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    answer.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What tshark shows of a capture with the dissector: a line a frame, with these fields.
fn dissected(capture: &Path, fields: &[&str]) -> Vec<String> {
    let home = TempDir::new().expect("a place for temporary files");
    let script = format!("lua_script:{}", file("docs/trellis.lua").display());
    let mut tshark = Command::new("tshark");
    // Plugins and settings of whoever runs the tests stay outside.
    tshark.env("HOME", home.path()).env("WIRESHARK_CONFIG_DIR", home.path());
    tshark.args(["-X", &script, "-T", "fields", "-E", "separator=|", "-r"]).arg(capture);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().expect("tshark is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Lua"), "{said}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Whether tshark is here, with Lua; if not, that a test is left out is said.
fn tshark_works(test: &str) -> bool {
    let version = Command::new("tshark").arg("--version").output();
    let works = version.is_ok_and(|version| {
        version.status.success() && String::from_utf8_lossy(&version.stdout).contains("with Lua")
    });
    if !works {
        left_out(test, "there is no tshark with Lua on this machine (package tshark)");
    }
    works
}

/// A number as tshark writes it; nothing where there is none.
fn number(value: &Value) -> String {
    value.as_u64().map(|number| number.to_string()).unwrap_or_default()
}

/// What tshark should show of a frame that `peer decode` shows so.
fn wanted(frame: &Value) -> String {
    let packet = frame["kind"] == "packet";
    let message = if packet { String::new() } else { number(&frame["number"]) };
    let payload = number(&frame["payload"]["number"]);
    let deaf = match frame["payload"]["deaf"].as_bool() {
        Some(true) => "1",
        Some(false) => "0",
        None => "",
    };
    let class = match frame["class"].as_str() {
        Some("Control") => "0",
        Some("RealTime") => "1",
        Some("Message") => "2",
        Some("Bulk") => "3",
        _ => "",
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [
        message,
        payload,
        deaf.to_owned(),
        class.to_owned(),
        number(&frame["hops_left"]),
        number(&frame["hops_taken"]),
        text(&frame["source"]),
        text(&frame["destination"]),
        number(&frame["length"]),
        text(&frame["link"]),
        (if frame["direction"] == "in" { "1" } else { "2" }).to_owned(),
        String::new(),
    ]
    .join("|")
}

fn compare(capture: &Path, frames: &[Value]) {
    let lines = dissected(
        capture,
        &[
            "trellis.message",
            "trellis.payload",
            "trellis.datagram.deaf",
            "trellis.packet.class",
            "trellis.packet.hops_left",
            "trellis.packet.hops_taken",
            "trellis.packet.source",
            "trellis.packet.destination",
            "frame.len",
            "frame.interface_name",
            "frame.packet_flags_direction",
            "trellis.malformed",
        ],
    );
    assert_eq!(lines.len(), frames.len());
    for (line, frame) in lines.iter().zip(frames) {
        // Later versions of tshark write truth values as words.
        let line = line.replace("|False|", "|0|").replace("|True|", "|1|");
        // The direction is a number in hexadecimal digits, with leading zeros.
        assert_eq!(line.replace("|0x0000000", "|"), wanted(frame), "{frame}");
    }
}

/// The names of what went this way: messages, and what packets carried.
fn names<'a>(frames: &'a [Value], direction: &str) -> Vec<&'a str> {
    let these = frames.iter().filter(|frame| frame["direction"] == direction);
    these.filter_map(|frame| frame["name"].as_str().or(frame["payload"]["name"].as_str())).collect()
}

#[test]
fn a_small_network_is_captured_decoded_and_dissected() {
    let dir = TempDir::new().expect("a place for temporary files");
    let (home, alice) = (dir.path().join("home.pcapng"), dir.path().join("alice.pcapng"));
    let mut realm = Realm::start_running(&["--capture", home.to_str().expect("plain")]);
    realm.join("alice");
    let flags = ["--capture", alice.to_str().expect("plain")];
    let mut peers = realm.settle(&["bob"]);
    peers.push(realm.run_peer_with("alice", &flags));
    realm.in_place("alice", 1);
    realm.peer("alice", &["send", "bob", TEXT]).json();
    realm.peer("alice", &["ping", "bob"]).json();
    // A session between the two, with its datagrams.
    realm.peer("alice", &["contacts", "add", "bob"]).json();
    peers[1].line("a warning", |line| line.contains("capture: all frames").then_some(()));
    for running in peers.iter_mut().chain(&mut realm.supernodes).rev() {
        running.signal("INT");
        assert!(running.ended().success());
    }

    for path in [&home, &alice] {
        let mode = path.metadata().expect("the capture").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    let (at_home, at_alice) = (decoded(&home), decoded(&alice));
    let (came, went) = (names(&at_alice, "in"), names(&at_alice, "out"));
    for name in ["Hello", "LoginReply", "Assign", "KeepAlive", "Receipt", "EchoReply"] {
        assert!(came.contains(&name), "no {name} in {came:?}");
    }
    for name in ["Hello", "Login", "Publish", "KeepAlive", "Lookup", "Text", "Echo"] {
        assert!(went.contains(&name), "no {name} in {went:?}");
    }
    assert!(at_alice.iter().any(|frame| frame["payload"]["fields"]["text"] == TEXT));
    assert!(at_alice.iter().any(|frame| frame["payload"]["kind"] == "datagram"));
    // Both ends of a link have seen the same bytes.
    let keys = |frames: &[Value], name: &str, direction: &str| {
        let is_it = |frame: &&Value| frame["name"] == name && frame["direction"] == direction;
        frames.iter().filter(is_it).map(|frame| frame["fields"].clone()).collect::<Vec<_>>()
    };
    for login in keys(&at_alice, "Login", "out") {
        assert!(keys(&at_home, "Login", "in").contains(&login), "{login}");
    }

    let typed = run("peer", &["decode", "--capture", alice.to_str().expect("plain")]);
    assert!(typed.out.contains("Hello, message 1, "), "{}", typed.out);
    assert!(typed.out.contains(&format!("text: {TEXT}")), "{}", typed.out);
    let again = realm.peer_typed("alice", &[&["run"], &flags[..]].concat());
    again.refused(1, 500);

    if tshark_works("the dissector on a capture") {
        compare(&home, &at_home);
        compare(&alice, &at_alice);
    }
}

/// A classic pcap with these frames.
fn pcap(path: &Path, frames: &[Vec<u8>]) {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_536, 147];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("short");
        bytes.extend([1, 0, length, length].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(frame);
    }
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn the_dissector_reads_every_golden_message_and_refuses_each_that_is_cut() {
    if !tshark_works("the dissector on the golden bytes") {
        return;
    }
    let golden = std::fs::read_to_string(file("overlay-proto/tests/wire/golden.txt"));
    let golden = golden.expect("the golden file is there");
    let mut wanted = Vec::new();
    let mut frames = Vec::new();
    for line in golden.lines().filter(|line| line.starts_with("message ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, number, name, _, digits] = words[..] else { panic!("{line}") };
        let digits = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
        let frame: Vec<u8> =
            digits.map(|byte| u8::from_str_radix(byte, 16).expect("digits")).collect();
        frames.push(frame[..frame.len() - 1].to_vec());
        wanted.push(format!("{number}|does not decode: {name}|1"));
        frames.push(frame);
        wanted.push(format!("{number}|{name}|"));
    }
    let dir = TempDir::new().expect("a place for temporary files");
    let path = dir.path().join("golden.pcap");
    pcap(&path, &frames);
    assert_eq!(dissected(&path, &["trellis.message", "_ws.col.Info", "trellis.malformed"]), wanted);
}
