//! The queue of one class on one link: fair among those whose packets pass (deficit round robin,
//! Shreedhar and Varghese 1995), and with a word to who sends too much.
//!
//! A sender with many packets in the queue waits behind itself, not before others. When there is no
//! room the longest flow loses its newest packet, whoever's has just come; and a flow that is long gets
//! its packets marked, so that its session slows down before anything is lost (RFC 3168).

use overlay_proto::id::NodeId;
use overlay_proto::wire::packet::{mark_congested, source_of};
use std::collections::VecDeque;

/// Bytes that a flow may send before it is the next one's turn: the largest datagram with its header.
const QUANTUM: usize = 18 * 1024;
/// Bytes of one flow from which on its packets are marked: some eight of the largest, so that a link
/// never idles while the sender learns of it.
const MARK_BYTES: usize = 128 * 1024;

/// What waits, by who has sent it.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    /// In the order of their turns; none is empty.
    flows: VecDeque<Flow>,
    frames: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Flow {
    /// `None` for what this node says to the other end of the link itself.
    source: Option<NodeId>,
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Bytes that it may still send in this turn.
    credit: usize,
}

impl FairQueue {
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues a frame.
    pub(super) fn push(&mut self, mut frame: Vec<u8>) {
        let source = source_of(&frame);
        let at = self.flows.iter().position(|flow| flow.source == source);
        let at = at.unwrap_or_else(|| {
            let frames = VecDeque::with_capacity(1);
            self.flows.push_back(Flow { source, frames, bytes: 0, credit: QUANTUM });
            self.flows.len() - 1
        });
        let flow = &mut self.flows[at];
        if flow.bytes >= MARK_BYTES {
            mark_congested(&mut frame);
        }
        self.frames += 1;
        self.bytes += frame.len();
        flow.bytes += frame.len();
        flow.frames.push_back(frame);
    }

    /// Drops the newest frame of the longest flow. Returns its bytes; nothing happens if there is none.
    pub(super) fn drop_from_longest(&mut self) -> Option<usize> {
        let at = (0..self.flows.len()).max_by_key(|at| self.flows[*at].bytes)?;
        let frame = self.flows[at].frames.pop_back()?;
        self.flows[at].bytes -= frame.len();
        self.bytes -= frame.len();
        self.frames -= 1;
        if self.flows[at].frames.is_empty() {
            self.flows.remove(at);
        }
        Some(frame.len())
    }

    /// The next frame to be sent.
    pub(super) fn front(&mut self) -> Option<&[u8]> {
        loop {
            let flow = self.flows.front_mut()?;
            let length = flow.frames.front().map_or(0, Vec::len);
            if flow.credit >= length {
                break;
            }
            flow.credit += QUANTUM;
            self.flows.rotate_left(1);
        }
        self.flows.front()?.frames.front().map(Vec::as_slice)
    }

    /// Takes the frame that [`FairQueue::front`] has shown.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let flow = self.flows.front_mut()?;
        let frame = flow.frames.pop_front()?;
        flow.credit = flow.credit.saturating_sub(frame.len());
        flow.bytes -= frame.len();
        self.bytes -= frame.len();
        self.frames -= 1;
        if flow.frames.is_empty() {
            self.flows.pop_front();
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::Labels;
    use overlay_proto::id::IndexKey;
    use overlay_proto::wire::packet::Destination;
    use overlay_proto::wire::{Class, Packet};

    fn frame(source: u8, bytes: usize) -> Vec<u8> {
        let to = Destination { node: NodeId([9; 32]), key: IndexKey(0), labels: Labels::default() };
        Packet::new(Class::Bulk, NodeId([source; 32]), &to, &vec![0; bytes]).into_frame()
    }

    fn next(queue: &mut FairQueue) -> Option<u8> {
        queue.front()?;
        queue.pop().and_then(|frame| source_of(&frame)).map(|source| source.0[0])
    }

    #[test]
    fn a_flow_of_many_waits_behind_itself_and_bytes_count() {
        let mut queue = FairQueue::default();
        (0..40).for_each(|_| queue.push(frame(1, 16_000)));
        (0..160).for_each(|_| queue.push(frame(2, 4_000)));
        let first: Vec<u8> = (0..100).filter_map(|_| next(&mut queue)).collect();
        let large = first.iter().filter(|source| **source == 1).count();
        assert!((18..=23).contains(&large), "{large} of the first 100 are the large ones");
        while next(&mut queue).is_some() {}
        assert_eq!((queue.frames(), queue.bytes(), queue.flows.len()), (0, 0, 0));
    }

    #[test]
    fn the_order_within_a_flow_stands() {
        let mut queue = FairQueue::default();
        (0..50).for_each(|n| queue.push(frame(n % 3, usize::from(n) * 100)));
        let mut last = [0; 3];
        while queue.front().is_some() {
            let frame = queue.pop().expect("shown");
            let source = usize::from(source_of(&frame).expect("a packet").0[0]);
            assert!(frame.len() > last[source]);
            last[source] = frame.len();
        }
    }

    #[test]
    fn who_has_most_loses_and_hears_of_it_first() {
        let mut queue = FairQueue::default();
        (0..20).for_each(|_| queue.push(frame(1, 16_000)));
        queue.push(frame(2, 100));
        assert!((0..19).all(|_| queue.drop_from_longest().is_some()));
        assert_eq!(queue.frames(), 2);
        let mut marks = Vec::new();
        let mut queue = FairQueue::default();
        (0..20).for_each(|_| queue.push(frame(1, 16_000)));
        queue.push(frame(2, 100));
        while queue.front().is_some() {
            let packet = Packet::parse(queue.pop().expect("shown")).expect("valid");
            marks.push((packet.source().0[0], packet.is_congested()));
        }
        assert!(marks.contains(&(1, true)) && marks.contains(&(1, false)));
        assert!(marks.contains(&(2, false)));
    }
}
