//! How large messages are as we write them (CBOR, fields by position), as JSON and as BSON: the ten
//! commonest of a real network, as its links carried them. `cargo bench -p overlay-tests --bench sizes`;
//! `--secs 60` says how long it lives, with `--json` one object at the end.
//!
//! Two supernodes and eight peers, which send texts, messages that wait and pings to each other now and
//! then. All write captures, `peer decode --json` reads them, and each frame is written again: as JSON
//! with every field by its name, without spaces, bytes in base64; as BSON with the same names, bytes as
//! binary and whole numbers as the 32 or 64 bits that they need. Our size is that of the frame, with the
//! header of a packet where it is one. Datagrams of sessions are left out: they are sealed.

use overlay_tests::{Realm, run};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SECS: u64 = 60;
const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
const SHOWN: usize = 10;
/// Fewest digits that are taken for bytes: ids have sixteen, names of people are no such digits.
const DIGITS_MIN: usize = 16;

/// All frames of one kind.
#[derive(Debug, Default, Clone, serde::Serialize)]
struct Kind {
    name: String,
    frames: usize,
    /// Bytes on average.
    ours: f64,
    json: f64,
    bson: f64,
}

fn main() {
    check();
    let words: Vec<String> = std::env::args().collect();
    let secs = words.iter().position(|word| word == "--secs").and_then(|at| words.get(at + 1));
    let secs = secs.and_then(|text| text.parse().ok()).unwrap_or(SECS);
    eprintln!("a network that lives for {secs} s");
    let kinds = sizes(&lived(Duration::from_secs(secs)));
    if words.iter().any(|word| word == "--json") {
        println!("{}", serde_json::to_string(&kinds).expect("names and numbers"));
        return;
    }
    println!("| message | frames | ours | JSON | BSON | JSON over ours | BSON over ours |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for Kind { name, frames, ours, json, bson } in &kinds {
        println!(
            "| {name} | {frames} | {ours:.0} | {json:.0} | {bson:.0} | {:.2} | {:.2} |",
            json / ours,
            bson / ours
        );
    }
}

/// The two examples of bsonspec.org, and what `serde_json` writes.
fn check() {
    let (hello, awesome) =
        (json!({ "hello": "world" }), json!({ "BSON": ["awesome", 5.05, 1986] }));
    assert_eq!((bson_bytes(&hello), bson_bytes(&awesome)), (22, 49));
    assert_eq!(
        (json_bytes(&hello), json_bytes(&awesome)),
        (hello.to_string().len(), awesome.to_string().len())
    );
    assert_eq!((json_bytes(&json!("00112233aabbccdd")), bytes("00112233aabbccdd")), (13, Some(8)));
}

/// Lets a network live and returns what its links have carried, as `peer decode` shows it.
fn lived(life: Duration) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a place for temporary files");
    let capture = |name: &str| folder.path().join(name).display().to_string();
    let flags = |name: &str| vec!["--capture".to_owned(), capture(name)];
    let first = flags("s0");
    let mut realm = Realm::start_running(&first.iter().map(String::as_str).collect::<Vec<_>>());
    realm.run_flags = flags("s1");
    realm.add_supernode();
    realm.acquaint();
    let mut running = Vec::new();
    for name in NAMES {
        realm.join(name);
        running.push(realm.run_peer_with(name, &["--capture", &capture(name)]));
    }
    let end = Instant::now() + life;
    for (n, from) in NAMES.iter().cycle().enumerate() {
        if Instant::now() > end {
            break;
        }
        let to = NAMES[(n * 3 + 1) % NAMES.len()];
        if *from != to {
            // Some may come before there is a way; that is a part of life.
            let _ = realm.peer(from, &["send", to, "are you there?"]);
            let _ = realm.peer(from, &["message", to, "see you on Friday"]);
            let _ = realm.peer(from, &["ping", to]);
        }
        std::thread::sleep(Duration::from_millis(700));
    }
    for node in running.iter_mut().chain(&mut realm.supernodes).rev() {
        node.signal("INT");
        node.ended();
    }
    let files: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .expect("there")
        .flatten()
        .map(|file| file.path())
        .collect();
    files.iter().flat_map(|file| decoded(file)).collect()
}

fn decoded(capture: &Path) -> Vec<Value> {
    let answer = run("peer", &["decode", "--capture", capture.to_str().expect("plain"), "--json"]);
    answer.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The commonest kinds. A frame is in the captures of both ends; those that went are counted.
fn sizes(frames: &[Value]) -> Vec<Kind> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    for frame in frames.iter().filter(|frame| frame["direction"] == "out") {
        let Some((name, document)) = document(frame) else { continue };
        let kind = kinds.entry(name.clone()).or_default();
        kind.name = name;
        kind.frames += 1;
        kind.ours += frame["length"].as_u64().expect("a length") as f64;
        kind.json += json_bytes(&document) as f64;
        kind.bson += bson_bytes(&document) as f64;
    }
    let mut kinds: Vec<Kind> = kinds.into_values().collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.frames));
    kinds.truncate(SHOWN);
    for kind in &mut kinds {
        let frames = kind.frames as f64;
        (kind.ours, kind.json, kind.bson) =
            (kind.ours / frames, kind.json / frames, kind.bson / frames);
    }
    kinds
}

/// A frame as somebody would write it who names everything; none for a datagram.
fn document(frame: &Value) -> Option<(String, Value)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let named = |name: &str, fields: &Value| {
        let mut all = Map::new();
        all.insert("type".to_owned(), name.into());
        all.extend(fields.as_object().cloned().unwrap_or_default());
        Value::Object(all)
    };
    if frame["kind"] == "message" {
        let name = text(&frame["name"])?;
        let document = named(&name, &frame["fields"]);
        return Some((name, document));
    }
    let carried = text(&frame["payload"]["name"])?;
    let mut packet = frame.as_object().cloned()?;
    for beside in ["frame", "at_ms", "link", "direction", "length", "kind"] {
        packet.remove(beside);
    }
    packet.insert("payload".to_owned(), named(&carried, &frame["payload"]["fields"]));
    let document = named("packet", &Value::Object(packet));
    Some((format!("packet with {carried}"), document))
}

/// The number of bytes for which these digits stand, if they do.
fn bytes(text: &str) -> Option<usize> {
    let digits = text.len() >= DIGITS_MIN && text.len().is_multiple_of(2);
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits && text.bytes().all(hex)).then_some(text.len() / 2)
}

/// The size as JSON, without spaces.
fn json_bytes(value: &Value) -> usize {
    // Brackets, and a comma between each two.
    let around = |count: usize| 2 + count.saturating_sub(1);
    match value {
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, value)| name.len() + 3 + json_bytes(value));
            around(fields.len()) + each.sum::<usize>()
        }
        Value::Array(values) => around(values.len()) + values.iter().map(json_bytes).sum::<usize>(),
        Value::String(text) => match bytes(text) {
            Some(count) => 2 + (4 * count).div_ceil(3),
            None => value.to_string().len(),
        },
        other => other.to_string().len(),
    }
}

/// The size as BSON (bsonspec.org, version 1.1) of a document or an array.
fn bson_bytes(value: &Value) -> usize {
    // Its own length, and a zero at its end.
    let around = |each: usize| 4 + each + 1;
    match value {
        Value::Object(fields) => {
            around(fields.iter().map(|(name, value)| element(name, value)).sum())
        }
        Value::Array(values) => {
            let each = values.iter().enumerate();
            around(each.map(|(place, value)| element(&place.to_string(), value)).sum())
        }
        _ => 0,
    }
}

/// The size of one element: its kind, its name with a zero, its value.
fn element(name: &str, value: &Value) -> usize {
    let value = match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(number) => match number.as_i64() {
            Some(number) if i32::try_from(number).is_ok() => 4,
            _ => 8,
        },
        Value::String(text) => match bytes(text) {
            Some(count) => 4 + 1 + count,
            None => 4 + text.len() + 1,
        },
        nested => bson_bytes(nested),
    };
    1 + name.len() + 1 + value
}
