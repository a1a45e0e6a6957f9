//! Who is revoked is out everywhere: no session, no neighbour, no answer to who looks for them,
//! within the deadline and for good.

use super::Findings;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::id::NodeId;
use overlay_proto::io::{Event, Reply};
use overlay_proto::time::{Span, Time};
use std::collections::{BTreeMap, BTreeSet};

const CHECK: &str = "shut_out";

/// Everybody who is to be out, and whoever still lets them in.
#[derive(Debug, Default)]
pub struct ShutOut {
    outcasts: BTreeMap<NodeId, Outcast>,
    sought: u64,
    /// Whether the deadline is over: from now on nobody may be in.
    judged: bool,
    findings: Findings,
}

#[derive(Debug)]
struct Outcast {
    host: u32,
    /// When the word was given.
    since: Time,
    /// Whether it is, or is under, a supernode that the word cannot reach before a heal.
    beyond: bool,
    /// Supernodes with a session of it, and peers that have it as a neighbour.
    homes: BTreeSet<u32>,
    near: BTreeSet<u32>,
    /// When the last of them let go.
    out: Option<Time>,
}

impl ShutOut {
    /// From now on this node is to be shut out. `homes` and `near` are the hosts of supernodes that
    /// have a session of it, and of peers that have it as a neighbour.
    pub fn begin(
        &mut self,
        node: NodeId,
        host: u32,
        (homes, near): (BTreeSet<u32>, BTreeSet<u32>),
        beyond: bool,
        since: Time,
    ) {
        self.judged = false;
        let out = (homes.is_empty() && near.is_empty()).then_some(since);
        self.outcasts.insert(node, Outcast { host, since, beyond, homes, near, out });
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        if self.outcasts.is_empty() {
            return;
        }
        match &sighting.what {
            Seen::Event(Event::ChildIn { node, .. }) => {
                self.changed(node, sighting, |outcast, host| {
                    outcast.homes.insert(host);
                });
            }
            Seen::Event(Event::ChildOut { node, .. }) => {
                self.changed(node, sighting, |outcast, host| {
                    outcast.homes.remove(&host);
                });
            }
            // What the outcast itself believes shows nothing.
            Seen::Event(Event::NeighbourUp { node, .. }) => {
                self.changed(node, sighting, |outcast, host| {
                    outcast.near.insert(host);
                });
            }
            Seen::Event(Event::NeighbourDown { node, .. }) => {
                self.changed(node, sighting, |outcast, host| {
                    outcast.near.remove(&host);
                });
            }
            // It has no neighbours any more, and says so of none.
            Seen::Event(Event::LoggedOut { .. }) => {
                let nodes: Vec<NodeId> = self.outcasts.keys().copied().collect();
                for node in nodes {
                    self.changed(&node, sighting, |outcast, host| {
                        outcast.near.remove(&host);
                    });
                }
            }
            Seen::Reply(_, Reply::Located { found, .. }) => {
                for found in found.iter().filter(|found| found.lease_ms > 0) {
                    self.located(found.record.node(), sighting, population);
                }
            }
            _ => {}
        }
    }

    fn changed(&mut self, node: &NodeId, sighting: &Sighting, change: impl Fn(&mut Outcast, u32)) {
        let Some(outcast) = self.outcasts.get_mut(node) else { return };
        change(outcast, sighting.host);
        let inside = !outcast.homes.is_empty() || !outcast.near.is_empty();
        match (inside, outcast.out) {
            // A link that was being made: it counts until the deadline.
            (true, Some(_)) if !self.judged => outcast.out = None,
            (true, Some(_)) => {
                let what = format!("{node:?} was out and is in again at host {}", sighting.host);
                self.findings.add(CHECK, sighting.at, what);
            }
            (false, None) => outcast.out = Some(sighting.at),
            _ => {}
        }
    }

    fn located(&mut self, node: NodeId, sighting: &Sighting, population: &Population) {
        let out = self.outcasts.get(&node).and_then(|outcast| outcast.out);
        if out.is_some_and(|out| out < sighting.at) && population.host_of(&node).is_some() {
            let what = format!("host {} is told where {node:?} is, who is out", sighting.host);
            self.findings.add(CHECK, sighting.at, what);
        }
    }

    /// Somebody looks for one of them.
    pub fn sought(&mut self) {
        self.sought += 1;
    }

    /// How many are not out yet.
    pub fn inside(&self) -> usize {
        self.outcasts.values().filter(|outcast| outcast.out.is_none()).count()
    }

    /// Judges who took how long, from the word or, for those beyond reach, from the heal.
    pub fn judge(&mut self, healed: Time, deadline: Span, after_heal: Span) {
        self.judged = true;
        for outcast in self.outcasts.values() {
            let (from, limit) = outcast.clock(healed, deadline, after_heal);
            let took = outcast.out.map(|out| out.since(from));
            if took.is_none_or(|took| took > limit) {
                let what = format!("host {} is out after {took:?}, not {limit:?}", outcast.host);
                self.findings.add(CHECK, healed, what);
            }
        }
    }

    /// Seconds until each was out: of those within reach from the word, of the others from the heal.
    pub fn waits(&self, healed: Time) -> (Vec<Span>, Vec<Span>) {
        let mut waits = (Vec::new(), Vec::new());
        for outcast in self.outcasts.values() {
            let (from, _) = outcast.clock(healed, Span::ZERO, Span::ZERO);
            let Some(took) = outcast.out.map(|out| out.since(from)) else { continue };
            if outcast.beyond { waits.1.push(took) } else { waits.0.push(took) }
        }
        waits
    }

    /// Outcasts, and times that somebody looked for one.
    pub fn counts(&self) -> (usize, u64) {
        (self.outcasts.len(), self.sought)
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

impl Outcast {
    fn clock(&self, healed: Time, deadline: Span, after_heal: Span) -> (Time, Span) {
        match self.beyond {
            true => (self.since.max(healed), after_heal),
            false => (self.since, deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::name::Name;
    use overlay_proto::status::Status;

    const NODE: NodeId = NodeId([7; 32]);

    fn told(shut: &mut ShutOut, host: u32, at: u64, event: Event) {
        let sighting = Sighting { at: Time(at), host, what: Seen::Event(event) };
        shut.see(&sighting, &Population::new(1, 3));
    }

    fn begun(beyond: bool) -> ShutOut {
        let mut shut = ShutOut::default();
        shut.begin(NODE, 3, ([0].into(), [1, 2].into()), beyond, Time(100));
        shut
    }

    #[test]
    fn out_is_when_the_last_one_lets_go() {
        let mut shut = begun(false);
        told(&mut shut, 0, 110, Event::ChildOut { node: NODE, status: Status::REVOKED });
        told(&mut shut, 1, 120, Event::NeighbourDown { node: NODE, slot: 0 });
        assert_eq!(shut.inside(), 1);
        told(&mut shut, 2, 150, Event::NeighbourDown { node: NODE, slot: 4 });
        assert_eq!((shut.inside(), shut.waits(Time(0)).0), (0, vec![Span(50)]));
        shut.judge(Time(0), Span(50), Span(1));
        assert_eq!(shut.verdict().count(), 0);
        shut.judge(Time(0), Span(49), Span(1));
        assert_eq!(shut.verdict().count(), 1, "too late");
    }

    #[test]
    fn who_comes_in_again_or_stays_is_found() {
        let mut shut = begun(true);
        shut.judge(Time(200), Span(1), Span(1_000));
        assert_eq!(shut.verdict().count(), 1, "still in");
        told(&mut shut, 0, 210, Event::ChildOut { node: NODE, status: Status::REVOKED });
        for host in [1, 2] {
            told(&mut shut, host, 220, Event::NeighbourDown { node: NODE, slot: 0 });
        }
        shut.judge(Time(200), Span(1), Span(20));
        assert_eq!(shut.waits(Time(200)).1, [Span(20)], "from the heal");
        assert_eq!(shut.verdict().count(), 1);
        let name = Name::new("u00003").expect("canonical");
        told(&mut shut, 0, 300, Event::ChildIn { node: NODE, name });
        assert_eq!(shut.verdict().count(), 2, "let in again");
    }
}
