//! The peers of a supernode, and which of them the planner has to look at.
//!
//! Most peers are at rest: every slot taken, every link up, everything told. Rounds come several
//! times a second and must not cost a look at each of thousands.

use super::child::{Child, Phase, Slot};
use crate::id::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// The peers that are logged in here. To be read as the map that it holds; whoever is changed counts
/// as restless until the next round.
#[derive(Debug, Default)]
pub(crate) struct Children {
    /// Boxed: large, and the map keeps a third of its room free.
    by_node: BTreeMap<NodeId, Box<Child>>,
    restless: BTreeSet<NodeId>,
}

impl Children {
    pub fn get_mut(&mut self, node: &NodeId) -> Option<&mut Child> {
        let child = self.by_node.get_mut(node)?;
        self.restless.insert(*node);
        Some(child)
    }

    pub fn insert(&mut self, node: NodeId, child: Box<Child>) -> Option<Box<Child>> {
        self.restless.insert(node);
        self.by_node.insert(node, child)
    }

    pub fn remove(&mut self, node: &NodeId) -> Option<Box<Child>> {
        self.restless.remove(node);
        self.by_node.remove(node)
    }

    /// Those that may have a slot to fill, or something to be told.
    pub fn restless(&self) -> impl Iterator<Item = (&NodeId, &Child)> {
        self.restless.iter().filter_map(|node| Some((node, &**self.by_node.get(node)?)))
    }

    /// The same, to be changed.
    pub fn for_each_restless(&mut self, mut change: impl FnMut(&NodeId, &mut Child)) {
        for node in &self.restless {
            if let Some(child) = self.by_node.get_mut(node) {
                change(node, child);
            }
        }
    }

    /// A round is over: who is at rest now is left alone until something changes.
    pub fn settle(&mut self) {
        let by_node = &self.by_node;
        self.restless.retain(|node| by_node.get(node).is_some_and(|child| !is_at_rest(child)));
    }
}

impl Deref for Children {
    type Target = BTreeMap<NodeId, Box<Child>>;

    fn deref(&self) -> &Self::Target {
        &self.by_node
    }
}

fn is_at_rest(child: &Child) -> bool {
    let linked = |slot: &Slot| match slot {
        Slot::Taken(seat) => !matches!(seat.phase, Phase::Expected { .. }),
        Slot::Free | Slot::Reserved { .. } => false,
    };
    !child.touched && child.slots.iter().all(linked)
}
