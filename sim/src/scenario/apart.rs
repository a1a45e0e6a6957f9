//! Those that belong together are apart for a while: parts of the network, ends of a link, a process
//! and the time. Afterwards they must become one again, and how soon is measured.

use super::asked::Asked;
use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, demand, natural, share};
use crate::checks::convergence::WITHIN;
use crate::checks::one_realm::Holder;
use crate::world::{Ailment, First};
use overlay_proto::id::NodeId;
use overlay_proto::io::Command;
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Between two looks at what supernodes hold.
const LOOK: Span = Span::millis(500);
/// Between two glances at it while something is wrong.
const GLANCE: Span = Span::secs(5);
/// Users who are asked after at two supernodes, after each heal, at most.
const PAIRS: usize = 200;
/// Seconds over which they are.
const COMPARED_OVER: Span = Span::secs(10);
/// Look-ups have their answers by then: three tries of five seconds each, and some.
const ANSWERED: Span = Span::secs(20);

/// The scaffold falls apart, and every peer still reaches all of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitScaffold {
    /// Parts, 2 to 8, as large as each other. Default 2.
    #[serde(default = "two")]
    pub parts: u8,
    /// Seconds that it lasts.
    pub for_secs: f64,
    /// What is asked meanwhile and afterwards.
    #[serde(default)]
    pub under: Under,
}

/// Links carry one way only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneWayLinks {
    /// Share of the pairs of neighbours, and of the pairs of supernodes, 0 to 1.
    pub share: f64,
    /// Seconds that it lasts.
    pub for_secs: f64,
    /// What is asked meanwhile and afterwards.
    #[serde(default)]
    pub under: Under,
}

/// Processes are not run for a while, as after SIGSTOP. What comes to them is held, and given to them
/// at once when they run again; half of them look at their timers first then, half at what came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Share of the live peers, 0 to 1.
    pub share: f64,
    /// Share of the live supernodes, 0 to 1. Default 0.
    #[serde(default)]
    pub supernodes: f64,
    /// Seconds that each is not run.
    pub for_secs: f64,
    /// Seconds that the shortest of these sleeps lasts, if they are not all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_secs: Option<f64>,
    /// Seconds over which they fall asleep. Default 0: all at once.
    #[serde(default)]
    pub over_secs: f64,
    /// What is asked meanwhile and afterwards.
    #[serde(default)]
    pub under: Under,
}

pub(super) fn two() -> u8 {
    2
}

impl SplitScaffold {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        demand("parts", (2..=8).contains(&self.parts), "must be 2 to 8")?;
        natural("for_secs", self.for_secs)?;
        self.under.check()
    }
}

impl OneWayLinks {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        share("share", self.share)?;
        natural("for_secs", self.for_secs)?;
        self.under.check()
    }
}

impl Pause {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        share("share", self.share)?;
        share("supernodes", self.supernodes)?;
        natural("for_secs", self.for_secs)?;
        natural("over_secs", self.over_secs)?;
        let least = self.least_secs.unwrap_or(self.for_secs);
        demand("least_secs", (0.0..=self.for_secs).contains(&least), "must be 0 to for_secs")?;
        self.under.check()
    }
}

impl Stage<'_> {
    /// The network falls into parts: all but the last have `part` of the peers each, and of the
    /// supernodes if those are concerned.
    pub(super) fn partition(
        &mut self,
        part: f64,
        supernodes_too: bool,
        parts: u8,
        (end, under): (Time, &Under),
    ) -> Result<(), Interrupted> {
        let smaller = usize::from(parts.max(2) - 1);
        let users = self.draw_victims((part * smaller as f64).min(1.0));
        let mut hosts: Vec<u32> = users.iter().map(|user| self.population.host(*user)).collect();
        self.part(&hosts, smaller);
        if supernodes_too {
            let live = self.live_supernodes();
            let count = (part * smaller as f64 * live.len() as f64).round() as usize;
            let drawn = self.draw(count.min(live.len()), live);
            let drawn: Vec<u32> = drawn.into_iter().map(|i| self.supernode_host(i)).collect();
            self.part(&drawn, smaller);
            hosts.extend(drawn);
        }
        self.talk_until(end, under)?;
        self.look_at_the_index();
        self.world.ail(&hosts, |ailment| *ailment = Ailment::default());
        self.converge(under)
    }

    /// Deals these out to so many sides.
    fn part(&mut self, hosts: &[u32], sides: usize) {
        for side in 0..sides {
            let here: Vec<u32> = hosts.iter().copied().skip(side).step_by(sides).collect();
            self.world.ail(&here, |ailment| ailment.side = side as u8 + 1);
        }
    }

    pub(super) fn split_scaffold(&mut self, split: &SplitScaffold) -> Result<(), Interrupted> {
        let end = self.begin("split_scaffold", split.for_secs);
        let live = self.live_supernodes();
        let order = self.draw(live.len(), live);
        let hosts: Vec<u32> = order.into_iter().map(|index| self.supernode_host(index)).collect();
        for (place, host) in hosts.iter().enumerate() {
            let part = (place % usize::from(split.parts)) as u8 + 1;
            self.world.ail(&[*host], |ailment| ailment.scaffold = part);
        }
        self.talk_until(end, &split.under)?;
        self.look_at_the_index();
        self.world.ail(&hosts, |ailment| *ailment = Ailment::default());
        self.converge(&split.under)?;
        self.settle_after("split_scaffold", &split.under.talk(), span(split.under.limit_secs))
    }

    pub(super) fn one_way_links(&mut self, cut: &OneWayLinks) -> Result<(), Interrupted> {
        let end = self.begin("one_way_links", cut.for_secs);
        let mut ways = Vec::new();
        for (one, other) in self.pairs_of_neighbours().into_iter().chain(self.pairs_of_members()) {
            if self.dice.random::<f64>() < cut.share {
                ways.push(if self.dice.random() { (one, other) } else { (other, one) });
            }
        }
        self.world.cut_ways(ways);
        self.talk_until(end, &cut.under)?;
        self.look_at_the_index();
        self.world.cut_ways([]);
        self.converge(&cut.under)?;
        self.settle_after("one_way_links", &cut.under.talk(), span(cut.under.limit_secs))
    }

    fn pairs_of_neighbours(&self) -> Vec<(u32, u32)> {
        let mut pairs = BTreeSet::new();
        for user in self.live_users() {
            let host = self.population.host(user);
            for near in self.world.machine(host).into_iter().flat_map(|node| node.routes()) {
                if let Some(other) = self.population.host_of(&near.node) {
                    pairs.insert((host.min(other), host.max(other)));
                }
            }
        }
        pairs.into_iter().collect()
    }

    fn pairs_of_members(&self) -> Vec<(u32, u32)> {
        let live = self.live_supernodes();
        let hosts: Vec<u32> = live.into_iter().map(|index| self.supernode_host(index)).collect();
        let with = |(place, one): (usize, &u32)| {
            let one = *one;
            hosts[..place].iter().map(move |other| (*other, one)).collect::<Vec<_>>()
        };
        hosts.iter().enumerate().flat_map(with).collect()
    }

    /// Some processes sleep, each for a while of its own, until all are awake and whole.
    pub(super) fn pause(&mut self, pause: &Pause) -> Result<(), Interrupted> {
        let begun = self.now();
        self.begin("pause", pause.for_secs);
        let users = self.draw_victims(pause.share);
        let mut hosts: Vec<u32> = users.iter().map(|user| self.population.host(*user)).collect();
        let live = self.live_supernodes();
        let count = (pause.supernodes * live.len() as f64).round() as usize;
        let drawn = self.draw(count, live);
        hosts.extend(drawn.into_iter().map(|index| self.supernode_host(index)));
        self.convergence.fell_asleep(&hosts);
        for (at, host, sleeps) in self.sleeps(pause, begun, &hosts) {
            self.talk_until(at, &pause.under)?;
            if sleeps {
                self.world.pause(host);
                continue;
            }
            self.look_at_the_index();
            let first = if self.dice.random() { First::Timers } else { First::Inputs };
            self.world.resume(host, first);
            self.look();
        }
        self.converge(&pause.under)?;
        self.settle_after("pause", &pause.under.talk(), span(pause.under.limit_secs))
    }

    /// When each of them falls asleep, and wakes.
    fn sleeps(&mut self, pause: &Pause, begun: Time, hosts: &[u32]) -> Vec<(Time, u32, bool)> {
        let least = span(pause.least_secs.unwrap_or(pause.for_secs)).0;
        let mut turns = Vec::new();
        for host in hosts {
            let from = begun + Span(self.dice.random_range(0..=span(pause.over_secs).0));
            let lasts = Span(self.dice.random_range(least..=span(pause.for_secs).0.max(least)));
            turns.push((from, *host, true));
            turns.push((from + lasts, *host, false));
        }
        turns.sort_unstable_by_key(|(at, host, sleeps)| (*at, !*sleeps, *host));
        turns
    }

    /// Talks on until all supernodes hold the same, then asks two of them after many users.
    pub(super) fn converge(&mut self, under: &Under) -> Result<(), Interrupted> {
        let healed = self.now();
        self.convergence.healed(healed);
        let limit = healed + span(under.limit_secs).max(WITHIN);
        while !self.look_at_the_index() && self.now() < limit {
            self.talk_until(self.now() + LOOK, under)?;
        }
        self.talk_until(self.now().max(healed + WITHIN), under)?;
        self.compare_answers()?;
        self.convergence.is_over();
        Ok(())
    }

    /// What every live supernode holds.
    pub(super) fn holders(&self) -> Vec<Holder> {
        let live = self.live_supernodes().into_iter().map(|index| self.supernode_host(index));
        let holder = |host| Some(Holder { host, held: self.world.machine(host)?.held()? });
        live.filter_map(holder).collect()
    }

    /// The devices of the users who are logged in as they believe.
    pub(super) fn on_line(&self) -> Vec<NodeId> {
        let on_line = |user: &usize| self.standing.is_on_line(self.population.host(*user));
        let users = self.live_users().into_iter().filter(on_line);
        users.map(|user| self.users[user].node()).collect()
    }

    /// Shows the check what supernodes hold. True if all of them have come to hold the same.
    fn look_at_the_index(&mut self) -> bool {
        let (now, wall) = (self.now(), self.realm.wall_at_start().0);
        let (holders, on_line) = (self.holders(), self.on_line());
        self.convergence.look(now, wall, &holders, &on_line, self.scenario.trees())
    }

    /// Notes from time to time which records supernodes keep: none may replace a newer one.
    pub(super) fn glance_at_the_index(&mut self) {
        if self.now() >= self.glance_at {
            self.glance_at = self.now() + GLANCE;
            let (now, holders) = (self.now(), self.holders());
            self.convergence.glance(now, &holders);
        }
    }

    /// Users are asked after by two others with different homes at once.
    fn compare_answers(&mut self) -> Result<(), Interrupted> {
        let homes: Vec<Vec<NodeId>> =
            self.holders().into_iter().map(|holder| holder.held.sessions).collect();
        let homes: Vec<Vec<NodeId>> =
            homes.into_iter().filter(|sessions| sessions.len() > 1).collect();
        let users: BTreeMap<NodeId, usize> =
            self.live_users().into_iter().map(|user| (self.users[user].node(), user)).collect();
        let on_line = self.on_line();
        if homes.len() < 2 {
            return Ok(());
        }
        for at in self.times(PAIRS.min(on_line.len()), COMPARED_OVER) {
            self.wait(at)?;
            let whom = on_line[self.dice.random_range(0..on_line.len())];
            let first = self.dice.random_range(0..homes.len());
            let second = (first + self.dice.random_range(1..homes.len())) % homes.len();
            let askers = [first, second].map(|home| self.asker(&homes[home], whom));
            let there = |host: &u32| self.standing.is_on_line(*host);
            let (Some(user), true) = (users.get(&whom), askers.iter().flatten().all(there)) else {
                continue;
            };
            let ([Some(one), Some(other)], name) = (askers, self.population.name(*user).clone())
            else {
                continue;
            };
            let number = self.convergence.asks(whom, self.now());
            for host in [one, other] {
                let command = Command::Lookup { name: name.clone() };
                self.world.command(host, Asked::Compare(number).id(), command);
            }
            self.look();
        }
        let limit = self.now() + ANSWERED;
        self.wait_for(limit, |stage| stage.convergence.open() == 0).map(|_| ())
    }

    /// The host of one of these other than `but`.
    fn asker(&mut self, sessions: &[NodeId], but: NodeId) -> Option<u32> {
        let others: Vec<&NodeId> = sessions.iter().filter(|node| **node != but).collect();
        let drawn = others.get(self.dice.random_range(0..others.len().max(1)))?;
        self.population.host_of(drawn)
    }
}
