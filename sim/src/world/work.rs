//! What work costs: supernodes have one core each, which does one thing after the other.
//!
//! Each input that a working host is given keeps its core busy for as long as the signatures that it
//! checks and makes, the bytes that it reads and the handshake behind a new link would. What comes
//! meanwhile waits in one line, first come first served; timers go before it, as in the driver's
//! loop. Streams wait for as long as it takes, as TCP lets them; new links are refused once too many
//! handshakes wait. What a working host puts out leaves when the work on it begins, not when it ends.

use super::memo::Checks;
use super::queue::Happening;
use super::{Machine, MemoVerifier, World};
use overlay_proto::io::Input;
use overlay_proto::time::{Span, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Links whose handshakes wait for the core of one host: more are refused, as the driver does at the
/// same number.
const HANDSHAKES_MAX: usize = 1_024;

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
    /// Of those that wait, new links.
    handshakes: usize,
    /// Whether it is called as soon as the core is free.
    is_called: bool,
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

    /// The longest time for which an input has waited for a core.
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
        bench.is_some_and(|bench| bench.handshakes >= HANDSHAKES_MAX)
    }

    /// Gives an input to a host now, or puts it into the line of its core.
    pub(super) fn take(&mut self, host: u32, input: Input) {
        let now = self.now;
        let Some(bench) = self.workshop.benches.get_mut(&host) else {
            return self.handle(host, input);
        };
        let is_busy = bench.busy_until > now || !bench.waiting.is_empty();
        if matches!(input, Input::Tick) && bench.busy_until > now {
            // Timers go first, as soon as the core is free.
            let until = bench.busy_until;
            self.hosts[host as usize].wake = until;
            return self.queue.push(until, Happening::Wake { host });
        }
        if !is_busy || matches!(input, Input::Tick) {
            return self.labour(host, input);
        }
        bench.handshakes += usize::from(kind(&input) == Kind::Link);
        bench.waiting.push_back((now, input));
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
        if bench.busy_until <= self.now
            && let Some((came, input)) = bench.waiting.pop_front()
        {
            self.workshop.longest = self.workshop.longest.max(self.now.since(came));
            bench.handshakes -= usize::from(kind(&input) == Kind::Link);
            self.labour(host, input);
        }
        self.call_later(host);
    }

    fn call_later(&mut self, host: u32) {
        let now = self.now;
        let Some(bench) = self.workshop.benches.get_mut(&host) else { return };
        if !bench.waiting.is_empty() && !bench.is_called {
            bench.is_called = true;
            self.queue.push(bench.busy_until.max(now), Happening::CoreFree { host });
        }
    }

    fn labour(&mut self, host: u32, input: Input) {
        let checks = |world: &World<M>| {
            world.workshop.verifier.as_ref().map(|v| v.checks()).unwrap_or_default()
        };
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
