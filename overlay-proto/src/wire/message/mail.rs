//! Keys for letters, and letters on their way into mailboxes and out of them.

use crate::encoding::positional::positional;
use crate::id::{IndexKey, MessageId, NodeId};
use crate::identity::Signature;
use crate::mail::{DeviceKeys, SealedLetter};
use crate::status::Status;

positional! {
    /// A device's keys for letters. From the device to its home, and on to the mailboxes.
    pub struct MailKeys {
        /// Where the user's records stand.
        pub key: IndexKey,
        /// The keys, as the device signed them.
        pub keys: DeviceKeys,
    }
}

positional! {
    /// Asks for the keys of a user's devices. From a peer to its home, and on to a mailbox.
    pub struct MailKeysWanted {
        /// Repeated in the answer.
        pub id: u64,
        /// Where the user's records stand.
        pub key: IndexKey,
        /// Devices with which the asker has a ratchet already: no key for one use is spent on them.
        pub known: Vec<NodeId>,
    }
}

positional! {
    /// The answer to [`MailKeysWanted`].
    pub struct MailKeysReply {
        /// As in the question.
        pub id: u64,
        /// 200, 404 if no device has published keys, 504 if no mailbox could be asked.
        pub status: Status,
        /// Each device's, with at most one key for one use.
        pub devices: Vec<DeviceKeys>,
    }
}

positional! {
    /// Leaves a letter in the mailbox. From a peer to its home.
    pub struct Deposit {
        /// Repeated in the answer.
        pub id: u64,
        /// The letter.
        pub letter: SealedLetter,
    }
}

positional! {
    /// The answer to [`Deposit`].
    pub struct DepositReply {
        /// As in the question.
        pub id: u64,
        /// 202 once it is durable at as many replicas as are wanted, or why not.
        pub status: Status,
        /// Replicas on whose disks it is.
        pub copies: u8,
    }
}

positional! {
    /// A letter for a replica of a mailbox. From the sender's home, or from another replica.
    pub struct KeepLetter {
        /// Repeated in the answer.
        pub id: u64,
        /// Which sender, blinded by its home.
        pub tag: u64,
        /// The letter.
        pub letter: SealedLetter,
    }
}

positional! {
    /// The answer to [`KeepLetter`].
    pub struct LetterKept {
        /// As in the question.
        pub id: u64,
        /// 202 once it is durable, or why not.
        pub status: Status,
    }
}

positional! {
    /// A device asks for its letters. From the device to its home, and on to all mailboxes.
    pub struct FetchLetters {
        /// Where the user's records stand.
        pub key: IndexKey,
        /// The device.
        pub device: NodeId,
    }
}

positional! {
    /// Letters of a device, in their order. From a mailbox to the device's home, and on to it.
    pub struct Letters {
        /// The mailbox.
        pub replica: NodeId,
        /// The device.
        pub device: NodeId,
        /// As many as fit.
        pub letters: Vec<SealedLetter>,
        /// Whether there are more behind them.
        pub more: bool,
    }
}

positional! {
    /// A device has these letters on its disk. From the device to its home, and on to all mailboxes.
    pub struct LettersTaken {
        /// Where the user's records stand.
        pub key: IndexKey,
        /// The device.
        pub device: NodeId,
        /// Which.
        pub ids: Vec<MessageId>,
        /// The device's signature over the ids.
        pub signature: Signature,
    }
}

positional! {
    /// There are letters for a device. From a mailbox to the device's home, and on to it.
    pub struct LettersWait {
        /// The device.
        pub device: NodeId,
    }
}

positional! {
    /// What a mailbox has of one user, for another replica of it.
    pub struct MailboxHeld {
        /// Where the user's records stand.
        pub key: IndexKey,
        /// Letters.
        pub ids: Vec<MessageId>,
        /// The newest keys of each device.
        pub keys: Vec<DeviceKeys>,
    }
}

positional! {
    /// The answer to [`MailboxHeld`].
    pub struct MailboxMissing {
        /// Where the user's records stand.
        pub key: IndexKey,
        /// Letters that the answerer does not have: they are wanted.
        pub wanted: Vec<MessageId>,
        /// Letters that were fetched already: they can be forgotten.
        pub taken: Vec<MessageId>,
    }
}
