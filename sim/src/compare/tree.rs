//! One spanning tree, as in Yggdrasil: a node's address is its way down from the root.

use super::graph::{Graph, Node};
use super::greedy::Metric;
use overlay_proto::coordinates::{Epoch, HOP, Label};
use rand::{Rng, RngExt};
use std::collections::VecDeque;

/// The tree's labels over a graph.
#[derive(Debug)]
pub struct Tree<'a> {
    graph: &'a Graph,
    labels: Vec<Label>,
}

impl<'a> Tree<'a> {
    /// A breadth-first tree from a root drawn at random.
    pub fn new(graph: &'a Graph, rng: &mut impl Rng) -> Tree<'a> {
        Tree { graph, labels: breadth_first(graph, rng) }
    }
}

/// Each node's label in a breadth-first tree from a root drawn at random; none where the tree does
/// not reach.
pub fn breadth_first(graph: &Graph, rng: &mut impl Rng) -> Vec<Label> {
    let mut labels = vec![Label::NONE; graph.nodes()];
    let root = rng.random_range(0..graph.nodes() as Node);
    labels[root as usize] = Label::root(Epoch(1));
    let mut queue = VecDeque::from([root]);
    while let Some(parent) = queue.pop_front() {
        for (slot, &child) in (0..).zip(graph.neighbours(parent)) {
            if labels[child as usize] == Label::NONE
                && let Some(label) = labels[parent as usize].child(slot)
            {
                labels[child as usize] = label;
                queue.push_back(child);
            }
        }
    }
    labels
}

impl Metric for Tree<'_> {
    fn graph(&self) -> &Graph {
        self.graph
    }

    fn estimate(&self, hops: u32, at: Node, to: Node) -> u64 {
        let between = self.labels[at as usize].distance_and_prefix(self.labels[to as usize]);
        // Ties toward the deeper common prefix, as our own rule has them.
        between.map_or(u64::MAX, |(way, prefix)| {
            u64::from(HOP * hops + way) << 8 | u64::from(64 - prefix)
        })
    }
}
