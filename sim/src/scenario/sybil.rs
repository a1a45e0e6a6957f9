//! Many strangers to each peer, who want in while honest users come, go and ask.

use super::asked::Asked;
use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, natural, positive, share};
use crate::world::{Crash, Forgery, Gains, Realm, Stranger, World};
use overlay_proto::Node;
use overlay_proto::identity::Contact;
use overlay_proto::io::Command;
use overlay_proto::time::{Span, Time};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Users whose certificates strangers have got hold of.
const STOLEN: usize = 16;
/// A user that crashes is back after this.
const AWAY: Span = Span::millis(500);
/// Look-ups have their answers by then: three tries of five seconds each, and some.
const ANSWERED: Span = Span::secs(20);

/// Strangers, many to each peer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sybil {
    /// Strangers for each live peer.
    pub per_peer: f64,
    /// Links that each of them makes, spread over the time. Default 2.
    #[serde(default = "two")]
    pub visits: u32,
    /// Share of the users that crash and come back meanwhile, 0 to 1. Default 0.
    #[serde(default)]
    pub users: f64,
    /// Look-ups of random users by random others meanwhile. Default 0.
    #[serde(default)]
    pub lookups: usize,
    /// Seconds that it lasts.
    pub for_secs: f64,
    /// What is asked meanwhile, and the limit for everybody to be whole.
    #[serde(default)]
    pub under: Under,
}

fn two() -> u32 {
    2
}

impl Sybil {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        natural("per_peer", self.per_peer)?;
        share("users", self.users)?;
        positive("for_secs", self.for_secs)?;
        self.under.check()
    }
}

/// What the honest ones have asked for and got meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Siege {
    pub strangers: usize,
    pub links: u64,
    pub said: u64,
    /// Users who came back, and those of them who had a session at the end.
    pub returned: usize,
    pub let_in: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    End(usize),
    Return(usize),
    Ask(usize, usize),
}

impl Stage<'_> {
    /// Plays the strangers, until everybody is whole after them.
    pub(super) fn sybil(&mut self, sybil: &Sybil) -> Result<(), Interrupted> {
        let end = self.begin("sybil", sybil.for_secs);
        self.liveness.expects_a_storm();
        let first = self.liveness.logins().len();
        let gains = Arc::new(Gains::default());
        let strangers = self.start_strangers(sybil, &gains);
        let acts = self.honest_acts(sybil);
        let mut returned = Vec::new();
        for (at, act) in acts {
            self.talk_until(at, &sybil.under)?;
            match act {
                Act::End(user) => self.end_users(&[user], Crash::Kill),
                Act::Return(user) => {
                    self.return_user(user);
                    returned.push(user);
                }
                Act::Ask(from, whom) => self.consult_one(from, whom),
            }
        }
        self.talk_until(end, &sybil.under)?;
        self.talk_until(end + ANSWERED, &sybil.under)?;
        self.flooded = Some(first..self.liveness.logins().len());
        let (now, holders) = (self.now(), self.holders());
        self.strangers.judge(now, &holders, &self.population, &gains);
        let is_in = |user: &&usize| self.standing.is_on_line(self.population.host(**user));
        self.siege = Some(Siege {
            strangers: strangers.len(),
            links: gains.links.load(Ordering::Relaxed),
            said: gains.said.load(Ordering::Relaxed),
            returned: returned.len(),
            let_in: returned.iter().filter(is_in).count(),
        });
        self.world.crash(&strangers, Crash::Kill);
        self.settle_after("sybil", &sybil.under.talk(), span(sybil.under.limit_secs))
    }

    fn start_strangers(&mut self, sybil: &Sybil, gains: &Arc<Gains>) -> Vec<u32> {
        let users = self.live_users();
        let count = (sybil.per_peer * users.len() as f64) as usize;
        if count == 0 || sybil.visits == 0 {
            return Vec::new();
        }
        let contact = |user: &usize| {
            let addresses = vec![World::<Node>::address(self.population.host(*user))];
            let contact = Contact { node: self.users[*user].node(), addresses };
            (contact, self.population.name(*user).clone())
        };
        let stolen = users.iter().filter_map(|user| self.users[*user].chain().cloned());
        let forgery = Arc::new(Forgery {
            realm: self.realm.id(),
            supernodes: self.supernodes.clone(),
            peers: users.iter().map(contact).collect(),
            stolen: stolen.take(STOLEN).collect(),
            forger: Realm::forger(),
        });
        let (now, lasts) = (self.now(), span(sybil.for_secs));
        let gap = Span(lasts.0 / u64::from(sybil.visits));
        let mut dice = self.fault_dice();
        let mut hosts = Vec::with_capacity(count);
        for _ in 0..count {
            let at = now + Span(dice.random_range(0..=gap.0));
            let plan = (at, sybil.visits, gap);
            let stranger = Stranger::new(forgery.clone(), gains.clone(), dice.next_u64(), plan);
            self.population.came_back(None);
            hosts.push(self.world.start_stranger(stranger, &mut dice));
        }
        hosts
    }

    /// What honest users do meanwhile, in order.
    fn honest_acts(&mut self, sybil: &Sybil) -> Vec<(Time, Act)> {
        let (now, lasts) = (self.now(), span(sybil.for_secs));
        let mut acts: Vec<(Time, Act)> = Vec::new();
        let gone = self.draw_victims(sybil.users);
        for user in &gone {
            // The last fifth is for those who came late.
            let at = now + Span(self.dice.random_range(0..=lasts.0 * 4 / 5));
            acts.push((at, Act::End(*user)));
            acts.push((at + AWAY, Act::Return(*user)));
        }
        // Who comes and goes is neither asked nor asked after: that is another question.
        let stay: Vec<usize> =
            self.live_users().into_iter().filter(|user| !gone.contains(user)).collect();
        if stay.len() > 1 {
            for at in self.times(sybil.lookups, lasts) {
                let from = self.dice.random_range(0..stay.len());
                let whom = (from + self.dice.random_range(1..stay.len())) % stay.len();
                acts.push((at, Act::Ask(stay[from], stay[whom])));
            }
        }
        acts.sort_unstable();
        acts
    }

    /// One user looks another up.
    pub(super) fn consult_one(&mut self, from: usize, whom: usize) {
        let name = self.population.name(whom).clone();
        let id = Asked::Consult(whom as u32).id();
        self.world.command(self.population.host(from), id, Command::Lookup { name });
        self.look();
    }
}
