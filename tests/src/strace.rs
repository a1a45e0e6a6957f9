//! Programs under the eyes and hands of `strace`: traced, killed at a system call, lied to by the disk.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

/// Whether `strace` works here; if not, that a test is left out is said.
pub fn works(test: &str) -> bool {
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

/// Runs a program under `strace` with these arguments; its end, and the trace.
///
/// # Panics
/// If there is no trace.
pub fn traced(folder: &Path, strace: &[&str], program: &[String]) -> (Output, String) {
    let log = folder.join("trace");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-y", "-o"])
        .arg(&log)
        .args(strace)
        .args(program)
        .output()
        .expect("strace is there");
    (output, std::fs::read_to_string(&log).expect("a trace"))
}

/// A system call of a trace, when it had returned.
#[derive(Debug)]
pub struct Call<'t> {
    /// Which thread made it.
    pub thread: &'t str,
    /// Its name.
    pub name: &'t str,
    /// Its line; if another thread's came between, the line on which it began.
    pub began: &'t str,
}

/// The system calls of a trace in the order in which they returned.
pub fn calls(trace: &str) -> Vec<Call<'_>> {
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let began = match call.strip_prefix("<... ") {
            None if call.ends_with("<unfinished ...>") => {
                open.insert(thread, call);
                continue;
            }
            None => call,
            Some(_) => match open.remove(thread) {
                Some(began) => began,
                None => continue,
            },
        };
        if let Some((name, _)) = began.split_once('(') {
            calls.push(Call { thread, name, began });
        }
    }
    calls
}

/// Each kind of system call with how many one thread makes of it at most.
fn counts(trace: &str) -> BTreeMap<String, usize> {
    let mut each: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for call in calls(trace) {
        *each.entry((call.name, call.thread)).or_default() += 1;
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((name, _), count) in each {
        let entry = most.entry(name.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// Every system call of a trace that may change something on the disk, each kind with the numbers at
/// which a thread makes it.
pub fn points(trace: &str) -> Vec<(String, usize)> {
    // What only waits or looks at memory changes nothing on the disk.
    let idle = ["epoll_wait", "epoll_ctl", "epoll_create1", "mmap", "execve", "read", "poll"];
    counts(trace)
        .into_iter()
        .filter(|(call, _)| !idle.contains(&call.as_str()))
        .flat_map(|(call, count)| (1..=count).map(move |k| (call.clone(), k)))
        .collect()
}

/// How many acknowledgements of a trace came too early, how many there are, and how many syncs. Each
/// comes after a sync of every one of `files`, begun after the last write to it.
pub fn judge(trace: &str, files: &[&str]) -> (usize, usize, usize) {
    // Written since the last acknowledgement, and synced since the last write.
    let (mut written, mut synced) = (vec![false; files.len()], vec![false; files.len()]);
    let (mut violations, mut acknowledged, mut syncs) = (0, 0, 0);
    for call in calls(trace) {
        let file = files.iter().position(|file| call.began.contains(file));
        match (call.name, file) {
            ("pwrite64", Some(file)) => {
                written[file] = true;
                synced[file] = false;
            }
            ("fsync" | "fdatasync", Some(file)) => {
                synced[file] = true;
                syncs += 1;
            }
            ("write", None) if call.began.contains("\"granted ") => {
                acknowledged += 1;
                violations += usize::from(!written.iter().chain(&synced).all(|done| *done));
                written.fill(false);
            }
            _ => {}
        }
    }
    (violations, acknowledged, syncs)
}

/// Does `trial` for each of `points`, two at a time, and returns what came of them.
///
/// # Panics
/// If a trial does.
pub fn two_at_a_time<R: Send>(
    points: &[(String, usize)],
    trial: impl Fn(&str, usize) -> R + Sync,
) -> Vec<R> {
    let half = |first: usize| {
        let points = points.iter().skip(first).step_by(2);
        points.map(|(call, k)| trial(call, *k)).collect::<Vec<R>>()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all = half(0);
        all.extend(other.join().expect("no panic"));
        all
    })
}
