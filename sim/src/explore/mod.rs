//! Many random scenarios: each seed draws one, plays it, and shrinks what fails.

pub mod draw;
mod panics;
pub mod shrink;
mod smaller;
pub mod trial;

use crate::scenario::Scenario;
use serde::Serialize;
use shrink::Shrunk;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use trial::{Finding, Trial};

/// What to explore.
#[derive(Clone)]
pub struct Plan<'a> {
    /// Each seed is one scenario.
    pub seeds: Range<u64>,
    /// Threads that play, at least one. They change nothing but the time it takes.
    pub jobs: usize,
    /// Whether each scenario is played twice, to see the same trace.
    pub twice: bool,
    /// Most runs that the shrinking of one failure may take; 0: it is left as it was drawn.
    pub shrink_runs: usize,
    /// The scenario of a seed: [`draw::draw`], unless a test has its own.
    pub draw: &'a (dyn Fn(u64) -> Scenario + Sync),
}

/// What became of one seed.
#[derive(Debug, Clone)]
pub struct Explored {
    /// The seed.
    pub seed: u64,
    /// Inputs that nodes were given, without those of shrinking.
    pub events: u64,
    /// A hash of all that happened; none if it ended in a panic.
    pub hash: Option<String>,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
}

/// A scenario that a check found wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// All that was found in the scenario as it was drawn. The first says which check failed.
    pub findings: Vec<Finding>,
    /// How many there were; not all are kept.
    pub count: u64,
    /// The smallest scenario known in which the same check fails.
    pub shrunk: Shrunk,
}

/// A failure as it stands in the JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The seed that drew it.
    pub seed: u64,
    /// The check that failed.
    pub check: &'static str,
    /// What it said of the scenario as it was drawn.
    pub what: String,
    /// Where the shrunk scenario is.
    pub file: String,
    /// The command that plays the shrunk scenario.
    pub replay: String,
}

/// The figures of an exploration.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Seeds that were played to their end.
    pub seeds: u64,
    /// Whether it was interrupted: some seeds were not played.
    pub partial: bool,
    /// Violations in all.
    pub violations: u64,
    /// The scenarios in which there were any, in the order of their seeds.
    pub failures: Vec<Told>,
    /// Inputs that nodes were given, without those of shrinking.
    pub events: u64,
    /// A hash over the traces of all seeds in their order: equal for equal seeds.
    pub trace_hash: String,
    /// Seconds that it took.
    pub wall_seconds: f64,
}

/// Plays every seed of the plan, and hands on what became of each in the order of the seeds: those
/// that are done before an earlier one wait for it. Once `stop` is set no further seed begins, and
/// those under way are given up.
pub fn explore(plan: &Plan, stop: &AtomicBool, heed: &mut dyn FnMut(Explored)) {
    let next = AtomicU64::new(plan.seeds.start);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            let (next, done) = (&next, done.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !plan.seeds.contains(&seed) {
                        break;
                    }
                    let Some(explored) = play_seed(plan, seed, stop) else { break };
                    if done.send(explored).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let (mut early, mut due) = (BTreeMap::new(), plan.seeds.start);
        for explored in results {
            early.insert(explored.seed, explored);
            while let Some(explored) = early.remove(&due) {
                heed(explored);
                due += 1;
            }
        }
        // After an interruption some are missing; the others count all the same.
        early.into_values().for_each(&mut *heed);
    });
}

/// Plays one seed, and shrinks it if it fails; none if it was interrupted.
fn play_seed(plan: &Plan, seed: u64, stop: &AtomicBool) -> Option<Explored> {
    let scenario = (plan.draw)(seed);
    let mut trial = Trial::of(&scenario, stop)?;
    if plan.twice && trial.passed() {
        trial.compare(&Trial::of(&scenario, stop)?);
    }
    let failure = trial.findings.first().map(|first| Failure {
        shrunk: shrink::shrink(&scenario, first, plan.shrink_runs, stop),
        findings: trial.findings.clone(),
        count: trial.count,
    });
    Some(Explored { seed, events: trial.events, hash: trial.hash, failure })
}
