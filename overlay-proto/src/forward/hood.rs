//! What a node knows of those around it, as the forwarding rule reads it.

use crate::config::DEGREE_MAX;
use crate::coordinates::{Label, LabelTable, LabelsRef, LinkCost};
use crate::footprint::Heap;
use crate::id::{LinkId, NodeId, ShortId};

/// A live neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Near<'a> {
    /// The link to it.
    pub link: LinkId,
    /// The neighbour.
    pub node: NodeId,
    /// What the link to it costs.
    pub cost: LinkCost,
    /// Its labels; none before it has told them.
    pub labels: LabelsRef<'a>,
    /// Its links that have died.
    pub dead: DeadLinks,
    /// Its own live neighbours.
    pub far: &'a Hood,
}

/// A neighbour's neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Far<'a> {
    /// The neighbour's slot in which it is.
    pub slot: u8,
    /// Who it is.
    pub node: ShortId,
    /// What the neighbour's link to it costs.
    pub cost: LinkCost,
    /// Its labels.
    pub labels: LabelsRef<'a>,
    /// Its links that have died, as its neighbour says.
    pub dead: DeadLinks,
}

/// Which of a node's tree links have died since it was placed: over those no tree leads on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLinks {
    /// Slots, one bit each: what lies below them is cut off.
    pub slots: u16,
    /// Trees in which the node above is dead, one bit each.
    pub parents: u32,
}

impl DeadLinks {
    /// Notes the loss of the neighbour in `slot`, which is below [`DEGREE_MAX`]: what lies below it
    /// is cut off, and so is what lies above in the trees in which it stood above. `own` are the
    /// labels of the node whose links these are, `lost` those that the neighbour had.
    pub fn lose(&mut self, slot: u8, own: LabelsRef<'_>, lost: LabelsRef<'_>) {
        self.slots |= 1 << slot;
        for (tree, label) in own.iter().enumerate() {
            let stood_above = label.parent().is_some_and(|parent| lost.get(tree) == parent);
            self.parents |= u32::from(stood_above) << tree;
        }
    }

    /// Whether the next hop of `tree` from `here` to `there` is dead.
    pub(super) fn block(self, tree: usize, here: Label, there: Label) -> bool {
        match here.slot_toward(there) {
            Some(slot) => self.slots >> slot & 1 == 1,
            None => self.parents >> tree & 1 == 1,
        }
    }

    pub(super) fn any(self) -> bool {
        self != DeadLinks::default()
    }
}

/// The neighbours of one node, by slot. Their labels lie in one piece of memory, for each packet
/// reads through them all.
#[derive(Debug, Default, Clone)]
pub struct Hood {
    heads: Vec<Head>,
    labels: LabelTable,
}

/// A neighbour without its labels.
#[derive(Debug, Clone, Copy)]
struct Head {
    node: ShortId,
    dead: DeadLinks,
    slot: u8,
    cost: LinkCost,
}

impl Hood {
    /// The neighbours, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Far<'_>> + Clone {
        self.heads.iter().enumerate().map(|(row, head)| {
            let Head { node, dead, slot, cost } = *head;
            Far { slot, node, cost, labels: self.labels.row(row), dead }
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Who is in `slot`.
    pub fn in_slot(&self, slot: u8) -> Option<Far<'_>> {
        self.iter().find(|far| far.slot == slot)
    }

    /// Puts `node` into `slot`, which is below [`DEGREE_MAX`], and sets its labels in some trees.
    /// Of somebody else who was there nothing is left.
    pub fn put(
        &mut self,
        slot: u8,
        node: ShortId,
        cost: LinkCost,
        dead: DeadLinks,
        labels: impl Iterator<Item = (usize, Label)>,
    ) {
        if usize::from(slot) >= DEGREE_MAX {
            return;
        }
        let fresh = Head { node, dead, slot, cost };
        let held = self.heads.iter_mut().enumerate().find(|(_, head)| head.slot == slot);
        let row = match held {
            Some((row, head)) => {
                if head.node != node {
                    self.labels.clear_row(row);
                }
                *head = fresh;
                row
            }
            None => {
                self.heads.reserve_exact(1);
                self.heads.push(fresh);
                self.labels.push();
                self.heads.len() - 1
            }
        };
        labels.for_each(|(tree, label)| self.labels.set(row, tree, label));
    }

    /// Empties `slot`.
    pub fn remove(&mut self, slot: u8) {
        if let Some(row) = self.heads.iter().position(|head| head.slot == slot) {
            self.heads.swap_remove(row);
            self.labels.swap_remove(row);
        }
    }

    /// Empties all slots.
    pub fn clear(&mut self) {
        *self = Hood::default();
    }
}

impl Heap for Hood {
    fn heap(&self) -> usize {
        self.heads.capacity() * size_of::<Head>() + self.labels.heap()
    }
}
