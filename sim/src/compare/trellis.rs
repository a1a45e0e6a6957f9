//! Our design: several trees at once, and the core's own forwarding rule.

use super::design::{Design, Step, Survivors};
use super::graph::{Graph, Node};
use super::tree;
use overlay_proto::coordinates::{Labels, LinkCost};
use overlay_proto::forward::{DeadLinks, Decision, Hood, Near, decide};
use overlay_proto::id::{IndexKey, LinkId, NodeId, ShortId};
use overlay_proto::wire::packet::Destination;
use overlay_proto::wire::{Class, Packet};
use rand::{Rng, RngExt};

/// The trees' labels over a graph, and what each node has told its neighbours of its own.
#[derive(Debug)]
pub struct Trellis<'a> {
    graph: &'a Graph,
    survivors: &'a Survivors,
    ids: Vec<NodeId>,
    labels: Vec<Labels>,
    dead: Vec<DeadLinks>,
    far: Vec<Hood>,
}

impl<'a> Trellis<'a> {
    /// So many breadth-first trees from roots drawn at random, grown before the crash; every
    /// survivor has told its neighbours, and they theirs, which of its links died.
    pub fn new(
        graph: &'a Graph,
        survivors: &'a Survivors,
        trees: usize,
        rng: &mut impl Rng,
    ) -> Trellis<'a> {
        let nodes = 0..graph.nodes() as Node;
        let ids = nodes.clone().map(|_| NodeId(rng.random())).collect();
        let mut labels = vec![Labels::none(trees); graph.nodes()];
        for tree in 0..trees {
            let grown = tree::breadth_first(graph, rng);
            labels.iter_mut().zip(grown).for_each(|(labels, label)| labels.set(tree, label));
        }
        let (dead, far) = (Vec::new(), Vec::new());
        let mut trellis = Trellis { graph, survivors, ids, labels, dead, far };
        trellis.dead = nodes.clone().map(|node| trellis.dead_links(node)).collect();
        trellis.far = nodes.map(|node| trellis.neighbourhood(node)).collect();
        trellis
    }

    /// As `Neighbour::learn` of the core notes them.
    fn dead_links(&self, node: Node) -> DeadLinks {
        let mut dead = DeadLinks::default();
        let own = self.labels[node as usize].view();
        let near = (0..).zip(self.graph.neighbours(node));
        for (slot, lost) in near.filter(|(_, near)| !self.survivors.has(**near)) {
            dead.lose(slot, own, self.labels[*lost as usize].view());
        }
        dead
    }

    /// What a node tells of its live neighbours.
    fn neighbourhood(&self, node: Node) -> Hood {
        let mut hood = Hood::default();
        let near = (0..).zip(self.graph.neighbours(node));
        for (slot, near) in near.filter(|(_, near)| self.survivors.has(**near)) {
            let labels = self.labels[*near as usize].iter().enumerate();
            let (short, dead) = (self.short(*near), self.dead[*near as usize]);
            hood.put(slot, short, LinkCost::HOP_ONLY, dead, labels);
        }
        hood
    }

    fn short(&self, node: Node) -> ShortId {
        self.ids[node as usize].short()
    }

    fn near(&self, slot: usize, node: Node) -> Near<'_> {
        let at = node as usize;
        Near {
            link: LinkId(slot as u64),
            node: self.ids[at],
            cost: LinkCost::HOP_ONLY,
            labels: self.labels[at].view(),
            dead: self.dead[at],
            far: &self.far[at],
        }
    }
}

impl Design for Trellis<'_> {
    type Packet = Packet;

    fn packet(&self, from: Node, to: Node) -> Packet {
        let labels = self.labels[to as usize].clone();
        let to = Destination { node: self.ids[to as usize], key: IndexKey(0), labels };
        Packet::new(Class::Message, self.ids[from as usize], &to, b"-")
    }

    fn step(&self, at: Node, came: Option<Node>, packet: &mut Packet) -> Step {
        let near = self.graph.neighbours(at);
        let live = near.iter().enumerate().filter(|(_, near)| self.survivors.has(**near));
        let live = live.map(|(slot, near)| self.near(slot, *near));
        match decide(self.short(at), live, came.map(|came| self.short(came)), packet) {
            Decision::Send(LinkId(slot)) => Step::Forward(near[slot as usize]),
            Decision::HopLimit | Decision::DeadEnd => Step::Lost,
        }
    }
}
