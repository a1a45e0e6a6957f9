//! One run of a drawn scenario, and what was found in it.

use super::panics::caught;
use crate::scenario::play::Pulse;
use crate::scenario::{Progress, Scenario, play};
use std::sync::atomic::{AtomicBool, Ordering};

/// Inputs to nodes after which a run is given up: no drawn scenario needs a fiftieth of them, so
/// something goes round in circles.
const EVENTS_MAX: u64 = 200_000_000;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check that found it; `panic` and `effort` are not of the scenario's own.
    pub check: &'static str,
    /// When and what.
    pub what: String,
}

/// What came of one run.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What was found, as far as it was kept.
    pub findings: Vec<Finding>,
    /// How many there were.
    pub count: u64,
    /// Inputs that nodes were given; 0 after a panic.
    pub events: u64,
    /// A hash of all that happened; none after a panic.
    pub hash: Option<String>,
}

impl Trial {
    /// Plays a scenario; none if `stop` was set before its end.
    pub fn of(scenario: &Scenario, stop: &AtomicBool) -> Option<Trial> {
        let enough = AtomicBool::new(false);
        let mut watch = Watch { stop, enough: &enough, events: 0 };
        let played = caught(|| play(scenario, &mut watch, &enough));
        let events = watch.events;
        let outcome = match played {
            Ok(outcome) => outcome,
            Err(what) => return Some(Trial::failed("panic", what)),
        };
        if outcome.figures.partial {
            let what = format!("no end after {events} events");
            let is_endless = !stop.load(Ordering::Relaxed);
            return is_endless.then(|| Trial { events, ..Trial::failed("effort", what) });
        }
        let kept = outcome.findings.kept().iter();
        Some(Trial {
            findings: kept.map(|v| Finding { check: v.check, what: v.to_string() }).collect(),
            count: outcome.findings.count(),
            events: outcome.tally.events,
            hash: outcome.figures.trace_hash,
        })
    }

    fn failed(check: &'static str, what: String) -> Trial {
        Trial { findings: vec![Finding { check, what }], count: 1, events: 0, hash: None }
    }

    /// Whether nothing was found.
    pub fn passed(&self) -> bool {
        self.count == 0
    }

    /// Whether this check found something.
    pub fn fails(&self, check: &str) -> bool {
        self.findings.iter().any(|finding| finding.check == check)
    }

    /// Adds a finding if the same scenario went another way this time.
    pub(super) fn compare(&mut self, again: &Trial) {
        if self.hash != again.hash {
            let what = format!("the trace is {:?}, and then {:?}", self.hash, again.hash);
            self.findings.push(Finding { check: DETERMINISM, what });
            self.count += 1;
        }
    }
}

/// The check that compares two runs of one scenario.
pub(super) const DETERMINISM: &str = "determinism";

/// Ends a run that is to stop or has no end.
struct Watch<'a> {
    stop: &'a AtomicBool,
    enough: &'a AtomicBool,
    events: u64,
}

impl Progress for Watch<'_> {
    fn phase(&mut self, _: &str) {}

    fn pulse(&mut self, pulse: Pulse) {
        self.events = pulse.events;
        if pulse.events > EVENTS_MAX || self.stop.load(Ordering::Relaxed) {
            self.enough.store(true, Ordering::Relaxed);
        }
    }
}
