//! What a link costs a path: one hop, and something for its round-trip time.
//!
//! Costs come in four classes, two bits each, so that a label holds one for each of its levels.
//! One end of a link decides its class, from the time that it has measured, and tells the other:
//! both count with the same number. In a realm that counts hops only, all links are of the first
//! class.

use crate::time::Span;

/// One hop, in the unit of costs.
pub const HOP: u32 = 4;

/// The class of a link's cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkCost(u8);

/// Round-trip time, in milliseconds, from which on a link is of the class after this one.
const CLASS_ENDS_MS: [u64; 3] = [25, 70, 150];
/// What links of each class cost beyond one hop, in quarters of a hop: about two hops for 100 ms
/// (the lab's g = 2).
const EXTRA: [u32; 4] = [0, 3, 8, 16];
/// A time this share beyond a limit, in percent, does not yet change the class.
const HYSTERESIS_PERCENT: u64 = 20;

impl LinkCost {
    /// One hop and nothing else.
    pub const HOP_ONLY: LinkCost = LinkCost(0);

    /// The class for a link of this round-trip time that is of class `self` now.
    pub fn after(self, rtt: Span) -> LinkCost {
        let class = |percent: u64| {
            let micros = |ms: u64| ms * 10 * percent;
            CLASS_ENDS_MS.iter().filter(|end| rtt.0 >= micros(**end)).count() as u8
        };
        let (least, most) = (class(100 + HYSTERESIS_PERCENT), class(100 - HYSTERESIS_PERCENT));
        if (least..=most).contains(&self.0) { self } else { LinkCost(class(100)) }
    }

    /// The class of this number, if there is one.
    pub fn new(class: u8) -> Option<LinkCost> {
        (class < 4).then_some(LinkCost(class))
    }

    /// Its number, 0 to 3.
    pub fn class(self) -> u8 {
        self.0
    }

    /// What the link costs a path, in quarters of a hop.
    pub fn quarters(self) -> u32 {
        HOP + EXTRA[usize::from(self.0 & 3)]
    }
}

/// What classes, two bits each, cost beyond their hops, in quarters of a hop.
#[inline]
pub(super) fn extra(classes: u32) -> u32 {
    const LOW: u32 = 0x5555_5555;
    let (low, high) = (classes & LOW, classes >> 1 & LOW);
    (low & !high).count_ones() * EXTRA[1]
        + (high & !low).count_ones() * EXTRA[2]
        + (low & high).count_ones() * EXTRA[3]
}

impl serde::Serialize for LinkCost {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for LinkCost {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<LinkCost, D::Error> {
        let class = u8::deserialize(deserializer)?;
        LinkCost::new(class).ok_or_else(|| serde::de::Error::custom("no such class of cost"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_time_and_do_not_flap() {
        let fresh = |ms| LinkCost::HOP_ONLY.after(Span::millis(ms)).class();
        assert_eq!([fresh(5), fresh(40), fresh(100), fresh(400)], [0, 1, 2, 3]);
        let near = LinkCost::HOP_ONLY.after(Span::millis(27));
        assert_eq!(near.class(), 0, "within the margin");
        let far = LinkCost(1).after(Span::millis(23));
        assert_eq!(far.class(), 1, "within the margin from above");
        assert_eq!(LinkCost(1).after(Span::millis(10)).class(), 0);
    }

    #[test]
    fn many_classes_cost_as_much_as_each_alone() {
        let classes = [3, 0, 1, 2, 2, 3, 1, 0, 0, 1, 2, 3, 3];
        let packed = classes.iter().rev().fold(0, |packed, class| packed << 2 | class);
        let each = classes.iter().map(|class| LinkCost(*class as u8).quarters() - HOP).sum::<u32>();
        assert_eq!(extra(packed), each);
    }
}
