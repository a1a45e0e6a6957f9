//! Which labels a peer gets: its parent's path and the slot that the parent has it in, tree by tree.
//!
//! Labels of peers of one home follow each other within one round, from the roots outward, and only
//! where something has changed; what is told is the outcome. Neighbours of other homes count as
//! their homes signed them.

use super::Supernode;
use super::child::{Child, Phase};
use crate::context::Context;
use crate::coordinates::{Epoch, Label, Labels, LinkCost};
use crate::id::{NodeId, ShortId};
use std::collections::VecDeque;

/// Labels are chosen this many times for each stale peer in one round at most, on average. A round
/// settles after a few; what is left over waits for the next.
const CHOICES_PER_PEER: usize = 32;

/// A live neighbour that could be the parent.
struct Candidate<'a> {
    node: ShortId,
    /// The slot in which it has the child.
    slot: u8,
    /// What the link costs.
    cost: LinkCost,
    labels: &'a Labels,
}

/// Another parent is taken if the way to the root gets cheaper by more than this, in quarters of a
/// hop: a change of place moves everyone below.
const HYSTERESIS: u32 = 2;

impl Supernode {
    /// Brings the labels of our peers up to date.
    pub(super) fn relabel(&mut self, cx: &mut Context) {
        let (now, trees) = (cx.now, self.tree_count(cx));
        let (stale, unissued) = (&mut self.stale, &mut self.unissued);
        self.children.for_each_restless(|node, child| {
            if !std::mem::take(&mut child.touched) {
                return;
            }
            child.pace.hurry(now);
            stale.insert(*node);
            unissued.insert(*node);
            // A label ends in the parent's slot: it may be another one, or nobody's.
            stale.extend(child.seats().map(|(_, seat)| seat.peer.contact.node));
            stale.extend(std::mem::take(&mut child.parted));
        });
        let resting = |node: &NodeId| self.children.get(node).is_some_and(|c| now < c.relabel_at);
        let mut queue: VecDeque<NodeId> =
            self.stale.iter().filter(|node| !resting(node)).copied().collect();
        let mut choices = CHOICES_PER_PEER * queue.len();
        while let Some(node) = queue.pop_front() {
            if choices == 0 {
                break;
            }
            choices -= 1;
            self.stale.remove(&node);
            // Also somebody who is no peer of ours, or no longer.
            let Some(labels) = self.choose_labels(node, trees) else { continue };
            let Some(child) = self.children.get_mut(&node) else { continue };
            if child.labels == labels {
                continue;
            }
            child.labels = labels;
            self.unissued.insert(node);
            let around: Vec<NodeId> =
                child.seats().map(|(_, seat)| seat.peer.contact.node).collect();
            for other in around {
                let ours = self.children.get(&other).is_some_and(|child| now >= child.relabel_at);
                if ours && self.stale.insert(other) {
                    queue.push_back(other);
                }
            }
        }
    }

    fn choose_labels(&self, node: NodeId, trees: usize) -> Option<Labels> {
        let child = self.children.get(&node)?;
        let candidates = self.candidates(child);
        let short = node.short();
        let label = |tree| {
            let chosen = choose(tree, short, child.labels.get(tree), &candidates);
            let outdone = |root: Label| match (chosen.epoch(), root.epoch()) {
                (Some(chosen), Some(root)) => chosen.is_newer_than(root),
                _ => false,
            };
            let root = self.trees.root_label(tree, node);
            root.filter(|root| !outdone(*root) || seeded!(TwoRootsAccepted)).unwrap_or(chosen)
        };
        Some(Labels::from((0..trees).map(label).collect::<Vec<_>>()))
    }

    fn candidates<'a>(&'a self, child: &'a Child) -> Vec<Candidate<'a>> {
        let short = child.node().short();
        let live = child.seats().filter(|(_, seat)| !matches!(seat.phase, Phase::Expected { .. }));
        live.filter_map(|(own, seat)| {
            let node = seat.peer.contact.node;
            let (slot, labels) = match self.children.get(&node) {
                Some(ours) => (ours.linked_slot(short)?, &ours.labels),
                None => {
                    let border = child.border.get(&node.short())?;
                    (border.slot?, &border.labels)
                }
            };
            let slot = if seeded!(SlotOfTheWrongEnd) { own } else { slot };
            Some(Candidate { node: node.short(), slot, cost: seat.cost, labels })
        })
        .collect()
    }
}

/// The label of `child` in `tree`, from the places of its live neighbours.
///
/// The newest epoch counts, in it the cheapest way to the root. A neighbour whose path begins with
/// the child's own is below it and never becomes its parent. Among equally cheap places the present
/// one is kept; else the choice is spread over the neighbours, tree by tree.
fn choose(tree: usize, child: ShortId, present: Label, candidates: &[Candidate<'_>]) -> Label {
    let mut best: Option<(Rank, Label)> = None;
    for candidate in candidates {
        let parent = candidate.labels.get(tree);
        let Some(label) = parent.child_over(candidate.slot, candidate.cost) else { continue };
        let (Some(epoch), Some(cost)) = (label.epoch(), label.cost_from_root()) else { continue };
        if present.is_prefix_of(parent) {
            continue;
        }
        let spread = spread(tree, child, candidate.node);
        let other = label != present;
        let cost = if other { cost + HYSTERESIS } else { cost };
        let rank = Rank { epoch, cost, other, spread };
        if best.is_none_or(|(least, _)| rank.is_before(least)) {
            best = Some((rank, label));
        }
    }
    let orphan = if seeded!(OrphanKeepsLabel) { present } else { Label::NONE };
    best.map_or(orphan, |(_, label)| label)
}

#[derive(Clone, Copy)]
struct Rank {
    epoch: Epoch,
    cost: u32,
    /// Whether it differs from the present label.
    other: bool,
    spread: u64,
}

impl Rank {
    fn is_before(self, old: Rank) -> bool {
        if self.epoch != old.epoch && !seeded!(EpochIgnoredInChoice) {
            return self.epoch.is_newer_than(old.epoch);
        }
        (self.cost, self.other, self.spread) < (old.cost, old.other, old.spread)
    }
}

fn spread(tree: usize, child: ShortId, parent: ShortId) -> u64 {
    let mix = |id: ShortId| u64::from_be_bytes(id.0);
    let both = mix(child) ^ mix(parent).rotate_left(tree as u32 * 7 % 64);
    both.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
