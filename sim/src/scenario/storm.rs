//! Supernodes end, users crash and come back, and all want to log in at once.

use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, natural, share};
use crate::checks::storm::Load;
use crate::world::Crash;
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// An outage and the storm of log-ins that follows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Share of the live supernodes that end, 0 to 1. Default 0. With 1 all of them; with less the first,
    /// which is the realm's root machine, stays.
    #[serde(default)]
    pub supernodes: f64,
    /// Share of the live users that crash and come back, 0 to 1. Default 0.
    #[serde(default)]
    pub users: f64,
    /// Seconds over which they end, each at a random time. Default 0: all at once.
    #[serde(default)]
    pub over_secs: f64,
    /// Seconds until a user that has crashed is back, at most. Default 30.
    #[serde(default = "half_a_minute")]
    pub away_secs: f64,
    /// Seconds after the last end until the supernodes that have ended start again, all at once.
    /// Without it they stay away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_after_secs: Option<f64>,
    /// Log-ins of users that crash and come back at random, from the beginning and for `load_secs`
    /// more after the last blow: a share of what the live supernodes can look at. Default 0.
    #[serde(default)]
    pub load: f64,
    /// Seconds of that load before the first blow. With some, as many must be logged in again while
    /// it lasts as were before. Default 0.
    #[serde(default)]
    pub lead_secs: f64,
    /// See `load`. Default 60.
    #[serde(default = "a_minute")]
    pub load_secs: f64,
    /// `vanish` (silence) or `kill` (connections are reset).
    pub how: Crash,
    /// What is asked meanwhile, and the limit for everybody to be back.
    #[serde(default)]
    pub under: Under,
}

fn half_a_minute() -> f64 {
    30.0
}

fn a_minute() -> f64 {
    60.0
}

impl Outage {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        share("supernodes", self.supernodes)?;
        share("users", self.users)?;
        natural("over_secs", self.over_secs)?;
        natural("load", self.load)?;
        natural("load_secs", self.load_secs)?;
        natural("lead_secs", self.lead_secs)?;
        natural("away_secs", self.away_secs)?;
        natural("back_after_secs", self.back_after_secs.unwrap_or(0.0))?;
        self.under.check()
    }
}

/// How long a user of the usual coming and going is away.
const LOAD_AWAY: Span = Span::secs(2);

/// What happens to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    EndSupernode(usize),
    EndUser(usize),
    ReturnUser(usize),
    SupernodesBack,
}

impl Stage<'_> {
    /// Plays an outage until everybody is whole again, which has to be within the limit.
    pub(super) fn outage(&mut self, outage: &Outage) -> Result<(), Interrupted> {
        self.begin("outage", 0.0);
        let begun = self.now();
        self.storm.begins(begun);
        self.liveness.expects_a_storm();
        for (at, blow) in self.blows(outage, begun) {
            self.talk_until(at, &outage.under)?;
            self.strike(blow, outage.how);
        }
        let over = self.now();
        self.storm.is_over(over);
        self.phase("everybody logs in");
        self.settle_after("outage", &outage.under.talk(), span(outage.under.limit_secs))
    }

    /// All that happens, in order.
    fn blows(&mut self, outage: &Outage, begun: Time) -> Vec<(Time, Blow)> {
        let over = span(outage.over_secs);
        let first = begun + span(outage.lead_secs);
        let mut blows = Vec::new();
        let mut live = self.live_supernodes();
        if outage.supernodes < 1.0 {
            live.retain(|index| *index != 0);
        }
        let all = self.live_supernodes().len();
        let struck = ((outage.supernodes * all as f64).round() as usize).min(live.len());
        for index in self.draw(struck, live) {
            blows.push((self.moment(first, over), Blow::EndSupernode(index)));
        }
        for user in self.draw_victims(outage.users) {
            let at = self.moment(first, over);
            blows.push((at, Blow::EndUser(user)));
            let back = self.moment(at + Span::secs(1), span(outage.away_secs));
            blows.push((back, Blow::ReturnUser(user)));
        }
        if let Some(after) = outage.back_after_secs {
            blows.push((first + over + span(after), Blow::SupernodesBack));
        }
        self.load(outage, begun, &mut blows);
        blows.sort_unstable();
        blows
    }

    /// The usual coming and going beside the blows.
    fn load(&mut self, outage: &Outage, begun: Time, blows: &mut Vec<(Time, Blow)>) {
        let last = blows.iter().map(|(at, _)| *at).max().unwrap_or(begun);
        let lasts = last.since(begun) + span(outage.load_secs);
        if outage.lead_secs > 0.0 {
            let first = begun + span(outage.lead_secs);
            self.storm.is_loaded(Load { first, last, until: begun + lasts });
        }
        let able = self.storm.capacity(self.scenario.capacity(), begun);
        let count = outage.load * able * lasts.0 as f64 / 1e6;
        for _ in 0..count as usize {
            let at = self.moment(begun, lasts);
            let user = self.dice.random_range(0..self.population.users());
            blows.push((at, Blow::EndUser(user)));
            blows.push((at + LOAD_AWAY, Blow::ReturnUser(user)));
        }
    }

    fn moment(&mut self, from: Time, within: Span) -> Time {
        from + Span(self.dice.random_range(0..=within.0))
    }

    fn strike(&mut self, blow: Blow, how: Crash) {
        match blow {
            Blow::EndSupernode(index) => {
                let host = self.supernode_host(index);
                self.world.crash(&[host], how);
                self.storm.supernode_ended(host);
            }
            Blow::EndUser(user) => {
                if self.world.is_alive(self.population.host(user)) {
                    self.end_users(&[user], how);
                }
            }
            Blow::ReturnUser(user) => {
                if !self.world.is_alive(self.population.host(user)) {
                    self.return_user(user);
                }
            }
            Blow::SupernodesBack => self.restart_supernodes(),
        }
    }
}
