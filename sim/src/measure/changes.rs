//! What joins and leaves cost the network: links made and cut, labels changed.

use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::id::NodeId;
use overlay_proto::io::Event;
use overlay_proto::time::{Span, Time};

/// Counts of changes, and which of them belong to joins or to leaves.
///
/// Until the world has settled for the first time all changes are for joins; from a crash until its
/// repair all are for leaves. Changes of other times belong to neither.
#[derive(Debug, Default)]
pub struct Changes {
    now: Cost,
    joins: Option<(Cost, usize)>,
    leaves: Option<(Cost, usize)>,
    /// Neighbours whose slot was given up just now: one that comes up again at once has only moved.
    given_up: Vec<(u32, NodeId)>,
    at: Time,
    /// When a label changed last.
    relabelled: Time,
    /// When the last crash struck.
    crashed: Option<Time>,
}

/// How much has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cost {
    /// Ends of links made or cut: two for each link.
    ends: u64,
    /// Labels that a home has changed.
    labels: u64,
}

/// What one join or leave has cost on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Each {
    /// Links made or cut.
    pub links: f64,
    /// Labels changed, of the peer itself and of others.
    pub labels: f64,
}

impl Cost {
    fn since(self, before: Cost) -> Cost {
        Cost { ends: self.ends - before.ends, labels: self.labels - before.labels }
    }

    fn plus(self, more: Cost) -> Cost {
        Cost { ends: self.ends + more.ends, labels: self.labels + more.labels }
    }

    fn each(self, of: usize) -> Each {
        let of = of as f64;
        Each { links: self.ends as f64 / 2.0 / of, labels: self.labels as f64 / of }
    }
}

/// A crash that is being repaired, and what had changed before it.
#[derive(Debug)]
pub struct Wound(Cost);

impl Changes {
    /// Looks at what a host has told. `lives` says whether a host does.
    pub fn see(
        &mut self,
        sighting: &Sighting,
        population: &Population,
        lives: impl Fn(u32) -> bool,
    ) {
        let Seen::Event(event) = &sighting.what else { return };
        if sighting.at != self.at {
            self.at = sighting.at;
            self.given_up.clear();
        }
        match event {
            Event::NeighbourDown { node, .. } => {
                self.given_up.push((sighting.host, *node));
                let other = population.host_of(node);
                // The dead tell nothing: their end is counted here.
                self.now.ends += if other.is_some_and(lives) { 1 } else { 2 };
            }
            Event::NeighbourUp { node, .. } => {
                let moved = self.given_up.iter().position(|it| *it == (sighting.host, *node));
                match moved {
                    Some(at) => {
                        self.given_up.swap_remove(at);
                        self.now.ends = self.now.ends.saturating_sub(1);
                    }
                    None => self.now.ends += 1,
                }
            }
            Event::Placed { changed, .. } if *changed > 0 => {
                self.now.labels += u64::from(*changed);
                self.relabelled = sighting.at;
            }
            _ => {}
        }
    }

    /// Labels given or changed since the beginning.
    pub fn labels(&self) -> u64 {
        self.now.labels
    }

    /// So many have joined and all have their places. Only the first time counts.
    pub fn joined(&mut self, peers: usize) {
        self.joins.get_or_insert((self.now, peers));
    }

    /// A crash has struck.
    pub fn crashed(&mut self, at: Time) -> Wound {
        self.crashed = Some(at);
        Wound(self.now)
    }

    /// What the crash of so many has broken is whole again.
    pub fn repaired(&mut self, wound: &Wound, leavers: usize) {
        let (cost, before) = self.leaves.unwrap_or_default();
        self.leaves = Some((cost.plus(self.now.since(wound.0)), before + leavers));
    }

    /// From the last crash until the last label changed: if labels agree at the end of the run, they
    /// have done so from then on. `None` without a crash.
    pub fn labels_fresh_after(&self) -> Option<Span> {
        self.crashed.map(|crash| self.relabelled.since(crash))
    }

    /// What a join costs, once all have joined.
    pub fn per_join(&self) -> Option<Each> {
        self.joins.filter(|(_, peers)| *peers > 0).map(|(cost, peers)| cost.each(peers))
    }

    /// What a leave costs, once a crash has been repaired.
    pub fn per_leave(&self) -> Option<Each> {
        self.leaves.filter(|(_, peers)| *peers > 0).map(|(cost, peers)| cost.each(peers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    fn tell(changes: &mut Changes, at: u64, host: u32, event: Event, dead: &[u32]) {
        let mut population = Population::new(0, 4);
        (0..4).for_each(|n| population.runs(node(n), u32::from(n)));
        let sighting = Sighting { at: Time(at), host, what: Seen::Event(event) };
        changes.see(&sighting, &population, |host| !dead.contains(&host));
    }

    fn up(n: u8, slot: u8) -> Event {
        Event::NeighbourUp { node: node(n), slot }
    }

    fn down(n: u8, slot: u8) -> Event {
        Event::NeighbourDown { node: node(n), slot }
    }

    #[test]
    fn a_link_has_two_ends_of_which_the_dead_tell_nothing() {
        let mut changes = Changes::default();
        for (at, host, other) in [(1, 0, 1), (2, 1, 0), (3, 1, 2), (4, 2, 1)] {
            tell(&mut changes, at, host, up(other, 0), &[]);
        }
        tell(&mut changes, 5, 0, Event::Placed { labels: 8, neighbours: 1, changed: 6 }, &[]);
        changes.joined(4);
        assert_eq!(changes.per_join(), Some(Each { links: 0.5, labels: 1.5 }));
        assert_eq!(changes.per_leave(), None);
        let wound = changes.crashed(Time(5));
        tell(&mut changes, 6, 1, down(2, 0), &[2]);
        changes.repaired(&wound, 1);
        changes.joined(1);
        assert_eq!(changes.per_leave(), Some(Each { links: 1.0, labels: 0.0 }));
        assert_eq!(changes.per_join(), Some(Each { links: 0.5, labels: 1.5 }), "the first counts");
        for (at, changed) in [(7, 2), (9, 0)] {
            tell(&mut changes, at, 1, Event::Placed { labels: 8, neighbours: 1, changed }, &[2]);
        }
        assert_eq!(changes.labels_fresh_after(), Some(Span(2)));
    }

    #[test]
    fn moving_to_another_slot_changes_no_link() {
        let mut changes = Changes::default();
        tell(&mut changes, 1, 0, down(1, 3), &[]);
        tell(&mut changes, 1, 0, up(1, 4), &[]);
        assert_eq!(changes.now.ends, 0);
        tell(&mut changes, 2, 0, down(1, 4), &[]);
        tell(&mut changes, 3, 0, up(1, 4), &[]);
        assert_eq!(changes.now.ends, 2, "cut, and made again later");
    }
}
