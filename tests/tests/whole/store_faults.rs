//! The registrar's store under kills, failing disks and full disks: what it has acknowledged is
//! there afterwards. Rows 1, 3, 4 and 6 of the catalogue of failures.

use overlay_tests::faults::{
    Promiser, fail_each_sync, fill_the_disk, kill_at_each_call, promise_after_syncs,
};
use overlay_tests::probe::{Said, lost, make};
use overlay_tests::program;
use std::path::{Path, PathBuf};

/// The registrar's store, which promises names.
struct Store;

fn file(folder: &Path) -> PathBuf {
    folder.join("store")
}

impl Promiser for Store {
    fn what(&self) -> String {
        "names".to_owned()
    }

    fn make(&self, folder: &Path) {
        make(&file(folder));
    }

    fn command(&self, folder: &Path, count: u32) -> Vec<String> {
        let probe = program("store-probe").display().to_string();
        vec![probe, file(folder).display().to_string(), "0".to_owned(), count.to_string()]
    }

    fn lost(&self, folder: &Path, said: &Said) -> usize {
        lost(&file(folder), &said.granted)
    }

    fn logs(&self) -> &[&str] {
        // The second counts what was promised, so that an older copy of the store is noticed.
        &["-wal>", "-promised>"]
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill_at_any_system_call() {
    // The first name begins the log, the others go on in it.
    kill_at_each_call(&Store, 3);
}

#[test]
fn no_acknowledgement_leaves_before_its_syncs_have_returned() {
    promise_after_syncs(&Store, 1_000);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    fail_each_sync(&Store, 8, 24);
}

#[test]
fn a_full_disk_refuses_and_takes_names_again_when_there_is_room() {
    fill_the_disk(&Store, 2_000);
}
