//! The driver's part of the world: one input to a machine, and all that it wants done then.

use super::links::End;
use super::passage;
use super::queue::Happening;
use super::{Life, Machine, Runs, Seen, Sighting, Tally, World};
use overlay_proto::id::{DialId, LinkId, NodeId};
use overlay_proto::io::{Input, Output};
use overlay_proto::time::{Span, Time};
use overlay_proto::wire::TransportAddress;

impl<M: Machine> World<M> {
    /// The driver's loop: one input, all outputs, the next deadline.
    pub(super) fn handle(&mut self, host: u32, input: Input) {
        // Out of its place and back: outputs are carried out while the machine is polled.
        let Some(mut machine) = self.hosts[host as usize].machine.take() else { return };
        if let Some(follow) = &mut self.follow {
            follow.told(self.now, host, &input);
        }
        self.tally.events += 1;
        if let Runs::Stranger(_) = machine {
            machine.handle_input(self.now, input);
            while let Some(output) = machine.poll_output() {
                self.carry_out_unseen(host, output);
            }
        } else {
            let came = passage::packet_in(&input);
            machine.handle_input(self.now, input);
            while let Some(output) = machine.poll_output() {
                self.note_passage(host, came.as_ref(), &output);
                self.carry_out(host, output);
            }
        }
        let mut due = machine.due().unwrap_or(Time::NEVER);
        if due <= self.now {
            self.tally.late_wakes += 1;
            due = self.now + Span::micros(1);
        }
        let place = &mut self.hosts[host as usize];
        place.machine = Some(machine);
        place.due = due;
        self.ask_wake(host);
    }

    /// Puts a wake into the queue, unless an earlier one is there: it will ask again.
    pub(super) fn ask_wake(&mut self, host: u32) {
        let place = &mut self.hosts[host as usize];
        if place.due < place.wake {
            place.wake = place.due;
            self.queue.push(place.due, Happening::Wake { host });
        }
    }

    fn carry_out(&mut self, host: u32, output: Output) {
        if let Some(follow) = &mut self.follow {
            follow.does(self.now, host, &output);
        }
        match output {
            Output::Dial { id, node, addresses } => self.dial(host, id, node, &addresses),
            Output::HangUp { link } => self.hang_up(link),
            Output::Send { link, class, frame } => {
                self.tally.sent(class, &frame);
                if Tally::is_login(&frame) {
                    self.saw(host, Seen::AskedIn);
                }
                self.send(host, link, frame);
            }
            Output::Store { id, request } => {
                let answer = self.disk.answer(request);
                let stored = Happening::Stored { host, id, answer: Box::new(answer) };
                self.queue.push(self.now + self.transport.disk, stored);
            }
            Output::Vault { id, request } => {
                let vaulted = Happening::Vaulted { host, id, request: Box::new(request) };
                self.queue.push(self.now + self.transport.disk, vaulted);
            }
            Output::Reply { id, reply } => self.saw(host, Seen::Reply(id, reply)),
            // Sessions are the driver's; nobody here has one.
            Output::Datagram(_) => {}
            Output::Event(event) => self.saw(host, Seen::Event(event)),
        }
    }

    /// What a stranger does is neither counted nor seen: only what comes of it is.
    fn carry_out_unseen(&mut self, host: u32, output: Output) {
        match output {
            Output::Dial { id, node, addresses } => self.dial(host, id, node, &addresses),
            Output::HangUp { link } => self.hang_up(link),
            Output::Send { link, frame, .. } => self.send(host, link, frame),
            _ => {}
        }
    }

    pub(super) fn saw(&mut self, host: u32, what: Seen) {
        self.sightings.push(Sighting { at: self.now, host, what });
    }

    fn dial(&mut self, host: u32, dial: DialId, node: NodeId, addresses: &[TransportAddress]) {
        let index = |address: &TransportAddress| address.as_str().strip_prefix("v/")?.parse().ok();
        let target: Option<u32> = addresses.iter().find_map(index);
        let Some(target) = target.and_then(|first| self.listens_for(first)) else {
            // Nothing has this address: the system says so at once.
            let soon = self.now + Span::millis(1);
            return self.queue.push(soon, Happening::DialFailed { host, dial });
        };
        let trip = self.places.one_way(host, target);
        let reached = self.now + Span(trip.0 * self.transport.handshake_trips);
        let (life, is_it) = {
            let place = &self.hosts[target as usize];
            (self.life_seen(host, target), place.node == node)
        };
        match life {
            Life::Vanished => self.dial_in_vain(host, dial),
            _ if !is_it => self.queue.push(reached + trip, Happening::DialFailed { host, dial }),
            Life::Killed => {
                let refused = self.now + Span(2 * trip.0);
                self.queue.push(refused, Happening::DialFailed { host, dial });
            }
            Life::Alive => {
                self.queue.push(reached, Happening::Knock { dialler: host, target, dial });
            }
        }
    }

    /// How a host looks to another: who cannot be reached, or does not run, has vanished.
    pub(super) fn life_seen(&self, from: u32, host: u32) -> Life {
        let life = self.hosts[host as usize].life;
        let unheard = self.faults.part(from, host) || life == Life::Alive && self.is_paused(host);
        if unheard { Life::Vanished } else { life }
    }

    /// The host that answers at the address that host `first` was the first to have.
    fn listens_for(&self, first: u32) -> Option<u32> {
        let host = self.hosts.get(first as usize)?;
        host.successor.map_or(Some(first), |next| self.listens_for(next))
    }

    fn hang_up(&mut self, link: LinkId) {
        let Some(at) = self.links.find(link).filter(|at| self.links.end(*at) == End::Up) else {
            return;
        };
        self.links.set_end(at, End::Leaving);
        self.queue.push(self.now, Happening::Down { link });
        let other = at.other();
        if self.links.end(other) != End::Down {
            let link = self.links.id(other);
            self.post(other, 0, Happening::Down { link });
        }
    }

    fn send(&mut self, host: u32, link: LinkId, frame: Vec<u8>) {
        let Some(at) = self.links.find(link).filter(|at| self.links.host(*at) == host) else {
            self.tally.misdirected += 1;
            return;
        };
        let other = at.other();
        if self.links.end(at) != End::Up || self.links.end(other) == End::Down {
            return self.tally.lost(frame.len());
        }
        let to = self.links.id(other);
        self.liars.overhear(self.links.host(other), &frame);
        let frame = self.liars.bend(host, frame);
        if !self.adversaries.is_one(host) {
            return self.post(other, frame.len(), Happening::Frame { link: to, frame });
        }
        for frame in self.bend(host, link, frame) {
            self.post(other, frame.len(), Happening::Frame { link: to, frame });
        }
    }
}
