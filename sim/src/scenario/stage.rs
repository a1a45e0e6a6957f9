//! The world of one scenario with everybody who watches it.

use super::asked::Asked;
use super::file::Scenario;
use super::play::{Progress, Pulse};
use super::population::Population;
use crate::checks::{Degree, Delivery, Era, Findings, Liveness, Standing};
use crate::measure::{Changes, Ground, Moment, Series, Survey};
use crate::net::Places;
use crate::world::{MemoVerifier, Realm, Seen, Sighting, World};
use overlay_proto::id::NodeId;
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::{Command, Event, Reply};
use overlay_proto::node::Setup;
use overlay_proto::time::Time;
use overlay_proto::wire::Class;
use overlay_proto::{Config, Node};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Supernodes that an invitation names.
const INVITED_TO: usize = 3;
/// Events between two looks at the progress display and the stop flag.
const PULSE_EVENTS: u64 = 1 << 13;

/// Pairs of peers that a survey walks, at least: shares are then known to a few parts in 10,000.
const SURVEY_PAIRS: usize = 20_000;

/// The run was asked to stop.
#[derive(Debug)]
pub(super) struct Interrupted;

/// Independent dice, one for each purpose: drawing more of one changes none of the others.
#[derive(Debug, Clone, Copy)]
enum Dice {
    Network = 1,
    Keys = 2,
    Births = 3,
    Script = 4,
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
    pub(super) liveness: Liveness,
    pub(super) standing: Standing,
    /// What the script itself found wrong.
    pub(super) findings: Findings,
    pub(super) verifier: Arc<MemoVerifier>,
    pub(super) escalations: u64,
    pub(super) era: Era,
    /// Whether there was a crash.
    pub(super) crashed: bool,
    /// When everybody had a place for the first time, and the control bytes sent until then.
    pub(super) settled: Option<(Time, u64)>,
    pub(super) changes: Changes,
    pub(super) series: Series,
    /// Walks over the network at the end.
    pub(super) survey: Option<Survey>,
    /// Walks among the survivors of each crash, before any repair.
    pub(super) crash_walks: Vec<Survey>,
    survey_dice: ChaCha8Rng,
    /// The script's dice.
    pub(super) dice: ChaCha8Rng,
    births: ChaCha8Rng,
    realm: Realm,
    config: Arc<Config>,
    supernodes: Vec<Contact>,
    progress: &'a mut dyn Progress,
    stop: &'a AtomicBool,
    sightings: Vec<Sighting>,
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
            verifier: verifier.clone(),
            ..Config::default()
        };
        let mut network = dice(scenario.seed, Dice::Network);
        let places = Places::new(scenario.latency(), &mut network);
        Stage {
            scenario,
            world: World::new(places, scenario.transport()),
            population: Population::new(spec.supernodes, spec.peers),
            delivery: Delivery::default(),
            degree: Degree::new(spec.degree, hosts),
            liveness: Liveness::new(hosts),
            standing: Standing::new(spec.degree, trees, hosts),
            findings: Findings::default(),
            verifier,
            escalations: 0,
            era: Era::Before,
            crashed: false,
            settled: None,
            changes: Changes::default(),
            series: Series::default(),
            survey: None,
            crash_walks: Vec::new(),
            survey_dice: dice(scenario.seed, Dice::Survey),
            dice: dice(scenario.seed, Dice::Script),
            births: dice(scenario.seed, Dice::Births),
            realm: Realm::new(dice(scenario.seed, Dice::Keys)),
            config: Arc::new(config),
            supernodes: Vec::new(),
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

    /// Starts the next supernode.
    pub(super) fn start_supernode(&mut self) {
        let first = self.supernodes.is_empty();
        let identity = self.realm.supernode(first);
        let hosts = self.supernodes.iter().take(INVITED_TO).cloned().collect();
        let (node, host) = self.start(identity, hosts);
        let addresses = vec![World::<Node>::address(host)];
        self.supernodes.push(Contact { node, addresses });
    }

    /// Starts a user's host and has it log in, after registering if it has to.
    pub(super) fn start_user(&mut self, user: usize) {
        let every = self.scenario.population.register_every;
        let registers = every > 0 && user.is_multiple_of(every);
        let name = self.population.name(user).clone();
        let identity = if registers { self.realm.newcomer() } else { self.realm.user(&name) };
        let contacts = self.invited_to();
        let (_, host) = self.start(identity, contacts);
        debug_assert_eq!(host, self.population.host(user));
        self.standing.started(host, self.world.now());
        self.liveness.told_to_log_in(host, self.world.now());
        if registers {
            let command = Command::Register { name, code: None };
            self.world.command(host, Asked::Register.id(), command);
        } else {
            self.world.command(host, Asked::Login.id(), Command::Login);
        }
        self.look();
    }

    /// A few supernodes, each equally likely.
    fn invited_to(&mut self) -> Vec<Contact> {
        let mut order: Vec<usize> = (0..self.supernodes.len()).collect();
        let few = INVITED_TO.min(order.len());
        for place in 0..few {
            let drawn = self.births.random_range(place..order.len());
            order.swap(place, drawn);
        }
        order[..few].iter().map(|index| self.supernodes[*index].clone()).collect()
    }

    fn start(&mut self, identity: Arc<Identity>, hosts: Vec<Contact>) -> (NodeId, u32) {
        let mut seed = [0; 32];
        self.births.fill_bytes(&mut seed);
        let (config, node) = (self.config.clone(), identity.node());
        let setup = Setup { config, identity, hosts, seed, wall: self.realm.wall_at_start() };
        // The wall clock of set-up has moved on since; a node is told what it shows now.
        let now = self.world.now();
        let setup = Setup { wall: setup.wall.plus(now.since(Time(0))), ..setup };
        self.population.runs(node, self.world.next_host());
        let host = self.world.start(node, Node::new(setup, now), &mut self.births);
        (node, host)
    }

    /// Has a user send a message to another.
    pub(super) fn send(&mut self, from: usize, to: usize) {
        let now = self.now();
        let (number, text) = self.delivery.send(from, to, self.era, now);
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

    /// Walks over the network as it stands at the end.
    pub(super) fn survey_the_end(&mut self) {
        let ground = Ground::new(&self.world, &self.population);
        let pairs = ground.peers().max(SURVEY_PAIRS);
        self.survey = Some(ground.survey(pairs, &mut self.survey_dice));
    }

    /// Walks among the survivors of a crash that has just struck.
    pub(super) fn survey_the_crash(&mut self) {
        let ground = Ground::new(&self.world, &self.population).with_the_dead_noticed();
        let walks = ground.survey(SURVEY_PAIRS, &mut self.survey_dice);
        self.crash_walks.push(walks);
    }

    /// Lets all happen that happens until `until`; then it is `until`.
    pub(super) fn wait(&mut self, until: Time) -> Result<(), Interrupted> {
        self.wait_for(until, |_| false).map(|_| ())
    }

    /// As [`Stage::wait`], but ends when `done` holds, with true.
    pub(super) fn wait_for(
        &mut self,
        until: Time,
        done: impl Fn(&Stage) -> bool,
    ) -> Result<bool, Interrupted> {
        while let Some(next) = self.world.next_at().filter(|next| *next <= until) {
            if done(self) {
                return Ok(true);
            }
            if self.series.is_due(next) {
                self.keep_moment();
            }
            self.world.step();
            if self.world.has_sightings() {
                self.look();
            }
            if self.world.tally().events.is_multiple_of(PULSE_EVENTS) {
                self.pulse()?;
            }
        }
        self.world.wait_until(until);
        Ok(done(self))
    }

    /// Notes the counts as they are now.
    pub(super) fn keep_moment(&mut self) {
        self.series.keep(Moment {
            at: self.now(),
            sent: self.delivery.messages().len(),
            delivered: self.delivery.delivered(),
            here: self.standing.here(),
            whole: self.standing.whole(),
            control_bytes: self.world.tally().class(Class::Control).bytes,
            labels: self.changes.labels(),
        });
    }

    fn pulse(&mut self) -> Result<(), Interrupted> {
        let pulse = Pulse {
            now: self.world.now(),
            events: self.world.tally().events,
            here: self.standing.here(),
            whole: self.standing.whole(),
            open: self.delivery.open(),
        };
        self.progress.pulse(pulse);
        if self.stop.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
    }

    /// Shows the checks what hosts have told.
    fn look(&mut self) {
        while self.world.has_sightings() {
            let mut sightings = std::mem::take(&mut self.sightings);
            self.world.take_sightings(&mut sightings);
            for sighting in sightings.drain(..) {
                self.show(&sighting);
            }
            self.sightings = sightings;
        }
    }

    fn show(&mut self, sighting: &Sighting) {
        self.standing.see(sighting, &self.population);
        self.degree.see(sighting);
        self.delivery.see(sighting, &self.population);
        self.liveness.see(sighting);
        let world = &self.world;
        self.changes.see(sighting, &self.population, |host| world.is_alive(host));
        match &sighting.what {
            Seen::Event(Event::Escalated { .. }) => self.escalations += 1,
            Seen::Reply(id, Reply::Registered { .. }) if *id == Asked::Register.id() => {
                self.world.command(sighting.host, Asked::Login.id(), Command::Login);
            }
            _ => {}
        }
    }
}
