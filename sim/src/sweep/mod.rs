//! One scenario again and again, each time with another value for one key: up to where does it hold?

mod table;

pub use table::{line, table};

use crate::report::Figures;
use crate::scenario::play::Pulse;
use crate::scenario::{Progress, Scenario, play};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

/// One run to be played.
#[derive(Debug, Clone)]
pub struct Leg {
    /// The value, as it was written.
    pub value: String,
    /// The scenario with it.
    pub scenario: Scenario,
    /// The command that plays this run again.
    pub replay: String,
}

/// What came of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The value that was varied.
    pub value: String,
    /// The seed.
    pub seed: u64,
    /// Whether it went to its end and every check holds.
    pub holds: bool,
    /// The first things that were found wrong.
    pub findings: Vec<String>,
    /// The command that plays this run again.
    pub replay: String,
    /// All figures.
    pub figures: Figures,
}

/// A whole sweep.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// What was varied.
    pub key: String,
    /// The last value up to which, in the order in which they were named, every run holds.
    pub holds_to: Option<String>,
    /// Whether it was interrupted: some runs are missing.
    pub partial: bool,
    /// The runs in the order in which they were named.
    pub rows: Vec<Row>,
    /// Seconds that it took.
    pub wall_seconds: f64,
}

/// Plays all runs on so many threads and hands on what became of each, with its place in `legs`, as
/// they end. The threads change nothing but the time. Once `stop` is set no further run begins, and
/// those under way end early.
pub fn sweep(
    legs: &[Leg],
    jobs: usize,
    stop: &AtomicBool,
    heed: &mut dyn FnMut(usize, Row),
    pulse: &(dyn Fn(usize, &str, Pulse) + Sync),
) {
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (next, done) = (&next, done.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(leg) = legs.get(at) else { break };
                    let mut watch = Watch { at, phase: String::new(), pulse };
                    if done.send((at, run(leg, &mut watch, stop))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        results.into_iter().for_each(|(at, row)| heed(at, row));
    });
}

fn run(leg: &Leg, watch: &mut Watch, stop: &AtomicBool) -> Row {
    let outcome = play(&leg.scenario, watch, stop);
    Row {
        value: leg.value.clone(),
        seed: leg.scenario.seed,
        holds: outcome.passed(),
        findings: outcome.findings.kept().iter().map(ToString::to_string).collect(),
        replay: leg.replay.clone(),
        figures: outcome.figures,
    }
}

/// The last of `values` up to which every run holds; none if the first does not.
pub fn holds_to(values: &[String], rows: &[Row]) -> Option<String> {
    let holds = |value: &&String| {
        let mut of = rows.iter().filter(|row| row.value == **value).peekable();
        of.peek().is_some() && of.all(|row| row.holds)
    };
    values.iter().take_while(holds).last().cloned()
}

struct Watch<'a> {
    at: usize,
    phase: String,
    pulse: &'a (dyn Fn(usize, &str, Pulse) + Sync),
}

impl Progress for Watch<'_> {
    fn phase(&mut self, text: &str) {
        text.clone_into(&mut self.phase);
    }

    fn pulse(&mut self, pulse: Pulse) {
        (self.pulse)(self.at, &self.phase, pulse);
    }
}

/// How far each run is that is under way, for a display that is drawn by one thread.
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<std::collections::BTreeMap<usize, String>>);

impl UnderWay {
    /// A run is so far; says how far all are.
    pub fn at(&self, run: usize, text: String) -> String {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(run, text);
        all.values().cloned().collect::<Vec<_>>().join("; ")
    }

    /// A run is over.
    pub fn over(&self, run: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Change;

    fn row(value: &str, holds: bool) -> Row {
        Row {
            value: value.into(),
            seed: 1,
            holds,
            findings: Vec::new(),
            replay: String::new(),
            figures: Figures::default(),
        }
    }

    #[test]
    fn it_holds_up_to_the_first_value_that_does_not() {
        let values: Vec<String> = ["1", "2", "3"].map(String::from).into();
        let to = |rows: &[Row]| holds_to(&values, rows);
        assert_eq!(to(&[row("1", true), row("2", true), row("3", true)]), Some("3".into()));
        assert_eq!(to(&[row("1", true), row("2", false), row("3", true)]), Some("1".into()));
        assert_eq!(to(&[row("1", true), row("1", false), row("2", true)]), None);
        assert_eq!(to(&[row("1", true)]), Some("1".into()), "the others were not played");
    }

    #[test]
    fn threads_change_nothing_but_the_order() {
        let text = "
            name = 'small'
            population = { peers = 10, supernodes = 2, degree = 4, trees = 2 }
            [[step]]
            settle = { limit_secs = 60 }
        ";
        let legs: Vec<Leg> = [1, 2, 3]
            .map(|seed| {
                let change = Change { seed: Some(seed), ..Change::default() };
                let scenario = Scenario::parse("small", text, &change).expect("valid");
                Leg { value: seed.to_string(), scenario, replay: String::new() }
            })
            .into();
        let hashes = |jobs| {
            let mut rows = Vec::new();
            let stop = AtomicBool::new(false);
            sweep(&legs, jobs, &stop, &mut |at, row| rows.push((at, row)), &|_, _, _| {});
            rows.sort_by_key(|(at, _)| *at);
            assert!(rows.iter().all(|(_, row)| row.holds));
            rows.into_iter().map(|(_, row)| row.figures.trace_hash).collect::<Vec<_>>()
        };
        let alone = hashes(1);
        assert_eq!(alone.len(), 3);
        assert_eq!(hashes(3), alone);
    }
}
