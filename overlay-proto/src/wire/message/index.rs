//! Where users are: told, kept and asked for.

use crate::denial::Denial;
use crate::encoding::positional::positional;
use crate::id::{IndexKey, NodeId};
use crate::location::LocationRecord;
use crate::name::Name;
use crate::status::Status;

positional! {
    /// A peer's new location, which also renews its session.
    pub struct Publish {
        /// The signed record.
        pub record: LocationRecord,
    }
}

positional! {
    /// Asks where a user is.
    pub struct Lookup {
        /// Repeated in the answer.
        pub id: u64,
        /// Who.
        pub name: Name,
        /// Drawn by chance: a negative answer is signed over it. Zero from those who want none.
        pub nonce: u64 = 0,
        /// Whether the answer had before was wrong or led nowhere: then two replicas are to say.
        pub careful: bool = false,
    }
}

positional! {
    /// One record of a look-up's answer.
    pub struct Found {
        /// The record as the device signed it.
        pub record: LocationRecord,
        /// Milliseconds since it reached the index.
        pub age_ms: u64,
        /// Milliseconds that its lease has left; zero if the device is off line.
        pub lease_ms: u64,
    }
}

positional! {
    /// The answer to a look-up.
    pub struct LookupReply {
        /// As in the question.
        pub id: u64,
        /// 200, 404 for nobody, 480 for a user who is off line.
        pub status: Status,
        /// One for each device, newest first.
        pub found: Vec<Found>,
        /// Who says that there is nobody, signed; with 404 only.
        pub denials: Vec<Denial> = Vec::new(),
    }
}

positional! {
    /// A location record for a replica of the index.
    pub struct StoreLocation {
        /// As the device signed it.
        pub record: LocationRecord,
    }
}

positional! {
    /// Asks a supernode that keeps an index replica for a user's records.
    pub struct Locate {
        /// Repeated in the answer.
        pub id: u64,
        /// The key of the name in the index.
        pub key: IndexKey,
        /// The asker's number, for a negative answer; zero if none is wanted signed.
        pub nonce: u64 = 0,
    }
}

positional! {
    /// A home has lost its peer without a word: the device is off line until a newer record says
    /// otherwise.
    pub struct Withdraw {
        /// Where its records stand.
        pub key: IndexKey,
        /// The device.
        pub node: NodeId,
    }
}
