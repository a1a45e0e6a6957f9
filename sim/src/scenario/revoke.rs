//! The registrar shuts users out, some of them where its word does not reach at first.

use super::asked::Asked;
use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, demand, natural, share};
use crate::checks::Era;
use crate::world::{Ailment, Crash};
use overlay_proto::id::NodeId;
use overlay_proto::io::{Command, Outcast};
use overlay_proto::time::{Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The registrar's number: the first supernode.
const REGISTRAR: usize = 0;
/// Who is cut off has found new homes and given up old links after this: 12 s of silence, and a
/// little for the news to get around.
const PARTED: Span = Span::secs(20);
/// Supernodes that were apart dial each other again within this.
const MEET: Span = Span::secs(5);
/// Waiting for who is never out ends after this.
const PATIENCE: Span = Span::secs(60);

/// Users are shut out by the registrar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    /// Share of the live users, above 0 and below 1.
    pub share: f64,
    /// Seconds over which they are named.
    pub over_secs: f64,
    /// Share of the peers, and of the supernodes, that are cut off meanwhile. Default 0.
    #[serde(default)]
    pub cut_off: f64,
    /// Seconds that these are cut off after the last word. Default 10.
    #[serde(default = "ten")]
    pub cut_off_secs: f64,
    /// Seconds in which everybody whom the word can reach must be out; those cut off have five
    /// more after the heal, in which supernodes find each other. Default 5.
    #[serde(default = "five")]
    pub deadline_secs: f64,
    /// What is asked of the others meanwhile and afterwards.
    #[serde(default)]
    pub under: Under,
}

fn ten() -> f64 {
    10.0
}

fn five() -> f64 {
    5.0
}

impl Revocations {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        demand("share", self.share > 0.0 && self.share < 1.0, "must be above 0 and below 1")?;
        share("cut_off", self.cut_off)?;
        natural("over_secs", self.over_secs)?;
        natural("cut_off_secs", self.cut_off_secs)?;
        natural("deadline_secs", self.deadline_secs)?;
        self.under.check()
    }
}

impl Stage<'_> {
    /// Names the outcasts, waits until they are out, looks for them, and ends them.
    pub(super) fn revoke(&mut self, step: &Revocations) -> Result<(), Interrupted> {
        self.phase("revoke");
        (self.crashed, self.era) = (true, Era::During);
        let victims = self.draw_victims(step.share);
        let cut = self.cut_off(step.cut_off);
        self.meet_outcasts(&victims, &cut)?;
        self.world.ail(&cut, |ailment| ailment.side = 1);
        if !cut.is_empty() {
            self.talk_until(self.now() + PARTED, &step.under)?;
        }
        self.name_outcasts(&victims, &cut, span(step.over_secs))?;
        if !cut.is_empty() {
            self.talk_until(self.now() + span(step.cut_off_secs), &step.under)?;
        }
        self.world.ail(&cut, |ailment| *ailment = Ailment::default());
        let healed = self.now();
        self.healed = Some(healed);
        self.wait_for(healed + PATIENCE, |stage| {
            stage.shut_out.inside() == 0 && stage.talks.open() == 0
        })?;
        let deadline = span(step.deadline_secs);
        self.shut_out.judge(healed, deadline, deadline + MEET);
        self.talks.judge(healed, deadline, deadline + MEET);
        self.wait(self.now() + MEET)?;
        self.seek_outcasts(&victims)?;
        // Their processes have nothing to do any more, and nobody is to wait for them.
        self.end_users(&victims, Crash::Kill);
        self.settle_after("revoke", &step.under.talk(), span(step.under.limit_secs))
    }

    /// Peers and supernodes on the far side; the registrar is never there.
    fn cut_off(&mut self, part: f64) -> Vec<u32> {
        if part == 0.0 {
            return Vec::new();
        }
        let registrar = self.supernode_host(REGISTRAR);
        let hosts = self.draw_hosts(part, true);
        hosts.into_iter().filter(|host| *host != registrar).collect()
    }

    /// Somebody else has a session with each of them: nobody tells those but their own homes.
    fn meet_outcasts(&mut self, victims: &[usize], cut: &[u32]) -> Result<(), Interrupted> {
        let others = self.others_than(victims);
        for (number, victim) in victims.iter().enumerate() {
            let Some(from) = others.get(number % others.len().max(1)) else { break };
            let (host, node) = (self.population.host(*from), self.users[*victim].node());
            self.talks.begin(node, host, cut.contains(&host));
            let to = self.population.name(*victim).clone();
            self.world.command(host, Asked::Meet.id(), Command::Meet { to, node: None });
        }
        self.look();
        self.wait(self.now() + MEET)
    }

    /// The live users who stay.
    fn others_than(&self, victims: &[usize]) -> Vec<usize> {
        let out: BTreeSet<usize> = victims.iter().copied().collect();
        self.live_users().into_iter().filter(|user| !out.contains(user)).collect()
    }

    fn name_outcasts(
        &mut self,
        victims: &[usize],
        cut: &[u32],
        over: Span,
    ) -> Result<(), Interrupted> {
        let registrar = self.supernode_host(REGISTRAR);
        let times: Vec<Time> = self.times(victims.len(), over);
        for (at, user) in times.into_iter().zip(victims) {
            self.wait(at)?;
            let (host, now) = (self.population.host(*user), self.now());
            let node = self.users[*user].node();
            let inside = self.who_has(node);
            let beyond = cut.contains(&host) || inside.0.iter().any(|home| cut.contains(home));
            self.shut_out.begin(node, host, inside, beyond, now);
            self.talks.named(node, now);
            self.liveness.told_to_log_out(host);
            self.delivery.left(*user, now);
            let outcast = Outcast::User(self.population.name(*user).clone());
            self.world.command(registrar, Asked::Revoke.id(), Command::Revoke { outcast });
            self.look();
        }
        Ok(())
    }

    /// The supernodes with a session of a node, and the peers that have it as a neighbour.
    fn who_has(&self, node: NodeId) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let text = node.to_string();
        let supernodes: Vec<u32> =
            self.live_supernodes().into_iter().map(|index| self.supernode_host(index)).collect();
        let has_child = |host: &u32| {
            let views = self.world.machine(*host).map(|node| node.child_views());
            views.is_some_and(|views| views.iter().any(|child| child.node == text))
        };
        let homes = supernodes.into_iter().filter(has_child).collect();
        let is_near = |user: &usize| {
            let machine = self.world.machine(self.population.host(*user));
            machine.is_some_and(|machine| machine.routes().any(|near| near.node == node))
        };
        let near = self.live_users().into_iter().filter(is_near);
        (homes, near.map(|user| self.population.host(user)).collect())
    }

    /// Somebody else looks for each of them: nobody may be told where they are.
    fn seek_outcasts(&mut self, victims: &[usize]) -> Result<(), Interrupted> {
        let now = self.now();
        let others = self.others_than(victims);
        for (number, victim) in victims.iter().enumerate() {
            self.delivery.left(*victim, now);
            let Some(from) = others.get(number % others.len().max(1)) else { break };
            let name = self.population.name(*victim).clone();
            let host = self.population.host(*from);
            self.shut_out.sought();
            self.world.command(host, Asked::Seek.id(), Command::Lookup { name });
        }
        self.look();
        self.wait(self.now() + MEET)
    }
}
