//! The bound of a graph: the shortest path there is, which only one who sees all of it can know.

use super::design::{Design, Step, Survivors};
use super::graph::{Graph, Node};
use std::collections::BTreeMap;

/// Shortest paths, by breadth-first search from both ends of each pair.
#[derive(Debug)]
pub struct Shortest<'a> {
    graph: &'a Graph,
    survivors: &'a Survivors,
}

/// The nodes found from one end: each with the one it was found from.
struct Side {
    from: BTreeMap<Node, Node>,
    edge: Vec<Node>,
}

impl Side {
    fn of(node: Node) -> Side {
        Side { from: BTreeMap::from([(node, node)]), edge: vec![node] }
    }

    /// The way back from `node` to this end, both included.
    fn back(&self, mut node: Node) -> Vec<Node> {
        let mut way = vec![node];
        while let Some(before) = self.from.get(&node).filter(|before| **before != node) {
            node = *before;
            way.push(node);
        }
        way
    }
}

impl<'a> Shortest<'a> {
    /// Paths on `graph` over `survivors`.
    pub fn new(graph: &'a Graph, survivors: &'a Survivors) -> Shortest<'a> {
        Shortest { graph, survivors }
    }

    /// One level further from `side`. The node where it met the `other`, if it did.
    fn widen(&self, side: &mut Side, other: &Side) -> Option<Node> {
        for node in std::mem::take(&mut side.edge) {
            for &next in self.graph.neighbours(node) {
                if !self.survivors.has(next) || side.from.contains_key(&next) {
                    continue;
                }
                side.from.insert(next, node);
                side.edge.push(next);
                if other.from.contains_key(&next) {
                    return Some(next);
                }
            }
        }
        None
    }
}

impl Design for Shortest<'_> {
    /// The nodes yet to pass, the next one last.
    type Packet = Vec<Node>;

    fn packet(&self, from: Node, to: Node) -> Vec<Node> {
        let (mut near, mut far) = (Side::of(from), Side::of(to));
        while !near.edge.is_empty() && !far.edge.is_empty() {
            let met = if near.edge.len() <= far.edge.len() {
                self.widen(&mut near, &far)
            } else {
                self.widen(&mut far, &near)
            };
            if let Some(met) = met {
                let mut way = far.back(met);
                way.reverse();
                way.extend(near.back(met).into_iter().skip(1));
                way.pop();
                return way;
            }
        }
        Vec::new()
    }

    fn step(&self, _at: Node, _came: Option<Node>, way: &mut Vec<Node>) -> Step {
        way.pop().map_or(Step::Lost, Step::Forward)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_ring_it_goes_the_short_way_around_the_dead() {
        let mut ring = Graph::empty(9, 2);
        for node in 0..9 {
            ring.link(node, (node + 1) % 9);
        }
        let all = Survivors::new(vec![true; 9]);
        assert_eq!(Shortest::new(&ring, &all).packet(0, 3), [3, 2, 1]);
        assert_eq!(Shortest::new(&ring, &all).packet(8, 0), [0]);
        let around = Survivors::new((0..9).map(|node| node != 2).collect());
        assert_eq!(Shortest::new(&ring, &around).packet(0, 3), [3, 4, 5, 6, 7, 8]);
    }
}
