//! Who has no certificate of the realm is nowhere in it: no session, no slot of anybody, no place among
//! the supernodes, no record, and no answer that only members get.

use super::Findings;
use super::one_realm::Holder;
use crate::scenario::population::Population;
use crate::world::{Gains, Seen, Sighting};
use overlay_proto::id::NodeId;
use overlay_proto::io::Event;
use overlay_proto::time::Time;
use std::sync::atomic::Ordering;

const CHECK: &str = "strangers";

/// What strangers have got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Got {
    /// Sessions at supernodes.
    pub sessions: u64,
    /// Slots of peers, and places among the supernodes.
    pub slots: u64,
    /// Records in the index.
    pub records: u64,
    /// Answers that only members get.
    pub answers: u64,
    /// Links that members made to them.
    pub dialled: u64,
}

/// The check.
#[derive(Debug, Default)]
pub struct Strangers {
    got: Got,
    findings: Findings,
}

impl Strangers {
    /// Looks at what a host has told: whoever it speaks of must be one of the population.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        let Seen::Event(event) = &sighting.what else { return };
        let (node, counter, what) = match event {
            Event::ChildIn { node, .. } => (node, &mut self.got.sessions, "a session"),
            Event::NeighbourUp { node, .. } => (node, &mut self.got.slots, "a slot"),
            Event::MemberUp { node } => (node, &mut self.got.slots, "a place in the scaffold"),
            _ => return,
        };
        if population.host_of(node).is_none() {
            *counter += 1;
            let what = format!("host {} gave {what} to the stranger {node:?}", sighting.host);
            self.findings.add(CHECK, sighting.at, what);
        }
    }

    /// Looks at what supernodes keep, and at what strangers have counted.
    pub fn judge(&mut self, at: Time, holders: &[Holder], population: &Population, gains: &Gains) {
        let is_stranger = |node: &NodeId| population.host_of(node).is_none();
        for Holder { host, held } in holders {
            let records = held.records.iter().map(|record| record.node);
            for node in records.filter(is_stranger) {
                self.got.records += 1;
                let what = format!("host {host} keeps a record of the stranger {node:?}");
                self.findings.add(CHECK, at, what);
            }
        }
        self.got.answers = gains.granted.load(Ordering::Relaxed);
        self.got.dialled = gains.dialled.load(Ordering::Relaxed);
        if self.got.answers > 0 {
            let what = format!("strangers got {} answers that only members get", self.got.answers);
            self.findings.add(CHECK, at, what);
        }
        if self.got.dialled > 0 {
            let what = format!("members made {} links to strangers", self.got.dialled);
            self.findings.add(CHECK, at, what);
        }
    }

    /// What they have got so far.
    pub fn got(&self) -> Got {
        self.got
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::name::Name;

    #[test]
    fn who_is_none_of_the_population_is_found_wherever_it_gets_in() {
        let mut population = Population::new(1, 2);
        let (member, stranger) = (NodeId([1; 32]), NodeId([2; 32]));
        population.runs(member, 1);
        let name = Name::new("u00001").expect("canonical");
        let mut check = Strangers::default();
        for node in [member, stranger] {
            let events = [
                Event::ChildIn { node, name: name.clone() },
                Event::NeighbourUp { node, slot: 0 },
                Event::MemberUp { node },
            ];
            for event in events {
                let sighting = Sighting { at: Time(1), host: 0, what: Seen::Event(event) };
                check.see(&sighting, &population);
            }
        }
        let got = check.got();
        assert_eq!((got.sessions, got.slots, check.verdict().count()), (1, 2, 3));
    }
}
