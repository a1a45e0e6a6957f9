//! Messages that wait, under kills, failing disks and full disks: what a mailbox has accepted, and what
//! a sender's outbox has taken, is there afterwards. Rows 1, 3, 4 and 6 of the catalogue of failures.
//!
//! `store_faults.rs` does the same to the registrar's store.

use overlay_tests::desk::{Desk, Tray};
use overlay_tests::faults::{
    Promiser, WRITES, fail_each_sync, fill_the_disk, ground, kill_at_each_call,
    promise_after_syncs, traced,
};
use overlay_tests::probe::{Said, in_runtime};
use overlay_tests::program;
use overlay_tests::strace;
use std::path::Path;

/// Who takes letters.
struct Letters(Tray);

const BOTH: [Letters; 2] = [Letters(Tray::Mailbox), Letters(Tray::Outbox)];

impl Promiser for Letters {
    fn what(&self) -> String {
        format!("letters of the {}", self.0.name())
    }

    fn make(&self, folder: &Path) {
        in_runtime(async { Desk::open(self.0, folder).await.expect("new").0.close().await });
    }

    fn command(&self, folder: &Path, count: u32) -> Vec<String> {
        let probe = program("mail-probe").display().to_string();
        let folder = folder.display().to_string();
        vec![probe, self.0.name().to_owned(), folder, "0".to_owned(), count.to_string()]
    }

    fn lost(&self, folder: &Path, said: &Said) -> usize {
        in_runtime(async {
            let (mut desk, kept) = Desk::open(self.0, folder).await.expect("it opens");
            let mut lost = 0;
            for (&number, &told) in &said.granted {
                lost += usize::from(!desk.has(&kept, number, told).await);
            }
            desk.close().await;
            lost
        })
    }

    fn logs(&self) -> &[&str] {
        &["-wal>"]
    }
}

#[test]
fn nothing_promised_is_lost_by_a_kill_at_any_system_call() {
    // The first letter begins the log, the others go on in it.
    BOTH.iter().for_each(|letters| kill_at_each_call(letters, 3));
}

#[test]
fn no_promise_leaves_before_its_sync_has_returned() {
    BOTH.iter().for_each(|letters| promise_after_syncs(letters, 1_000));
}

#[test]
fn after_a_failed_sync_nothing_is_promised_any_more() {
    BOTH.iter().for_each(|letters| fail_each_sync(letters, 6, 12));
}

#[test]
fn a_full_disk_refuses_and_takes_letters_again_when_there_is_room() {
    BOTH.iter().for_each(|letters| fill_the_disk(letters, 400));
}

/// The log of a run whose sync has failed is whole for whoever reads it, but perhaps not on the disk.
/// Were it gone on with, all that comes after would be lost with it.
#[test]
fn after_a_failed_sync_the_next_start_begins_a_new_log() {
    if !strace::works("a start after a sync that has failed") {
        return;
    }
    let outbox = Letters(Tray::Outbox);
    let (folder, letters) = ground(&outbox);
    // The first sync that a letter waits for; the end comes before anything is put in order.
    let [trace, fail, kill] = [
        "trace=fsync,fdatasync,unlink",
        "inject=fsync,fdatasync:error=EIO:when=2+",
        "inject=unlink:signal=KILL:when=1",
    ];
    let strace = ["-e", trace, "-e", fail, "-e", kill];
    let (said, _) = traced(folder.path(), &strace, &outbox.command(&letters, 2));
    assert_eq!(said.granted.len(), 0, "{said:?}");
    let log = std::fs::metadata(letters.join("letters.sqlite-wal")).expect("the log").len();
    assert!(log > 0, "nothing was left behind");
    let (said, trace) = traced(folder.path(), &["-e", WRITES], &outbox.command(&letters, 1));
    assert_eq!(said.granted.len(), 1, "{said:?}");
    let calls = strace::calls(&trace);
    let first = |name: &str, file: &str| {
        calls.iter().position(|call| call.name.ends_with(name) && call.began.contains(file))
    };
    let (file, emptied) = (first("sync", "letters.sqlite>"), first("truncate", "-wal>"));
    let logged = first("pwrite64", "-wal>");
    assert!(file.is_some() && file < emptied && emptied < logged, "{trace}");
}
