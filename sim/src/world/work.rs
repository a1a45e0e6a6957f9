//! What work costs: supernodes have one core each, which does one thing after the other.
//!
//! Each input that a working host is given keeps its core busy for as long as the signatures that it
//! checks and makes, the bytes that it reads and the handshake behind a new link would. What comes
//! meanwhile waits: what links bring in one line, handshakes in another, and the core serves both in
//! turns, as the driver does, and its timers once in a turn. Streams wait for as long as it takes, as TCP
//! lets them; new links are refused once too many handshakes wait. What a working host puts out leaves
//! when the work on it begins, not when it ends.

use super::links::{End, EndAt};
use super::memo::Checks;
use super::queue::Happening;
use super::{Machine, MemoVerifier, World};
use overlay_proto::id::{DialId, LinkId};
use overlay_proto::io::Input;
use overlay_proto::time::{Span, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Links whose handshakes wait for the core of one host: more are refused, as the driver does at the
/// same number.
const HANDSHAKES_MAX: usize = 1_024;
/// Inputs after which handshakes and timers have a turn, as in the driver.
const INPUTS_PER_TURN: usize = 64;
/// Handshakes after which inputs have one.
const HANDSHAKES_PER_TURN: usize = 4;

/// How long one core takes for what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// To read a frame and do what it says, without signatures.
    pub frame: Span,
    /// To check a signature.
    pub check: Span,
    /// To make a signature.
    pub sign: Span,
    /// To make a link: the handshake.
    pub link: Span,
}

impl Work {
    /// Whether anything takes time.
    pub fn is_free(&self) -> bool {
        *self == Work::default()
    }

    fn of(&self, what: Kind, done: Checks) -> Span {
        let fixed = match what {
            Kind::Frame => self.frame,
            Kind::Link => self.link,
            Kind::Other => Span::ZERO,
        };
        Span(fixed.0 + self.check.0 * done.asked + self.sign.0 * done.made)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frame,
    Link,
    Other,
}

fn kind(input: &Input) -> Kind {
    match input {
        Input::Received { .. } => Kind::Frame,
        Input::LinkUp { .. } => Kind::Link,
        _ => Kind::Other,
    }
}

/// The working hosts.
#[derive(Debug, Default)]
pub(super) struct Workshop {
    work: Work,
    verifier: Option<Arc<MemoVerifier>>,
    benches: BTreeMap<u32, Bench>,
    longest: Span,
    /// Signatures checked and made by working hosts.
    signatures: u64,
}

/// The core of one host.
#[derive(Debug, Default)]
struct Bench {
    busy_until: Time,
    /// Each with when it came.
    waiting: VecDeque<(Time, Input)>,
    /// New links whose handshakes wait, each with when it came.
    knocking: VecDeque<(Time, Input)>,
    /// Who is told that the link is up once its handshake is done: the dialler's number of it, and its dial.
    answers: BTreeMap<LinkId, (LinkId, DialId)>,
    /// Whether its timer has run out: that goes before all else, once in a turn.
    is_due: bool,
    /// What was served since it last did.
    since_tick: usize,
    /// Inputs served since handshakes last had their turn.
    inputs: usize,
    /// Handshakes served since the last input.
    handshakes: usize,
    /// Whether it is called as soon as the core is free.
    is_called: bool,
}

impl Bench {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.knocking.is_empty() && !self.is_due
    }

    fn put(&mut self, now: Time, input: Input) {
        match input {
            // A handshake that this end has begun waits for nobody.
            Input::LinkUp { dial: None, .. } => self.knocking.push_back((now, input)),
            Input::LinkDown { link } if self.turns_away(link) => {}
            other => self.waiting.push_back((now, other)),
        }
    }

    /// Forgets a link whose handshake still waits. False if there is none.
    fn turns_away(&mut self, gone: LinkId) -> bool {
        let is_it = |input: &Input| matches!(input, Input::LinkUp { link, .. } if *link == gone);
        let at = self.knocking.iter().position(|(_, input)| is_it(input));
        let Some(at) = at else { return false };
        self.knocking.remove(at);
        self.answers.remove(&gone);
        true
    }

    /// Who has given up its dial, which began before `then`.
    fn overdue(&mut self, then: Time) -> Vec<(LinkId, DialId)> {
        let count = self.knocking.iter().take_while(|(came, _)| *came < then).count();
        let gone = self.knocking.drain(..count).filter_map(|(_, input)| match input {
            Input::LinkUp { link, .. } => self.answers.remove(&link),
            _ => None,
        });
        gone.collect()
    }

    /// The next to serve, and since when it waits if it is an input of a link.
    fn next(&mut self) -> Option<(Option<Time>, Input)> {
        let turn_is_over = self.waiting.is_empty() || self.since_tick >= INPUTS_PER_TURN;
        if self.is_due && turn_is_over {
            (self.is_due, self.since_tick) = (false, 0);
            return Some((None, Input::Tick));
        }
        self.since_tick += 1;
        if (self.inputs < INPUTS_PER_TURN || self.knocking.is_empty())
            && let Some((came, input)) = self.waiting.pop_front()
        {
            (self.inputs, self.handshakes) = (self.inputs + 1, 0);
            return Some((Some(came), input));
        }
        let (_, input) = self.knocking.pop_front()?;
        self.handshakes += 1;
        if self.handshakes >= HANDSHAKES_PER_TURN {
            (self.inputs, self.handshakes) = (0, 0);
        }
        Some((None, input))
    }
}

impl<M: Machine> World<M> {
    /// From now on hosts that are put to work take time, reckoned by what `verifier` is asked.
    pub fn set_work(&mut self, work: Work, verifier: Arc<MemoVerifier>) {
        (self.workshop.work, self.workshop.verifier) = (work, Some(verifier));
    }

    /// A host works from now on: what it does takes time.
    pub fn put_to_work(&mut self, host: u32) {
        if !self.workshop.work.is_free() {
            self.workshop.benches.insert(host, Bench::default());
        }
    }

    /// The longest time for which an input other than a handshake has waited for a core.
    pub fn longest_line(&self) -> Span {
        self.workshop.longest
    }

    /// Signatures that working hosts have checked and made.
    pub fn signatures_worked_on(&self) -> u64 {
        self.workshop.signatures
    }

    /// Whether a host takes no more links for the time being.
    pub(super) fn is_crowded(&self, host: u32) -> bool {
        let bench = self.workshop.benches.get(&host);
        bench.is_some_and(|bench| bench.knocking.len() >= HANDSHAKES_MAX)
    }

    /// The other end of a dial is to be told that its link is up: now, or when the dialled host comes
    /// to its part of the handshake.
    pub(super) fn answer_dial(&mut self, dialler: EndAt, dial: DialId) {
        let (target, link) = (dialler.other(), self.links.id(dialler));
        match self.workshop.benches.get_mut(&self.links.host(target)) {
            Some(bench) => {
                bench.answers.insert(self.links.id(target), (link, dial));
            }
            None => self.post(dialler, 0, Happening::Opened { link, dial }),
        }
    }

    /// Gives an input to a host now, or puts it into the line of its core.
    pub(super) fn take(&mut self, host: u32, input: Input) {
        let now = self.now;
        let Some(bench) = self.workshop.benches.get_mut(&host) else {
            return self.handle(host, input);
        };
        let is_busy = bench.busy_until > now || !bench.is_idle();
        if matches!(input, Input::Tick) && bench.busy_until > now {
            bench.is_due = true;
            return self.call_later(host);
        }
        if !is_busy || matches!(input, Input::Tick) {
            return self.labour(host, input);
        }
        bench.put(now, input);
        self.call_later(host);
    }

    /// The core of a host is free: the next in the line.
    pub(super) fn work_on(&mut self, host: u32) {
        let is_alive = self.is_alive(host);
        let Some(bench) = self.workshop.benches.get_mut(&host) else { return };
        bench.is_called = false;
        if !is_alive {
            self.workshop.benches.remove(&host);
            return;
        }
        let patience = self.transport.dial_timeout.0;
        let overdue = bench.overdue(Time(self.now.0.saturating_sub(patience)));
        if bench.busy_until <= self.now
            && let Some((came, input)) = bench.next()
        {
            let waited = came.map_or(Span::ZERO, |came| self.now.since(came));
            self.workshop.longest = self.workshop.longest.max(waited);
            self.labour(host, input);
        }
        overdue.into_iter().for_each(|(link, dial)| self.give_up_dial(link, dial));
        self.call_later(host);
    }

    /// The dialled host begins with its part of a handshake: the other end is told that its link is up.
    fn answer(&mut self, host: u32, input: &Input) {
        let Input::LinkUp { link, .. } = input else { return };
        let Some(bench) = self.workshop.benches.get_mut(&host) else { return };
        let Some((link, dial)) = bench.answers.remove(link) else { return };
        if let Some(dialler) = self.links.find(link) {
            self.post(dialler, 0, Happening::Opened { link, dial });
        }
    }

    /// Nobody has answered a dial in time: neither end has a link.
    fn give_up_dial(&mut self, link: LinkId, dial: DialId) {
        let Some(at) = self.links.find(link) else { return };
        let host = self.links.host(at);
        self.links.set_end(at.other(), End::Down);
        self.links.set_end(at, End::Down);
        self.queue.push(self.now, Happening::DialFailed { host, dial });
    }

    fn call_later(&mut self, host: u32) {
        let now = self.now;
        let Some(bench) = self.workshop.benches.get_mut(&host) else { return };
        if !bench.is_idle() && !bench.is_called {
            bench.is_called = true;
            self.queue.push(bench.busy_until.max(now), Happening::CoreFree { host });
        }
    }

    fn labour(&mut self, host: u32, input: Input) {
        let checks = |world: &World<M>| {
            world.workshop.verifier.as_ref().map(|v| v.checks()).unwrap_or_default()
        };
        self.answer(host, &input);
        let (kind, before) = (kind(&input), checks(self));
        self.handle(host, input);
        let after = checks(self);
        let done = after.since(&before);
        self.workshop.signatures += done.asked + done.made;
        let cost = self.workshop.work.of(kind, done);
        if let Some(bench) = self.workshop.benches.get_mut(&host) {
            bench.busy_until = self.now + cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::NodeId;
    use overlay_proto::wire::TransportAddress;

    fn up(link: u64) -> Input {
        let remote = TransportAddress::new("/ip4/192.0.2.1/tcp/1".to_owned()).expect("short");
        Input::LinkUp { link: LinkId(link), node: NodeId([1; 32]), remote, dial: None }
    }

    fn frame(link: u64) -> Input {
        Input::Received { link: LinkId(link), frame: vec![link as u8] }
    }

    fn all(bench: &mut Bench) -> Vec<Input> {
        std::iter::from_fn(|| bench.next()).map(|(_, input)| input).collect()
    }

    #[test]
    fn a_crowd_at_the_door_does_not_stop_the_links_that_stand() {
        let mut bench = Bench::default();
        (100..1_100).for_each(|link| bench.put(Time(0), up(link)));
        (0..640).for_each(|n| bench.put(Time(0), frame(n % 10)));
        let order = all(&mut bench);
        let last = order.iter().rposition(|input| matches!(input, Input::Received { .. }));
        let before = order.iter().take(last.expect("served"));
        let handshakes = before.filter(|input| matches!(input, Input::LinkUp { .. })).count();
        assert!((1..=40).contains(&handshakes), "{handshakes}");
        assert_eq!(order.len(), 1_640);
        assert!(bench.is_idle());
    }

    #[test]
    fn timers_and_links_wait_a_turn_for_each_other_and_no_longer() {
        let mut bench = Bench::default();
        (0..100).for_each(|_| bench.put(Time(0), frame(1)));
        let mut ticks = 0;
        for served in 1..=100 + 2 {
            // It runs out all the time.
            bench.is_due = true;
            ticks += usize::from(matches!(bench.next(), Some((_, Input::Tick))));
            assert!(ticks <= served / INPUTS_PER_TURN + 1);
        }
        assert_eq!((ticks, bench.waiting.len()), (2, 0));
    }

    #[test]
    fn who_goes_before_its_handshake_is_forgotten() {
        let mut bench = Bench::default();
        let down = |link| Input::LinkDown { link: LinkId(link) };
        [up(1), down(1), up(2), down(3), frame(4)]
            .into_iter()
            .for_each(|it| bench.put(Time(0), it));
        let order = format!("{:?}", all(&mut bench));
        assert_eq!(order, format!("{:?}", [down(3), frame(4), up(2)]));
    }
}
