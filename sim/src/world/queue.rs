//! What happens next, in the order of (time, sequence).
//!
//! Millions of things wait, most of them for seconds. Only those of the nearest millisecond are kept
//! in order, in a heap that stays within the processor's cache; the others lie in a bucket for each
//! millisecond until it is theirs (a calendar queue: Brown 1988).

use overlay_proto::id::{DialId, LinkId, StoreId};
use overlay_proto::io::StoreAnswer;
use overlay_proto::mail::VaultRequest;
use overlay_proto::time::Time;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// Width of a bucket, in microseconds: some hundred events of 100,000 busy nodes.
const BUCKET_MICROS: u64 = 1_000;

/// Something that is going to happen. A link's number names the end at which it happens.
#[derive(Debug)]
pub(super) enum Happening {
    /// A frame arrives.
    Frame { link: LinkId, frame: Vec<u8> },
    /// A dial reaches its target.
    Knock { dialler: u32, target: u32, dial: DialId },
    /// The dialler learns that its dial has led to a link.
    Opened { link: LinkId, dial: DialId },
    /// The dialler gives up.
    DialFailed { host: u32, dial: DialId },
    /// A link ends.
    Down { link: LinkId },
    /// The store answers.
    Stored { host: u32, id: StoreId, answer: Box<StoreAnswer> },
    /// The keeper of letters has its request on the disk, and answers.
    Vaulted { host: u32, id: StoreId, request: Box<VaultRequest> },
    /// A node wants to be woken.
    Wake { host: u32 },
    /// A process that was not run takes the next of what waits for it.
    Run { host: u32 },
    /// The core of a working host is free.
    CoreFree { host: u32 },
}

#[derive(Debug)]
struct Entry {
    at: Time,
    seq: u64,
    what: Happening,
}

impl Entry {
    fn rank(&self) -> (Time, u64) {
        (self.at, self.seq)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.rank() == other.rank()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    /// The earliest is the greatest: the standard heap gives out its greatest.
    fn cmp(&self, other: &Entry) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

/// What is going to happen, earliest first; what is due at one time, in the order of asking.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// All that is due up to the end of bucket `current`. Empty only if nothing waits.
    near: BinaryHeap<Entry>,
    current: u64,
    /// The rest, by bucket, in the order of asking.
    later: BTreeMap<u64, Vec<Entry>>,
    seq: u64,
    len: usize,
}

impl Queue {
    pub(super) fn push(&mut self, at: Time, what: Happening) {
        self.seq += 1;
        self.len += 1;
        let (entry, bucket) = (Entry { at, seq: self.seq, what }, at.0 / BUCKET_MICROS);
        if self.near.is_empty() {
            self.current = bucket;
        }
        match bucket <= self.current {
            true => self.near.push(entry),
            false => self.later.entry(bucket).or_default().push(entry),
        }
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.near.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Happening)> {
        let entry = self.near.pop()?;
        self.len -= 1;
        if self.near.is_empty()
            && let Some((bucket, entries)) = self.later.pop_first()
        {
            (self.current, self.near) = (bucket, BinaryHeap::from(entries));
        }
        Some((entry.at, entry.what))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn earliest_first_and_ties_in_the_order_of_asking() {
        let mut queue = Queue::default();
        for (at, host) in [(5, 0), (3, 1), (5, 2), (3, 3), (4, 4)] {
            queue.push(Time(at), Happening::Wake { host });
        }
        assert_eq!((queue.len(), queue.next_at()), (5, Some(Time(3))));
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop())
            .map(|(_, what)| match what {
                Happening::Wake { host } => host,
                other => panic!("nobody asked for {other:?}"),
            })
            .collect();
        assert_eq!(order, [1, 3, 4, 0, 2]);
    }

    proptest! {
        /// Against the plainest queue there is, with times about the width of a bucket apart.
        #[test]
        fn the_order_is_that_of_time_and_asking(steps in prop::collection::vec((any::<bool>(), 0u64..5_000), 0..200)) {
            let (mut queue, mut plain, mut now) = (Queue::default(), Vec::new(), 0);
            for (asked, (push, wait)) in (0u32..).zip(steps) {
                if push {
                    queue.push(Time(now + wait), Happening::Wake { host: asked });
                    plain.push((now + wait, asked));
                    continue;
                }
                plain.sort_unstable_by(|a, b| b.cmp(a));
                let next = plain.pop();
                prop_assert_eq!(queue.next_at(), next.map(|(at, _)| Time(at)));
                let popped = queue.pop().map(|(at, what)| match what {
                    Happening::Wake { host } => (at.0, host),
                    other => panic!("nobody asked for {other:?}"),
                });
                prop_assert_eq!(popped, next);
                now = next.map_or(now, |(at, _)| at);
                prop_assert_eq!(queue.len(), plain.len());
            }
        }
    }

    #[test]
    fn entries_stay_small() {
        assert!(std::mem::size_of::<Entry>() <= 56, "{}", std::mem::size_of::<Entry>());
    }
}
