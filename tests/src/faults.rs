//! Whether what a program has promised is there afterwards: the program is killed at each of its system
//! calls, its syncs fail, its disk is full. Rows 1, 3, 4 and 6 of the catalogue of failures.

use crate::probe::{Said, said};
use crate::strace::{self, judge, left_out};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The system calls that tell in which order there were writes, syncs and promises.
pub const WRITES: &str = "trace=pwrite64,write,fsync,fdatasync,ftruncate";

/// A program that promises one thing after the other, says so, and keeps what it has promised in a folder.
pub trait Promiser: Sync {
    /// What it promises, in the plural, for what is printed.
    fn what(&self) -> String;
    /// Puts into an empty folder what the program begins with, whole and closed.
    fn make(&self, folder: &Path);
    /// The program with its arguments, to promise so many. One more argument names a file that it removes
    /// at its first refusal.
    fn command(&self, folder: &Path, count: u32) -> Vec<String>;
    /// How much of what was promised is not there any more. The folder is opened as after a crash.
    fn lost(&self, folder: &Path, said: &Said) -> usize;
    /// Parts of the names of the files that are written, and synced, before each promise.
    fn logs(&self) -> &[&str];
}

/// A folder in which there is one, `whole`, that no process has open.
///
/// # Panics
/// If it cannot be made.
pub fn ground(of: &impl Promiser) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = folder.path().join("whole");
    std::fs::create_dir(&whole).expect("made");
    of.make(&whole);
    (folder, whole)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for file in std::fs::read_dir(from).expect("there").flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

/// Runs the program under `strace` with these arguments; what it said, and the trace.
///
/// # Panics
/// If there is no trace.
pub fn traced(own: &Path, strace: &[&str], program: &[String]) -> (Said, String) {
    let (output, trace) = strace::traced(own, strace, program);
    (said(&output), trace)
}

/// Kills the program at its `k`th call of this kind; how much it had promised.
fn killed_at(of: &impl Promiser, folder: &Path, count: u32, call: &str, k: usize) -> usize {
    let own = folder.join(format!("{call}-{k}.d"));
    std::fs::create_dir(&own).expect("made");
    let copied = own.join("copied");
    copy(&folder.join("whole"), &copied);
    let kill = format!("inject={call}:signal=KILL:when={k}");
    let trace = format!("trace={call}");
    let (said, _) = traced(&own, &["-e", &trace, "-e", &kill], &of.command(&copied, count));
    let lost = of.lost(&copied, &said);
    assert_eq!(lost, 0, "{}: killed at {call} {k}, after {:?}", of.what(), said.lines);
    said.granted.len()
}

/// Nothing that was promised is lost by a kill at any system call on the way to `count` promises.
///
/// # Panics
/// If something is.
pub fn kill_at_each_call(of: &impl Promiser, count: u32) {
    let what = of.what();
    if !strace::works(&format!("{what}: kills at every system call")) {
        return;
    }
    let (folder, whole) = ground(of);
    let (folder, clean) = (folder.path(), folder.path().join("clean"));
    copy(&whole, &clean);
    let (said, trace) = traced(folder, &["-e", "trace=desc,file"], &of.command(&clean, count));
    assert_eq!(said.granted.len(), count as usize, "{what}: {said:?}");
    let points = strace::points(&trace);
    assert!(points.iter().any(|(call, _)| call.ends_with("sync")), "{points:?}");
    let results: Vec<usize> =
        strace::two_at_a_time(&points, |call, k| killed_at(of, folder, count, call, k));
    let promised: usize = results.iter().sum();
    let early = results.iter().filter(|granted| **granted < count as usize).count();
    println!(
        "{what}: killed at {} system calls, {early} of them before the last promise: {promised} promised, 0 lost",
        points.len()
    );
    assert!(early * 2 > points.len() && promised > 0, "the kills came too late to show much");
}

/// Each promise comes after a sync of every log, begun after the last write to it.
///
/// # Panics
/// If one does not.
pub fn promise_after_syncs(of: &impl Promiser, count: u32) {
    let what = of.what();
    if !strace::works(&format!("{what}: the order of writes, syncs and promises")) {
        return;
    }
    let (folder, whole) = ground(of);
    let (said, trace) = traced(folder.path(), &["-e", WRITES], &of.command(&whole, count));
    assert_eq!(said.granted.len(), count as usize);
    let (violations, promised, syncs) = judge(&trace, of.logs());
    println!(
        "{what}: {promised} promised, {violations} before their syncs; {:.2} syncs each",
        syncs as f64 / f64::from(count)
    );
    assert_eq!((violations, promised), (0, count as usize));
    // The judge can see: without the syncs of the first log every promise is too early.
    let is_its_sync = |line: &&str| line.contains("sync(") && line.contains(of.logs()[0]);
    let without = trace.lines().filter(|line| !is_its_sync(line));
    let without: String = without.map(|line| format!("{line}\n")).collect();
    assert_eq!(judge(&without, of.logs()).0, count as usize);
}

/// After a sync that failed, the first of each kind to the `calls`th, nothing is promised any more, and
/// nothing is lost.
///
/// # Panics
/// If something is.
pub fn fail_each_sync(of: &impl Promiser, count: u32, calls: usize) {
    let what = of.what();
    if !strace::works(&format!("{what}: syncs that fail")) {
        return;
    }
    let (folder, whole) = ground(of);
    let (mut failed, mut promised) = (0, 0);
    let mut ends = BTreeSet::new();
    for (call, k) in ["fsync", "fdatasync"].iter().flat_map(|c| (1..=calls).map(move |k| (c, k))) {
        let copied = folder.path().join(format!("{call}-{k}"));
        copy(&whole, &copied);
        let fail = format!("inject={call}:error=EIO:when={k}");
        let trace = format!("trace={call}");
        let program = of.command(&copied, count);
        let (said, _) = traced(folder.path(), &["-e", &trace, "-e", &fail], &program);
        assert!(!said.went_on, "{what}: {call} {k}: a promise after a failed sync: {said:?}");
        assert_eq!(of.lost(&copied, &said), 0, "{what}: {call} {k}: {:?}", said.lines);
        failed += usize::from(said.granted.len() < count as usize);
        promised += said.granted.len();
        ends.insert(said.granted.len());
    }
    println!("{what}: {failed} runs hit by EIO: {promised} promised, 0 lost, 0 after a failure");
    assert!(ends.len() > 4, "{what}: the failures came at few places: {ends:?}");
}

/// On a disk of one mebibyte that fills up, and has room again after the first refusal, nothing is lost,
/// and more is promised after that.
///
/// # Panics
/// If something is, or nothing more is promised.
pub fn fill_the_disk(of: &impl Promiser, count: u32) {
    // Only what is in the namespace sees the disk, so what is left of it is copied out at the end.
    const SCRIPT: &str = "mount -t tmpfs -o size=1m tmpfs \"$1\" || exit 77
        cp -r \"$2\" \"$1/copied\" || exit 77
        head -c 300000 /dev/zero >\"$1/ballast\"
        disk=\"$1\" out=\"$3\" ballast=\"$4\"
        shift 4
        \"$@\" \"$ballast\"
        cp -r \"$disk/copied\" \"$out\"";
    let what = of.what();
    let (folder, whole) = ground(of);
    let (disk, out) = (folder.path().join("disk"), folder.path().join("out"));
    std::fs::create_dir(&disk).expect("made");
    let (copied, ballast) = (disk.join("copied"), disk.join("ballast"));
    let run = Command::new("unshare")
        .args(["-r", "-m", "sh", "-c", SCRIPT, "sh"])
        .args([&disk, &whole, &out, &ballast])
        .args(of.command(&copied, count))
        .output();
    let left_out = |why: &str| left_out(&format!("{what}: a full disk"), why);
    let output = match run {
        Ok(output) if output.status.success() => output,
        Ok(output) => return left_out(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => return left_out(&error.to_string()),
    };
    let said = said(&output);
    assert!(!said.refused.is_empty(), "{what}: never full: {:?}", said.lines.last());
    assert!(said.went_on, "{what}: nothing after there was room again: {:?}", said.refused);
    println!(
        "{what}: {} promised, {} refused on a full disk; 0 lost, and on at once",
        said.granted.len(),
        said.refused.len()
    );
    assert_eq!(of.lost(&out, &said), 0);
}
