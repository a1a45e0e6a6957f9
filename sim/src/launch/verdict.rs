//! From what was seen to figures and a verdict.

use super::delivery::Judgement;
use super::plan::{Options, Plan};
use super::storm::Storm;
use super::watch::Watched;
use super::workload::{LookedUp, Told};
use crate::report::{Figures, Sample, moore};
use std::collections::BTreeMap;
use std::ops::Range;
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
    /// The storm of log-ins, if there was one.
    pub storm: Option<Storm>,
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
        let repaired = self.repaired.as_ref();
        let repair = repaired.map(|watched| Sample::new(watched.ms.values().copied()));
        let repair = |q| repair.as_ref().and_then(|sample| sample.quantile(q));
        let degree_max = repaired.map_or(0, |watched| watched.degree_max);
        let mut figures = Figures {
            scenario: "launch".to_owned(),
            seed: options.seed,
            peers: options.peers,
            supernodes: options.supernodes,
            degree: options.degree,
            trees: options.trees,
            logged_in: self.logins.len(),
            escalations: self.escalated.values().sum(),
            degree_max: self.placed.degree_max.max(degree_max),
            repair_ms_p50: repair(0.5),
            repair_ms_p99: repair(0.99),
            login_ms_p50: login.quantile(0.5),
            login_ms_p99: login.quantile(0.99),
            lookup_ms_p50: lookup.quantile(0.5),
            sim_seconds: took.as_secs_f64(),
            wall_seconds: took.as_secs_f64(),
            degree_mean: repaired.unwrap_or(&self.placed).degree_mean(),
            violations: self.findings.len() as u64,
            ..Figures::default()
        };
        self.count_messages(&mut figures);
        if let Some(storm) = &self.storm {
            storm.count(&mut figures);
        }
        if repaired.is_some() {
            self.count_phases(&mut figures, plan);
        }
        figures
    }

    fn count_messages(&self, figures: &mut Figures) {
        let delivered = self.told.iter().filter_map(Told::delivered);
        let message = Sample::new(delivered.clone().map(|sent| sent.ms));
        // The ways of those that found one: a crash stretches the rest by waiting, not by hops.
        let straight = self.told.iter().filter(|told| told.is_straight());
        let hops = straight.filter_map(Told::delivered).map(|sent| f64::from(sent.hops));
        let hops = Sample::new(hops);
        let bound = moore::mean_distance(figures.peers, figures.degree);
        figures.messages_sent = self.told.len();
        figures.messages_delivered = self.judgement.once();
        figures.duplicates = self.judgement.duplicates();
        figures.hops_mean = hops.mean();
        figures.hops_p99 = hops.quantile(0.99);
        figures.hops_moore_mean = Some(bound);
        figures.hops_over_moore = hops.mean().filter(|_| bound > 0.0).map(|mean| mean / bound);
        figures.message_ms_p50 = message.quantile(0.5);
        figures.message_ms_p99 = message.quantile(0.99);
    }

    fn count_phases(&self, figures: &mut Figures, plan: &Plan) {
        let crash = plan.before.len();
        let repair = crash + plan.during.len();
        let once = |phase: Range<usize>| {
            share(self.judgement.arrived.get(phase), |times: &usize| *times == 1)
        };
        figures.delivered_before_crash = once(0..crash);
        figures.delivered_before_repair = once(crash..repair);
        figures.delivered_after_repair = once(repair..self.told.len());
        figures.first_try_before_repair = share(self.told.get(crash..repair), Told::is_straight);
    }
}

/// The share of those that are so; `None` of nothing.
fn share<T>(all: Option<&[T]>, is_so: impl Fn(&T) -> bool) -> Option<f64> {
    let all = all.filter(|all| !all.is_empty())?;
    Some(all.iter().filter(|one| is_so(one)).count() as f64 / all.len() as f64)
}
