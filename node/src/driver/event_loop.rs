//! The one loop: everything that happens to a node goes through here, one after the other.

use super::capacity::Capacity;
use super::clock::{self, Clock};
use super::event_log::EventLog;
use super::handle::Request;
use super::port::{Outbound, Outlet};
use super::{Keeper, Store, Stores};
use crate::transport::{Arrival, HANG_UP_PATIENCE, Outbox, Refused, Tally, Transport};
use overlay_proto::Node;
use overlay_proto::id::{CommandId, LinkId, StoreId};
use overlay_proto::io::{Event, Input, Output, Reply, StoreAnswer, StoreRequest};
use overlay_proto::mail::{VaultAnswer, VaultRequest};
use overlay_proto::time::{Span, Time};
use overlay_proto::wire::{Class, TransportAddress};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, info, trace, warn};

/// Reads, or datagrams, taken at a time: a few thousand frames at most, a few milliseconds. Between two
/// batches requests, answers and timers have their turn.
const BATCH_MAX: usize = 64;
/// How often the wall clock is read for the core, which wants it at least once a minute.
const WALL_CLOCK_EVERY: Duration = Duration::from_secs(30);
/// How often is looked at what log-ins cost.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// A deadline that is still due after its tick is not served again sooner than this: a mistake in
/// the core shall not take a whole processor.
const TICK_GAP: Span = Span::millis(1);
/// How long the end waits for links to end: a little longer than each may take.
const END_PATIENCE: Duration = HANG_UP_PATIENCE.saturating_add(Duration::from_millis(200));

/// The loop's state: the core, and what ties it to the world.
pub(super) struct EventLoop {
    node: Node,
    clock: Clock,
    transport: Transport,
    store: Option<Arc<dyn Store>>,
    keeper: Option<Arc<dyn Keeper>>,
    vaulted_out: mpsc::UnboundedSender<(StoreId, VaultAnswer)>,
    vaulted: mpsc::UnboundedReceiver<(StoreId, VaultAnswer)>,
    stored_out: mpsc::UnboundedSender<(StoreId, StoreAnswer)>,
    // Unbounded, but the core has only so many requests open.
    stored: mpsc::UnboundedReceiver<(StoreId, StoreAnswer)>,
    owner: Owner,
    links: HashMap<LinkId, LinkState>,
    commands: HashMap<CommandId, oneshot::Sender<Reply>>,
    last_command: u64,
    last_tick: Option<Time>,
    log: EventLog,
    /// What log-ins cost, if that is measured.
    capacity: Option<Capacity>,
}

/// What the loop tells its owner.
pub(super) struct Owner {
    pub(super) events: broadcast::Sender<Event>,
    pub(super) announced: watch::Sender<Vec<TransportAddress>>,
    pub(super) tally: Arc<Tally>,
    pub(super) sessions: Outlet,
}

/// A link that the transport has not yet told to be down.
enum LinkState {
    /// It carries.
    Up(Arc<Outbox>),
    /// It sends what is queued. What still comes is of no use to the core.
    HangingUp,
}

impl EventLoop {
    pub(super) fn new(
        node: Node,
        clock: Clock,
        transport: Transport,
        Stores { store, keeper }: Stores,
        owner: Owner,
        capacity: Option<Capacity>,
    ) -> EventLoop {
        let (stored_out, stored) = mpsc::unbounded_channel();
        let (vaulted_out, vaulted) = mpsc::unbounded_channel();
        EventLoop {
            node,
            clock,
            transport,
            store,
            keeper,
            vaulted_out,
            vaulted,
            stored_out,
            stored,
            owner,
            links: HashMap::new(),
            commands: HashMap::new(),
            last_command: 0,
            last_tick: None,
            log: EventLog::default(),
            capacity,
        }
    }

    /// Runs until the owner ends it or drops the last handle.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut datagrams: mpsc::Receiver<Outbound>,
    ) {
        let listening = self.owner.announced.borrow().clone();
        self.give(Input::Listening(listening));
        // What the core wants to say from the start.
        self.give(Input::Tick);
        let mut wall_clock = interval(WALL_CLOCK_EVERY);
        wall_clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut measure = interval(MEASURE_EVERY);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut outbound = Vec::with_capacity(BATCH_MAX);
        loop {
            self.tick_if_due();
            let deadline = self.next_tick().and_then(|at| self.clock.instant(at));
            tokio::select! {
                biased;
                request = requests.recv() => match request {
                    Some(Request::End) | None => break,
                    Some(request) => self.on_request(request),
                },
                Some((id, answer)) = self.vaulted.recv() => {
                    self.give(Input::Vaulted { id, answer });
                }
                Some((id, answer)) = self.stored.recv() => self.give(Input::Stored { id, answer }),
                _ = wall_clock.tick() => self.give(Input::WallClock(clock::wall())),
                _ = measure.tick(), if self.capacity.is_some() => self.measure(),
                taken = arrivals.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 {
                        warn!("the transport has ended, and so does the node");
                        break;
                    }
                    batch.drain(..).for_each(|arrival| self.on_arrival(arrival));
                }
                // Last, and never the reason to end: without sessions the port is closed.
                taken = datagrams.recv_many(&mut outbound, BATCH_MAX), if !datagrams.is_closed() => {
                    outbound.drain(..taken).for_each(|datagram| self.send_datagram(datagram));
                }
                () = until(deadline) => {}
            }
        }
        self.end(arrivals).await;
        // Whoever waits for the end sees it only now.
        drop(requests);
    }

    /// Gives the core an input and does what it puts out.
    fn give(&mut self, input: Input) {
        let began = self.capacity.is_some().then(std::time::Instant::now);
        self.node.handle_input(self.clock.now(), input);
        while let Some(output) = self.node.poll_output() {
            self.perform(output);
        }
        if let (Some(capacity), Some(began)) = (&mut self.capacity, began) {
            capacity.worked(began.elapsed());
        }
    }

    /// Tells the core what this machine can take, when that has changed.
    fn measure(&mut self) {
        let Some(capacity) = &mut self.capacity else { return };
        if let Some(logins_per_second) = capacity.look(self.node.logins()) {
            debug!(logins_per_second, "capacity measured");
            self.give(Input::Capacity { logins_per_second });
        }
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Command(command, reply) => {
                self.last_command += 1;
                let id = CommandId(self.last_command);
                self.commands.insert(id, reply);
                self.give(Input::Command { id, command });
            }
            Request::Give(input) => self.give(input),
            Request::Look(look) => look(&self.node),
            Request::Counters(answer) => {
                let up = self.links.values().filter_map(|link| match link {
                    LinkState::Up(outbox) => Some(&**outbox),
                    LinkState::HangingUp => None,
                });
                let _ = answer.send(self.owner.tally.read(up));
            }
            // The loop itself sees to it.
            Request::End => {}
        }
    }

    fn send_datagram(&mut self, datagram: Outbound) {
        let Outbound { to, class, bytes } = datagram;
        self.give(Input::Datagram { to, class, bytes });
    }

    fn on_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Up { link, node, remote, dial, outbox } => {
                self.links.insert(link, LinkState::Up(outbox));
                self.give(Input::LinkUp { link, node, remote, dial });
            }
            Arrival::Frames { link, frames, .. } => {
                for frame in frames {
                    trace!(link = link.0, bytes = frame.len(), "frame in");
                    if matches!(self.links.get(&link), Some(LinkState::Up(_))) {
                        self.give(Input::Received { link, frame });
                    }
                }
            }
            Arrival::Down { link } => {
                self.links.remove(&link);
                self.give(Input::LinkDown { link });
            }
            Arrival::DialFailed { dial } => self.give(Input::DialFailed { dial }),
            Arrival::Addresses(addresses) => {
                info!(?addresses, "addresses changed");
                self.owner.announced.send_replace(addresses.clone());
                self.give(Input::Listening(addresses));
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { id, node, addresses } => {
                debug!(dial = id.0, ?node, ?addresses, "dialling");
                self.transport.dial(id, node, addresses);
            }
            Output::HangUp { link } => self.hang_up(link),
            Output::Send { link, class, frame } => self.send(link, class, frame),
            Output::Store { id, request } => self.store(id, request),
            Output::Vault { id, request } => self.vault(id, request),
            Output::Reply { id, reply } => {
                if let Some(waiting) = self.commands.remove(&id) {
                    // Whoever asked may have gone meanwhile.
                    let _ = waiting.send(reply);
                }
            }
            Output::Datagram(datagram) => {
                let class = datagram.class;
                if !self.owner.sessions.hand_out(datagram) {
                    Tally::add(&self.owner.tally.dropped[class as usize], 1);
                }
            }
            Output::Event(event) => {
                self.log.log(&event);
                // Without a receiver nobody wants to know.
                let _ = self.owner.events.send(event);
            }
        }
    }

    fn hang_up(&mut self, link: LinkId) {
        if let Some(state) = self.links.get_mut(&link)
            && let LinkState::Up(outbox) = state
        {
            outbox.close();
            *state = LinkState::HangingUp;
        }
    }

    fn send(&mut self, link: LinkId, class: Class, frame: Vec<u8>) {
        let Some(LinkState::Up(outbox)) = self.links.get(&link) else { return };
        trace!(link = link.0, ?class, bytes = frame.len(), "frame out");
        match outbox.push(class, frame) {
            // A link that has just gone down by itself; the core is about to hear of it.
            Ok(()) | Err(Refused::Closed) => {}
            Err(Refused::TooLarge) => {
                warn!(link = link.0, ?class, "a frame too large to send was dropped");
                Tally::add(&self.owner.tally.dropped[class as usize], 1);
            }
            Err(Refused::Crowded(lost)) => {
                debug!(link = link.0, ?class, ?lost, "too much waits on all links, frame dropped");
                Tally::add(&self.owner.tally.dropped[lost as usize], 1);
            }
            Err(Refused::Full) => {
                debug!(link = link.0, ?class, "queue full, frame dropped");
                Tally::add(&self.owner.tally.dropped[class as usize], 1);
                if class == Class::Control {
                    info!(link = link.0, "link stalled: its control queue is full");
                    Tally::add(&self.owner.tally.links_stalled, 1);
                    self.hang_up(link);
                }
            }
        }
    }

    fn store(&mut self, id: StoreId, request: StoreRequest) {
        let stored = self.stored_out.clone();
        let Some(store) = self.store.clone() else {
            warn!(?request, "there is no store: the request fails");
            let _ = stored.send((id, StoreAnswer::Failed));
            return;
        };
        tokio::spawn(async move {
            // In a task of its own, so that a store that panics is one that has failed.
            let answer = tokio::spawn(async move { store.submit(request).await }).await;
            let answer = answer.unwrap_or_else(|error| {
                warn!(%error, "the store has failed");
                StoreAnswer::Failed
            });
            let _ = stored.send((id, answer));
        });
    }

    fn vault(&mut self, id: StoreId, request: VaultRequest) {
        let vaulted = self.vaulted_out.clone();
        let answer = move |answer| {
            // The loop may have ended.
            let _ = vaulted.send((id, answer));
        };
        match &self.keeper {
            Some(keeper) => keeper.submit(request, Box::new(answer)),
            None => answer(VaultAnswer::Failed),
        }
    }

    fn tick_if_due(&mut self) {
        let now = self.clock.now();
        if self.next_tick().is_some_and(|at| at <= now) {
            self.last_tick = Some(now);
            self.give(Input::Tick);
        }
    }

    fn next_tick(&self) -> Option<Time> {
        let at = self.node.poll_timeout()?.at;
        Some(match self.last_tick {
            Some(last) => at.max(last + TICK_GAP),
            None => at,
        })
    }

    /// Hangs up all links and closes the transport. Replies that are still due fail.
    async fn end(mut self, mut arrivals: mpsc::Receiver<Arrival>) {
        for link in self.links.values() {
            if let LinkState::Up(outbox) = link {
                outbox.close();
            }
        }
        let all_down = async {
            while !self.links.is_empty() {
                match arrivals.recv().await {
                    Some(Arrival::Up { link, outbox, .. }) => {
                        outbox.close();
                        self.links.insert(link, LinkState::HangingUp);
                    }
                    Some(Arrival::Down { link }) => drop(self.links.remove(&link)),
                    Some(_) => {}
                    None => break,
                }
            }
        };
        if timeout(END_PATIENCE, all_down).await.is_err() {
            debug!("some links did not end in time");
        }
        drop(arrivals);
        self.transport.end().await;
        info!("node ended");
    }
}

/// Returns at `deadline`; never, if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
