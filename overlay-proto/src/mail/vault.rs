//! What the core asks of the keeper of letters: the driver's part that encrypts and writes to disk.
//!
//! Encryption needs chance and a state that must never go back, and both that state and the letters
//! must survive a crash. So one keeper does both: each request is one transaction, and its answer
//! comes when it is durable. Requests are carried out in the order in which they were given.

use crate::encoding::positional::fixed_bytes;
use crate::id::{MessageId, NodeId};
use crate::mail::letter::ShownLetter;
use crate::mail::prekeys::DeviceKeys;
use crate::status::Status;
use std::fmt;

fixed_bytes! {
    /// A public key of the keeper: X25519.
    pub struct MailKey([u8; 32]);
}

fixed_bytes! {
    /// One ratchet between two devices.
    pub struct SessionId([u8; 32]);
}

impl fmt::Debug for MailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailKey({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// A key under which the keeper keeps bytes of the core's.
pub type RecordKey = Vec<u8>;

/// Changes that are durable together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records to keep, each in place of the one before it.
    pub put: Vec<(RecordKey, Vec<u8>)>,
    /// Records to forget.
    pub drop: Vec<RecordKey>,
    /// Letters to show to the application, in this order: once they are durable, they are shown.
    pub show: Vec<ShownLetter>,
    /// Messages of ours that have ended, and how: once that is durable, it is final.
    pub ended: Vec<(MessageId, Status)>,
    /// Ratchets that were proved to belong to these devices: they may be sealed with from now on.
    pub trust: Vec<(NodeId, SessionId)>,
}

impl Batch {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Batch::default()
    }
}

/// What the core wants of the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultRequest {
    /// Keep this. Answer: [`VaultAnswer::Kept`].
    Keep(Batch),
    /// Make so many keys for one use, and tell all public keys. Answer: [`VaultAnswer::Published`].
    Publish {
        /// How many.
        one_time: usize,
    },
    /// Seal bytes for a device, and keep the outcome as a record. Answer: [`VaultAnswer::Sealed`],
    /// or [`VaultAnswer::NoSession`] if there is no ratchet yet and no keys to begin one.
    Seal {
        /// For which device.
        to: NodeId,
        /// Its keys, checked, to begin a ratchet if there is none.
        keys: Option<Box<DeviceKeys>>,
        /// Whether the present ratchet is given up for a new one.
        anew: bool,
        /// What to seal.
        plain: Vec<u8>,
        /// What the outer seal says of the sender beside its device, for when the inner one breaks:
        /// its name.
        label: Vec<u8>,
        /// Under which key the outcome is kept; nowhere, if it is empty.
        under: RecordKey,
    },
    /// Open what was sealed for this device, and keep what was in it. Answer:
    /// [`VaultAnswer::Opened`] or [`VaultAnswer::Broken`].
    Open {
        /// What to open.
        sealed: Vec<u8>,
        /// Under which key what was in it is kept.
        under: RecordKey,
    },
}

/// What the keeper answers, once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAnswer {
    /// It is kept.
    Kept,
    /// The public keys.
    Published(PublicKeys),
    /// The sealed bytes.
    Sealed(Vec<u8>),
    /// Keys are needed first.
    NoSession,
    /// What was in it.
    Opened(Opened),
    /// It cannot be opened: it was opened before, was changed, is for another device, or one of the
    /// two ends has lost its ratchet. Its sender, if that can be told, is only claimed.
    Broken {
        /// Who is said to have sealed it, and the label that came with it.
        from: Option<(NodeId, Vec<u8>)>,
    },
    /// The disk failed; nothing has changed.
    Failed,
}

/// What was in a sealed letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Who is said to have sealed it. What is inside proves it.
    pub from: NodeId,
    /// The ratchet.
    pub session: SessionId,
    /// Whether it took a key of ours to begin that ratchet.
    pub began: bool,
    /// What was sealed.
    pub plain: Vec<u8>,
}

/// The public keys of a keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeys {
    /// The key of its ratchets.
    pub identity: MailKey,
    /// The key to which the outer seal is made.
    pub envelope: MailKey,
    /// The key to begin a ratchet with when there is none left for one use.
    pub fallback: MailKey,
    /// Keys to begin one ratchet with, each.
    pub one_time: Vec<MailKey>,
}
