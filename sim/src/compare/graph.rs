//! Who is linked with whom: a simple undirected graph of bounded degree.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// A node of a compared network, counted from zero.
pub type Node = u32;

/// Draws for one link before a node is left short: what is drawn may be full or linked already.
const DRAWS: usize = 32;

/// A graph without loops and double links, of no more than `degree` links a node.
#[derive(Debug, Clone)]
pub struct Graph {
    degree: usize,
    /// Room for `degree` neighbours of each node, in the order of their slots.
    links: Vec<Node>,
    /// Links each node has.
    count: Vec<u8>,
}

impl Graph {
    /// No links yet.
    pub fn empty(nodes: usize, degree: usize) -> Graph {
        Graph { degree, links: vec![0; nodes * degree], count: vec![0; nodes] }
    }

    /// Every node linked with `degree` others drawn at random; one has one less where both
    /// numbers are odd, and the last few where only linked ones are left to each other.
    pub fn regular(nodes: usize, degree: usize, rng: &mut impl Rng) -> Graph {
        let mut graph = Graph::empty(nodes, degree);
        let mut ends: Vec<Node> =
            (0..nodes as Node).flat_map(|node| std::iter::repeat_n(node, degree)).collect();
        ends.shuffle(rng);
        let (pairs, _) = ends.as_chunks::<2>();
        let left: Vec<[Node; 2]> =
            pairs.iter().copied().filter(|[a, b]| !graph.link(*a, *b)).collect();
        for [a, b] in left {
            graph.link_over_another(a, b, rng);
        }
        graph
    }

    /// Gives `a` and `b` a link more each, though not to each other: a link `c`-`d` becomes `a`-`c`
    /// and `b`-`d`.
    fn link_over_another(&mut self, a: Node, b: Node, rng: &mut impl Rng) {
        for _ in 0..DRAWS * DRAWS {
            let c = rng.random_range(0..self.count.len() as Node);
            let others = self.neighbours(c);
            if others.is_empty() {
                continue;
            }
            let d = others[rng.random_range(0..others.len())];
            let apart = c != a && d != b && c != b && d != a;
            if apart && !self.linked(a, c) && !self.linked(b, d) {
                self.unlink(c, d);
                self.link(a, c);
                self.link(b, d);
                return;
            }
        }
    }

    /// Fills the nodes' free slots with what `draw` names for each, as far as there is room.
    pub fn fill<R: Rng>(&mut self, rng: &mut R, mut draw: impl FnMut(&mut R, Node) -> Node) {
        let mut order: Vec<Node> = (0..self.count.len() as Node).collect();
        for _ in 0..self.degree {
            // In a new order each time: no node is always the first to choose.
            order.shuffle(rng);
            for &node in &order {
                let mut draws = 0..DRAWS;
                while !self.full(node) && draws.next().is_some() {
                    let other = draw(rng, node);
                    if self.link(node, other) {
                        break;
                    }
                }
            }
        }
    }

    /// Links two nodes. False if they are the same, linked already, or have no room.
    pub fn link(&mut self, a: Node, b: Node) -> bool {
        if a == b || self.full(a) || self.full(b) || self.linked(a, b) {
            return false;
        }
        for (from, to) in [(a, b), (b, a)] {
            let at = from as usize;
            self.links[at * self.degree + usize::from(self.count[at])] = to;
            self.count[at] += 1;
        }
        true
    }

    fn unlink(&mut self, a: Node, b: Node) {
        for (from, to) in [(a, b), (b, a)] {
            let Some(slot) = self.slot(from, to) else { continue };
            let at = from as usize;
            let last = usize::from(self.count[at]) - 1;
            self.links.swap(at * self.degree + slot, at * self.degree + last);
            self.count[at] -= 1;
        }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.count.len()
    }

    /// The neighbours of a node, by slot.
    pub fn neighbours(&self, node: Node) -> &[Node] {
        let at = node as usize * self.degree;
        &self.links[at..at + usize::from(self.count[node as usize])]
    }

    fn slot(&self, node: Node, other: Node) -> Option<usize> {
        self.neighbours(node).iter().position(|near| *near == other)
    }

    fn linked(&self, a: Node, b: Node) -> bool {
        self.slot(a, b).is_some()
    }

    fn full(&self, node: Node) -> bool {
        usize::from(self.count[node as usize]) == self.degree
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_regular_graph_is_simple_and_regular() {
        let graph = Graph::regular(501, 8, &mut ChaCha8Rng::seed_from_u64(1));
        for node in 0..501 {
            let mut near = graph.neighbours(node).to_vec();
            assert!(near.iter().all(|other| graph.linked(*other, node) && *other != node));
            near.sort_unstable();
            near.dedup();
            assert_eq!(near.len(), 8);
        }
    }
}
