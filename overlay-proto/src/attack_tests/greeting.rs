//! Row 66: greetings that somebody in the middle has changed.

use super::*;
use std::cell::Cell;

type Change = fn(&mut Hello);

/// Every field of a greeting, changed on its way.
const CHANGES: [(&str, Change); 8] = [
    ("an older version at most", |h| h.version_max = h.version_max.saturating_sub(1)),
    ("a newer version at most", |h| h.version_max += 1),
    ("an older version at least", |h| h.version_min = h.version_min.saturating_sub(1)),
    ("a version stripped from the offer", |h| h.version_min = h.version_max),
    ("capabilities stripped", |h| h.capabilities ^= 1),
    ("another nonce", |h| h.nonce.0[31] ^= 1),
    ("another address", |h| h.observed = None),
    ("no certificate", |h| h.supernode = None),
];

#[test]
fn a_greeting_changed_on_its_way_opens_nothing() {
    let mut keys = Keys::new();
    let (mut accepted, mut tried) = (0, 0);
    let nothing: Change = |_| {};
    for (what, change) in CHANGES {
        for (to_us, to_them) in [(change, nothing), (nothing, change), (change, change)] {
            let mut door = keys.door();
            let changed = Cell::new(false);
            let noting = |change: Change| {
                let changed = &changed;
                move |hello: &mut Hello| {
                    let before = hello.clone();
                    change(hello);
                    changed.set(changed.get() | (before != *hello));
                }
            };
            let status = match door.knock(&key(4), noting(to_us), noting(to_them)) {
                Ok(knocked) => {
                    let ask = login(keys.chain(), &key(4), &knocked.transcript);
                    door.log_in(knocked.link, ask)
                }
                Err(status) => status,
            };
            if changed.get() {
                tried += 1;
                accepted += usize::from(status.is_success());
                assert!(status.0 / 100 == 4, "{what}: {status}");
            } else {
                assert_eq!(status, Status::OK, "{what} left all as it was");
            }
        }
    }
    println!("changed greetings: accepted = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 19));
}

#[test]
fn no_common_version_is_said_so() {
    let mut keys = Keys::new();
    let mut door = keys.door();
    let only = |hello: &mut Hello, version| {
        (hello.version_min, hello.version_max) = (version, version);
    };
    for version in [0, PROTOCOL_VERSION + 1, u16::MAX] {
        let knocked = door.knock(&key(4), |_| {}, |hello| only(hello, version));
        assert_eq!(knocked.err(), Some(Status::VERSION));
    }
}
