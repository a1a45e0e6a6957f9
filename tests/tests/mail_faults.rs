//! Messages that wait, under kills, failing disks and full disks: what a mailbox has accepted, and what
//! a sender's outbox has taken, is there afterwards. Rows 1, 3, 4 and 6 of the catalogue of failures.
//!
//! `store_faults.rs` does the same to the registrar's store.

use overlay_tests::desk::{Desk, Tray};
use overlay_tests::probe::{Said, in_runtime, said};
use overlay_tests::program;
use overlay_tests::strace::{self, judge, left_out};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Letters in each run: the first begins the log, the others go on in it.
const LETTERS: u32 = 3;
const TRAYS: [Tray; 2] = [Tray::Mailbox, Tray::Outbox];

/// The probe with its arguments, for a shell that makes a world for it first.
fn command(tray: Tray, folder: &Path, count: u32) -> Vec<String> {
    let probe = program("mail-probe").display().to_string();
    let folder = folder.display().to_string();
    vec![probe, tray.name().to_owned(), folder, "0".to_owned(), count.to_string()]
}

fn traced(own: &Path, strace: &[&str], probe: &[String]) -> (Said, String) {
    let (output, trace) = strace::traced(own, strace, probe);
    (said(&output), trace)
}

/// A folder in which there is one with letters that is whole and closed.
fn ground(tray: Tray) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = folder.path().join("whole");
    std::fs::create_dir(&whole).expect("made");
    in_runtime(async { Desk::open(tray, &whole).await.expect("new").0.close().await });
    (folder, whole)
}

/// A copy of a folder that no process has open.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for file in std::fs::read_dir(from).expect("there").flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

/// How many of the letters that were promised are not there any more. The folder is opened as after a
/// crash.
fn lost(tray: Tray, folder: &Path, said: &Said) -> usize {
    in_runtime(async {
        let (mut desk, kept) = Desk::open(tray, folder).await.expect("it opens");
        let mut lost = 0;
        for (&number, &told) in &said.granted {
            lost += usize::from(!desk.has(&kept, number, told).await);
        }
        desk.close().await;
        lost
    })
}

/// Kills the probe at its `k`th call of this kind; how many letters it had promised.
fn killed_at(tray: Tray, folder: &Path, whole: &Path, call: &str, k: usize) -> usize {
    let letters = folder.join(format!("{call}-{k}"));
    copy(whole, &letters);
    let own = folder.join(format!("{call}-{k}.d"));
    std::fs::create_dir(&own).expect("made");
    let kill = format!("inject={call}:signal=KILL:when={k}");
    let trace = format!("trace={call}");
    let probe = command(tray, &letters, LETTERS);
    let (said, _) = traced(&own, &["-e", &trace, "-e", &kill], &probe);
    let lost = lost(tray, &letters, &said);
    assert_eq!(lost, 0, "{tray:?}: killed at {call} {k}, after {:?}", said.lines);
    said.granted.len()
}

#[test]
fn nothing_promised_is_lost_by_a_kill_at_any_system_call() {
    if !strace::works("kills at every system call of taking a letter") {
        return;
    }
    for tray in TRAYS {
        let (folder, whole) = ground(tray);
        let (folder, whole) = (folder.path(), whole.as_path());
        let clean = folder.join("clean");
        copy(whole, &clean);
        let probe = command(tray, &clean, LETTERS);
        let (said, trace) = traced(folder, &["-e", "trace=desc,file"], &probe);
        assert_eq!(said.granted.len(), LETTERS as usize, "{tray:?}: {said:?}");
        let points = strace::points(&trace);
        assert!(points.iter().any(|(call, _)| call.ends_with("sync")), "{points:?}");
        let results: Vec<usize> =
            strace::two_at_a_time(&points, |call, k| killed_at(tray, folder, whole, call, k));
        let promised: usize = results.iter().sum();
        let early = results.iter().filter(|granted| **granted < LETTERS as usize).count();
        println!(
            "{tray:?}: killed at {} system calls, {early} of them before the last letter: {promised} letters promised, 0 lost",
            points.len()
        );
        assert!(early * 2 > points.len() && promised > 0, "the kills came too late to show much");
    }
}

#[test]
fn no_promise_leaves_before_its_sync_has_returned() {
    const MANY: u32 = 1_000;
    const LOG: [&str; 1] = ["-wal>"];
    if !strace::works("the order of writes, syncs and promises") {
        return;
    }
    for tray in TRAYS {
        let (folder, letters) = ground(tray);
        let kinds = "trace=pwrite64,write,fsync,fdatasync,ftruncate";
        let (said, trace) = traced(folder.path(), &["-e", kinds], &command(tray, &letters, MANY));
        assert_eq!(said.granted.len(), MANY as usize);
        let (violations, promised, syncs) = judge(&trace, LOG);
        println!(
            "{tray:?}: {promised} letters promised, {violations} before their sync; {:.2} syncs each",
            syncs as f64 / f64::from(MANY)
        );
        assert_eq!((violations, promised), (0, MANY as usize));
        // The judge can see: without the syncs every promise is too early.
        let without: String = trace
            .lines()
            .filter(|line| !line.contains("sync("))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(judge(&without, LOG).0, MANY as usize);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_promised_any_more() {
    const MANY: u32 = 6;
    const CALLS: usize = 12;
    if !strace::works("syncs that fail") {
        return;
    }
    for tray in TRAYS {
        let (folder, whole) = ground(tray);
        let (mut failed, mut promised) = (0, 0);
        let mut ends = BTreeSet::new();
        for call in ["fsync", "fdatasync"] {
            for k in 1..=CALLS {
                let letters = folder.path().join(format!("{call}-{k}"));
                copy(&whole, &letters);
                let fail = format!("inject={call}:error=EIO:when={k}");
                let trace = format!("trace={call}");
                let probe = command(tray, &letters, MANY);
                let (said, _) = traced(folder.path(), &["-e", &trace, "-e", &fail], &probe);
                assert!(
                    !said.went_on,
                    "{tray:?} {call} {k}: a promise after a failed sync: {said:?}"
                );
                assert_eq!(lost(tray, &letters, &said), 0, "{tray:?} {call} {k}: {:?}", said.lines);
                failed += usize::from(said.granted.len() < MANY as usize);
                promised += said.granted.len();
                ends.insert(said.granted.len());
            }
        }
        println!(
            "{tray:?}: {failed} runs hit by EIO: {promised} letters promised, 0 lost, 0 after a failure"
        );
        assert!(ends.len() > 4, "{tray:?}: the failures came at few places: {ends:?}");
    }
}

/// The log of a run whose sync has failed is whole for whoever reads it, but perhaps not on the disk.
/// Were it gone on with, all that comes after would be lost with it.
#[test]
fn after_a_failed_sync_the_next_start_begins_a_new_log() {
    if !strace::works("a start after a sync that has failed") {
        return;
    }
    let (folder, letters) = ground(Tray::Outbox);
    // The first sync that a letter waits for; the end comes before anything is put in order.
    let [trace, fail, kill] = [
        "trace=fsync,fdatasync,unlink",
        "inject=fsync,fdatasync:error=EIO:when=2+",
        "inject=unlink:signal=KILL:when=1",
    ];
    let strace = ["-e", trace, "-e", fail, "-e", kill];
    let (said, _) = traced(folder.path(), &strace, &command(Tray::Outbox, &letters, 2));
    assert_eq!(said.granted.len(), 0, "{said:?}");
    let log = std::fs::metadata(letters.join("letters.sqlite-wal")).expect("the log").len();
    assert!(log > 0, "nothing was left behind");
    let kinds = "trace=pwrite64,write,fsync,fdatasync,ftruncate";
    let (said, trace) = traced(folder.path(), &["-e", kinds], &command(Tray::Outbox, &letters, 1));
    assert_eq!(said.granted.len(), 1, "{said:?}");
    let calls = strace::calls(&trace);
    let first = |name: &str, file: &str| {
        calls.iter().position(|call| call.name.ends_with(name) && call.began.contains(file))
    };
    let (file, emptied) = (first("sync", "letters.sqlite>"), first("truncate", "-wal>"));
    let logged = first("pwrite64", "-wal>");
    assert!(file.is_some() && file < emptied && emptied < logged, "{trace}");
}

/// A disk of one mebibyte that fills up, and has room again after the first refusal.
#[test]
fn a_full_disk_refuses_and_takes_letters_again_when_there_is_room() {
    const TEST: &str = "letters on a full disk";
    const MANY: u32 = 400;
    // Only what is in the namespace sees the disk, so what is left of it is copied out at the end.
    const SCRIPT: &str = "mount -t tmpfs -o size=1m tmpfs \"$1\" || exit 77
        cp -r \"$2\" \"$1/letters\" || exit 77
        head -c 300000 /dev/zero >\"$1/ballast\"
        disk=\"$1\" out=\"$3\" ballast=\"$4\"
        shift 4
        \"$@\" \"$ballast\"
        cp -r \"$disk/letters\" \"$out\"";
    for tray in TRAYS {
        let (folder, whole) = ground(tray);
        let (disk, out) = (folder.path().join("disk"), folder.path().join("out"));
        std::fs::create_dir(&disk).expect("made");
        let (letters, ballast) = (disk.join("letters"), disk.join("ballast"));
        let run = Command::new("unshare")
            .args(["-r", "-m", "sh", "-c", SCRIPT, "sh"])
            .args([&disk, &whole, &out, &ballast])
            .args(command(tray, &letters, MANY))
            .output();
        let output = match run {
            Ok(output) if output.status.success() => output,
            Ok(output) => return left_out(TEST, &String::from_utf8_lossy(&output.stderr)),
            Err(error) => return left_out(TEST, &error.to_string()),
        };
        let said = said(&output);
        assert!(!said.refused.is_empty(), "the disk was never full: {:?}", said.lines.last());
        assert!(said.went_on, "{tray:?}: no letter after there was room again: {:?}", said.lines);
        println!(
            "{tray:?}: {} letters promised, {} refused on a full disk; 0 lost, and on at once",
            said.granted.len(),
            said.refused.len()
        );
        assert_eq!(lost(tray, &out, &said), 0);
    }
}
