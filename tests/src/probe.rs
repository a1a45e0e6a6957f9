//! A registrar's store in a process of its own, `store-probe`, and what such a process says.

use overlay_node::driver::Store;
use overlay_proto::id::UserKey;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use overlay_supernode::store::{RegistrarStore, Registration, StorePlace};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Output;

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

/// Says one line in one write.
pub fn say(line: &str) {
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
    let _ = std::io::stdout().flush();
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

/// Does something that needs a runtime.
pub fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}
