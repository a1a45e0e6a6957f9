//! Symphony: a ring with long links, most of them short (Manku, Bawa, Raghavan 2003).

use super::graph::{Graph, Node};
use super::greedy::Metric;
use rand::{Rng, RngExt};

/// Nodes evenly spaced on a ring. Two links of each go to its neighbours there, the others as far
/// as the harmonic distribution says.
#[derive(Debug)]
pub struct Symphony {
    graph: Graph,
}

impl Symphony {
    /// A ring of so many nodes.
    pub fn new(nodes: usize, degree: usize, rng: &mut impl Rng) -> Symphony {
        let mut graph = Graph::empty(nodes, degree);
        let count = nodes as Node;
        (0..count).for_each(|node| {
            graph.link(node, (node + 1) % count);
        });
        graph.fill(rng, |rng, node| {
            let distance = (nodes as f64).powf(rng.random::<f64>()) as Node;
            (node + distance.clamp(1, count - 1)) % count
        });
        Symphony { graph }
    }
}

impl Metric for Symphony {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn estimate(&self, hops: u32, at: Node, to: Node) -> u64 {
        let (apart, around) = (at.abs_diff(to), self.graph.nodes() as Node);
        u64::from(apart.min(around - apart)) << 2 | u64::from(hops)
    }
}
