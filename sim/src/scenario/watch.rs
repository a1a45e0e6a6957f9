//! Time passes: the world steps on, and whoever watches is shown what happened.

use super::asked::Asked;
use super::play::Pulse;
use super::stage::{Interrupted, Stage};
use crate::measure::Moment;
use crate::world::{Seen, Sighting};
use overlay_proto::io::{Event, Reply};
use overlay_proto::time::Time;
use overlay_proto::wire::Class;
use std::sync::atomic::Ordering;

/// Events between two looks at the progress display and the stop flag.
const PULSE_EVENTS: u64 = 1 << 13;

impl Stage<'_> {
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
            on_line: self.standing.logged_in(),
            asked: self.storm.asked(),
            refused: self.storm.refused(),
            logins: self.storm.logins(),
            supernodes: self.storm.supernodes(),
            capacity: self.storm.capacity(self.scenario.capacity(), self.now()),
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
    pub(super) fn look(&mut self) {
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
        self.strangers.see(sighting, &self.population);
        self.delivery.see(sighting, &self.population);
        self.liveness.see(sighting);
        self.hops.see(sighting);
        self.presence.see(sighting, &self.population);
        self.index.see(sighting, &self.population);
        let wall = self.realm.wall_at_start().0;
        self.convergence.see(sighting, &self.population, wall);
        self.shut_out.see(sighting, &self.population);
        self.talks.see(sighting);
        self.mail.see(sighting, &self.population);
        self.membership.see(sighting, &self.population);
        let world = &self.world;
        self.storm.see(sighting, &self.population, |host| world.is_alive(host));
        if let Some(node) = world.machine(sighting.host) {
            self.promise.see(sighting, node.routes());
        }
        self.changes.see(sighting, &self.population, |host| world.is_alive(host));
        match &sighting.what {
            Seen::Event(Event::Escalated { .. }) => self.escalations += 1,
            Seen::Event(Event::HostsChanged(hosts)) => self.remembers(sighting.host, hosts),
            Seen::Reply(id, Reply::Registered { chain }) if *id == Asked::Register.id() => {
                self.registered(sighting.host, chain);
            }
            _ => {}
        }
    }
}
