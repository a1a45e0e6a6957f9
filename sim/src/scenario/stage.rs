//! The world of one scenario with everybody who watches it.

use super::asked::Asked;
use super::file::{Scenario, span};
use super::hot::Heat;
use super::play::Progress;
use super::population::Population;
use super::sybil::Siege;
use crate::checks::{
    Convergence, Degree, Delivery, Era, Findings, Hops, Index, Liveness, Mail, Membership,
    Presence, Promise, ShutOut, Standing, Storm, Strangers, Talks,
};
use crate::measure::{Changes, Ground, Series, Survey};
use crate::net::Places;
use crate::world::{MemoVerifier, Realm, Sighting, World};
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::Command;
use overlay_proto::time::{Span, Time};
use overlay_proto::{Config, Node};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Pairs of peers that a survey walks, at least: shares are then known to a few parts in 10,000.
const SURVEY_PAIRS: usize = 20_000;
/// The same at the end, for each peer: the busiest of many is told from chance only if the mean peer
/// forwards about a dozen.
const SURVEYS_EACH: usize = 2;

/// The run was asked to stop.
#[derive(Debug)]
pub(super) struct Interrupted;

/// Which shares of all links, and of all hops of walks, are those of a few.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lure {
    pub links: Option<f64>,
    pub routes: Option<f64>,
}

/// Independent dice, one for each purpose: drawing more of one changes none of the others.
#[derive(Debug, Clone, Copy)]
enum Dice {
    Network = 1,
    Keys = 2,
    Births = 3,
    Script = 4,
    Faults = 5,
    Survey = 8,
}

fn dice(seed: u64, purpose: Dice) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}

pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: World<Node>,
    pub(super) population: Population,
    pub(super) delivery: Delivery,
    pub(super) degree: Degree,
    pub(super) hops: Hops,
    pub(super) promise: Promise,
    pub(super) presence: Presence,
    pub(super) index: Index,
    pub(super) convergence: Convergence,
    /// When the index is glanced at next.
    pub(super) glance_at: Time,
    pub(super) liveness: Liveness,
    pub(super) standing: Standing,
    pub(super) storm: Storm,
    pub(super) strangers: Strangers,
    /// How the ways of packets led through liars, before they lied and when they had.
    pub(super) lured: Option<(Lure, Lure)>,
    /// What became of the honest ones among strangers.
    pub(super) siege: Option<Siege>,
    /// Of all log-ins, those that were granted during a flood.
    pub(super) flooded: Option<Range<usize>>,
    /// What was sent before and while a user was hot.
    pub(super) heat: Option<Heat>,
    /// The supernodes that each user's device remembers, by their numbers.
    pub(super) caches: Vec<Vec<u16>>,
    pub(super) shut_out: ShutOut,
    pub(super) talks: Talks,
    pub(super) mail: Mail,
    pub(super) membership: Membership,
    /// When the last that were cut off from a revocation were back.
    pub(super) healed: Option<Time>,
    /// What the script itself found wrong.
    pub(super) findings: Findings,
    pub(super) verifier: Arc<MemoVerifier>,
    pub(super) escalations: u64,
    pub(super) era: Era,
    /// Whether there was a crash.
    pub(super) crashed: bool,
    /// Hosts that do not do as they should: what they send and are sent may be lost.
    pub(super) suspects: Vec<u32>,
    /// When everybody had a place for the first time, and the control bytes sent until then.
    pub(super) settled: Option<(Time, u64)>,
    pub(super) changes: Changes,
    pub(super) series: Series,
    /// Into how many parts the links fall at the end.
    pub(super) parts: Option<usize>,
    /// Walks over the network at the end.
    pub(super) survey: Option<Survey>,
    /// Walks among the survivors of each crash, before any repair.
    pub(super) crash_walks: Vec<Survey>,
    survey_dice: ChaCha8Rng,
    /// The script's dice.
    pub(super) dice: ChaCha8Rng,
    pub(super) births: ChaCha8Rng,
    pub(super) realm: Realm,
    pub(super) config: Arc<Config>,
    pub(super) supernodes: Vec<Contact>,
    /// Where each supernode's last process runs, and who it is.
    pub(super) supernode_hosts: Vec<(u32, Arc<Identity>)>,
    pub(super) users: Vec<Arc<Identity>>,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) stop: &'a AtomicBool,
    pub(super) sightings: Vec<Sighting>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        progress: &'a mut dyn Progress,
        stop: &'a AtomicBool,
    ) -> Stage<'a> {
        let spec = &scenario.population;
        let (hosts, trees) = (spec.peers + spec.supernodes, scenario.trees());
        let verifier = Arc::new(MemoVerifier::default());
        // A crowded world is still served: what a supernode carries is not what scenarios study.
        let children = (2 * spec.peers / spec.supernodes).max(800);
        let config = Config {
            degree: spec.degree,
            near: spec.near,
            trees,
            tree_steps: Vec::new(),
            children_soft: children,
            children_hard: children + children / 4,
            logins_per_second: scenario.supernode.logins_per_second,
            login_ramp: span(scenario.supernode.login_ramp_secs),
            verifier: verifier.clone(),
            mail: scenario.writes(),
            mail_fetch: Span::secs(60),
            mail_gap: Span::secs(1_800),
            #[cfg(feature = "seeded-bugs")]
            seeded_bug: scenario.seeded_bug,
            ..Config::default()
        };
        let mut network = dice(scenario.seed, Dice::Network);
        let places = Places::new(scenario.latency(), &mut network);
        let mut world = World::new(places, scenario.transport());
        world.set_work(scenario.work(), verifier.clone());
        Stage {
            scenario,
            world,
            population: Population::new(spec.supernodes, spec.peers),
            delivery: Delivery::default(),
            degree: Degree::new(spec.degree, hosts),
            hops: Hops::default(),
            promise: Promise::default(),
            presence: Presence::default(),
            index: Index::default(),
            convergence: Convergence::default(),
            glance_at: Time(0),
            liveness: Liveness::new(hosts),
            standing: Standing::new(spec.degree, trees, hosts),
            storm: Storm::default(),
            strangers: Strangers::default(),
            lured: None,
            siege: None,
            flooded: None,
            heat: None,
            caches: vec![Vec::new(); spec.peers],
            shut_out: ShutOut::default(),
            talks: Talks::default(),
            mail: Mail::default(),
            membership: Membership::default(),
            healed: None,
            findings: Findings::default(),
            verifier,
            escalations: 0,
            era: Era::Before,
            crashed: false,
            suspects: Vec::new(),
            settled: None,
            changes: Changes::default(),
            series: Series::default(),
            parts: None,
            survey: None,
            crash_walks: Vec::new(),
            survey_dice: dice(scenario.seed, Dice::Survey),
            dice: dice(scenario.seed, Dice::Script),
            births: dice(scenario.seed, Dice::Births),
            realm: Realm::new(dice(scenario.seed, Dice::Keys)),
            config: Arc::new(config),
            supernodes: Vec::new(),
            supernode_hosts: Vec::new(),
            users: Vec::new(),
            progress,
            stop,
            sightings: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Time {
        self.world.now()
    }

    pub(super) fn phase(&mut self, text: &str) {
        self.progress.phase(text);
    }

    /// Notes something wrong with the run as a whole.
    pub(super) fn complain(&mut self, check: &'static str, what: String) {
        let now = self.now();
        self.findings.add(check, now, what);
    }

    /// Dice for what happens to single frames, the same for each fault.
    pub(super) fn fault_dice(&self) -> ChaCha8Rng {
        dice(self.scenario.seed, Dice::Faults)
    }

    /// Has a user send a message to another.
    pub(super) fn send(&mut self, from: usize, to: usize) {
        let now = self.now();
        let is_honest = |user| !self.suspects.contains(&self.population.host(user));
        let among_the_honest = !self.suspects.is_empty() && is_honest(from) && is_honest(to);
        let era = if among_the_honest { Era::After } else { self.era };
        let (number, text) = self.delivery.send(from, to, era, now);
        let to = self.population.name(to).clone();
        let host = self.population.host(from);
        self.world.command(host, Asked::Send(number).id(), Command::Send { to, text });
        self.look();
    }

    /// Has a user look another up.
    pub(super) fn look_up(&mut self, from: usize, whom: usize) {
        let name = self.population.name(whom).clone();
        let host = self.population.host(from);
        self.world.command(host, Asked::Lookup.id(), Command::Lookup { name });
        self.look();
    }

    /// Users whose hosts live.
    pub(super) fn live_users(&self) -> Vec<usize> {
        let started = self.world.next_host();
        let users = 0..self.population.users();
        let host = |user: &usize| self.population.host(*user);
        users.filter(|u| host(u) < started && self.world.is_alive(host(u))).collect()
    }

    /// How the ways of packets lead through those who are suspected.
    pub(super) fn routes_through_suspects(&mut self) -> Lure {
        let ground = Ground::new(&self.world, &self.population);
        let routes = ground.share_through(&self.suspects, SURVEY_PAIRS, &mut self.survey_dice);
        Lure { links: ground.links_share(&self.suspects), routes }
    }

    /// Walks over the network as it stands at the end.
    pub(super) fn survey_the_end(&mut self) {
        let ground = Ground::new(&self.world, &self.population);
        let pairs = SURVEY_PAIRS.max(SURVEYS_EACH * ground.peers());
        self.survey = Some(ground.survey(pairs, &mut self.survey_dice));
    }

    /// Walks among the survivors of a crash that has just struck.
    pub(super) fn survey_the_crash(&mut self) {
        let ground = Ground::new(&self.world, &self.population).with_the_dead_noticed();
        let walks = ground.survey(SURVEY_PAIRS, &mut self.survey_dice);
        self.crash_walks.push(walks);
    }
}
