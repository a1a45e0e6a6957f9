//! The virtual world: one heap of (time, sequence), hosts that run state machines, links between
//! them. The same seed gives the same run, to the byte (DESIGN, section 10).
//!
//! The world carries and decides nothing: it is a driver, as `overlay-node` is one.

mod adversary;
mod carry;
mod crash;
mod disk;
mod drawers;
mod faults;
mod follow;
mod forgery;
mod liars;
mod links;
mod memo;
mod passage;
mod pause;
mod queue;
mod realm;
mod stranger;
mod tally;
mod trace;
mod work;

pub use adversary::Mischief;
pub use crash::Crash;
pub use faults::{Ailment, Weather};
pub use follow::Follow;
pub use forgery::Forgery;
pub use liars::Falsehood;
pub use memo::{Checks, MemoVerifier};
pub use passage::Passage;
pub use pause::First;
pub use realm::Realm;
pub use stranger::{Gains, Stranger};
pub use tally::{Count, Tally};
pub use work::Work;

use crate::net::Places;
use adversary::Adversaries;
use disk::Disk;
use drawers::Drawers;
use faults::Faults;
use liars::IndexLiars;
use links::{End, EndAt, Links};
use overlay_proto::Node;
use overlay_proto::id::{CommandId, DialId, LinkId, MessageId, NodeId, StoreId, UserKey};
use overlay_proto::io::{Command, Deadline, Event, Input, Output, Reply};
use overlay_proto::mail::{ShownLetter, VaultRequest};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time, WallTime};
use overlay_proto::wire::TransportAddress;
use pause::Pauses;
use queue::{Happening, Queue};
use trace::Trace;
use work::Workshop;

/// What runs on a host: the contract of DESIGN, section 3.
pub trait Machine {
    /// Takes one input.
    fn handle_input(&mut self, now: Time, input: Input);
    /// Gives the next output, until there is none.
    fn poll_output(&mut self) -> Option<Output>;
    /// When it wants the next tick.
    fn poll_timeout(&self) -> Option<Deadline>;
}

impl Machine for Node {
    fn handle_input(&mut self, now: Time, input: Input) {
        Node::handle_input(self, now, input);
    }
    fn poll_output(&mut self) -> Option<Output> {
        Node::poll_output(self)
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        Node::poll_timeout(self)
    }
}

/// How transports behave, apart from distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// When a dial is given up that nobody answers, as TCP does after some repeats of its SYN.
    pub dial_timeout: Span,
    /// One-way trips until the dialled end has the link, three for TCP and Noise; the dialler has
    /// it one trip later.
    pub handshake_trips: u64,
    /// Bytes per second of each link, each way.
    pub bytes_per_second: u64,
    /// How long the durable store takes.
    pub disk: Span,
}

impl Default for Transport {
    fn default() -> Transport {
        Transport {
            dial_timeout: Span::secs(3),
            handshake_trips: 3,
            bytes_per_second: 12_500_000,
            disk: Span::millis(5),
        }
    }
}

/// Something that is seen of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: Time,
    /// Which host.
    pub host: u32,
    /// What.
    pub what: Seen,
}

/// What is seen of a host: what it tells its application, and what packets it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The end of a command.
    Reply(CommandId, Reply),
    /// Something worth knowing.
    Event(Event),
    /// A packet that it has put on a link, which no application sees.
    Passed(Box<Passage>),
    /// It has asked a supernode for a session.
    AskedIn,
    /// A letter is durably in front of its application.
    Shown(Box<ShownLetter>),
    /// A message of its own has ended for good.
    Ended(MessageId, Status),
}

/// Whether a host runs, and if not, how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Alive,
    /// Without a sound: to others it is as if the network had swallowed it.
    Vanished,
    /// Its system is still there and says that nobody listens.
    Killed,
}

/// What runs on a host.
#[derive(Debug)]
enum Runs<M> {
    /// A node of the realm, or one that would be.
    Node(Box<M>),
    /// Somebody of whom nothing is seen but what it does to nodes.
    Stranger(Box<Stranger>),
}

impl<M: Machine> Runs<M> {
    fn handle_input(&mut self, now: Time, input: Input) {
        match self {
            Runs::Node(machine) => machine.handle_input(now, input),
            Runs::Stranger(stranger) => stranger.handle_input(now, input),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Runs::Node(machine) => machine.poll_output(),
            Runs::Stranger(stranger) => stranger.poll_output(),
        }
    }

    /// When it wants to be woken.
    fn due(&self) -> Option<Time> {
        let deadline = match self {
            Runs::Node(machine) => machine.poll_timeout(),
            Runs::Stranger(stranger) => stranger.poll_timeout(),
        };
        deadline.map(|deadline| deadline.at)
    }
}

/// The address of the host with this index.
fn address_of(host: u32) -> TransportAddress {
    TransportAddress::new(format!("v/{host}")).expect("a dozen characters fit")
}

#[derive(Debug)]
struct Host<M> {
    machine: Option<Runs<M>>,
    node: NodeId,
    address: TransportAddress,
    life: Life,
    /// When its machine wants to be woken.
    due: Time,
    /// The earliest wake in the queue, the only valid one.
    wake: Time,
    /// The host that has its address now.
    successor: Option<u32>,
}

/// The world.
#[derive(Debug)]
pub struct World<M> {
    now: Time,
    queue: Queue,
    hosts: Vec<Host<M>>,
    links: Links,
    places: Places,
    transport: Transport,
    disk: Disk,
    drawers: Drawers,
    tally: Tally,
    trace: Trace,
    faults: Faults,
    pauses: Pauses,
    adversaries: Adversaries,
    liars: IndexLiars,
    workshop: Workshop,
    sightings: Vec<Sighting>,
    follow: Option<Follow>,
}

impl<M: Machine> World<M> {
    /// The store knows a user who was certified when the realm was set up.
    pub fn know(&mut self, name: Name, user: UserKey, serial: u64) {
        self.disk.know(name, user, serial);
    }

    /// An empty world in which `places` gives every host its place.
    pub fn new(places: Places, transport: Transport) -> World<M> {
        World {
            now: Time(0),
            queue: Queue::default(),
            hosts: Vec::new(),
            links: Links::default(),
            places,
            transport,
            disk: Disk::starting_at(realm::FIRST_STORE_SERIAL),
            drawers: Drawers::default(),
            tally: Tally::default(),
            trace: Trace::new(),
            faults: Faults::default(),
            pauses: Pauses::default(),
            adversaries: Adversaries::default(),
            liars: IndexLiars::default(),
            workshop: Workshop::default(),
            sightings: Vec::new(),
            follow: None,
        }
    }

    /// From now on it is told what happens at some hosts.
    pub fn follow(&mut self, follow: Follow) {
        self.follow = Some(follow);
    }

    /// The address of the host with this index.
    pub fn address(host: u32) -> TransportAddress {
        address_of(host)
    }

    /// The index that the next host will have.
    pub fn next_host(&self) -> u32 {
        self.hosts.len() as u32
    }

    /// Places a host and starts `machine` on it. Returns its index.
    pub fn start(&mut self, node: NodeId, machine: M, rng: &mut impl rand::Rng) -> u32 {
        let host = self.places.add(rng);
        self.run(host, node, machine, Self::address(host))
    }

    /// Starts a new process, as a host of its own, on the machine of a host that has ended. It
    /// either `keeps_address`, and who dials that reaches it, or has a new one.
    pub fn start_again(&mut self, ended: u32, keeps_address: bool, machine: M) -> u32 {
        let host = self.places.add_beside(ended);
        let before = &mut self.hosts[ended as usize];
        let (node, mut address) = (before.node, Self::address(host));
        if keeps_address {
            before.successor = Some(host);
            address = before.address.clone();
        }
        self.run(host, node, machine, address)
    }

    fn run(&mut self, host: u32, node: NodeId, machine: M, address: TransportAddress) -> u32 {
        self.settle(host, node, Runs::Node(Box::new(machine)), address.clone());
        if let Some(kept) = self.drawers.kept(node) {
            self.give(host, kind::RECORDS, &node.0, Input::Records(kept));
        }
        self.give(host, kind::LISTENING, &node.0, Input::Listening(vec![address]));
        host
    }

    fn settle(&mut self, host: u32, node: NodeId, machine: Runs<M>, address: TransportAddress) {
        debug_assert_eq!(host as usize, self.hosts.len(), "hosts have their places in order");
        self.hosts.push(Host {
            machine: Some(machine),
            node,
            address,
            life: Life::Alive,
            due: Time::NEVER,
            wake: Time::NEVER,
            successor: None,
        });
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Time> {
        self.queue.next_at()
    }

    /// Lets the next thing happen. False if there is none.
    pub fn step(&mut self) -> bool {
        let Some((at, what)) = self.queue.pop() else { return false };
        debug_assert!(at >= self.now, "time goes forward");
        self.now = at;
        self.happen(what);
        true
    }

    /// Moves the clock to `at`, which is not before now and not after [`World::next_at`].
    pub fn wait_until(&mut self, at: Time) {
        debug_assert!(at >= self.now && self.next_at().is_none_or(|next| at <= next));
        self.now = at;
    }

    /// Gives a host a command; a dead one is not listening.
    pub fn command(&mut self, host: u32, id: CommandId, command: Command) {
        self.give(host, kind::COMMAND, &id.0.to_le_bytes(), Input::Command { id, command });
    }

    /// A host's wall clock is set: it shows as much more than the true time, or less.
    pub fn set_clock(&mut self, host: u32, shift_ms: i64) {
        let true_ms = realm::WALL_AT_START.plus(self.now.since(Time(0))).0;
        let wall = WallTime(true_ms.saturating_add_signed(shift_ms));
        self.give(host, kind::CLOCK, &wall.0.to_le_bytes(), Input::WallClock(wall));
    }

    /// Whether hosts have told anything since it was last taken.
    pub fn has_sightings(&self) -> bool {
        !self.sightings.is_empty()
    }

    /// What hosts have told since this was last asked.
    pub fn take_sightings(&mut self, into: &mut Vec<Sighting>) {
        into.append(&mut self.sightings);
    }

    /// Whether a host runs.
    pub fn is_alive(&self, host: u32) -> bool {
        self.hosts[host as usize].life == Life::Alive
    }

    /// The machine of a host, while it runs.
    pub fn machine(&self, host: u32) -> Option<&M> {
        match self.hosts[host as usize].machine.as_ref()? {
            Runs::Node(machine) => Some(machine),
            Runs::Stranger(_) => None,
        }
    }

    /// How long a byte is under way between two hosts.
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        self.places.one_way(a, b)
    }

    /// The counts so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Links that are up or opening.
    pub fn live_links(&self) -> usize {
        self.links.live()
    }

    /// Things that are going to happen.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The hash of all that has happened, in hex.
    pub fn trace_hash(&self) -> String {
        self.trace.hex()
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Frame { link, frame } => self.arrive(link, frame),
            Happening::Knock { dialler, target, dial } => self.knock(dialler, target, dial),
            Happening::Opened { link, dial } => self.opened(link, dial),
            Happening::DialFailed { host, dial } => {
                self.tally.dials_failed += 1;
                let input = Input::DialFailed { dial };
                self.give(host, kind::DIAL_FAILED, &dial.0.to_le_bytes(), input);
            }
            Happening::Down { link } => self.down(link),
            Happening::Stored { host, id, answer } => {
                let (bytes, answer) = (id.0.to_le_bytes(), *answer);
                self.give(host, kind::STORED, &bytes, Input::Stored { id, answer });
            }
            Happening::Vaulted { host, id, request } => self.vaulted(host, id, *request),
            Happening::Wake { host } => self.wake(host),
            Happening::Run { host } => self.run_on(host),
            Happening::CoreFree { host } => self.work_on(host),
        }
    }

    /// What a host wanted kept is on its disk now, unless it has ended meanwhile: nobody was told.
    fn vaulted(&mut self, host: u32, id: StoreId, request: VaultRequest) {
        if !self.is_alive(host) {
            return;
        }
        let node = self.hosts[host as usize].node;
        let (answer, told) = self.drawers.answer(node, request);
        for letter in told.shown {
            self.saw(host, Seen::Shown(Box::new(letter)));
        }
        for (id, status) in told.ended {
            self.saw(host, Seen::Ended(id, status));
        }
        self.give(host, kind::VAULTED, &id.0.to_le_bytes(), Input::Vaulted { id, answer });
    }

    /// A host's letters and ratchets are those of an earlier moment, as after a restored backup, or
    /// that moment is now.
    pub fn back_up_letters(&mut self, node: NodeId) {
        self.drawers.back_up(node);
    }

    /// See [`World::back_up_letters`].
    pub fn restore_letters(&mut self, node: NodeId) {
        self.drawers.restore(node);
    }

    fn arrive(&mut self, link: LinkId, frame: Vec<u8>) {
        match self.links.find(link).filter(|at| self.links.end(*at) == End::Up) {
            Some(at) => {
                let host = self.links.host(at);
                self.trace_and_take(host, kind::FRAME, link.0, frame);
            }
            None => self.tally.lost(frame.len()),
        }
    }

    fn trace_and_take(&mut self, host: u32, kind: u8, link: u64, frame: Vec<u8>) {
        if self.is_paused(host) {
            let bytes = frame.clone();
            let input = Input::Received { link: LinkId(link), frame };
            return self.give(host, kind, &bytes, input);
        }
        self.trace.fold(self.now, host, kind, &frame);
        self.take(host, Input::Received { link: LinkId(link), frame });
    }

    fn knock(&mut self, dialler: u32, target: u32, dial: DialId) {
        if !self.is_alive(dialler) {
            return;
        }
        if self.is_paused(dialler) {
            return self.dial_in_vain(dialler, dial);
        }
        let delay = self.places.one_way(dialler, target);
        match self.life_seen(dialler, target) {
            Life::Alive if self.is_crowded(target) => {
                self.queue.push(self.now + delay, Happening::DialFailed { host: dialler, dial });
            }
            Life::Alive => {
                let at = self.links.open(dialler, target, delay, self.now);
                self.tally.links += 1;
                self.answer_dial(at, dial);
                self.link_up(at.other(), None);
            }
            Life::Killed => {
                self.queue.push(self.now + delay, Happening::DialFailed { host: dialler, dial });
            }
            // It vanished while the dial was on its way.
            Life::Vanished => self.dial_in_vain(dialler, dial),
        }
    }

    fn opened(&mut self, link: LinkId, dial: DialId) {
        let opening = |at: &EndAt| self.links.end(*at) == End::Opening;
        if let Some(at) = self.links.find(link).filter(opening) {
            self.links.set_end(at, End::Up);
            self.link_up(at, Some(dial));
        }
    }

    fn link_up(&mut self, at: EndAt, dial: Option<DialId>) {
        let (link, host) = (self.links.id(at), self.links.host(at));
        let other = &self.hosts[self.links.host(at.other()) as usize];
        let (node, remote) = (other.node, other.address.clone());
        let input = Input::LinkUp { link, node, remote, dial };
        self.give(host, kind::LINK_UP, &link.0.to_le_bytes(), input);
    }

    fn down(&mut self, link: LinkId) {
        let Some(at) = self.links.find(link) else { return };
        let (host, end) = (self.links.host(at), self.links.end(at));
        if end != End::Down {
            self.links.set_end(at, End::Down);
            self.give(host, kind::LINK_DOWN, &link.0.to_le_bytes(), Input::LinkDown { link });
        }
    }

    fn wake(&mut self, host: u32) {
        let place = &self.hosts[host as usize];
        if place.wake != self.now || place.life != Life::Alive {
            return; // superseded
        }
        if self.is_paused(host) {
            return; // its timers are looked at when it runs again
        }
        let place = &mut self.hosts[host as usize];
        place.wake = Time::NEVER;
        if place.due <= self.now {
            self.give(host, kind::TICK, &[], Input::Tick);
        } else {
            self.ask_wake(host);
        }
    }

    /// Gives an input to a host, with the bytes that stand for it in the trace.
    fn give(&mut self, host: u32, kind: u8, bytes: &[u8], input: Input) {
        if self.is_alive(host)
            && let Some(input) = self.held_back(host, kind, bytes, input)
        {
            self.trace.fold(self.now, host, kind, bytes);
            self.take(host, input);
        }
    }
}

/// What an input was, in the trace.
mod kind {
    pub(super) const LISTENING: u8 = 1;
    pub(super) const COMMAND: u8 = 2;
    pub(super) const FRAME: u8 = 3;
    pub(super) const LINK_UP: u8 = 4;
    pub(super) const LINK_DOWN: u8 = 5;
    pub(super) const DIAL_FAILED: u8 = 6;
    pub(super) const STORED: u8 = 7;
    pub(super) const TICK: u8 = 8;
    pub(super) const CLOCK: u8 = 9;
    pub(super) const RECORDS: u8 = 10;
    pub(super) const VAULTED: u8 = 11;
}

#[cfg(test)]
mod tests;
