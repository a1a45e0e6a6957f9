//! From a scenario that fails to a small one in which the same check fails.

use super::smaller::smaller;
use super::trial::{DETERMINISM, Finding, Trial};
use crate::scenario::Scenario;
use std::collections::BTreeSet;
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

/// Whether a finding shows the same fault as another, as far as its text can tell: the same check
/// says it with no word that is not in the other's. Else shrinking goes astray, from one fault to
/// another that is more easily had.
fn is_same(found: &Finding, first: &Finding) -> bool {
    let words = words(&first.what);
    found.check == first.check && self::words(&found.what).is_subset(&words)
}

/// The words of a text without its numbers, of which a status is none.
fn words(text: &str) -> BTreeSet<&str> {
    let is_word = |word: &&str| word.contains("Status") || !word.contains(char::is_numeric);
    text.split([' ', ';', ',']).filter(is_word).collect()
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
        match trial.findings.into_iter().find(|found| is_same(found, finding)) {
            Some(found) => {
                (shrunk.scenario, shrunk.finding) = (candidate, found);
                since_last = 0;
            }
            None => (cut, since_last) = (cut + 1, since_last + 1),
        }
    }
    shrunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_fault_of_the_same_check_is_another() {
        let finding = |what: &str| Finding { check: "settle", what: what.to_owned() };
        let first = finding("after 240 s, 2 of 24 peers: 9: no session; 11: no session");
        assert!(is_same(&finding("after 120 s, 1 of 5 peers: 3: no session"), &first));
        assert!(!is_same(&finding("after 240 s, 1 of 5 peers: 3: labels in 0 of 1"), &first));
        let [lost, unknown] = ["408", "404"].map(|code| finding(&format!("told Status({code})")));
        assert!(!is_same(&lost, &unknown));
    }
}
