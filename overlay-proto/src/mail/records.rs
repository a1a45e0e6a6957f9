//! How letters stand in the keeper's records: what each key says, so that a start can read them.

use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::id::{MessageId, NodeId};
use crate::mail::letter::SealedLetter;
use crate::mail::vault::RecordKey;
use crate::name::Name;
use crate::status::Status;
use serde::Serialize;
use serde::de::DeserializeOwned;

positional! {
    /// A letter in the outbox.
    pub struct OutRecord {
        /// To whom.
        pub to: Name,
        /// The message of which it is a part.
        pub message: MessageId,
        /// Its number in the conversation.
        pub seq: u64,
        /// Which part.
        pub part: u8,
        /// Of how many.
        pub parts: u8,
        /// When it was written.
        pub sent_ms: u64,
        /// When it expires.
        pub expires_ms: u64,
        /// What is written.
        pub body: Blob,
        /// Devices that have it, and those that never will: what became of their copies.
        pub ended: Vec<(NodeId, Status)>,
    }
}

positional! {
    /// A message that has ended.
    pub struct EndRecord {
        /// To whom.
        pub to: Name,
        /// When it was written.
        pub sent_ms: u64,
        /// When it ended.
        pub ended_ms: u64,
        /// 200 if it was delivered, 419 if it expired, else why it was returned.
        pub status: Status,
    }
}

positional! {
    /// Where the conversation with one sender stands, at its recipient.
    pub struct InRecord {
        /// The number of the next letter to be shown.
        pub next: u64,
        /// Numbers below it that were never shown, newest last.
        pub skipped: Vec<u64>,
    }
}

positional! {
    /// A letter in a mailbox.
    pub struct BoxRecord {
        /// Which sender, blinded.
        pub tag: u64,
        /// The letter.
        pub letter: SealedLetter,
    }
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// [`OutRecord`], by the letter's own id.
    Out(MessageId),
    /// The sealed copy of a letter: its letter, its device, its own id and its order.
    Copy(MessageId, NodeId, MessageId, u64),
    /// [`EndRecord`], by message.
    End(MessageId),
    /// The number of the next letter to a user.
    Next(Name),
    /// What was inside a copy that was opened and not shown yet, by the copy.
    Opened(MessageId),
    /// [`InRecord`], by the sending device.
    In(NodeId),
    /// When a copy expires that was opened.
    Seen(MessageId),
    /// [`BoxRecord`], by the copy.
    Boxed(MessageId),
    /// When a letter expires that was fetched from this mailbox, by the copy.
    Taken(MessageId),
    /// [`DeviceKeys`](crate::mail::DeviceKeys) in a mailbox, by device.
    Keys(NodeId),
}

impl Key {
    pub fn bytes(&self) -> RecordKey {
        match self {
            Key::Out(id) => join(b'o', &[&id.0]),
            Key::Copy(letter, device, copy, order) => {
                join(b'c', &[&letter.0, &device.0, &copy.0, &order.to_be_bytes()])
            }
            Key::End(id) => join(b'e', &[&id.0]),
            Key::Next(name) => join(b'n', &[name.as_str().as_bytes()]),
            Key::Opened(id) => join(b'p', &[&id.0]),
            Key::In(node) => join(b'i', &[&node.0]),
            Key::Seen(id) => join(b's', &[&id.0]),
            Key::Boxed(id) => join(b'b', &[&id.0]),
            Key::Taken(id) => join(b't', &[&id.0]),
            Key::Keys(node) => join(b'k', &[&node.0]),
        }
    }

    pub fn read(bytes: &[u8]) -> Option<Key> {
        let (kind, rest) = bytes.split_first()?;
        let id = |bytes: &[u8]| bytes.try_into().ok().map(MessageId);
        let node = |bytes: &[u8]| bytes.try_into().ok().map(NodeId);
        match kind {
            b'o' => id(rest).map(Key::Out),
            b'c' if rest.len() == 72 => Some(Key::Copy(
                id(&rest[..16])?,
                node(&rest[16..48])?,
                id(&rest[48..64])?,
                u64::from_be_bytes(rest[64..].try_into().ok()?),
            )),
            b'e' => id(rest).map(Key::End),
            b'n' => Name::new(std::str::from_utf8(rest).ok()?).ok().map(Key::Next),
            b'p' => id(rest).map(Key::Opened),
            b'i' => node(rest).map(Key::In),
            b's' => id(rest).map(Key::Seen),
            b'b' => id(rest).map(Key::Boxed),
            b't' => id(rest).map(Key::Taken),
            b'k' => node(rest).map(Key::Keys),
            _ => None,
        }
    }
}

fn join(kind: u8, parts: &[&[u8]]) -> RecordKey {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

pub(crate) fn write(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(value, &mut bytes);
    debug_assert!(written.is_ok(), "a vector takes everything");
    bytes
}

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    ciborium::from_reader(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written() {
        let (id, node) = (MessageId([1; 16]), NodeId([2; 32]));
        let name = Name::new("bob").expect("valid");
        for key in [
            Key::Out(id),
            Key::Copy(id, node, MessageId([3; 16]), 77),
            Key::End(id),
            Key::Next(name),
            Key::Opened(id),
            Key::In(node),
            Key::Seen(id),
            Key::Boxed(id),
            Key::Taken(id),
            Key::Keys(node),
        ] {
            assert_eq!(Key::read(&key.bytes()), Some(key));
        }
        assert_eq!(Key::read(b"o123"), None);
    }
}
