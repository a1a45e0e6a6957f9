//! The fixed part of a packet's header as a table, for whoever shows packets rather than forwards
//! them.

use super::packet::{
    CONGESTED, DESTINATION, ESCALATED, ESTIMATE, FAILED, FLAGS, HOPS_LEFT, HOPS_TAKEN, KEY, LABELS,
    PROBE, SEARCHING, SOURCE, TREE, VISITED_COUNT,
};

/// One field of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// Its name.
    pub name: &'static str,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// How long it is, in bytes.
    pub bytes: usize,
    /// What it says.
    pub about: &'static str,
}

/// One bit of the header's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFlag {
    /// Its name.
    pub name: &'static str,
    /// The bit.
    pub mask: u8,
    /// What it says when it is set.
    pub about: &'static str,
}

const fn field(name: &'static str, offset: usize, end: usize, about: &'static str) -> HeaderField {
    HeaderField { name, offset, bytes: end - offset, about }
}

/// The fields, in their order, up to the labels.
pub const HEADER: [HeaderField; 11] = [
    field("mark", 0, FLAGS, "Mark of a packet"),
    field("flags", FLAGS, HOPS_LEFT, "Class and flags"),
    field("hops_left", HOPS_LEFT, HOPS_TAKEN, "Hops left"),
    field("hops_taken", HOPS_TAKEN, ESTIMATE, "Hops taken"),
    field("estimate", ESTIMATE, VISITED_COUNT, "Expected cost, in quarters of a hop"),
    field("visited", VISITED_COUNT, TREE, "Visited nodes listed at the end"),
    field("tree", TREE, FAILED, "Tree followed last"),
    field("failed_trees", FAILED, SOURCE, "Trees that have led nowhere"),
    field("source", SOURCE, DESTINATION, "Source node"),
    field("destination", DESTINATION, KEY, "Destination node"),
    field("key", KEY, LABELS, "Index key of the destination's user"),
];

/// The flags beside the class.
pub const HEADER_FLAGS: [HeaderFlag; 4] = [
    HeaderFlag { name: "probe", mask: PROBE, about: "Reports back where its hops run out" },
    HeaderFlag { name: "escalated", mask: ESCALATED, about: "Travels over the scaffold" },
    HeaderFlag { name: "searching", mask: SEARCHING, about: "Searches depth first" },
    HeaderFlag { name: "congested", mask: CONGESTED, about: "A queue on its way was long" },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinates::Labels;
    use crate::id::{IndexKey, NodeId};
    use crate::wire::packet::{Class, Destination, Packet, mark_congested};

    #[test]
    fn the_table_has_every_byte_once_and_where_the_packet_has_it() {
        let end = HEADER.iter().fold(0, |end, field| {
            assert_eq!(field.offset, end, "{}", field.name);
            end + field.bytes
        });
        let to = Destination { node: NodeId([2; 32]), key: IndexKey(7), labels: Labels::none(3) };
        let mut packet = Packet::new(Class::Message, NodeId([1; 32]), &to, b"hello");
        packet.set_probe(9);
        packet.set_escalated();
        packet.search();
        assert!(packet.take_hop());
        packet.set_estimate(5);
        packet.follow(Some(4));
        packet.give_up_tree();
        let mut frame = packet.into_frame();
        mark_congested(&mut frame);
        assert_eq!(frame[end], 3, "then come the labels");
        let read = |name: &str| {
            let field = HEADER.iter().find(|field| field.name == name).expect("in the table");
            &frame[field.offset..field.offset + field.bytes]
        };
        for (name, byte) in [("hops_left", 8), ("hops_taken", 1), ("estimate", 5), ("tree", 4)] {
            assert_eq!(read(name), [byte], "{name}");
        }
        assert_eq!(read("failed_trees"), [0, 0, 0, 1 << 4]);
        assert_eq!((read("source"), read("destination")), (&[1; 32][..], &[2; 32][..]));
        assert_eq!(read("key"), 7_u64.to_be_bytes());
        let flags = HEADER_FLAGS.iter().fold(Class::Message as u8, |all, flag| all | flag.mask);
        assert_eq!(read("flags"), [flags]);
    }
}
