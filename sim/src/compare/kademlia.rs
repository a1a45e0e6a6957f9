//! Kademlia with no more contacts than the degree (Maymounkov, Mazières 2002).

use super::graph::{Graph, Node};
use super::greedy::Metric;
use rand::{Rng, RngExt};

/// Bits of an identifier.
const BITS: u32 = 64;

/// Nodes of random identifiers. Two links of each go to those next to it in order, the others into
/// buckets drawn at random: with this degree there is none for every bucket.
#[derive(Debug)]
pub struct Kademlia {
    graph: Graph,
    /// Identifiers in ascending order.
    ids: Vec<u64>,
}

impl Kademlia {
    /// So many nodes.
    pub fn new(nodes: usize, degree: usize, rng: &mut impl Rng) -> Kademlia {
        let mut ids: Vec<u64> = (0..nodes).map(|_| rng.random()).collect();
        ids.sort_unstable();
        let mut graph = Graph::empty(nodes, degree);
        let count = nodes as Node;
        (0..count).for_each(|node| {
            graph.link(node, (node + 1) % count);
        });
        let buckets = nodes.next_power_of_two().trailing_zeros().clamp(1, BITS - 1);
        graph.fill(rng, |rng, node| {
            let (first, end) = bucket(&ids, node, rng.random_range(0..buckets));
            if first < end { rng.random_range(first..end) } else { node }
        });
        Kademlia { graph, ids }
    }
}

/// The nodes whose identifiers share `shared` leading bits with that of `node`, and no more: from
/// the first to before the end.
fn bucket(ids: &[u64], node: Node, shared: u32) -> (Node, Node) {
    let bit = 1 << (BITS - 1 - shared);
    let low = (ids[node as usize] ^ bit) & !(bit - 1);
    let first = ids.partition_point(|id| *id < low);
    let end = ids.partition_point(|id| *id <= low | (bit - 1));
    (first as Node, end as Node)
}

impl Metric for Kademlia {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn estimate(&self, _hops: u32, at: Node, to: Node) -> u64 {
        self.ids[at as usize] ^ self.ids[to as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_those_that_differ_at_its_bit() {
        let ids = [0b000 << 61, 0b001 << 61, 0b010 << 61, 0b100 << 61, 0b110 << 61];
        assert_eq!(bucket(&ids, 0, 0), (3, 5));
        assert_eq!(bucket(&ids, 0, 1), (2, 3));
        assert_eq!(bucket(&ids, 0, 2), (1, 2));
        assert_eq!(bucket(&ids, 4, 1), (3, 4));
    }
}
