//! How the rivals forward: greedily by an estimate, one neighbour further than their own, with
//! steps back where nothing is left.

use super::design::{Design, Step, Survivors};
use super::graph::{Graph, Node};

/// How a rival guesses what is left of a way.
pub trait Metric {
    /// The links of its network.
    fn graph(&self) -> &Graph;

    /// The smaller, the better it is to be at `at`, `hops` from here, on the way to `to`.
    fn estimate(&self, hops: u32, at: Node, to: Node) -> u64;
}

/// A rival's rule: its metric, over neighbours and their neighbours.
#[derive(Debug)]
pub struct Greedy<'a, M> {
    metric: M,
    survivors: &'a Survivors,
}

/// What a rival's packet carries.
#[derive(Debug)]
pub struct Walk {
    to: Node,
    visited: Vec<Node>,
    /// The nodes to step back along, the one it is at last.
    path: Vec<Node>,
}

impl<'a, M: Metric> Greedy<'a, M> {
    /// The rule over `survivors` of the metric's graph.
    pub fn new(metric: M, survivors: &'a Survivors) -> Greedy<'a, M> {
        Greedy { metric, survivors }
    }

    /// The best that `near`, a neighbour of `at`, leads to. Whether its own neighbours live, `at`
    /// does not know.
    fn beyond(&self, at: Node, near: Node, walk: &Walk) -> u64 {
        let further = self.metric.graph().neighbours(near).iter();
        let further = further.filter(|far| **far != at && !walk.visited.contains(far));
        let further = further.map(|far| self.metric.estimate(2, *far, walk.to));
        further.chain([self.metric.estimate(1, near, walk.to)]).min().unwrap_or(u64::MAX)
    }
}

impl<M: Metric> Design for Greedy<'_, M> {
    type Packet = Walk;

    fn packet(&self, from: Node, to: Node) -> Walk {
        Walk { to, visited: vec![from], path: vec![from] }
    }

    fn step(&self, at: Node, _came: Option<Node>, walk: &mut Walk) -> Step {
        let near = self.metric.graph().neighbours(at).iter().copied();
        let live = near.filter(|near| self.survivors.has(*near));
        if live.clone().any(|near| near == walk.to) {
            return Step::Forward(walk.to);
        }
        let new = live.filter(|near| !walk.visited.contains(near));
        if let Some(next) = new.min_by_key(|near| self.beyond(at, *near, walk)) {
            walk.visited.push(next);
            walk.path.push(next);
            return Step::Forward(next);
        }
        walk.path.pop();
        walk.path.last().map_or(Step::Lost, |back| Step::Forward(*back))
    }
}
