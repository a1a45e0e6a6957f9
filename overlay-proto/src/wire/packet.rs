//! Packets: what is forwarded hop by hop.
//!
//! The header has a fixed layout, so a forwarder reads and changes a few bytes in place and passes
//! the same buffer on; it neither copies nor decodes the payload (`benches/packet.rs` compares
//! this with a header in CBOR). Numbers are big-endian.
//!
//! ```text
//!  0  mark 0x01            1  flags: class (2 bits), probe, escalated, searching, congested
//!  2  hops left            3  hops taken
//!  4  estimate: cost that the last forwarder expected from here on, in quarters of a hop
//!  5  visited nodes listed at the end; more than none once it has been stuck
//!  6  tree that the last forwarder followed; 255 for none
//!  7  trees that have led nowhere, one bit each (4)
//! 11  source node (32)    43  destination node (32)
//! 75  index key of the destination's user (8)
//! 83  destination's labels: count, then short forms
//!  ·  payload: one end-to-end message, or one datagram of a session
//!  ·  visited nodes, 9 bytes each: state, short id; only once the packet has been stuck
//! ```

use crate::config::{FRAME_BYTES_MAX, HOP_LIMIT, TREES_MAX, VISITED_MAX};
use crate::coordinates::{Label, Labels};
use crate::id::{IndexKey, NodeId, ShortId};
use std::ops::Range;

/// The first byte of every packet. No message begins with it.
pub const PACKET_MARK: u8 = 0x01;

pub(super) const FLAGS: usize = 1;
pub(super) const HOPS_LEFT: usize = 2;
pub(super) const HOPS_TAKEN: usize = 3;
pub(super) const ESTIMATE: usize = 4;
pub(super) const VISITED_COUNT: usize = 5;
pub(super) const TREE: usize = 6;
pub(super) const FAILED: usize = 7;
pub(super) const SOURCE: usize = 11;
pub(super) const DESTINATION: usize = 43;
pub(super) const KEY: usize = 75;
pub(super) const LABELS: usize = 83;

const CLASS_MASK: u8 = 0b0000_0011;
pub(super) const PROBE: u8 = 0b0000_0100;
pub(super) const ESCALATED: u8 = 0b0000_1000;
pub(super) const SEARCHING: u8 = 0b0001_0000;
pub(super) const CONGESTED: u8 = 0b0010_0000;
const VISIT_BYTES: usize = 9;
/// A visited node still on the path that the packet would step back along.
const ON_PATH: u8 = 0;
/// A visited node that the packet has stepped back from.
const EXHAUSTED: u8 = 1;

/// What kind of traffic a frame is. Each class has its own bounded queue on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Greetings, leases, topology: small, and the network dies without it.
    Control = 0,
    /// Calls and other traffic that is worthless when late.
    RealTime = 1,
    /// Messages and their receipts.
    Message = 2,
    /// Files.
    Bulk = 3,
}

impl Class {
    /// Every class, the one to be served first in front.
    pub const ALL: [Class; 4] = [Class::Control, Class::RealTime, Class::Message, Class::Bulk];
}

/// Notes in the frame of a packet that it has waited in a long queue. A frame that is none stays as
/// it is.
pub fn mark_congested(frame: &mut [u8]) {
    if let [PACKET_MARK, flags, ..] = frame {
        *flags |= CONGESTED;
    }
}

/// Who has sent the packet in this frame, as it says itself; `None` if it is none.
pub fn source_of(frame: &[u8]) -> Option<NodeId> {
    let source = frame.get(SOURCE..DESTINATION)?;
    (frame[0] == PACKET_MARK).then(|| source.try_into().ok().map(NodeId))?
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than its header says.
    #[error("cut short")]
    CutShort,
    /// Labels in no known form.
    #[error("labels in no known form")]
    Labels,
    /// More visited nodes than a packet may list, or in no known form.
    #[error("visited nodes in no known form")]
    Visited,
    /// So long that forwarders have no room to note where it has been.
    #[error("no room for the nodes that it may visit")]
    NoRoom,
    /// More hops left than a packet may have.
    #[error("more than {HOP_LIMIT} hops left")]
    HopLimit,
}

/// Where in `frame` the fault is for which [`Packet::parse`] has refused it.
pub(super) fn fault_offset(error: PacketError, frame: &[u8]) -> usize {
    match error {
        PacketError::CutShort | PacketError::NoRoom => frame.len(),
        PacketError::HopLimit => HOPS_LEFT,
        PacketError::Labels => {
            let [count, after @ ..] = frame.get(LABELS..).unwrap_or_default() else {
                return LABELS;
            };
            if usize::from(*count) > TREES_MAX {
                return LABELS;
            }
            let mut rest = after;
            (0..*count).take_while(|_| Label::unpack(&mut rest).is_some()).count();
            frame.len() - rest.len()
        }
        PacketError::Visited => {
            let count = frame.get(VISITED_COUNT).map_or(0, |count| usize::from(*count));
            let start = frame.len().checked_sub(count * VISIT_BYTES);
            let visits = start.map(|start| (start, frame.get(start..).unwrap_or_default()));
            let wrong = visits.and_then(|(start, visits)| {
                let at = visits.chunks(VISIT_BYTES).position(|visit| visit[0] > EXHAUSTED)?;
                Some(start + at * VISIT_BYTES)
            });
            wrong.unwrap_or(VISITED_COUNT)
        }
    }
}

/// One packet: its frame, checked, and where the payload begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    frame: Vec<u8>,
    payload: usize,
}

/// Where a packet goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The node.
    pub node: NodeId,
    /// The place of its user in the index, for the scaffold.
    pub key: IndexKey,
    /// Its labels.
    pub labels: Labels,
}

impl Packet {
    /// A new packet that carries `payload`.
    pub fn new(class: Class, source: NodeId, to: &Destination, payload: &[u8]) -> Packet {
        Packet::with_head(class, source, to, &[], payload)
    }

    /// A new packet that carries `head` and, right after it, `rest`.
    pub fn with_head(
        class: Class,
        source: NodeId,
        to: &Destination,
        head: &[u8],
        rest: &[u8],
    ) -> Packet {
        let mut frame = Vec::with_capacity(LABELS + 256 + head.len() + rest.len());
        frame.extend_from_slice(&[PACKET_MARK, class as u8, HOP_LIMIT, 0, u8::MAX, 0]);
        frame.extend_from_slice(&[u8::MAX, 0, 0, 0, 0]);
        frame.extend_from_slice(&source.0);
        frame.extend_from_slice(&to.node.0);
        frame.extend_from_slice(&to.key.0.to_be_bytes());
        to.labels.pack(&mut frame);
        let at = frame.len();
        frame.extend_from_slice(head);
        frame.extend_from_slice(rest);
        Packet { frame, payload: at }
    }

    /// Checks `frame` and keeps it.
    ///
    /// # Errors
    /// [`PacketError`].
    pub fn parse(frame: Vec<u8>) -> Result<Packet, PacketError> {
        if frame.len() > FRAME_BYTES_MAX || frame.len() <= LABELS || frame[0] != PACKET_MARK {
            return Err(PacketError::CutShort);
        }
        let mut rest = &frame[LABELS..];
        let (&count, after) = rest.split_first().ok_or(PacketError::CutShort)?;
        if usize::from(count) > TREES_MAX {
            return Err(PacketError::Labels);
        }
        rest = after;
        for _ in 0..count {
            Label::unpack(&mut rest).ok_or(PacketError::Labels)?;
        }
        let payload = frame.len() - rest.len();
        let visited = usize::from(frame[VISITED_COUNT]);
        let trailer = visited * VISIT_BYTES;
        if visited > VISITED_MAX || rest.len() < trailer {
            return Err(PacketError::Visited);
        }
        if frame[frame.len() - trailer..].chunks(VISIT_BYTES).any(|visit| visit[0] > EXHAUSTED) {
            return Err(PacketError::Visited);
        }
        // Whoever takes it in must be able to send it on: the next node ends the link over a frame
        // that is too long, and the link would be an honest one.
        if frame.len() + (VISITED_MAX - visited) * VISIT_BYTES > FRAME_BYTES_MAX {
            return Err(PacketError::NoRoom);
        }
        if frame[HOPS_LEFT] > HOP_LIMIT {
            return Err(PacketError::HopLimit);
        }
        Ok(Packet { frame, payload })
    }

    /// The frame's bytes.
    pub fn into_frame(self) -> Vec<u8> {
        self.frame
    }

    /// The class of traffic.
    pub fn class(&self) -> Class {
        match self.frame[FLAGS] & CLASS_MASK {
            0 => Class::Control,
            1 => Class::RealTime,
            2 => Class::Message,
            _ => Class::Bulk,
        }
    }

    /// Whether the node at which the hops run out reports back rather than escalates.
    pub fn is_probe(&self) -> bool {
        self.frame[FLAGS] & PROBE != 0
    }

    /// Makes the packet a probe that goes `hops` far.
    pub fn set_probe(&mut self, hops: u8) {
        self.frame[FLAGS] |= PROBE;
        self.frame[HOPS_LEFT] = hops.min(HOP_LIMIT);
    }

    /// Whether it travels over the scaffold.
    pub fn is_escalated(&self) -> bool {
        self.frame[FLAGS] & ESCALATED != 0
    }

    /// Marks it as travelling over the scaffold.
    pub fn set_escalated(&mut self) {
        self.frame[FLAGS] |= ESCALATED;
    }

    /// Hops it may still take.
    pub fn hops_left(&self) -> u8 {
        self.frame[HOPS_LEFT]
    }

    /// Hops it has taken.
    pub fn hops_taken(&self) -> u8 {
        self.frame[HOPS_TAKEN]
    }

    /// Counts one hop. False if none was left; then nothing has changed.
    #[must_use]
    pub fn take_hop(&mut self) -> bool {
        if seeded!(HopNotCounted) {
            return true;
        }
        let Some(left) = self.frame[HOPS_LEFT].checked_sub(1) else { return false };
        self.frame[HOPS_LEFT] = left;
        self.frame[HOPS_TAKEN] = self.frame[HOPS_TAKEN].saturating_add(1);
        true
    }

    /// What the last forwarder expected the way from here on to cost, in quarters of a hop; 255 if it
    /// did not know or it is more.
    pub fn estimate(&self) -> u8 {
        self.frame[ESTIMATE]
    }

    /// Notes what the way from the next node on is expected to cost, in quarters of a hop.
    pub fn set_estimate(&mut self, quarters: u8) {
        self.frame[ESTIMATE] = quarters;
    }

    /// Who sent it. Proven by nothing but the payload.
    pub fn source(&self) -> NodeId {
        NodeId(self.bytes_at(SOURCE))
    }

    /// Where it goes.
    pub fn destination(&self) -> NodeId {
        NodeId(self.bytes_at(DESTINATION))
    }

    /// The index key of the destination's user.
    pub fn key(&self) -> IndexKey {
        IndexKey(u64::from_be_bytes(self.bytes_at(KEY)))
    }

    /// Reads the destination's labels into `room` and returns those there are.
    pub fn labels<'a>(&self, room: &'a mut [Label; TREES_MAX]) -> &'a [Label] {
        let count = usize::from(self.frame[LABELS]).min(TREES_MAX);
        let mut rest = &self.frame[LABELS + 1..];
        for place in room.iter_mut().take(count) {
            *place = Label::unpack(&mut rest).unwrap_or(Label::NONE);
        }
        &room[..count]
    }

    /// Notes which tree the next node is to follow, if any.
    pub fn follow(&mut self, tree: Option<usize>) {
        self.frame[TREE] = tree.and_then(|tree| u8::try_from(tree).ok()).unwrap_or(u8::MAX);
    }

    /// The tree that the last forwarder followed, if it followed one.
    pub fn followed(&self) -> Option<usize> {
        let tree = usize::from(self.frame[TREE]);
        (tree < TREES_MAX).then_some(tree)
    }

    /// Trees that have led nowhere, one bit each.
    pub fn failed_trees(&self) -> u32 {
        u32::from_be_bytes(self.bytes_at(FAILED))
    }

    /// Notes that the tree which the last forwarder followed leads nowhere from here.
    pub fn give_up_tree(&mut self) {
        let tree = u32::from(self.frame[TREE]);
        let failed = self.failed_trees() | 1_u32.checked_shl(tree).unwrap_or(0);
        self.frame[FAILED..FAILED + 4].copy_from_slice(&failed.to_be_bytes());
    }

    /// Whether no tree is left and the packet searches depth first.
    pub fn is_searching(&self) -> bool {
        self.frame[FLAGS] & SEARCHING != 0
    }

    /// From now on the packet searches depth first, by all trees.
    pub fn search(&mut self) {
        self.frame[FLAGS] |= SEARCHING;
        self.frame[FAILED..FAILED + 4].fill(0);
    }

    /// Whether a queue on its way was long: the sender should send less (RFC 3168).
    pub fn is_congested(&self) -> bool {
        self.frame[FLAGS] & CONGESTED != 0
    }

    /// The end-to-end message or the datagram.
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.payload..self.visits_start()]
    }

    /// The frame, and where the payload lies in it.
    pub fn into_parts(self) -> (Vec<u8>, Range<usize>) {
        let payload = self.payload..self.visits_start();
        (self.frame, payload)
    }

    /// Whether the packet lists where it has been: it has been stuck.
    pub fn is_stuck(&self) -> bool {
        self.frame[VISITED_COUNT] > 0
    }

    /// Where it has been since it got stuck, in order, and whether it has stepped back from there.
    pub fn visited(&self) -> impl Iterator<Item = (ShortId, bool)> + '_ {
        self.visits().map(|(state, node)| (node, state == EXHAUSTED))
    }

    /// Whether it has been at `node` since it got stuck.
    pub fn has_visited(&self, node: ShortId) -> bool {
        self.visits().any(|(_, visited)| visited == node)
    }

    /// Lists `node`, unless it is listed. False if the list is full.
    #[must_use]
    pub fn visit(&mut self, node: ShortId) -> bool {
        if self.has_visited(node) {
            return true;
        }
        if usize::from(self.frame[VISITED_COUNT]) >= VISITED_MAX {
            return false;
        }
        self.frame.push(ON_PATH);
        self.frame.extend_from_slice(&node.0);
        self.frame[VISITED_COUNT] += 1;
        true
    }

    /// Steps back from the node it is at: marks it exhausted and returns the one before it on the
    /// path, if there is one.
    pub fn step_back(&mut self) -> Option<ShortId> {
        let start = self.visits_start();
        let visits = &mut self.frame[start..];
        let mut on_path = visits.chunks_mut(VISIT_BYTES).rev().filter(|visit| visit[0] == ON_PATH);
        on_path.next()?[0] = EXHAUSTED;
        let before = on_path.next()?;
        let mut id = [0; 8];
        id.copy_from_slice(&before[1..]);
        Some(ShortId(id))
    }

    fn visits(&self) -> impl Iterator<Item = (u8, ShortId)> + '_ {
        self.frame[self.visits_start()..].chunks_exact(VISIT_BYTES).map(|visit| {
            let mut id = [0; 8];
            id.copy_from_slice(&visit[1..]);
            (visit[0], ShortId(id))
        })
    }

    fn visits_start(&self) -> usize {
        self.frame.len() - usize::from(self.frame[VISITED_COUNT]) * VISIT_BYTES
    }

    fn bytes_at<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.frame[at..at + N]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinates::Epoch;
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> Packet {
        let label = Label::root(Epoch(3)).child(4).expect("shallow");
        let labels = Labels::from(vec![label, Label::NONE]);
        let to = Destination { node: NodeId([2; 32]), key: IndexKey(7), labels };
        Packet::new(Class::Message, NodeId([1; 32]), &to, payload)
    }

    fn short(n: u8) -> ShortId {
        ShortId([n; 8])
    }

    #[test]
    fn header_reads_back() {
        let packet = Packet::parse(packet(b"hello").into_frame()).expect("valid");
        assert_eq!(packet.class(), Class::Message);
        assert_eq!((packet.source(), packet.destination()), (NodeId([1; 32]), NodeId([2; 32])));
        assert_eq!(packet.key(), IndexKey(7));
        let mut room = [Label::NONE; TREES_MAX];
        assert_eq!(packet.labels(&mut room).len(), 2);
        assert_eq!(room[0].depth(), Some(1));
        assert_eq!(packet.payload(), b"hello");
    }

    #[test]
    fn congestion_and_source_are_seen_in_the_frame() {
        let mut frame = packet(b"hello").into_frame();
        assert_eq!(source_of(&frame), Some(NodeId([1; 32])));
        mark_congested(&mut frame);
        let packet = Packet::parse(frame).expect("valid");
        assert!(packet.is_congested());
        assert_eq!((packet.class(), packet.payload()), (Class::Message, b"hello".as_slice()));
        let mut message = vec![0x82; 60];
        mark_congested(&mut message);
        assert_eq!((source_of(&message), message[1]), (None, 0x82));
    }

    #[test]
    fn visiting_keeps_the_payload_and_steps_back_like_a_search() {
        let mut packet = packet(b"hello");
        for node in [1, 2, 3] {
            assert!(packet.visit(short(node)));
        }
        assert_eq!(packet.payload(), b"hello");
        assert_eq!(packet.step_back(), Some(short(2)));
        assert!(packet.visit(short(4)));
        assert_eq!(packet.step_back(), Some(short(2)));
        assert_eq!(packet.step_back(), Some(short(1)));
        assert_eq!(packet.step_back(), None);
        assert!(packet.has_visited(short(3)));
        assert!(Packet::parse(packet.into_frame()).is_ok());
    }

    #[test]
    fn hops_end_at_zero_and_the_list_at_its_limit() {
        let mut packet = packet(b"");
        for _ in 0..HOP_LIMIT {
            assert!(packet.take_hop());
        }
        assert!(!packet.take_hop());
        let all =
            (0..=u8::try_from(VISITED_MAX).expect("small")).filter(|n| packet.visit(short(*n)));
        assert_eq!(all.count(), VISITED_MAX);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(first) = bytes.first_mut() { *first = PACKET_MARK }
            if let Ok(mut packet) = Packet::parse(bytes) {
                let mut room = [Label::NONE; TREES_MAX];
                packet.labels(&mut room);
                let payload = packet.payload().to_vec();
                let _ = packet.take_hop();
                let _ = packet.visit(short(9));
                let _ = packet.step_back();
                prop_assert_eq!(packet.payload(), payload.as_slice());
                prop_assert!(Packet::parse(packet.into_frame()).is_ok());
            }
        }
    }
}
