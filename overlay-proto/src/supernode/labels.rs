//! Which label a peer gets in one tree: its parent's path and the slot that the parent has it in.

use crate::coordinates::{Coordinates, Epoch, Label};
use crate::id::ShortId;

/// The label of `child` in `tree`, from the places of its live neighbours.
///
/// The newest epoch counts, in it the place nearest the root. A neighbour whose path begins with
/// the child's own is below it and never becomes its parent. Among equally near places the present
/// one is kept; else the choice is spread over the neighbours, tree by tree.
pub(crate) fn choose<'a>(
    tree: usize,
    child: ShortId,
    present: Label,
    neighbours: impl Iterator<Item = &'a Coordinates>,
) -> Label {
    let mut best: Option<(Rank, Label)> = None;
    for neighbour in neighbours {
        let parent = neighbour.labels.get(tree);
        let Some(label) = neighbour.slot_of(child).and_then(|slot| parent.child(slot)) else {
            continue;
        };
        let (Some(epoch), Some(depth)) = (label.epoch(), label.depth()) else { continue };
        if present.is_prefix_of(parent) {
            continue;
        }
        let rank =
            Rank { epoch, depth, other: label != present, spread: spread(tree, child, neighbour) };
        if best.is_none_or(|(least, _)| rank.is_before(least)) {
            best = Some((rank, label));
        }
    }
    best.map_or(Label::NONE, |(_, label)| label)
}

#[derive(Clone, Copy)]
struct Rank {
    epoch: Epoch,
    depth: u32,
    /// Whether it differs from the present label.
    other: bool,
    spread: u64,
}

impl Rank {
    fn is_before(self, old: Rank) -> bool {
        if self.epoch != old.epoch {
            return self.epoch.is_newer_than(old.epoch);
        }
        (self.depth, self.other, self.spread) < (old.depth, old.other, old.spread)
    }
}

fn spread(tree: usize, child: ShortId, parent: &Coordinates) -> u64 {
    let mix = |id: ShortId| u64::from_be_bytes(id.0);
    let both = mix(child) ^ mix(parent.node.short()).rotate_left(tree as u32 * 7 % 64);
    both.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
