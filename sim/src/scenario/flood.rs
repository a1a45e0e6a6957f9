//! Nodes that belong to nobody ask for sessions, far more often than supernodes can look.

use super::asked::Asked;
use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, natural, share};
use crate::world::Crash;
use overlay_proto::io::Command;
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// A flood of log-ins that prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// Nodes that ask, each with an address and a key of its own, and a certificate that somebody
    /// else has signed.
    pub attackers: usize,
    /// Log-ins that they ask for, in times of what all supernodes can look at.
    pub times: f64,
    /// Share of the live users that crash and come back meanwhile, 0 to 1, within half a second.
    pub users: f64,
    /// Seconds that it lasts.
    pub for_secs: f64,
    /// What is asked meanwhile, and the limit for everybody to be whole.
    #[serde(default)]
    pub under: Under,
}

impl Flood {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        natural("times", self.times)?;
        share("users", self.users)?;
        natural("for_secs", self.for_secs)?;
        self.under.check()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Ask(u32),
    End(usize),
    Return(usize),
}

impl Stage<'_> {
    /// Plays a flood, until everybody is whole after it.
    pub(super) fn flood(&mut self, flood: &Flood) -> Result<(), Interrupted> {
        let end = self.begin("flood", flood.for_secs);
        self.liveness.expects_a_storm();
        let first = self.liveness.logins().len();
        let attackers: Vec<u32> = (0..flood.attackers).map(|_| self.start_attacker()).collect();
        for (at, act) in self.acts(flood, &attackers, end) {
            self.talk_until(at, &flood.under)?;
            match act {
                Act::Ask(host) => self.world.command(host, Asked::Login.id(), Command::Login),
                Act::End(user) => self.end_users(&[user], Crash::Kill),
                Act::Return(user) => self.return_user(user),
            }
        }
        self.talk_until(end, &flood.under)?;
        self.flooded = Some(first..self.liveness.logins().len());
        self.world.crash(&attackers, Crash::Kill);
        self.settle_after("flood", &flood.under.talk(), span(flood.under.limit_secs))
    }

    fn acts(&mut self, flood: &Flood, attackers: &[u32], end: Time) -> Vec<(Time, Act)> {
        let (now, lasts) = (self.now(), span(flood.for_secs));
        let rate = flood.times * self.storm.capacity(self.scenario.capacity(), now);
        let asks = if attackers.is_empty() { 0 } else { (rate * flood.for_secs) as usize };
        let mut acts: Vec<(Time, Act)> = (0..asks)
            .map(|ask| {
                let at = now + Span(self.dice.random_range(0..=lasts.0));
                (at, Act::Ask(attackers[ask % attackers.len()]))
            })
            .collect();
        for user in self.draw_victims(flood.users) {
            // The last fifth is for those who came late.
            let at = now + Span(self.dice.random_range(0..=lasts.0 * 4 / 5));
            acts.push((at, Act::End(user)));
            acts.push(((at + Span::millis(500)).min(end), Act::Return(user)));
        }
        acts.sort_unstable();
        acts
    }
}
