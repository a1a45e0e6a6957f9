//! Slots, labels and links: between peers, their homes, and homes that agree on a link.

use crate::coordinates::{Coordinates, LabelChanges, LinkCost};
use crate::encoding::positional::positional;
use crate::id::{NodeId, ShortId};
use crate::identity::{Certificate, Contact};
use crate::status::Status;
use std::sync::Arc;

positional! {
    /// Who belongs into a slot, and how to reach it.
    pub struct SlotContact {
        /// The slot.
        pub slot: u8,
        /// The node that belongs there, with its addresses.
        pub contact: Contact,
        /// The neighbour's home.
        pub home: NodeId,
        /// Whether the receiver is the one that dials.
        pub dial: bool,
    }
}

positional! {
    /// A peer's place as its home wants it from now on. The peer makes its links so.
    pub struct Assign {
        /// Slots and labels, signed.
        pub coordinates: Coordinates,
        /// How to reach those neighbours that are new.
        pub contacts: Vec<SlotContact>,
    }
}

positional! {
    /// What a peer sees of one slot.
    pub struct SlotReport {
        /// The slot.
        pub slot: u8,
        /// Who is meant by it.
        pub node: ShortId,
        /// Whether there is a live link.
        pub up: bool,
        /// What the link costs.
        pub cost: LinkCost,
    }
}

positional! {
    /// A peer tells its home what has changed around it.
    pub struct Report {
        /// Slots whose link came up or went down.
        pub slots: Vec<SlotReport>,
        /// New coordinates of neighbours, as their homes signed them.
        pub neighbours: Vec<Coordinates>,
    }
}

positional! {
    /// The supernodes to keep a warm link to are others now.
    pub struct Standbys {
        /// All of them.
        pub standbys: Vec<Contact>,
    }
}

positional! {
    /// A peer's new place, told to its neighbours.
    pub struct Placed {
        /// The record as the home signed it.
        pub coordinates: Coordinates,
        /// The home's certificate: the first time on a link, and when the home is another.
        pub issuer: Option<Arc<Certificate>>,
    }
}

positional! {
    /// One neighbour of a neighbour.
    pub struct FarEntry {
        /// The slot at the sender.
        pub slot: u8,
        /// Who is there; [`ShortId::NONE`] if nobody any more.
        pub node: ShortId,
        /// What the sender's link to it costs.
        pub cost: LinkCost,
        /// Its labels, where they have changed since the last entry for this node.
        pub labels: LabelChanges,
        /// Its slots whose neighbours have died since its home placed it, one bit each.
        pub dead_slots: u16,
        /// The trees in which the neighbour above it has died, one bit each.
        pub dead_parents: u32,
    }
}

positional! {
    /// What changed among the sender's live neighbours.
    pub struct Neighbourhood {
        /// Whether the receiver shall forget what it knew of the sender's neighbours.
        pub whole: bool,
        /// The slots that changed.
        pub entries: Vec<FarEntry>,
    }
}

positional! {
    /// Asks for a link to cut and put `joiner` between its ends.
    pub struct Splice {
        /// Repeated in the answer.
        pub id: u64,
        /// Who is put in.
        pub joiner: Contact,
        /// Nodes it has links to already.
        pub exclude: Vec<ShortId>,
    }
}

positional! {
    /// The answer to [`Splice`]: the two ends, which expect the joiner now.
    pub struct SpliceReply {
        /// As in the question.
        pub id: u64,
        /// 200, or why not.
        pub status: Status,
        /// The ends with their homes.
        pub ends: Vec<PeerContact>,
    }
}

positional! {
    /// Asks for a peer with a free slot to link to `peer`.
    pub struct Pair {
        /// Repeated in the answer.
        pub id: u64,
        /// Who has a free slot.
        pub peer: Contact,
        /// Nodes it has links to already.
        pub exclude: Vec<ShortId>,
    }
}

positional! {
    /// The answer to [`Pair`].
    pub struct PairReply {
        /// As in the question.
        pub id: u64,
        /// 200, or why not.
        pub status: Status,
        /// The partner, which expects the peer now.
        pub partner: Option<PeerContact>,
    }
}

positional! {
    /// A peer and its home.
    pub struct PeerContact {
        /// The peer.
        pub contact: Contact,
        /// Its home.
        pub home: NodeId,
    }
}

positional! {
    /// Asks `child`'s home to replace its neighbour `old` by `new`, if it still is one: a
    /// compare-and-swap on the slot.
    pub struct Relink {
        /// Repeated in the answer.
        pub id: u64,
        /// Whose slot.
        pub child: NodeId,
        /// Who is in it.
        pub old: ShortId,
        /// Who shall be.
        pub new: PeerContact,
    }
}

positional! {
    /// The answer to [`Relink`].
    pub struct RelinkReply {
        /// As in the question.
        pub id: u64,
        /// 200 or 488.
        pub status: Status,
        /// The child's addresses.
        pub child: Option<Contact>,
    }
}

positional! {
    /// Tells `child`'s home that `node` will not link to it after all.
    pub struct Release {
        /// Whose slot.
        pub child: NodeId,
        /// Who is not coming.
        pub node: ShortId,
    }
}

positional! {
    /// A home has shut a peer out: no other home's peers shall have it as a neighbour.
    pub struct Expel {
        /// Who was shut out.
        pub node: ShortId,
    }
}
