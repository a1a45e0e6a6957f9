//! Letters that a mailbox takes durably a second, against the disk's own rate of syncs, in one run:
//! `cargo bench -p overlay-tests --bench mailbox`. With `--json` one object at the end.
//!
//! The core of a supernode with its keeper, no network: from the `Deposit` of a peer to the 202. The
//! disk's own rate is that of a file to which 4 KiB are appended and synced, again and again, in the
//! same folder. `--dir FOLDER` says where; the system's temporary folder otherwise, which must be on
//! a disk for this to mean anything.

use overlay_tests::desk::{Desk, LETTER_BYTES, Tray};
use overlay_tests::probe::in_runtime;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

const PAGE_BYTES: usize = 4_096;
const SYNCS: u32 = 500;
/// Letters brought one after the other, and those brought so many at a time.
const ALONE: u32 = 500;
const TOGETHER: u32 = 16_384;
const AT_ONCE: [u32; 3] = [16, 256, 4_096];

#[derive(Debug, serde::Serialize)]
struct Figures {
    syncs_per_second: f64,
    alone_per_second: f64,
    /// At a time, and a second.
    together_per_second: Vec<(u32, f64)>,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let after = |flag: &str| words.iter().position(|word| word == flag).map(|at| at + 1);
    let dir =
        after("--dir").and_then(|at| words.get(at)).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(&dir).expect("a temporary folder");
    let syncs_per_second = syncs(folder.path());
    let alone_per_second = letters(folder.path(), "alone", ALONE, 1);
    let together =
        |at_once| (at_once, letters(folder.path(), &format!("by {at_once}"), TOGETHER, at_once));
    let figures = Figures {
        syncs_per_second,
        alone_per_second,
        together_per_second: AT_ONCE.map(together).to_vec(),
    };
    if words.iter().any(|word| word == "--json") {
        println!("{}", serde_json::to_string(&figures).expect("numbers"));
        return;
    }
    println!("{:44} {:>12} {:>8}", format!("letters of {LETTER_BYTES} bytes"), "a second", "ratio");
    let line =
        |what: &str, rate: f64| println!("{what:44} {rate:12.0} {:8.2}", rate / syncs_per_second);
    line("the disk: 4 KiB appended and synced", syncs_per_second);
    line("one letter after the other", alone_per_second);
    for (at_once, rate) in &figures.together_per_second {
        line(&format!("{at_once} letters at a time"), *rate);
    }
}

/// How often a second a page can be appended to a file and synced.
fn syncs(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("pages")).expect("created");
    let page = [b'x'; PAGE_BYTES];
    let began = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&page).expect("written");
        file.sync_data().expect("synced");
    }
    f64::from(SYNCS) / began.elapsed().as_secs_f64()
}

fn letters(folder: &Path, name: &str, count: u32, at_once: u32) -> f64 {
    let letters = folder.join(name);
    std::fs::create_dir(&letters).expect("made");
    in_runtime(async {
        let (mut desk, _) = Desk::open(Tray::Mailbox, &letters).await.expect("new");
        let began = Instant::now();
        let mut promised = 0;
        for first in (0..count).step_by(at_once as usize) {
            promised += desk.bring_all(first..count.min(first + at_once)).await;
        }
        let rate = f64::from(count) / began.elapsed().as_secs_f64();
        assert_eq!(promised, count as usize, "all are taken");
        desk.close().await;
        rate
    })
}
