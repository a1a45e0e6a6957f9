//! How a link begins, is kept alive and ends.

use crate::coordinates::LinkCost;
use crate::encoding::positional::positional;
use crate::id::{Nonce, RealmId};
use crate::identity::Certificate;
use crate::status::Status;
use crate::wire::TransportAddress;
use std::sync::Arc;

positional! {
    /// The first message on every link, sent by both ends at once.
    ///
    /// Both greetings are part of what a log-in or registration signs, so nobody can strip a
    /// version from the offer or replay the proof elsewhere.
    pub struct Hello {
        /// The oldest version the sender speaks.
        pub version_min: u16,
        /// The newest version the sender speaks.
        pub version_max: u16,
        /// Capabilities, one bit each.
        pub capabilities: u32,
        /// The sender's realm.
        pub realm: RealmId,
        /// Fresh for this link.
        pub nonce: Nonce,
        /// The address at which the sender sees the receiver.
        pub observed: Option<TransportAddress>,
        /// The sender's certificate, if it is a supernode.
        pub supernode: Option<Arc<Certificate>>,
    }
}

positional! {
    /// Says that the link lives. One end asks, the other answers: on a supernode's link the one that
    /// has dialled, else the one with the lower node id.
    pub struct KeepAlive {
        /// Counts up; an answer repeats it.
        pub seq: u32,
        /// Whether this is the answer.
        pub answer: bool,
        /// What the link costs, as the asking end has measured it.
        pub cost: LinkCost,
        /// The checksum of all news that the sender has told on this link (CRC-32 over its frames).
        pub told: u32,
    }
}

positional! {
    /// News was missed on this link. First asked for, then done: what a node tells once and then
    /// only changes of is told whole again.
    pub struct Resync {
        /// False: the sender has missed something. True: it begins anew, all it has told is void.
        pub anew: bool,
    }
}

positional! {
    /// The last message on a link.
    pub struct Goodbye {
        /// Why the sender ends the link.
        pub status: Status,
    }
}

positional! {
    /// The answer to a message whose number the receiver does not know: of a later version.
    pub struct Unsupported {
        /// The number.
        pub number: u8,
        /// 501.
        pub status: Status,
    }
}
