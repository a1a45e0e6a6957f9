//! Supernodes die while words between them are lost and some links pass one way only; the others must
//! hear of it, and of nothing else.

use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, demand, natural, share};
use crate::checks::membership::differences;
use crate::world::{Crash, Weather};
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Between two looks at what all know.
const LOOK: Span = Span::secs(1);
/// Supernodes whose lists are told of in a complaint.
const EXAMPLES: usize = 3;

/// Deaths in the scaffold, and what makes them hard to see.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deaths {
    /// Share of the live supernodes that die, 0 to below 1. The first, the realm's root machine, stays.
    pub share: f64,
    /// `vanish` (silence) or `kill` (connections are reset).
    pub how: Crash,
    /// Seconds over which they die, each at a random time. Default 10.
    #[serde(default = "ten")]
    pub over_secs: f64,
    /// Seconds of peace before that, in which traffic is measured. Default 20.
    #[serde(default = "twenty")]
    pub quiet_secs: f64,
    /// Share of the membership protocol's messages that vanish meanwhile, 0 to 1. Default 0.
    #[serde(default)]
    pub lose: f64,
    /// Share of the supernodes that have a link to another over which meanwhile nothing passes one
    /// way, 0 to 1. Default 0.
    #[serde(default)]
    pub one_way: f64,
    /// Seconds that both last from the first death on. Default 40.
    #[serde(default = "forty")]
    pub for_secs: f64,
    /// Seconds after which every living one must know of a death. Default 15.
    #[serde(default = "fifteen")]
    pub known_within_secs: f64,
    /// What users ask meanwhile, and the limit for all to have one list at the end, and before it.
    #[serde(default)]
    pub under: Under,
}

fn ten() -> f64 {
    10.0
}

fn fifteen() -> f64 {
    15.0
}

fn twenty() -> f64 {
    20.0
}

fn forty() -> f64 {
    40.0
}

impl Deaths {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        demand("share", (0.0..1.0).contains(&self.share), "must be 0 to below 1")?;
        share("lose", self.lose)?;
        share("one_way", self.one_way)?;
        natural("over_secs", self.over_secs)?;
        natural("quiet_secs", self.quiet_secs)?;
        natural("for_secs", self.for_secs)?;
        natural("known_within_secs", self.known_within_secs)?;
        self.under.check()
    }
}

impl Stage<'_> {
    /// Plays deaths in the scaffold until all that live have one list again.
    pub(super) fn scaffold(&mut self, deaths: &Deaths) -> Result<(), Interrupted> {
        self.phase("all supernodes find all");
        let limit = span(deaths.under.limit_secs);
        self.have_one_list(limit, "before the first death")?;
        self.begin("quiet", 0.0);
        self.membership.begins(self.now());
        let quiet = span(deaths.quiet_secs);
        let (before, begun) = (self.sent(), self.now());
        self.talk_until(begun + quiet, &deaths.under)?;
        self.note_traffic(true, before, begun);

        self.phase("supernodes die");
        let begun = self.now();
        let victims = self.doomed(deaths.share);
        let blocked = self.blocked_ways(deaths.one_way, &victims);
        self.membership.parted(&blocked);
        self.world.cut_ways(blocked);
        let dice = self.fault_dice();
        let weather = Weather { unasked: deaths.lose, ..Weather::default() };
        self.world.set_weather(weather, dice.clone());
        let end = begun + span(deaths.for_secs);
        let before = self.sent();
        let over = span(deaths.over_secs);
        for (at, host) in self.times(victims.len(), over).into_iter().zip(victims) {
            self.talk_until(at, &deaths.under)?;
            self.world.crash(&[host], deaths.how);
            let now = self.now();
            self.membership.ended(host, now);
        }
        self.talk_until(end.max(self.now()), &deaths.under)?;
        self.note_traffic(false, before, begun);
        self.world.set_weather(Weather::default(), dice);
        self.world.cut_ways([]);
        self.membership.healed(self.now());

        self.phase("all have one list");
        // Who is late is found late, and not never.
        let living = self.living();
        let last = self.now() + span(deaths.known_within_secs);
        while self.now() < last && !self.membership.know_all(&living) {
            self.wait(self.now() + LOOK)?;
        }
        let now = self.now();
        self.membership.judge(&living, span(deaths.known_within_secs), now);
        self.have_one_list(limit, "after the deaths")?;
        self.settle_after("scaffold", &deaths.under.talk(), limit)
    }

    /// The hosts of the supernodes that live.
    fn living(&self) -> Vec<u32> {
        self.live_supernodes().into_iter().map(|index| self.supernode_host(index)).collect()
    }

    /// Those that are going to die.
    fn doomed(&mut self, share: f64) -> Vec<u32> {
        let mut live = self.live_supernodes();
        let struck = (share * live.len() as f64).round() as usize;
        live.retain(|index| *index != 0);
        let struck = self.draw(struck.min(live.len()), live);
        struck.into_iter().map(|index| self.supernode_host(index)).collect()
    }

    /// Ways over which nothing passes, each from one that is going to live to another.
    fn blocked_ways(&mut self, share: f64, doomed: &[u32]) -> Vec<(u32, u32)> {
        let mut hosts = self.living();
        hosts.retain(|host| !doomed.contains(host));
        let count = (share * hosts.len() as f64).round() as usize;
        if hosts.len() < 2 {
            return Vec::new();
        }
        let all = hosts.len();
        let way = |stage: &mut Self| {
            let from = stage.dice.random_range(0..all);
            let to = (from + stage.dice.random_range(1..all)) % all;
            (hosts[from], hosts[to])
        };
        (0..count).map(|_| way(self)).collect()
    }

    /// Bytes that all have sent so far.
    fn sent(&self) -> u64 {
        overlay_proto::wire::Class::ALL.iter().map(|c| self.world.tally().class(*c).bytes).sum()
    }

    fn note_traffic(&mut self, in_peace: bool, before: u64, since: Time) {
        let secs = self.now().since(since).0 as f64 / 1e6;
        let each = (self.sent() - before) as f64 / self.living().len().max(1) as f64;
        if secs > 0.0 {
            self.membership.sent(in_peace, each / secs);
        }
    }

    /// Waits until the members that count are the same for all that live: all of them.
    fn have_one_list(&mut self, limit: Span, when: &str) -> Result<(), Interrupted> {
        let until = self.now() + limit;
        loop {
            let lists: Vec<_> = self
                .living()
                .into_iter()
                .filter_map(|host| {
                    let node = self.world.machine(host)?;
                    Some((host, node.id(), node.members().collect::<BTreeMap<_, _>>()))
                })
                .collect();
            let (count, told) = differences(&lists, EXAMPLES);
            if count == 0 {
                return Ok(());
            }
            let now = self.now();
            if now >= until {
                let what = format!("{when}, {count} lists differ: {}", told.join("; "));
                self.membership.complain(now, what);
                return Ok(());
            }
            self.wait(now + LOOK)?;
        }
    }
}
