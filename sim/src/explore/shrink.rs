//! From a scenario that fails to a small one in which the same check fails.

use super::smaller::smaller;
use super::trial::{DETERMINISM, Finding, Trial};
use crate::scenario::Scenario;
use std::sync::atomic::{AtomicBool, Ordering};

/// The end of shrinking.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The smallest scenario found.
    pub scenario: Scenario,
    /// What its check says.
    pub finding: Finding,
    /// Runs that it took.
    pub runs: usize,
}

/// Tries one smaller scenario after another, in at most `runs_max` runs, and goes on from each in
/// which the check of `finding` still fails, until none does.
pub fn shrink(
    scenario: &Scenario,
    finding: &Finding,
    runs_max: usize,
    stop: &AtomicBool,
) -> Shrunk {
    let mut shrunk = Shrunk { scenario: scenario.clone(), finding: finding.clone(), runs: 0 };
    // Two runs that differ once need not differ again: there is nothing to go by.
    if finding.check == DETERMINISM {
        return shrunk;
    }
    // Where one cut held, the cuts after it are tried on what is left, not all from the first on:
    // what did not help before seldom does then.
    let (mut cut, mut since_last) = (0, 0);
    while shrunk.runs < runs_max && !stop.load(Ordering::Relaxed) {
        let tries = smaller(&shrunk.scenario);
        if since_last >= tries.len() {
            break;
        }
        let Some(candidate) = tries.into_iter().nth(cut) else {
            cut = 0;
            continue;
        };
        shrunk.runs += 1;
        let Some(trial) = Trial::of(&candidate, stop) else { break };
        match trial.findings.into_iter().find(|found| found.check == finding.check) {
            Some(found) => {
                (shrunk.scenario, shrunk.finding) = (candidate, found);
                since_last = 0;
            }
            None => (cut, since_last) = (cut + 1, since_last + 1),
        }
    }
    shrunk
}
