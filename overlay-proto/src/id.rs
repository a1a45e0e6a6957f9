//! Every identifier of the overlay, each a type of its own.

use crate::encoding::hex::Hex;
use crate::encoding::positional::fixed_bytes;
use std::fmt::{self, Display as _};

fixed_bytes! {
    /// A node: the Ed25519 public key of its device. The same key is its libp2p peer id.
    pub struct NodeId([u8; 32]);
}

fixed_bytes! {
    /// A realm: the Ed25519 public key of its root.
    pub struct RealmId([u8; 32]);
}

fixed_bytes! {
    /// A user's Ed25519 public key.
    pub struct UserKey([u8; 32]);
}

fixed_bytes! {
    /// The store of names that the registrars of a realm share, drawn at random when it was made:
    /// registrars of one realm with two stores would give one name to two keys.
    pub struct RegistryId([u8; 16]);
}

fixed_bytes! {
    /// The first eight bytes of a node id. Names a node among a peer's neighbours and in visited
    /// lists; the last hop always compares the whole [`NodeId`].
    pub struct ShortId([u8; 8]);
}

fixed_bytes! {
    /// One message of one sender, drawn at random by the sender. Receipts and the recipient's
    /// duplicate check go by it.
    pub struct MessageId([u8; 16]);
}

fixed_bytes! {
    /// A random value used once.
    pub struct Nonce([u8; 32]);
}

fixed_bytes! {
    /// What a busy supernode gives to who has to wait, and alone can check: since when it waits and
    /// when its turn comes, in four bytes each, and a keyed hash.
    pub struct Cookie([u8; 40]);
}

/// Where a user's location record lives in the index: a hash of realm and canonical name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct IndexKey(pub u64);

/// One authenticated connection, numbered by the driver. Never used again after it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Ties [`Output::Dial`](crate::io::Output::Dial) to the link or failure it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// Ties [`Output::Store`](crate::io::Output::Store) to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u64);

/// Ties an application's command to its reply. Chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

impl NodeId {
    /// The first eight bytes.
    pub fn short(&self) -> ShortId {
        let mut short = [0; 8];
        short.copy_from_slice(&self.0[..8]);
        ShortId(short)
    }
}

impl ShortId {
    /// No node: an empty slot.
    pub const NONE: ShortId = ShortId([0; 8]);
}

macro_rules! shown_as_hex {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Eight hex digits are enough to tell nodes apart in a log.
                Hex(&self.0[..4]).fmt(f)
            }
        }
    )*};
}

shown_as_hex!(NodeId, RealmId, UserKey, RegistryId, ShortId, MessageId, Nonce, Cookie);

impl std::str::FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<NodeId, InvalidNodeId> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(InvalidNodeId);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| InvalidNodeId)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidNodeId)?;
        }
        Ok(NodeId(bytes))
    }
}

/// The text is not a node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 64 hexadecimal digits")]
pub struct InvalidNodeId;
