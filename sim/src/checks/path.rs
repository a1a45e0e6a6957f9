//! Labels read anew: from the short form that travels, by none of the core's arithmetic.

use overlay_proto::coordinates::{Label, LinkCost};

/// A place in a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    pub epoch: u8,
    /// The slot of each step from the root.
    pub slots: Vec<u8>,
    /// What the link of each step costs, in quarters of a hop.
    pub costs: Vec<u32>,
}

impl Path {
    /// `None` without a place.
    pub fn of(label: Label) -> Option<Path> {
        let mut bytes = Vec::with_capacity(16);
        label.pack(&mut bytes);
        let (&head, rest) = bytes.split_first()?;
        let depth = usize::from(head & 0x0f);
        if depth == 15 {
            return None;
        }
        let (&epoch, rest) = rest.split_first()?;
        let (nibbles, classes) = rest.split_at(depth.div_ceil(2));
        let slot = |level: usize| nibbles[level / 2] >> (4 * (1 - level % 2)) & 0xf;
        let cost = |level: usize| {
            let class = classes.get(level / 4).map_or(0, |byte| byte >> (2 * (level % 4)) & 3);
            LinkCost::new(class).map_or(u32::MAX, LinkCost::quarters)
        };
        let (slots, costs) = ((0..depth).map(slot).collect(), (0..depth).map(cost).collect());
        Some(Path { epoch, slots, costs })
    }

    fn common(&self, other: &Path) -> usize {
        self.slots.iter().zip(&other.slots).take_while(|(a, b)| a == b).count()
    }

    /// What the way along the tree costs, in quarters of a hop; `None` between epochs.
    pub fn distance(&self, other: &Path) -> Option<u32> {
        let common = self.common(other);
        let below = |path: &Path| path.costs[common..].iter().sum::<u32>();
        (self.epoch == other.epoch).then(|| below(self) + below(other))
    }

    /// The slot of the first step toward a place below this one; `None`: the way leads upward.
    pub fn slot_toward(&self, other: &Path) -> Option<u8> {
        let depth = self.slots.len();
        (self.common(other) == depth).then(|| other.slots.get(depth).copied()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::Epoch;

    fn path(epoch: u8, steps: &[(u8, u8)]) -> Path {
        let child = |label: Label, (slot, class): &(u8, u8)| {
            label.child_over(*slot, LinkCost::new(*class).expect("a class")).expect("shallow")
        };
        Path::of(steps.iter().fold(Label::root(Epoch(epoch)), child)).expect("a place")
    }

    #[test]
    fn it_reads_what_the_core_writes() {
        let deep = path(7, &[(3, 0), (15, 2), (0, 0), (1, 0), (4, 1)]);
        assert_eq!((deep.epoch, deep.slots.as_slice()), (7, &[3, 15, 0, 1, 4][..]));
        let quarters = |class| LinkCost::new(class).expect("a class").quarters();
        assert_eq!(deep.costs, [0, 2, 0, 0, 1].map(quarters));
        assert_eq!(Path::of(Label::NONE), None);
    }

    #[test]
    fn ways_lead_over_the_common_part() {
        let (a, b) = (path(1, &[(1, 0), (2, 0), (3, 0)]), path(1, &[(1, 0), (4, 0)]));
        let hop = LinkCost::HOP_ONLY.quarters();
        assert_eq!(a.distance(&b), Some(3 * hop));
        assert_eq!(a.distance(&path(2, &[(1, 0)])), None);
        assert_eq!((path(1, &[(1, 0)]).slot_toward(&a), a.slot_toward(&b)), (Some(2), None));
        assert_eq!(a.slot_toward(&a), None);
    }
}
