//! Who is out.

use crate::encoding::positional::positional;
use crate::identity::{DeviceRevocation, ListHead, Revocation, Subject};

positional! {
    /// The number of one signer's list of revocations.
    pub struct ListEpoch {
        /// Who signs it.
        pub signer: Subject,
        /// The number of the newest.
        pub epoch: u64,
    }
}

positional! {
    /// The lists of revocations that a supernode has. Sent to others with each heartbeat, if there
    /// are any, to peers at their log-in, and to all when one is new.
    pub struct RevocationsKnown {
        /// Each signer's newest.
        pub lists: Vec<ListEpoch>,
    }
}

positional! {
    /// Asks a supernode for a list of revocations that it says is newer.
    pub struct RevocationsWanted {
        /// Whose.
        pub signer: Subject,
        /// The number of the last entry that the asker has.
        pub after: u64,
    }
}

positional! {
    /// A part of a list of revocations.
    pub struct Revocations {
        /// What the signer says of the whole list.
        pub head: ListHead,
        /// The entries after the one that was named, as many as fit.
        pub entries: Vec<Revocation>,
        /// Whether more follow.
        pub more: bool,
    }
}

positional! {
    /// A user shuts one of their devices out. From the user's device to its home, and on to a
    /// registrar.
    pub struct Revoke {
        /// Repeated in the answer.
        pub id: u64,
        /// The user's word.
        pub word: DeviceRevocation,
    }
}
