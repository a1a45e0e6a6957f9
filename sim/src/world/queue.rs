//! The one heap of (time, sequence): what happens next.

use overlay_proto::id::{DialId, LinkId, StoreId};
use overlay_proto::io::StoreAnswer;
use overlay_proto::time::Time;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

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
    Stored { host: u32, id: StoreId, answer: StoreAnswer },
    /// A node wants to be woken.
    Wake { host: u32 },
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
    heap: BinaryHeap<Entry>,
    seq: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Time, what: Happening) {
        self.seq += 1;
        self.heap.push(Entry { at, seq: self.seq, what });
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Happening)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn entries_stay_small() {
        assert!(std::mem::size_of::<Entry>() <= 56, "{}", std::mem::size_of::<Entry>());
    }
}
