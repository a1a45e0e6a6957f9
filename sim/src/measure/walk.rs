//! Walks of pairs of peers over the network as it stands, by the core's own forwarding rule.

use super::Noticed;
use crate::report::Sample;
use crate::scenario::population::Population;
use crate::world::World;
use overlay_proto::Node;
use overlay_proto::forward::{Decision, Near, decide};
use overlay_proto::id::{IndexKey, LinkId, ShortId};
use overlay_proto::time::Span;
use overlay_proto::wire::packet::Destination;
use overlay_proto::wire::{Class, Packet};
use rand::{Rng, RngExt};

/// The network that is walked over.
#[derive(Debug)]
pub struct Ground<'a> {
    world: &'a World<Node>,
    population: &'a Population,
    /// Hosts of live users that have a place.
    peers: Vec<u32>,
    /// What everybody has noticed of a crash; without it peers know what they know.
    noticed: Option<Noticed>,
}

/// What many walks have shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Pairs walked.
    pub pairs: usize,
    /// Hops of each walk that arrived.
    pub hops: Sample,
    /// One-way delay along each way that arrived over the delay of the direct way.
    pub stretch: Sample,
    /// All delays along these ways together, over all delays of the direct ways together: what a
    /// mean message waits. The mean of `stretch` counts neighbours in one town as much.
    pub stretch_of_means: Option<f64>,
    /// How many walks each peer has forwarded, neither their first nor their last.
    pub load: Sample,
}

/// One walk that has arrived.
struct Arrived {
    hops: u32,
    delay: Span,
}

impl Survey {
    /// Share of the walks that arrived; `None` if there were none.
    pub fn delivered(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.hops.len() as f64 / self.pairs as f64)
    }

    /// The busiest peer's load over the mean; `None` if nobody forwarded anything.
    pub fn load_max_over_mean(&self) -> Option<f64> {
        let mean = self.load.mean().filter(|mean| *mean > 0.0)?;
        self.load.quantile(1.0).map(|most| most / mean)
    }
}

impl<'a> Ground<'a> {
    /// The network as it stands.
    pub fn new(world: &'a World<Node>, population: &'a Population) -> Ground<'a> {
        let hosts = (0..population.users()).map(|user| population.host(user));
        let started = hosts.take_while(|host| *host < world.next_host());
        let placed = |host: &u32| world.machine(*host).is_some_and(|node| node.labels().is_some());
        let peers = started.filter(placed).collect();
        Ground { world, population, peers, noticed: None }
    }

    /// The network once all have noticed the dead and told, but nobody has repaired anything.
    #[must_use]
    pub fn with_the_dead_noticed(self) -> Ground<'a> {
        let noticed = Some(Noticed::of(self.world));
        Ground { noticed, ..self }
    }

    /// Peers that can be walked from and to.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Walks so many random pairs.
    pub fn survey(&self, pairs: usize, dice: &mut impl Rng) -> Survey {
        let count = self.peers.len();
        if count < 2 {
            return Survey::default();
        }
        let mut load = vec![0_u32; self.world.next_host() as usize];
        let (mut hops, mut stretch) = (Vec::new(), Vec::new());
        let (mut taken, mut least) = (Span::ZERO, Span::ZERO);
        for _ in 0..pairs {
            let from = dice.random_range(0..count);
            let to = (from + dice.random_range(1..count)) % count;
            let (from, to) = (self.peers[from], self.peers[to]);
            if let Some(arrived) = self.walk(from, to, &mut load) {
                let direct = self.world.one_way(from, to);
                hops.push(f64::from(arrived.hops));
                stretch.push(ratio(arrived.delay, direct));
                (taken, least) = (taken + arrived.delay, least + direct);
            }
        }
        let load = self.peers.iter().map(|host| f64::from(load[*host as usize]));
        let load = Sample::new(load);
        let stretch_of_means = (!hops.is_empty()).then(|| ratio(taken, least));
        let (hops, stretch) = (Sample::new(hops), Sample::new(stretch));
        Survey { pairs, hops, stretch, stretch_of_means, load }
    }

    /// Which share of the hops of so many random walks is forwarded by these hosts; `None` if nothing
    /// is forwarded.
    pub fn share_through(&self, hosts: &[u32], pairs: usize, dice: &mut impl Rng) -> Option<f64> {
        let count = self.peers.len();
        let mut load = vec![0_u32; self.world.next_host() as usize];
        for _ in 0..if count < 2 { 0 } else { pairs } {
            let from = dice.random_range(0..count);
            let to = (from + dice.random_range(1..count)) % count;
            self.walk(self.peers[from], self.peers[to], &mut load);
        }
        let all: u64 = load.iter().map(|hops| u64::from(*hops)).sum();
        let theirs: u64 = hosts.iter().map(|host| u64::from(load[*host as usize])).sum();
        (all > 0).then(|| theirs as f64 / all as f64)
    }

    /// Which share of all ends of links is at these hosts; `None` if there are no links.
    pub fn links_share(&self, hosts: &[u32]) -> Option<f64> {
        let links = |host: &u32| self.world.machine(*host).map_or(0, |node| node.routes().count());
        let all: usize = self.peers.iter().map(links).sum();
        let theirs: usize = hosts.iter().map(links).sum();
        (all > 0).then(|| theirs as f64 / all as f64)
    }

    /// Walks from one host to another. `None` where a peer would turn to the scaffold, or would not
    /// take the packet.
    fn walk(&self, from: u32, to: u32, load: &mut [u32]) -> Option<Arrived> {
        let target = self.world.machine(to)?;
        let labels = target.labels()?.clone();
        // The key serves the scaffold only, which no walk takes.
        let destination = Destination { node: target.id(), key: IndexKey(0), labels };
        let source = self.world.machine(from)?.id();
        let mut packet = Packet::new(Class::Message, source, &destination, &[]);
        let (mut at, mut came_from) = (from, None);
        let mut arrived = Arrived { hops: 0, delay: Span::ZERO };
        while at != to {
            let node = self.world.machine(at)?;
            if at != from {
                load[at as usize] += 1;
            }
            let link = self.decide(node, came_from, &mut packet)?;
            let next = node.routes().find(|near| near.link == link)?.node;
            let next = self.population.host_of(&next)?;
            // A peer takes packets from its neighbours only.
            self.world.machine(next)?.routes().find(|near| near.node == node.id())?;
            arrived.delay = arrived.delay + self.world.one_way(at, next);
            arrived.hops += 1;
            (at, came_from) = (next, Some(node.id().short()));
        }
        Some(arrived)
    }

    fn decide(&self, node: &Node, from: Option<ShortId>, packet: &mut Packet) -> Option<LinkId> {
        let me = node.id().short();
        let decision = match &self.noticed {
            None => decide(me, node.routes(), from, packet),
            Some(noticed) => {
                let survivors = noticed.survivors(node);
                let near = survivors.iter().map(|survivor| -> Near<'_> { survivor.near() });
                decide(me, near, from, packet)
            }
        };
        match decision {
            Decision::Send(link) => Some(link),
            Decision::HopLimit | Decision::DeadEnd => None,
        }
    }
}

fn ratio(taken: Span, direct: Span) -> f64 {
    taken.0 as f64 / direct.0.max(1) as f64
}
