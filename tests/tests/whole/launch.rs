//! The launcher: a whole network with one command, and nothing left of it.

use overlay_tests::{Running, eventually, run};
use std::path::Path;
use tempfile::TempDir;

/// Processes that have `dir` in their command line, except this one.
fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().expect("plain");
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if pid != own && pid.parse::<u32>().is_ok() && line.contains(dir) {
            found.push(format!("{pid} {line}"));
        }
    }
    found
}

#[test]
fn a_small_network_lives_through_a_crash() {
    let dir = TempDir::new().expect("a place for temporary files");
    let at = dir.path().join("run");
    let json = dir.path().join("figures.json");
    let done = run(
        "sim",
        &[
            "launch",
            "--supernodes",
            "2",
            "--peers",
            "8",
            "--messages",
            "20",
            "--json",
            json.to_str().expect("plain"),
            "--dir",
            at.to_str().expect("plain"),
        ],
    );
    assert_eq!(done.code, Some(0), "{}", done.err);
    let text = std::fs::read_to_string(json).expect("written");
    let figures: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&figures["peers"], &figures["logged_in"]), (&8.into(), &8.into()));
    assert_eq!(
        (&figures["messages_sent"], &figures["messages_delivered"]),
        (&60.into(), &60.into())
    );
    assert_eq!(figures["duplicates"], 0);
    for share in ["delivered_before_crash", "delivered_before_repair", "delivered_after_repair"] {
        assert_eq!(figures[share], 1.0, "{share}");
    }
    assert!(figures["repair_ms_p50"].as_f64() > Some(0.0), "{text}");
    assert!(at.join("logs/alice.log").is_file(), "a named directory stays");
    eventually("no process left", || processes_of(&at).is_empty().then_some(()));
}

#[test]
fn all_come_back_after_every_supernode_has_died() {
    let dir = TempDir::new().expect("a place for temporary files");
    let json = dir.path().join("figures.json");
    let file = json.to_str().expect("plain");
    let words = ["launch", "--storm", "--supernodes", "2", "--peers", "12", "--messages", "20"];
    let done = run("sim", &[&words[..], &["--json", file]].concat());
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.contains("logged in"), "the curve is drawn: {}", done.err);
    let text = std::fs::read_to_string(json).expect("written");
    let figures: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(figures["storm_secs_to_100"].as_f64() > Some(0.0), "{text}");
    assert_eq!(figures["storm_supernodes_lost"], 0);
    assert_eq!(figures["messages_delivered"], 60);
}

fn launch_at(at: &Path) -> Running {
    let at_text = at.to_str().expect("plain");
    let words = ["launch", "--supernodes", "1", "--peers", "6", "--dir", at_text];
    let mut running = Running::start("sim", &words);
    running.line("users logged in", |line| line.contains("users log in").then_some(()));
    let there = processes_of(at).len();
    assert!(there >= 8, "the launcher, a supernode and six peers, but there are {there}");
    running
}

#[test]
fn an_interrupted_launch_leaves_no_process() {
    let dir = TempDir::new().expect("a place for temporary files");
    for signal in ["INT", "TERM"] {
        let at = dir.path().join(signal);
        let mut running = launch_at(&at);
        running.signal(signal);
        assert_eq!(running.ended().code(), Some(130));
        let left = processes_of(&at);
        assert!(left.is_empty(), "{left:#?}");
    }
}

#[test]
fn a_killed_launcher_takes_its_children_along() {
    let dir = TempDir::new().expect("a place for temporary files");
    let at = dir.path().join("run");
    let mut running = launch_at(&at);
    running.kill9();
    eventually("no process left", || processes_of(&at).is_empty().then_some(()));
}
