//! The world of one scenario with everybody who watches it.

use super::asked::Asked;
use super::file::Scenario;
use super::play::{Progress, Pulse};
use super::population::Population;
use crate::checks::{Degree, Delivery, Era, Findings, Hops, Liveness, Presence, Promise, Standing};
use crate::measure::{Changes, Ground, Moment, Series, Survey};
use crate::net::Places;
use crate::world::{Crash, MemoVerifier, Realm, Seen, Sighting, World};
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
    pub(super) liveness: Liveness,
    pub(super) standing: Standing,
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
    births: ChaCha8Rng,
    realm: Realm,
    config: Arc<Config>,
    supernodes: Vec<Contact>,
    /// Where each supernode's last process runs, and who it is.
    supernode_hosts: Vec<(u32, Arc<Identity>)>,
    users: Vec<Arc<Identity>>,
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
            #[cfg(feature = "seeded-bugs")]
            seeded_bug: scenario.seeded_bug,
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
            hops: Hops::default(),
            promise: Promise::default(),
            presence: Presence::default(),
            liveness: Liveness::new(hosts),
            standing: Standing::new(spec.degree, trees, hosts),
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

    /// Starts the next supernode.
    pub(super) fn start_supernode(&mut self) {
        let first = self.supernodes.is_empty();
        let identity = self.realm.supernode(first);
        let hosts = self.supernodes.iter().take(INVITED_TO).cloned().collect();
        let (node, host) = self.start(identity.clone(), hosts);
        self.supernode_hosts.push((host, identity));
        let addresses = vec![World::<Node>::address(host)];
        self.supernodes.push(Contact { node, addresses });
    }

    /// Starts a user's host and has it log in, after registering if it has to.
    pub(super) fn start_user(&mut self, user: usize) {
        debug_assert_eq!(user, self.users.len(), "users arrive in order");
        let name = self.population.name(user);
        let identity =
            if self.registers(user) { self.realm.newcomer() } else { self.realm.user(name) };
        self.users.push(identity.clone());
        let contacts = self.invited_to();
        let (_, host) = self.start(identity, contacts);
        debug_assert_eq!(host, self.population.host(user));
        self.log_in(user);
    }

    fn registers(&self, user: usize) -> bool {
        let every = self.scenario.population.register_every;
        every > 0 && user.is_multiple_of(every)
    }

    /// Has a user's process, which has just been started, log in, after registering if it has to.
    fn log_in(&mut self, user: usize) {
        let host = self.population.host(user);
        self.degree.started(host);
        self.standing.started(host, self.world.now());
        self.liveness.told_to_log_in(host, self.world.now());
        if self.registers(user) {
            let name = self.population.name(user).clone();
            let command = Command::Register { name, code: None };
            self.world.command(host, Asked::Register.id(), command);
        } else {
            self.world.command(host, Asked::Login.id(), Command::Login);
        }
        self.look();
    }

    /// Ends processes of users. What was under way from and to them may be lost.
    pub(super) fn end_users(&mut self, users: &[usize], how: Crash) {
        let hosts: Vec<u32> = users.iter().map(|user| self.population.host(*user)).collect();
        let now = self.now();
        self.world.crash(&hosts, how);
        self.standing.crashed(&hosts, now);
        users.iter().for_each(|user| self.delivery.left(*user, now));
        hosts.iter().for_each(|host| self.presence.ended(*host, now));
    }

    /// Has a user log out; its process lives on until somebody ends it.
    pub(super) fn log_out(&mut self, user: usize) {
        let (host, now) = (self.population.host(user), self.now());
        self.delivery.left(user, now);
        self.liveness.told_to_log_out(host);
        self.world.command(host, Asked::Logout.id(), Command::Logout);
        self.look();
    }

    /// The numbers of the supernodes that live.
    pub(super) fn live_supernodes(&self) -> Vec<usize> {
        let all = 0..self.supernode_hosts.len();
        all.filter(|index| self.world.is_alive(self.supernode_host(*index))).collect()
    }

    /// The host of a supernode's last process.
    pub(super) fn supernode_host(&self, index: usize) -> u32 {
        self.supernode_hosts[index].0
    }

    /// Starts all supernodes again that are down, where they were.
    pub(super) fn restart_supernodes(&mut self) {
        for index in 0..self.supernode_hosts.len() {
            let (ended, identity) = self.supernode_hosts[index].clone();
            if !self.world.is_alive(ended) {
                let others = self.supernodes.iter().filter(|other| other.node != identity.node());
                let hosts = others.take(INVITED_TO).cloned().collect();
                self.population.came_back(None);
                self.supernode_hosts[index].0 = self.world.next_host();
                self.start_again(ended, true, identity, hosts);
            }
        }
        self.look();
    }

    /// Dice for what happens to single frames, the same for each fault.
    pub(super) fn fault_dice(&self) -> ChaCha8Rng {
        dice(self.scenario.seed, Dice::Faults)
    }

    /// A user whose process has ended is back with a new one, at a new address every other time.
    pub(super) fn return_user(&mut self, user: usize) {
        let ended = self.population.host(user);
        let keeps_address = self.births.random();
        let (identity, contacts) = (self.users[user].clone(), self.invited_to());
        self.population.came_back(Some(user));
        self.start_again(ended, keeps_address, identity, contacts);
        self.log_in(user);
    }

    fn start_again(&mut self, ended: u32, keep: bool, who: Arc<Identity>, hosts: Vec<Contact>) {
        let node = self.node(who.clone(), hosts);
        let host = self.world.start_again(ended, keep, node);
        self.population.runs(who.node(), host);
        self.standing.make_room(host);
        self.degree.started(host);
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
        let id = identity.node();
        let node = self.node(identity, hosts);
        self.population.runs(id, self.world.next_host());
        let host = self.world.start(id, node, &mut self.births);
        (id, host)
    }

    /// A fresh process of somebody.
    fn node(&mut self, identity: Arc<Identity>, hosts: Vec<Contact>) -> Node {
        let mut seed = [0; 32];
        self.births.fill_bytes(&mut seed);
        // The wall clock of set-up has moved on since; a node is told what it shows now.
        let now = self.world.now();
        let wall = self.realm.wall_at_start().plus(now.since(Time(0)));
        Node::new(Setup { config: self.config.clone(), identity, hosts, seed, wall }, now)
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
        self.hops.see(sighting);
        self.presence.see(sighting, &self.population);
        let world = &self.world;
        if let Some(node) = world.machine(sighting.host) {
            self.promise.see(sighting, node.routes());
        }
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
