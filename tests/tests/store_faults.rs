//! The registrar's store under kills, failing disks and full disks: what it has acknowledged is
//! there afterwards. Rows 1, 3, 4 and 6 of the catalogue of failures.

use overlay_tests::probe::{Said, command, copy, lost, make, said, traced};
use overlay_tests::strace::{self, judge, left_out};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names registered in each run: the first begins the log, the others go on in it.
const NAMES: u32 = 3;

/// A folder with a store that is whole and closed.
fn ground() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("whole");
    make(&store);
    (folder, store)
}

/// Kills the probe at its `k`th call of this kind; what it had said, and how much of it was lost.
fn killed_at(folder: &Path, whole: &Path, call: &str, k: usize) -> (Said, usize) {
    let store = folder.join(format!("{call}-{k}"));
    copy(whole, &store);
    let own = folder.join(format!("{call}-{k}.d"));
    std::fs::create_dir(&own).expect("made");
    let kill = format!("inject={call}:signal=KILL:when={k}");
    let trace = format!("trace={call}");
    let (said, _) = traced(&own, &["-e", &trace, "-e", &kill], &command(&store, 0, NAMES));
    let lost = lost(&store, &said.granted);
    (said, lost)
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill_at_any_system_call() {
    if !strace::works("kills at every system call of a registration") {
        return;
    }
    let (folder, whole) = ground();
    let store = folder.path().join("clean");
    copy(&whole, &store);
    let (clean, trace) =
        traced(folder.path(), &["-e", "trace=desc,file"], &command(&store, 0, NAMES));
    assert_eq!(clean.granted.len(), NAMES as usize, "{clean:?}");
    let points = strace::points(&trace);
    assert!(points.iter().any(|(call, _)| call == "fsync"), "{points:?}");
    let (folder, whole) = (folder.path(), whole.as_path());
    let results: Vec<usize> = strace::two_at_a_time(&points, |call, k| {
        let (said, lost) = killed_at(folder, whole, call, k);
        assert_eq!(lost, 0, "killed at {call} {k}, after {:?}", said.lines);
        said.granted.len()
    });
    let acknowledged: usize = results.iter().sum();
    let early = results.iter().filter(|granted| **granted < NAMES as usize).count();
    println!(
        "killed at {} system calls, {early} of them before the last name: {acknowledged} names acknowledged, 0 lost",
        points.len()
    );
    assert!(early * 2 > points.len() && acknowledged > 0, "the kills came too late to show much");
}

/// Each acknowledgement comes after a sync of the log and of the count, both begun after the last
/// write to them.
#[test]
fn no_acknowledgement_leaves_before_its_syncs_have_returned() {
    const MANY: u32 = 1_000;
    const FILES: [&str; 2] = ["-wal>", "-promised>"];
    if !strace::works("the order of writes, syncs and acknowledgements") {
        return;
    }
    let (folder, store) = ground();
    let kinds = "trace=pwrite64,write,fsync,fdatasync,ftruncate";
    let (said, trace) = traced(folder.path(), &["-e", kinds], &command(&store, 0, MANY));
    assert_eq!(said.granted.len(), MANY as usize);
    let (violations, acknowledged, syncs) = judge(&trace, FILES);
    println!(
        "{acknowledged} names acknowledged, {violations} before their syncs; {:.2} syncs each",
        syncs as f64 / f64::from(MANY)
    );
    assert_eq!((violations, acknowledged), (0, MANY as usize));
    // The judge can see: without the syncs of the log every acknowledgement is too early.
    let without: String = trace
        .lines()
        .filter(|line| !(line.contains("sync(") && line.contains("-wal>")))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(judge(&without, FILES).0, MANY as usize);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    const MANY: u32 = 8;
    if !strace::works("syncs that fail") {
        return;
    }
    let (folder, whole) = ground();
    let (mut failed, mut acknowledged) = (0, 0);
    let mut ends = BTreeSet::new();
    for call in ["fsync", "fdatasync"] {
        for k in 1..=24 {
            let store = folder.path().join(format!("{call}-{k}"));
            copy(&whole, &store);
            let fail = format!("inject={call}:error=EIO:when={k}");
            let trace = format!("trace={call}");
            let probe = command(&store, 0, MANY);
            let (said, _) = traced(folder.path(), &["-e", &trace, "-e", &fail], &probe);
            assert!(!said.went_on, "{call} {k}: a name after a failed sync: {:?}", said.lines);
            assert_eq!(lost(&store, &said.granted), 0, "{call} {k}: {:?}", said.lines);
            failed += usize::from(said.granted.len() < MANY as usize);
            acknowledged += said.granted.len();
            ends.insert(said.granted.len());
        }
    }
    println!(
        "{failed} runs hit by EIO: {acknowledged} names acknowledged, 0 lost, 0 after a failure"
    );
    assert!(ends.len() > 4, "the failures came at few places: {ends:?}");
}

/// A disk of one mebibyte that fills up, and has room again after the first refusal.
#[test]
fn a_full_disk_refuses_and_takes_names_again_when_there_is_room() {
    const TEST: &str = "a full disk";
    const MANY: u32 = 2_000;
    let (folder, whole) = ground();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).expect("made");
    let (store, ballast) = (disk.join("store"), disk.join("ballast"));
    let probe = command(&store, 0, MANY);
    // Only what is in the namespace sees the disk, so what is left of it is copied out at the end.
    let script = "mount -t tmpfs -o size=1m tmpfs \"$1\" || exit 77
        cp \"$2\" \"$1/store\" && cp \"$2-promised\" \"$1/store-promised\" || exit 77
        head -c 300000 /dev/zero >\"$1/ballast\"
        disk=\"$1\" out=\"$3\" ballast=\"$4\"
        shift 4
        \"$@\" \"$ballast\"
        cp \"$disk\"/store* \"$out\"/";
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("made");
    let run = Command::new("unshare")
        .args(["-r", "-m", "sh", "-c", script, "sh"])
        .args([&disk, &whole, &out, &ballast])
        .args(&probe)
        .output();
    let output = match run {
        Ok(output) if output.status.success() => output,
        Ok(output) => return left_out(TEST, &String::from_utf8_lossy(&output.stderr)),
        Err(error) => return left_out(TEST, &error.to_string()),
    };
    let said = said(&output);
    assert!(!said.refused.is_empty(), "the disk was never full: {:?}", said.lines.last());
    assert!(said.went_on, "no name after there was room again: {:?}", said.refused);
    println!(
        "{} names acknowledged, {} refused on a full disk; 0 lost, and on at once",
        said.granted.len(),
        said.refused.len()
    );
    assert_eq!(lost(&out.join("store"), &said.granted), 0);
}
