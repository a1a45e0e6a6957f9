//! A registrar's store in a process of its own, `store-probe`, under the eyes and hands of `strace`.

use crate::program::program;
use overlay_node::driver::Store;
use overlay_proto::id::UserKey;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use overlay_supernode::store::{RegistrarStore, Registration, StorePlace};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a probe said of its names.
#[derive(Debug, Default, Clone)]
pub struct Said {
    /// The serial number of each name that was granted.
    pub granted: BTreeMap<u32, u64>,
    /// Names that were refused, in order.
    pub refused: Vec<u32>,
    /// Whether a name was granted after one was refused.
    pub went_on: bool,
    /// All of it.
    pub lines: Vec<String>,
}

/// The name that the probe wants as its `number`th.
pub fn name_of(number: u32) -> Name {
    Name::new(&format!("user{number}")).expect("letters and digits")
}

/// The key that wants it.
pub fn key_of(number: u32) -> UserKey {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    UserKey(key)
}

/// The program with its arguments, for a shell that makes a world for it first.
pub fn command(store: &Path, first: u32, count: u32) -> Vec<String> {
    let program = program("store-probe").display().to_string();
    vec![program, store.display().to_string(), first.to_string(), count.to_string()]
}

/// Whether `strace` works here; if not, that a test is left out is said.
pub fn strace_works(test: &str) -> bool {
    let traced = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).output();
    let works = traced.is_ok_and(|output| output.status.success());
    if !works {
        left_out(test, "strace does not work on this machine");
    }
    works
}

/// Says that a test is left out, past the test harness, which keeps what tests that pass say.
pub fn left_out(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "\n*** LEFT OUT: {test}: {why} ***\n");
}

/// Runs the probe under `strace` with these arguments; what it said, and the trace.
///
/// # Panics
/// If there is no trace.
pub fn traced(folder: &Path, strace: &[&str], probe: &[String]) -> (Said, String) {
    let log = folder.join("trace");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-y", "-o"])
        .arg(&log)
        .args(strace)
        .args(probe)
        .output()
        .expect("strace is there");
    (said(&output), std::fs::read_to_string(&log).expect("a trace"))
}

/// What a probe has said.
pub fn said(output: &Output) -> Said {
    let mut said = Said::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| words.get(place).and_then(|word| word.parse::<u64>().ok());
        match (words[0], number(1), number(2)) {
            ("granted", Some(name), Some(serial)) => {
                said.went_on |= !said.refused.is_empty();
                said.granted.insert(name as u32, serial);
            }
            ("refused", Some(name), _) => said.refused.push(name as u32),
            _ => {}
        }
        said.lines.push(line.to_owned());
    }
    said
}

/// Makes a store that is whole and closed.
pub fn make(store: &Path) {
    in_runtime(async { open(store).await.close().await });
}

/// Copies a store that no process has open, with the files beside it.
///
/// # Panics
/// If it cannot be copied.
pub fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-promised"] {
        let file = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if file(from).exists() {
            std::fs::copy(file(from), file(to)).expect("copied");
        }
    }
}

/// How many of the names that were granted the store does not know any more, or has given to
/// another key or under another number. The store is opened as after a crash.
///
/// # Panics
/// If it cannot be opened.
pub fn lost(store: &Path, granted: &BTreeMap<u32, u64>) -> usize {
    in_runtime(async {
        let store = open(store).await;
        let mut lost = 0;
        for (&number, &serial) in granted {
            let claim = |user| StoreRequest::ClaimName {
                name: name_of(number),
                user,
                code: None,
                origin: None,
            };
            let thief = store.submit(claim(UserKey([0xff; 32]))).await;
            let owner = store.submit(claim(key_of(number))).await;
            let whole = thief == StoreAnswer::Taken && owner == StoreAnswer::Granted { serial };
            lost += usize::from(!whole);
        }
        store.close().await;
        lost
    })
}

async fn open(store: &Path) -> RegistrarStore {
    let place = StorePlace::File(store.to_owned());
    RegistrarStore::open(place, Registration::default()).await.expect("it opens")
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}
