//! How each peer stands in the topology, and how long a crash left it with a wound.

use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::config::DEGREE_MAX;
use overlay_proto::io::Event;
use overlay_proto::time::{Span, Time};
use std::collections::VecDeque;

const NOBODY: u32 = u32::MAX;
/// Peers from which distances are measured; the mean over all others is within a percent.
const DISTANCE_SOURCES: usize = 64;

/// What is known of one host.
#[derive(Debug, Clone)]
struct Stand {
    /// Whether it counts: a user's host that has been started and lives.
    here: bool,
    logged_in: bool,
    labels: usize,
    named: usize,
    up: [u32; DEGREE_MAX],
    whole: bool,
    /// Since when it has a neighbour that crashed, until it is whole again.
    wounded: Option<Time>,
    /// How long its last wound took to heal.
    healed: Option<Span>,
}

impl Stand {
    /// Of a host that has not been started.
    const NEW: Stand = Stand {
        here: false,
        logged_in: false,
        labels: 0,
        named: 0,
        up: [NOBODY; DEGREE_MAX],
        whole: false,
        wounded: None,
        healed: None,
    };
}

/// The standing of every peer, followed by events.
///
/// A peer is *whole* when it is logged in, has a label in every tree, has every neighbour that its
/// home names up and alive, and has as many as the degree says, or one less: with an odd number of
/// slots somebody is left over.
#[derive(Debug)]
pub struct Standing {
    degree: usize,
    trees: usize,
    stands: Vec<Stand>,
    here: usize,
    whole: usize,
    /// When the number of peers that are not whole last was above zero.
    broken_at: Time,
}

impl Standing {
    /// For so many hosts.
    pub fn new(degree: usize, trees: usize, hosts: usize) -> Standing {
        let stands = vec![Stand::NEW; hosts];
        Standing { degree, trees, stands, here: 0, whole: 0, broken_at: Time(0) }
    }

    /// A user's host has been started.
    pub fn started(&mut self, host: u32, at: Time) {
        self.make_room(host);
        self.stands[host as usize].here = true;
        self.here += 1;
        self.judge(host, at);
    }

    /// A host that nobody had counted on has been started.
    pub fn make_room(&mut self, host: u32) {
        self.stands.resize(self.stands.len().max(host as usize + 1), Stand::NEW);
    }

    /// These hosts are gone. Peers that had one of them up are wounded from now on.
    pub fn crashed(&mut self, victims: &[u32], at: Time) {
        for &victim in victims {
            let stand = &mut self.stands[victim as usize];
            if stand.here {
                self.here -= 1;
                self.whole -= usize::from(stand.whole);
                (stand.here, stand.whole) = (false, false);
            }
        }
        for host in 0..self.stands.len() {
            let hurt = |slot: &u32| *slot != NOBODY && !self.stands[*slot as usize].here;
            if self.stands[host].here && self.stands[host].up.iter().any(hurt) {
                self.stands[host].wounded.get_or_insert(at);
                self.judge(host as u32, at);
            }
        }
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        let Seen::Event(event) = &sighting.what else { return };
        let host = sighting.host;
        let stand = &mut self.stands[host as usize];
        match event {
            Event::LoggedIn { .. } => stand.logged_in = true,
            Event::HomeLost { .. } | Event::LoggedOut { .. } => stand.logged_in = false,
            Event::Placed { labels, neighbours, .. } => {
                (stand.labels, stand.named) = (*labels, *neighbours);
            }
            Event::NeighbourUp { node, slot } => {
                if let Some(place) = stand.up.get_mut(usize::from(*slot)) {
                    *place = population.host_of(node).unwrap_or(NOBODY);
                }
            }
            Event::NeighbourDown { slot, .. } => {
                if let Some(place) = stand.up.get_mut(usize::from(*slot)) {
                    *place = NOBODY;
                }
            }
            _ => return,
        }
        self.judge(host, sighting.at);
    }

    fn judge(&mut self, host: u32, at: Time) {
        let stand = &self.stands[host as usize];
        if !stand.here {
            return;
        }
        let whole = self.lacks(host).is_none();
        let was = stand.whole;
        if whole == was {
            // Still broken counts as broken until now; see `whole_for`.
            return;
        }
        let stand = &mut self.stands[host as usize];
        stand.whole = whole;
        if whole {
            stand.healed = stand.wounded.take().map(|since| at.since(since)).or(stand.healed);
            self.whole += 1;
            if self.whole == self.here {
                self.broken_at = at;
            }
        } else {
            self.whole -= 1;
        }
    }

    /// What keeps a peer from being whole, if anything does.
    pub fn lacks(&self, host: u32) -> Option<String> {
        let stand = &self.stands[host as usize];
        if !stand.logged_in {
            return Some("no session".into());
        }
        if stand.labels != self.trees {
            return Some(format!("labels in {} of {} trees", stand.labels, self.trees));
        }
        let up = || stand.up.iter().filter(|slot| **slot != NOBODY);
        let dead = up().filter(|slot| !self.stands[**slot as usize].here).count();
        if dead > 0 {
            return Some(format!("{dead} neighbours that are dead"));
        }
        let (up, wanted) = (up().count(), self.degree.min(self.here.saturating_sub(1)));
        if up != stand.named || up + 1 < wanted {
            return Some(format!("{up} neighbours up, {} named, {wanted} wanted", stand.named));
        }
        None
    }

    /// How long all peers have been whole at `now`, if they are.
    pub fn whole_for(&self, now: Time) -> Option<Span> {
        (self.whole == self.here).then(|| now.since(self.broken_at))
    }

    /// Peers started and alive.
    pub fn here(&self) -> usize {
        self.here
    }

    /// Of them, those that are whole.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// Whether a peer is alive and logged in.
    pub fn is_on_line(&self, host: u32) -> bool {
        self.stands.get(host as usize).is_some_and(|stand| stand.here && stand.logged_in)
    }

    /// Peers alive and logged in.
    pub fn logged_in(&self) -> usize {
        self.stands.iter().filter(|stand| stand.here && stand.logged_in).count()
    }

    /// Neighbours that live peers have up, on average.
    pub fn degree_mean(&self) -> f64 {
        let here = self.stands.iter().filter(|stand| stand.here);
        let up: usize = here.map(|s| s.up.iter().filter(|slot| **slot != NOBODY).count()).sum();
        up as f64 / self.here.max(1) as f64
    }

    /// Mean distance, in links, from some live peers to all others over the links that are up: what
    /// a router that sees everything would need. Pairs without a way do not count; `None` if no
    /// pair has one.
    pub fn graph_distance(&self) -> Option<f64> {
        let here: Vec<usize> =
            (0..self.stands.len()).filter(|host| self.stands[*host].here).collect();
        let (mut sum, mut pairs) = (0_usize, 0_usize);
        for source in here.iter().step_by(here.len().div_ceil(DISTANCE_SOURCES).max(1)) {
            let mut distance = vec![usize::MAX; self.stands.len()];
            distance[*source] = 0;
            let mut queue = VecDeque::from([*source]);
            while let Some(host) = queue.pop_front() {
                sum += distance[host];
                pairs += usize::from(host != *source);
                for next in self.stands[host].up.iter().filter(|slot| **slot != NOBODY) {
                    let next = *next as usize;
                    if self.stands[next].here && distance[next] == usize::MAX {
                        distance[next] = distance[host] + 1;
                        queue.push_back(next);
                    }
                }
            }
        }
        (pairs > 0).then(|| sum as f64 / pairs as f64)
    }

    /// For each peer that was wounded and is whole, how long its last wound took to heal.
    pub fn repairs(&self) -> Vec<Span> {
        let healed = self.stands.iter().filter(|stand| stand.here && stand.whole);
        healed.filter_map(|stand| stand.healed).collect()
    }

    /// Live peers that are not whole, with what each lacks.
    pub fn broken(&self) -> impl Iterator<Item = (u32, String)> {
        let here = (0..self.stands.len()).filter(|host| self.stands[*host].here);
        here.filter_map(|host| Some((host as u32, self.lacks(host as u32)?)))
    }

    /// Pairs of which one has the other up and not the other way round.
    pub fn one_sided(&self) -> impl Iterator<Item = (u32, u32)> {
        let here = (0..self.stands.len()).filter(|host| self.stands[*host].here);
        here.flat_map(move |host| {
            let up = self.stands[host].up.iter().filter(|slot| **slot != NOBODY);
            up.filter(move |slot| !self.stands[**slot as usize].up.contains(&(host as u32)))
                .map(move |slot| (host as u32, *slot))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::NodeId;

    fn node(host: u32) -> NodeId {
        NodeId([host as u8; 32])
    }

    /// Hosts 1 to 3 of users, all linked to each other and whole since 5 µs.
    fn triangle() -> (Standing, Population) {
        let mut population = Population::new(1, 3);
        let mut standing = Standing::new(2, 4, 4);
        for host in 1..=3 {
            population.runs(node(host), host);
            standing.started(host, Time(0));
        }
        for host in 1..=3 {
            let others = (1..=3).filter(|other| *other != host);
            for (slot, other) in others.enumerate() {
                let up = Event::NeighbourUp { node: node(other), slot: slot as u8 };
                tell(&mut standing, &population, host, 3, up);
            }
            let events = [
                Event::LoggedIn { home: node(0), failover: false },
                Event::Placed { labels: 4, neighbours: 2, changed: 0 },
            ];
            for event in events {
                tell(&mut standing, &population, host, 5, event);
            }
        }
        (standing, population)
    }

    fn tell(standing: &mut Standing, population: &Population, host: u32, at: u64, event: Event) {
        standing.see(&Sighting { at: Time(at), host, what: Seen::Event(event) }, population);
    }

    #[test]
    fn a_triangle_is_whole() {
        let (standing, _) = triangle();
        assert_eq!((standing.here(), standing.whole(), standing.logged_in()), (3, 3, 3));
        assert_eq!(standing.whole_for(Time(8)), Some(Span(3)));
        assert_eq!((standing.degree_mean(), standing.graph_distance()), (2.0, Some(1.0)));
        assert_eq!((standing.broken().count(), standing.one_sided().count()), (0, 0));
    }

    #[test]
    fn a_wound_lasts_until_the_dead_are_replaced() {
        let (mut standing, population) = triangle();
        standing.crashed(&[3], Time(10));
        assert_eq!((standing.here(), standing.whole(), standing.whole_for(Time(11))), (2, 0, None));
        for (host, at) in [(1, 20), (2, 30)] {
            let gone = Event::NeighbourDown { node: node(3), slot: 1 };
            tell(&mut standing, &population, host, at, gone);
            assert!(standing.lacks(host).is_some(), "the home has not noticed");
            let placed = Event::Placed { labels: 4, neighbours: 1, changed: 0 };
            tell(&mut standing, &population, host, at + 5, placed);
        }
        assert_eq!(standing.repairs(), [Span(15), Span(25)]);
        assert_eq!(standing.whole_for(Time(36)), Some(Span(1)));
    }

    #[test]
    fn everything_that_lacks_is_found() {
        let lacking = |event: Event| {
            let (mut standing, population) = triangle();
            tell(&mut standing, &population, 1, 9, event);
            standing.broken().count() + standing.one_sided().count()
        };
        assert_eq!(lacking(Event::Placed { labels: 3, neighbours: 2, changed: 0 }), 1);
        assert_eq!(lacking(Event::Placed { labels: 4, neighbours: 1, changed: 0 }), 1);
        assert_eq!(lacking(Event::NeighbourDown { node: node(2), slot: 0 }), 2);
        let status = overlay_proto::status::Status::TIMEOUT;
        assert_eq!(lacking(Event::LoggedOut { status }), 1);
    }
}
