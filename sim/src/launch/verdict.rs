//! From what was seen to figures and a verdict.

use super::delivery::Judgement;
use super::plan::{Options, Plan};
use super::watch::Watched;
use super::workload::{LookedUp, Told};
use crate::report::{Figures, Sample, moore};
use std::collections::BTreeMap;
use std::time::Duration;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The node whose log tells more.
    pub who: String,
    /// What is wrong.
    pub what: String,
}

/// All that was seen in a run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Milliseconds of each log-in.
    pub logins: Vec<f64>,
    /// Look-ups.
    pub lookups: LookedUp,
    /// What senders were told, in the order of the messages sent so far.
    pub told: Vec<Told>,
    /// What was found in the inboxes at the end.
    pub judgement: Judgement,
    /// Watching after the start, after the crash, and at the end.
    pub placed: Watched,
    /// After the crash; none if nothing was killed.
    pub repaired: Option<Watched>,
    /// Packets handed to the scaffold, by node.
    pub escalated: BTreeMap<String, u64>,
    /// What else is wrong.
    pub findings: Vec<Finding>,
}

impl Seen {
    /// Adds what watching has shown; findings if some peer is not in its place.
    pub(super) fn watched(&mut self, watched: &Watched, when: &str) {
        self.escalated.extend(watched.escalated.clone());
        for (who, what) in &watched.lacking {
            self.find(who, format!("{what} {when}"));
        }
    }

    pub(super) fn find(&mut self, who: &str, what: String) {
        self.findings.push(Finding { who: who.to_owned(), what });
    }

    /// The figures of the run.
    pub(super) fn figures(&self, options: &Options, plan: &Plan, took: Duration) -> Figures {
        let login = Sample::new(self.logins.iter().copied());
        let lookup = Sample::new(self.lookups.ms.iter().copied());
        let repair =
            self.repaired.as_ref().map(|watched| Sample::new(watched.ms.values().copied()));
        let delivered: Vec<_> = self
            .told
            .iter()
            .filter_map(|told| match told {
                Told::Delivered(sent) => Some(sent),
                Told::Failed(_) => None,
            })
            .collect();
        // The ways of those that found one: a crash stretches the rest by waiting, not by hops.
        let straight = delivered.iter().filter(|sent| sent.tries == 1 && !sent.escalated);
        let hops = Sample::new(straight.map(|sent| f64::from(sent.hops)));
        let message = Sample::new(delivered.iter().map(|sent| sent.ms));
        let bound = moore::mean_distance(options.peers, options.degree);
        let (before, during) = (plan.before.len(), plan.before.len() + plan.during.len());
        let crashed = self.repaired.is_some();
        let share = |from: usize, to: usize| {
            let part = self.judgement.arrived.get(from..to).filter(|part| !part.is_empty())?;
            let once = part.iter().filter(|times| **times == 1).count();
            Some(once as f64 / part.len() as f64)
        };
        let first = self.told.get(before..during).filter(|told| crashed && !told.is_empty()).map(|told| {
            let straight = |told: &&Told| matches!(told, Told::Delivered(s) if s.tries == 1 && !s.escalated);
            told.iter().filter(straight).count() as f64 / told.len() as f64
        });
        let repaired = self.repaired.as_ref();
        let ended = repaired.unwrap_or(&self.placed);
        Figures {
            scenario: "launch".to_owned(),
            seed: options.seed,
            peers: options.peers,
            supernodes: options.supernodes,
            degree: options.degree,
            trees: options.trees,
            logged_in: self.logins.len(),
            messages_sent: self.told.len(),
            messages_delivered: self.judgement.once(),
            duplicates: self.judgement.duplicates(),
            hops_mean: hops.mean(),
            hops_p99: hops.quantile(0.99),
            hops_moore_mean: Some(bound),
            hops_over_moore: hops.mean().filter(|_| bound > 0.0).map(|mean| mean / bound),
            escalations: self.escalated.values().sum(),
            degree_max: self
                .placed
                .degree_max
                .max(repaired.map_or(0, |watched| watched.degree_max)),
            repair_ms_p50: repair.as_ref().and_then(|sample| sample.quantile(0.5)),
            repair_ms_p99: repair.as_ref().and_then(|sample| sample.quantile(0.99)),
            login_ms_p50: login.quantile(0.5),
            login_ms_p99: login.quantile(0.99),
            lookup_ms_p50: lookup.quantile(0.5),
            sim_seconds: took.as_secs_f64(),
            wall_seconds: took.as_secs_f64(),
            delivered_before_crash: share(0, before).filter(|_| crashed),
            delivered_before_repair: share(before, during).filter(|_| crashed),
            delivered_after_repair: share(during, self.told.len()).filter(|_| crashed),
            first_try_before_repair: first,
            message_ms_p50: message.quantile(0.5),
            message_ms_p99: message.quantile(0.99),
            degree_mean: ended.degree_mean(),
            violations: self.findings.len() as u64,
            ..Figures::default()
        }
    }
}
