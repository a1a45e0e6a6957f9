//! One label: a peer's path in one spanning tree, packed into twelve bytes.
//!
//! ```text
//!  bit 63                     12 11      4 3    0
//!     +--------------------------+---------+------+
//!     | 13 slot numbers, 4 bits  |  epoch  | depth|
//!     +--------------------------+---------+------+
//! ```
//!
//! The path is read from the root: each nibble is the slot that the parent gave to the child.
//! Labels of different epochs come from different roots and are never compared. Beside the path
//! stand the costs of its links, two bits a level from the lowest on (see
//! [`LinkCost`]).

use super::link_cost::{self, HOP, LinkCost};

/// Levels a tree may have below its root. At degree 8 a million peers need about nine.
pub const DEPTH_MAX: u32 = 13;

const DEPTH_MASK: u64 = 0xf;
const EPOCH_SHIFT: u32 = 4;
const PATH_MASK: u64 = !0xfff;

/// The epoch of a tree: one more each time it gets a new root. Compared as serial numbers
/// (RFC 1982), so it may wrap.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u8);

impl Epoch {
    /// Whether this epoch came after `other`.
    pub fn is_newer_than(self, other: Epoch) -> bool {
        self != other && self.0.wrapping_sub(other.0) < 128
    }

    /// The epoch after this one.
    pub fn next(self) -> Epoch {
        Epoch(self.0.wrapping_add(1))
    }
}

/// A place in one tree, or none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(Rust, packed(4))]
pub struct Label {
    path: u64,
    costs: u32,
}

/// A label all of whose links cost a hop, or none: two thirds of the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HopLabel(u64);

impl std::fmt::Debug for HopLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Label::from(*self).fmt(f)
    }
}

impl HopLabel {
    /// No place in this tree.
    pub const NONE: HopLabel = HopLabel(Label::NONE.path);
}

impl From<HopLabel> for Label {
    #[inline]
    fn from(label: HopLabel) -> Label {
        Label { path: label.0, costs: 0 }
    }
}

/// In the short form: costs follow, for not all links are of the first class.
const WITH_COSTS: u8 = 0x10;

impl Label {
    /// No place in this tree.
    pub const NONE: Label = Label { path: DEPTH_MASK, costs: 0 };

    /// The root of a tree in its `epoch`.
    pub fn root(epoch: Epoch) -> Label {
        Label { path: u64::from(epoch.0) << EPOCH_SHIFT, costs: 0 }
    }

    /// The place of the child in `slot` of this parent over a link that costs a hop; `None` below
    /// [`DEPTH_MAX`] or without a parent's place. `slot` is below 16.
    pub fn child(self, slot: u8) -> Option<Label> {
        self.child_over(slot, LinkCost::HOP_ONLY)
    }

    /// As [`Label::child`], over a link of this cost.
    pub fn child_over(self, slot: u8, cost: LinkCost) -> Option<Label> {
        let depth = self.depth()?;
        if depth >= DEPTH_MAX || slot > 15 {
            return None;
        }
        let path = (self.path | u64::from(slot) << (60 - 4 * depth)) + 1;
        Some(Label { path, costs: self.costs | u32::from(cost.class()) << (2 * depth) })
    }

    /// The same label in fewer bytes, if all of its links cost a hop.
    pub(super) fn as_hops(self) -> Option<HopLabel> {
        (self.costs == 0).then_some(HopLabel(self.path))
    }

    /// The place one level up; `None` at the root and without a place.
    pub fn parent(self) -> Option<Label> {
        let depth = self.depth()?.checked_sub(1)?;
        let path = (self.path & !(0xf << (60 - 4 * depth))) - 1;
        Some(Label { path, costs: self.costs & !(3 << (2 * depth)) })
    }

    /// Levels below the root; `None` without a place.
    pub fn depth(self) -> Option<u32> {
        let depth = (self.path & DEPTH_MASK) as u32;
        (depth <= DEPTH_MAX).then_some(depth)
    }

    /// The tree's epoch, where there is a place.
    pub fn epoch(self) -> Option<Epoch> {
        self.depth().map(|_| Epoch((self.path >> EPOCH_SHIFT) as u8))
    }

    /// What the way to the root costs, in quarters of a hop; `None` without a place.
    pub fn cost_from_root(self) -> Option<u32> {
        self.depth().map(|depth| HOP * depth + link_cost::extra(self.costs))
    }

    /// Levels that the two paths share from the root. Zero where they cannot be compared.
    pub fn common_depth(self, other: Label) -> u32 {
        let (Some(a), Some(b)) = (self.depth(), other.depth()) else { return 0 };
        if self.epoch() != other.epoch() {
            return 0;
        }
        let differs = (self.path ^ other.path) & PATH_MASK;
        (differs.leading_zeros() / 4).min(a).min(b)
    }

    /// What the way along the tree between the two places costs, in quarters of a hop; `None` where
    /// they cannot be compared.
    #[inline]
    pub fn distance(self, other: Label) -> Option<u32> {
        self.distance_and_prefix(other).map(|(distance, _)| distance)
    }

    /// The distance, and the levels shared: the tie-break of the forwarding rule.
    #[inline]
    pub fn distance_and_prefix(self, other: Label) -> Option<(u32, u32)> {
        let (a, b) = ((self.path & DEPTH_MASK) as u32, (other.path & DEPTH_MASK) as u32);
        let differs = self.path ^ other.path;
        if a > DEPTH_MAX
            || b > DEPTH_MAX
            || (differs >> EPOCH_SHIFT) & 0xff != 0 && !seeded!(EpochIgnoredInDistance)
        {
            return None;
        }
        let common = ((differs & PATH_MASK).leading_zeros() / 4).min(a).min(b);
        let hops = HOP * (a + b - 2 * common);
        if self.costs | other.costs == 0 {
            return Some((hops, common));
        }
        let below = |label: Label| link_cost::extra(label.costs >> (2 * common));
        Some((hops + below(self) + below(other), common))
    }

    /// The slot toward `other` at this place, if `other` lies below it.
    #[inline]
    pub fn slot_toward(self, other: Label) -> Option<u8> {
        let depth = self.depth()?;
        let below = other.depth()? > depth && self.is_prefix_of(other);
        below.then(|| (other.path >> (60 - 4 * depth) & 0xf) as u8)
    }

    /// Whether `other` is this place or lies below it.
    pub fn is_prefix_of(self, other: Label) -> bool {
        self.epoch() == other.epoch()
            && self.depth().is_some_and(|depth| self.common_depth(other) == depth)
    }

    /// Appends the short form: depth, epoch and only as many bytes of path and costs as needed.
    pub fn pack(self, out: &mut Vec<u8>) {
        let Some(depth) = self.depth() else {
            out.push(DEPTH_MASK as u8);
            return;
        };
        let costs = self.costs;
        out.push(depth as u8 | if costs != 0 { WITH_COSTS } else { 0 });
        out.push((self.path >> EPOCH_SHIFT) as u8);
        let path = (self.path & PATH_MASK).to_be_bytes();
        out.extend_from_slice(&path[..depth.div_ceil(2) as usize]);
        if costs != 0 {
            out.extend_from_slice(&costs.to_le_bytes()[..depth.div_ceil(4) as usize]);
        }
    }

    /// Reads the short form from the front of `bytes` and moves past it. `None` if it is cut
    /// short or not in the one form that [`Label::pack`] writes.
    pub fn unpack(bytes: &mut &[u8]) -> Option<Label> {
        let (&head, rest) = bytes.split_first()?;
        if u64::from(head) == DEPTH_MASK {
            *bytes = rest;
            return Some(Label::NONE);
        }
        let depth = head & !WITH_COSTS;
        if u32::from(depth) > DEPTH_MAX {
            return None;
        }
        let (&epoch, rest) = rest.split_first()?;
        let (packed, mut rest) = rest.split_at_checked(usize::from(depth).div_ceil(2))?;
        let mut path = [0; 8];
        path.get_mut(..packed.len())?.copy_from_slice(packed);
        let path = u64::from_be_bytes(path);
        let mut costs = [0; 4];
        if head & WITH_COSTS != 0 {
            let (packed, after) = rest.split_at_checked(usize::from(depth).div_ceil(4))?;
            costs.get_mut(..packed.len())?.copy_from_slice(packed);
            rest = after;
        }
        let costs = u32::from_le_bytes(costs);
        // Nothing beyond the depth, and no costs that are none: one place has one form.
        let beyond = path.checked_shl(4 * u32::from(depth)).unwrap_or(0) != 0
            || costs.checked_shr(2 * u32::from(depth)).unwrap_or(0) != 0;
        if beyond || (head & WITH_COSTS != 0) != (costs != 0) {
            return None;
        }
        *bytes = rest;
        let path = path | u64::from(epoch) << EPOCH_SHIFT | u64::from(depth);
        Some(Label { path, costs })
    }
}

impl std::fmt::Debug for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Some(depth), Some(Epoch(epoch))) = (self.depth(), self.epoch()) else {
            return f.write_str("-");
        };
        write!(f, "{epoch}/")?;
        (0..depth).try_for_each(|level| write!(f, "{:x}", self.path >> (60 - 4 * level) & 0xf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(epoch: u8, slots: &[u8]) -> Label {
        slots.iter().fold(Label::root(Epoch(epoch)), |l, s| l.child(*s).expect("shallow"))
    }

    #[test]
    fn distance_goes_over_the_common_ancestor() {
        let (a, b) = (label(1, &[1, 2, 3]), label(1, &[1, 4]));
        assert_eq!(a.distance_and_prefix(b), Some((3 * HOP, 1)));
        assert_eq!(label(1, &[]).distance(a), Some(3 * HOP));
        assert_eq!(a.distance(a), Some(0));
        // A zero slot is not the same as no slot.
        assert_eq!(label(1, &[0]).distance(label(1, &[])), Some(HOP));
        assert_eq!(a.distance(label(2, &[1, 2, 3])), None, "other epoch");
        assert_eq!(a.distance(Label::NONE), None);
    }

    #[test]
    fn costs_count_below_the_common_ancestor() {
        let cost = |class| LinkCost::new(class).expect("a class");
        let at = |steps: &[(u8, u8)]| {
            let step = |l: Label, (slot, class): &(u8, u8)| l.child_over(*slot, cost(*class));
            steps.iter().fold(Label::root(Epoch(1)), |l, s| step(l, s).expect("shallow"))
        };
        let (a, b) = (at(&[(1, 3), (2, 1)]), at(&[(1, 3), (4, 2), (0, 0)]));
        let way = [1, 2, 0].map(|class| cost(class).quarters()).iter().sum::<u32>();
        assert_eq!(a.distance_and_prefix(b), Some((way, 1)));
        assert_eq!(a.cost_from_root(), Some(cost(3).quarters() + cost(1).quarters()));
        assert_eq!(a.parent(), Some(at(&[(1, 3)])));
    }

    #[test]
    fn prefix_finds_descendants() {
        let a = label(1, &[1, 2]);
        assert!(a.is_prefix_of(label(1, &[1, 2, 0])));
        assert!(a.is_prefix_of(a));
        assert!(!a.is_prefix_of(label(1, &[1])));
        assert!(!a.is_prefix_of(label(2, &[1, 2, 0])));
        assert!(!Label::NONE.is_prefix_of(a));
    }

    #[test]
    fn the_next_place_on_the_tree_is_the_parent_or_a_child() {
        let a = label(1, &[1, 0]);
        assert_eq!((a.parent(), label(1, &[]).parent()), (Some(label(1, &[1])), None));
        assert_eq!(Label::NONE.parent(), None);
        assert_eq!(a.slot_toward(label(1, &[1, 0, 7, 2])), Some(7));
        assert_eq!(a.slot_toward(a), None);
        assert_eq!(a.slot_toward(label(1, &[1, 1, 7])), None);
        assert_eq!(a.slot_toward(label(2, &[1, 0, 7])), None);
    }

    #[test]
    fn depth_ends_at_the_limit() {
        let deepest = label(0, &[15; 13]);
        assert_eq!(deepest.depth(), Some(13));
        assert_eq!(deepest.child(0), None);
        assert_eq!(Label::NONE.child(0), None);
    }

    #[test]
    fn epochs_wrap() {
        assert!(Epoch(1).is_newer_than(Epoch(255)));
        assert!(!Epoch(255).is_newer_than(Epoch(1)));
        assert!(!Epoch(7).is_newer_than(Epoch(7)));
    }

    proptest! {
        #[test]
        fn short_form_round_trips(epoch: u8, steps in prop::collection::vec((0u8..16, 0u8..4), 0..14)) {
            let label = steps.iter().fold(Label::root(Epoch(epoch)), |l, (slot, class)| {
                l.child_over(*slot, LinkCost::new(*class).expect("a class")).expect("shallow")
            });
            let mut bytes = Vec::new();
            label.pack(&mut bytes);
            Label::NONE.pack(&mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(Label::unpack(&mut rest), Some(label));
            prop_assert_eq!(Label::unpack(&mut rest), Some(Label::NONE));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn arbitrary_bytes_have_one_reading(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut rest = bytes.as_slice();
            if let Some(label) = Label::unpack(&mut rest) {
                let mut again = Vec::new();
                label.pack(&mut again);
                prop_assert_eq!(&bytes[..bytes.len() - rest.len()], again.as_slice());
            }
        }
    }
}
