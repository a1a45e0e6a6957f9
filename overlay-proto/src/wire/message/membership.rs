//! Which supernodes there are, which of them live, and how busy they are.

use super::Rtt;
use crate::coordinates::Epoch;
use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::id::{NodeId, ShortId};
use crate::identity::Certificate;
use crate::wire::TransportAddress;
use std::sync::Arc;

positional! {
    /// One supernode, as another knows it.
    pub struct MemberRecord {
        /// Its certificate.
        pub certificate: Arc<Certificate>,
        /// Where it can be dialled.
        pub addresses: Vec<TransportAddress>,
        /// Whether it registers users.
        pub registrar: bool,
        /// Of two records of one supernode the one with the higher number holds. Milliseconds since
        /// the Unix epoch, when it said this first, or more.
        pub seq: u64 = 0,
    }
}

positional! {
    /// A supernode says that it lives, and its load.
    pub struct Heartbeat {
        /// Peers logged in.
        pub children: u32,
        /// Free slots of its peers.
        pub free_slots: u32,
        /// Links that its peers have up.
        pub links: u32,
        /// Whether it is leaving and takes nobody in.
        pub draining: bool,
        /// How far the other supernodes are. Empty in most heartbeats: then nothing new.
        pub rtts: Vec<Rtt>,
        /// The roots that it has appointed.
        pub roots: Vec<RootClaim>,
        /// Seconds that a newcomer has to wait there for its log-in.
        pub line_secs: u16 = 0,
    }
}

positional! {
    /// A supernode has appointed one of its peers as the root of a tree.
    pub struct RootClaim {
        /// The tree.
        pub tree: u8,
        /// The tree's epoch under this root.
        pub epoch: Epoch,
        /// The root.
        pub root: ShortId,
    }
}

positional! {
    /// The supernodes that the sender knows. Sent when a link is made and when one is new.
    pub struct Members {
        /// Each with its certificate.
        pub members: Vec<MemberRecord>,
    }
}

positional! {
    /// A word of the membership protocol, from one supernode to another it is linked with.
    pub struct Swim {
        /// At most [`SWIM_BYTES_MAX`](crate::config::SWIM_BYTES_MAX) bytes, in the protocol's own
        /// form.
        pub data: Blob,
    }
}

positional! {
    /// Which life the sender lives, for the membership protocol. Sent when a link is made, and over
    /// all links when it has begun another.
    pub struct Life {
        /// When it began: milliseconds since the Unix epoch, or more.
        pub life: u64,
        /// The receiver's life that the sender holds for ended. Zero if none.
        pub buried: u64,
    }
}

positional! {
    /// How many supernodes the sender counts, and a checksum over their records: whether both ends
    /// know the same ones.
    pub struct MembersKnown {
        /// With the sender itself.
        pub count: u32,
        /// CRC-32 over each node id and the number of its record (8 bytes, the high one first), in
        /// the order of the ids. It guards against mistakes, not against a liar.
        pub sum: u32,
    }
}

positional! {
    /// A page of what the sender knows of supernodes. The receiver answers with the records that are
    /// newer with it, or missing here.
    pub struct MembersHeld {
        /// The page begins behind this node. None: with the first.
        pub after: Option<NodeId>,
        /// It ends with this one. None: with the last.
        pub until: Option<NodeId>,
        /// All that the sender knows between.
        pub entries: Vec<MemberHeld>,
    }
}

positional! {
    /// Which record of a supernode the sender has.
    pub struct MemberHeld {
        /// The supernode.
        pub node: NodeId,
        /// The record's number.
        pub seq: u64,
    }
}
