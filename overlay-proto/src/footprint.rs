//! How much memory state takes, reckoned from what containers have room for.

use crate::address::TransportAddress;
use crate::coordinates::Coordinates;
use crate::id::{LinkId, MessageId, NodeId, ShortId};
use crate::identity::chain::DeviceChain;
use crate::identity::{Certificate, Contact, Subject};
use crate::location::LocationRecord;
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

/// Entries that a node of the standard library's B-tree has room for.
const TREE_NODE_ENTRIES: usize = 11;
/// Entries that such a node holds on average once there are several.
const TREE_NODE_FILLED: usize = 8;
/// What such a node holds besides: its parent, where it stands there, how many it holds.
const TREE_NODE_EXTRA: usize = 16;
/// The two counts of an [`Arc`].
const ARC_COUNTS: usize = 16;

/// Bytes that a value keeps on the heap. What an `Arc` points to counts for each who holds it,
/// unless the whole process shares it by design, as the configuration.
pub(crate) trait Heap {
    /// Bytes on the heap, without the value itself.
    fn heap(&self) -> usize;
}

macro_rules! flat {
    ($($type:ty),*) => { $(impl Heap for $type { fn heap(&self) -> usize { 0 } })* };
}
pub(crate) use flat;

flat!(u8, u16, u32, u64, LinkId, MessageId, NodeId, ShortId, Subject);

impl<T: Heap> Heap for Box<T> {
    fn heap(&self) -> usize {
        size_of::<T>() + (**self).heap()
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Heap::heap).sum::<usize>()
    }
}

impl<T: Heap> Heap for VecDeque<T> {
    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Heap::heap).sum::<usize>()
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Heap::heap)
    }
}

impl<A: Heap, B: Heap> Heap for (A, B) {
    fn heap(&self) -> usize {
        self.0.heap() + self.1.heap()
    }
}

impl<K: Heap, V: Heap> Heap for BTreeMap<K, V> {
    fn heap(&self) -> usize {
        let own = |(key, value): (&K, &V)| key.heap() + value.heap();
        tree(self.len(), size_of::<K>() + size_of::<V>()) + self.iter().map(own).sum::<usize>()
    }
}

impl<K: Heap> Heap for BTreeSet<K> {
    fn heap(&self) -> usize {
        tree(self.len(), size_of::<K>()) + self.iter().map(Heap::heap).sum::<usize>()
    }
}

pub(crate) fn tree(entries: usize, bytes: usize) -> usize {
    let nodes = match entries {
        0 => 0,
        1..=TREE_NODE_ENTRIES => 1,
        _ => entries.div_ceil(TREE_NODE_FILLED),
    };
    nodes * (TREE_NODE_ENTRIES * bytes + TREE_NODE_EXTRA)
}

impl Heap for String {
    fn heap(&self) -> usize {
        self.capacity()
    }
}

impl Heap for TransportAddress {
    fn heap(&self) -> usize {
        ARC_COUNTS + self.as_str().len()
    }
}

impl Heap for Name {
    fn heap(&self) -> usize {
        ARC_COUNTS + self.as_str().len()
    }
}

impl Heap for Coordinates {
    fn heap(&self) -> usize {
        self.slots.heap() + self.labels.heap()
    }
}

impl Heap for Contact {
    fn heap(&self) -> usize {
        self.addresses.heap()
    }
}

impl Heap for Arc<Certificate> {
    fn heap(&self) -> usize {
        ARC_COUNTS + size_of::<Certificate>() + self.name.heap()
    }
}

impl Heap for Arc<DeviceChain> {
    fn heap(&self) -> usize {
        ARC_COUNTS + size_of::<DeviceChain>() + self.user.name.heap()
    }
}

impl Heap for LocationRecord {
    fn heap(&self) -> usize {
        self.chain.heap() + self.standbys.heap() + self.addresses.heap() + self.labels.heap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_counts_and_what_is_in_it() {
        let mut bytes: Vec<u8> = Vec::with_capacity(100);
        bytes.push(1);
        assert_eq!((bytes.heap(), vec![bytes.clone()].heap()), (100, size_of::<Vec<u8>>() + 1));
        assert_eq!(crate::coordinates::Labels::none(16).heap(), 16 * size_of::<u64>());
        let map: BTreeMap<u64, u64> = (0..9).map(|n| (n, n)).collect();
        assert_eq!(map.heap(), 11 * 16 + 16);
        assert_eq!(BTreeMap::<u64, u64>::new().heap(), 0);
    }
}
