//! Where users were when we asked last: what it takes to send to them, and no more.

use crate::config::LOCATION_CACHE_MAX;
use crate::coordinates::Labels;
use crate::footprint::Heap;
use crate::id::{NodeId, RealmId};
use crate::identity::ChainKeys;
use crate::location::{LocationRecord, index_key};
use crate::name::Name;
use crate::time::{Span, Time};
use crate::wire::packet::Destination;
use std::collections::BTreeMap;

/// Of a checked location record, what packets need: its certificates have done their work.
#[derive(Debug, Clone)]
pub(crate) struct Whereabouts {
    pub name: Name,
    pub node: NodeId,
    labels: Labels,
    /// By which it may be out one day.
    pub keys: ChainKeys,
    /// The number of the record.
    pub seq: u64,
    asked: Time,
}

impl Whereabouts {
    pub fn of(record: &LocationRecord, name: Name, now: Time) -> Whereabouts {
        let (node, labels, seq) = (record.node(), record.labels.clone(), record.seq);
        Whereabouts { name, node, labels, keys: record.chain.keys(), seq, asked: now }
    }

    pub fn destination(&self, realm: RealmId) -> Destination {
        let key = index_key(realm, &self.name);
        Destination { node: self.node, key, labels: self.labels.clone() }
    }
}

/// The whereabouts at hand.
#[derive(Debug, Default)]
pub(super) struct LocationCache {
    /// Boxed: a node of the map has room for eleven, and most peers talk to one or two.
    known: BTreeMap<Name, Box<Whereabouts>>,
}

impl LocationCache {
    /// Where `name` was, if that is known and not older than `life`.
    pub fn young(&self, name: &Name, now: Time, life: Span) -> Option<&Whereabouts> {
        let known = self.known.get(name).map(|known| &**known);
        known.filter(|known| now.since(known.asked) < life)
    }

    /// Whether a record of this sequence number would be news of somebody known.
    pub fn is_news(&self, name: &Name, seq: u64) -> bool {
        self.known.get(name).is_some_and(|known| known.seq < seq)
    }

    /// Whether a record of this sequence number is older than the one known of the same device.
    pub fn is_older(&self, name: &Name, node: NodeId, seq: u64) -> bool {
        self.known.get(name).is_some_and(|known| known.node == node && known.seq > seq)
    }

    /// Keeps it; if there is no room, instead of the oldest.
    pub fn remember(&mut self, whereabouts: Whereabouts) {
        let is_new = !self.known.contains_key(&whereabouts.name);
        if is_new && self.known.len() >= LOCATION_CACHE_MAX {
            let oldest = self.known.values().min_by_key(|known| known.asked);
            if let Some(oldest) = oldest.map(|known| known.name.clone()) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(whereabouts.name.clone(), Box::new(whereabouts));
    }

    /// Forgets those of whom this is not true.
    pub fn retain(&mut self, holds: impl Fn(&Whereabouts) -> bool) {
        self.known.retain(|_, known| holds(known));
    }

    pub fn forget(&mut self, name: &Name) {
        self.known.remove(name);
    }
}

impl Heap for Whereabouts {
    fn heap(&self) -> usize {
        self.labels.heap()
    }
}

impl Heap for LocationCache {
    fn heap(&self) -> usize {
        self.known.heap()
    }
}
