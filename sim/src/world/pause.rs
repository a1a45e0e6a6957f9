//! Processes that are not run for a while, as after SIGSTOP.
//!
//! The system goes on beneath them: what comes over their links is acknowledged and kept, in order,
//! and links that others end are ended. Nobody new is let in, since a handshake takes the process. When
//! it runs again it finds all of that at once, and its timers long due.

use super::queue::Happening;
use super::{Machine, World, kind};
use overlay_proto::id::DialId;
use overlay_proto::io::Input;
use overlay_proto::time::Time;
use std::collections::{BTreeMap, VecDeque};

/// An input that waits, with what stands for it in the trace.
#[derive(Debug)]
struct Held {
    kind: u8,
    bytes: Vec<u8>,
    input: Input,
}

/// The hosts whose processes stand still, and what waits for them.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    held: BTreeMap<u32, VecDeque<Held>>,
}

/// What a process that runs again looks at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Its timers, as if nothing had come.
    Timers,
    /// What has come.
    Inputs,
}

impl<M: Machine> World<M> {
    /// Stops the process of a host, until [`World::resume`].
    pub fn pause(&mut self, host: u32) {
        self.pauses.held.entry(host).or_default();
    }

    /// Whether the process of a host stands still, or has not yet seen all that came meanwhile.
    pub fn is_paused(&self, host: u32) -> bool {
        !self.pauses.held.is_empty() && self.pauses.held.contains_key(&host)
    }

    /// Lets the process of a host run again: it is given all that came meanwhile, in one moment.
    pub fn resume(&mut self, host: u32, first: First) {
        if !self.is_paused(host) {
            return;
        }
        let is_due = self.hosts[host as usize].due <= self.now;
        if first == First::Timers && is_due && self.is_alive(host) {
            self.trace.fold(self.now, host, kind::TICK, &[]);
            self.take(host, Input::Tick);
        }
        self.queue.push(self.now, Happening::Run { host });
    }

    /// A process that runs again takes the next of what waits for it; once nothing does it is like
    /// any other.
    pub(super) fn run_on(&mut self, host: u32) {
        let is_alive = self.is_alive(host);
        let Some(held) = self.pauses.held.get_mut(&host) else { return };
        if let Some(Held { kind, bytes, input }) = held.pop_front().filter(|_| is_alive) {
            self.trace.fold(self.now, host, kind, &bytes);
            self.take(host, input);
            return self.queue.push(self.now, Happening::Run { host });
        }
        self.pauses.held.remove(&host);
        if is_alive {
            let now = self.now;
            let place = &mut self.hosts[host as usize];
            place.wake = Time::NEVER;
            place.due = place.due.max(now);
            self.ask_wake(host);
        }
    }

    /// Keeps an input for a process that stands still; gives it back if the process runs.
    pub(super) fn held_back(
        &mut self,
        host: u32,
        kind: u8,
        bytes: &[u8],
        input: Input,
    ) -> Option<Input> {
        if self.pauses.held.is_empty() {
            return Some(input);
        }
        let Some(held) = self.pauses.held.get_mut(&host) else { return Some(input) };
        held.push_back(Held { kind, bytes: bytes.to_vec(), input });
        None
    }

    /// A dial that no process answers, or whose own process does not go on with it.
    pub(super) fn dial_in_vain(&mut self, host: u32, dial: DialId) {
        let late = self.now + self.transport.dial_timeout;
        self.queue.push(late, Happening::DialFailed { host, dial });
    }
}
