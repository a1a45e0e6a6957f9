//! Two registrars of one realm, processes of their own, on one PostgreSQL database.

use crate::cluster::Cluster;
use overlay_tests::probe::{Said, said};
use overlay_tests::program;
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

/// Names, each wanted by both.
const NAMES: u32 = 5_000;

fn registrar(url: &str, first: u32, count: u32, key: u8) -> Child {
    Command::new(program("store-probe"))
        .args([url, &first.to_string(), &count.to_string(), "--as", &key.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built")
}

fn ended(child: Child) -> Said {
    said(&child.wait_with_output().expect("our own child"))
}

#[test]
fn ten_thousand_tries_from_two_processes_give_no_name_to_two_keys() {
    let Some(cluster) = Cluster::get() else { return };
    let url = cluster.url("probes");
    // The server may still be starting; who opens the store first makes its tables.
    while ended(registrar(&url, NAMES, 1, 9)).granted.is_empty() {}
    let both = [1, 2].map(|key| registrar(&url, 0, NAMES, key)).map(ended);
    let [one, two] = &both;
    let twice = one.granted.keys().filter(|name| two.granted.contains_key(name)).count();
    assert_eq!(twice, 0, "names given to two keys");
    let serials: BTreeSet<u64> =
        both.iter().flat_map(|said| said.granted.values().copied()).collect();
    let granted = one.granted.len() + two.granted.len();
    assert_eq!(serials.len(), granted, "every grant has a number of its own");
    let told = |word: &str| {
        both.iter().flat_map(|said| &said.lines).filter(|line| line.ends_with(word)).count()
    };
    // Who waits too long for the other's lock on a starved machine has been promised nothing.
    let (taken, failed) = (told(" Taken"), told(" Failed"));
    assert_eq!(granted + taken + failed, 2 * NAMES as usize, "every try was answered");
    assert!(taken > NAMES as usize / 2, "{taken} taken, {failed} failed: they did not meet");
    println!(
        "{} tries: {} names to one registrar, {} to the other, {twice} to both",
        2 * NAMES,
        one.granted.len(),
        two.granted.len()
    );
    assert!(!one.granted.is_empty() && !two.granted.is_empty(), "they did not meet");
}
