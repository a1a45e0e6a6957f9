//! How much a peer holds of what others can make grow, beside how much it may.

use super::Peer;
use crate::config::{DEGREE_MAX, HOSTS_MAX};
use crate::context::Context;
use crate::footprint::Heap;
use crate::hostile::Count;

/// Bytes on the heap that a peer may need: 16 neighbours with 16 each in 32 trees, a host cache and
/// two hundred locations come to half of it.
const HEAP_MAX: usize = 1 << 20;

impl Peer {
    pub(crate) fn census(&self, cx: &Context) -> Vec<Count> {
        vec![
            Count { what: "neighbours", held: self.neighbours.len(), limit: DEGREE_MAX },
            Count { what: "slots", held: self.place.slots.len(), limit: DEGREE_MAX },
            Count { what: "nodes that told early", held: self.early.len(), limit: DEGREE_MAX },
            Count { what: "standbys", held: self.standbys.len(), limit: cx.config.standbys },
            Count { what: "hosts", held: self.hosts.len(), limit: HOSTS_MAX },
            Count { what: "bytes of a peer", held: self.heap() + cx.heap(), limit: HEAP_MAX },
        ]
    }
}
