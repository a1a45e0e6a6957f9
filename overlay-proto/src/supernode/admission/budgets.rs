//! What each address and each key may ask for: a bucket each, in a table that cannot grow.

use crate::config::BUDGETS_MAX;
use crate::id::NodeId;
use crate::supernode::bucket::{Bucket, Rate};
use crate::time::{Span, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What a [`NodeId`] is reckoned under: its start will do, for a clash only shares a budget.
pub(super) fn key_of(node: NodeId) -> u64 {
    crate::remote::leading(&node.0)
}

/// A bucket for each who has taken something lately.
#[derive(Debug, Clone)]
pub(super) struct Budgets<K> {
    rate: Rate,
    buckets: BTreeMap<K, (Bucket, Time)>,
    /// The same by when they were used last: the first is the first to be forgotten.
    by_use: BTreeSet<(Time, K)>,
}

impl<K: Ord + Copy> Budgets<K> {
    pub fn new(rate: Rate) -> Budgets<K> {
        Budgets { rate, buckets: BTreeMap::new(), by_use: BTreeSet::new() }
    }

    /// From now on buckets fill at another rate. None holds more than its burst.
    pub fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// How long `who` has to wait for a token; zero if it has one.
    pub fn wait(&self, who: K, now: Time) -> Span {
        let Some((mut bucket, _)) = self.buckets.get(&who).copied() else { return Span::ZERO };
        bucket.fill(self.rate, now);
        if bucket.has(1) { Span::ZERO } else { bucket.until_token(self.rate) }
    }

    /// Charges `who`.
    pub fn take(&mut self, who: K, tokens: u32, now: Time) {
        let known = self.buckets.get(&who).copied();
        let mut bucket = known.map_or(Bucket::full(self.rate, now), |(bucket, _)| bucket);
        if let Some((_, used)) = known {
            self.by_use.remove(&(used, who));
        }
        bucket.fill(self.rate, now);
        bucket.take(self.rate, tokens);
        self.buckets.insert(who, (bucket, now));
        self.by_use.insert((now, who));
        self.forget(now);
    }

    /// Who has been quiet long enough for a full bucket is forgotten without a loss; then, if there
    /// are still too many, who has been quiet longest.
    fn forget(&mut self, now: Time) {
        while let Some((_, who)) = self.by_use.first().copied() {
            let is_full = self.buckets.get(&who).is_none_or(|(bucket, _)| {
                let mut bucket = *bucket;
                bucket.fill(self.rate, now);
                bucket.is_full(self.rate)
            });
            if !is_full && self.buckets.len() <= BUDGETS_MAX {
                break;
            }
            self.by_use.pop_first();
            self.buckets.remove(&who);
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_and_who_is_quiet_is_forgotten() {
        let mut budgets: Budgets<u64> = Budgets::new(Rate { per_second: 1, burst: 2 });
        budgets.take(1, 2, Time(0));
        assert_eq!(budgets.wait(1, Time(0)), Span::secs(1));
        assert_eq!(budgets.wait(2, Time(0)), Span::ZERO);
        assert_eq!(budgets.wait(1, Time(1_000_000)), Span::ZERO);
        budgets.take(2, 1, Time(3_000_000));
        assert_eq!(budgets.len(), 1, "the first has as much as if it had never come");
    }

    #[test]
    fn the_table_has_an_end() {
        let mut budgets: Budgets<u64> = Budgets::new(Rate { per_second: 1, burst: 8 });
        for who in 0..3 * BUDGETS_MAX as u64 {
            budgets.take(who, 8, Time(who));
        }
        assert_eq!((budgets.len(), budgets.by_use.len()), (BUDGETS_MAX, BUDGETS_MAX));
        assert_eq!(budgets.wait(0, Time(0)), Span::ZERO, "the oldest is forgotten");
    }
}
