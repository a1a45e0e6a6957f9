//! No peer ever has more neighbours than it may, or one of them twice.

use super::Findings;
use crate::world::{Seen, Sighting};
use overlay_proto::config::DEGREE_MAX;
use overlay_proto::id::NodeId;
use overlay_proto::io::Event;

const CHECK: &str = "degree";

/// The neighbours that each host has up, by slot.
#[derive(Debug)]
pub struct Degree {
    limit: usize,
    up: Vec<[Option<NodeId>; DEGREE_MAX]>,
    most: usize,
    findings: Findings,
}

impl Degree {
    /// At most `limit` neighbours a peer, on `hosts` hosts.
    pub fn new(limit: usize, hosts: usize) -> Degree {
        Degree {
            limit,
            up: vec![[None; DEGREE_MAX]; hosts],
            most: 0,
            findings: Findings::default(),
        }
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting) {
        let Seen::Event(event) = &sighting.what else { return };
        let found = match event {
            Event::NeighbourUp { node, slot } => self.came(sighting.host, *node, *slot),
            Event::NeighbourDown { node, slot } => self.went(sighting.host, *node, *slot),
            Event::Placed { neighbours, .. } if *neighbours > self.limit => {
                Err(format!("{neighbours} neighbours were named"))
            }
            _ => Ok(()),
        };
        if let Err(what) = found {
            let what = format!("host {}: {what}, with at most {}", sighting.host, self.limit);
            self.findings.add(CHECK, sighting.at, what);
        }
    }

    /// A host that nobody had counted on has been started.
    pub fn started(&mut self, host: u32) {
        self.up.resize(self.up.len().max(host as usize + 1), [None; DEGREE_MAX]);
    }

    fn came(&mut self, host: u32, node: NodeId, slot: u8) -> Result<(), String> {
        let slots = &mut self.up[host as usize];
        let place = usize::from(slot);
        if place >= self.limit {
            return Err(format!("neighbour {node:?} is up in slot {slot}"));
        }
        let twice = slots.contains(&Some(node));
        let before = slots[place].replace(node);
        self.most = self.most.max(slots.iter().flatten().count());
        match before {
            Some(before) => Err(format!("{before:?} is still up in slot {slot} of {node:?}")),
            None if twice => Err(format!("neighbour {node:?} is up in two slots")),
            None => Ok(()),
        }
    }

    fn went(&mut self, host: u32, node: NodeId, slot: u8) -> Result<(), String> {
        let place = self.up[host as usize].get_mut(usize::from(slot));
        match place {
            Some(place) if *place == Some(node) => {
                *place = None;
                Ok(())
            }
            _ => Err(format!("neighbour {node:?} went from slot {slot}, where it was not")),
        }
    }

    /// The most neighbours that any host ever had up.
    pub fn most(&self) -> usize {
        self.most
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::time::Time;

    fn up(node: u8, slot: u8) -> Event {
        Event::NeighbourUp { node: NodeId([node; 32]), slot }
    }

    fn down(node: u8, slot: u8) -> Event {
        Event::NeighbourDown { node: NodeId([node; 32]), slot }
    }

    fn found(events: Vec<Event>) -> (u64, usize) {
        let mut degree = Degree::new(2, 1);
        for event in events {
            degree.see(&Sighting { at: Time(1), host: 0, what: Seen::Event(event) });
        }
        (degree.verdict().count(), degree.most())
    }

    #[test]
    fn as_many_as_allowed_is_right() {
        assert_eq!(found(vec![up(1, 0), up(2, 1), down(1, 0), up(3, 0)]), (0, 2));
        assert_eq!(found(vec![Event::Placed { labels: 8, neighbours: 2, changed: 0 }]), (0, 0));
    }

    #[test]
    fn everything_else_is_found() {
        assert_eq!(found(vec![up(1, 2)]).0, 1, "a slot beyond the last");
        assert_eq!(found(vec![up(1, 0), up(2, 0)]).0, 1, "two in one slot");
        assert_eq!(found(vec![up(1, 0), up(1, 1)]).0, 1, "one in two slots");
        assert_eq!(found(vec![up(1, 0), down(2, 0)]).0, 1, "another one went");
        assert_eq!(found(vec![down(1, 9)]).0, 1, "nobody went");
        assert_eq!(
            found(vec![Event::Placed { labels: 8, neighbours: 3, changed: 0 }]).0,
            1,
            "named too many"
        );
    }
}
