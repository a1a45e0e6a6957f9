//! What packets carry: messages from one node to another, whoever forwards them.

use super::codec::{self, DecodeError, EncodeError};
use super::message::Form;
use crate::coordinates::Labels;
use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::id::{IndexKey, MessageId};
use crate::identity::{Certificate, DeviceChain, Signature};
use crate::location::LocationRecord;
use crate::mail::LetterReceipts;
use crate::name::Name;
use std::sync::Arc;

positional! {
    /// Where an answer goes.
    pub struct ReturnAddress {
        /// The index key of the sender's user.
        pub key: IndexKey,
        /// The sender's labels.
        pub labels: Labels,
    }
}

positional! {
    /// A text for a user.
    pub struct Text {
        /// Which message; repeated when it is sent again.
        pub id: MessageId,
        /// Who says it: the certificates down to the sending device.
        pub from: Arc<DeviceChain>,
        /// What is said.
        pub text: String,
        /// The sender's wall clock, in milliseconds since the epoch.
        pub sent_ms: u64,
        /// Where the receipt goes.
        pub back: ReturnAddress,
        /// The sending device's signature over the recipient's node, id, time and text.
        pub signature: Signature,
    }
}

positional! {
    /// The recipient has a message.
    pub struct Receipt {
        /// Which message.
        pub id: MessageId,
        /// Hops it took.
        pub hops: u8,
        /// Whether it came over the scaffold.
        pub escalated: bool,
        /// The recipient device's signature over sender's node and all of the above.
        pub signature: Signature,
    }
}

positional! {
    /// Are you there?
    pub struct Echo {
        /// Repeated in the answer.
        pub nonce: u64,
        /// Where the answer goes.
        pub back: ReturnAddress,
    }
}

positional! {
    /// Here I am.
    pub struct EchoReply {
        /// As in the question.
        pub nonce: u64,
        /// Hops that the question took.
        pub hops: u8,
        /// The answering node's user.
        pub name: Option<Name>,
    }
}

positional! {
    /// A probe's hops ended here.
    pub struct HopReport {
        /// As in the probe.
        pub nonce: u64,
        /// Hops that the probe took.
        pub hops: u8,
        /// The reporting node's user.
        pub name: Option<Name>,
    }
}

positional! {
    /// A destination has moved: its newest location, for a sender whose packet had to escalate.
    pub struct Moved {
        /// As the device signed it.
        pub record: LocationRecord,
    }
}

positional! {
    /// A device asks the one that holds the user's key for a certificate with a new end.
    pub struct DeviceRenewal {
        /// The certificates down to it, still valid.
        pub chain: Arc<DeviceChain>,
        /// Where the answer goes.
        pub back: ReturnAddress,
    }
}

positional! {
    /// A device's certificate with a new end.
    pub struct DeviceRenewed {
        /// For the device that asked.
        pub device: Certificate,
    }
}

positional! {
    /// A sealed letter, straight to a device.
    pub struct LetterFor {
        /// The copy's id.
        pub id: MessageId,
        /// When it expires, in milliseconds since the epoch.
        pub expires_ms: u64,
        /// The seal.
        pub bytes: Blob,
    }
}

positional! {
    /// Receipts for letters.
    pub struct LettersGot {
        /// The receipts, signed.
        pub receipts: LetterReceipts,
    }
}

positional! {
    /// Where a correspondent is now, unasked: the binding update of RFC 6275. It is proven by the
    /// record's own signature, and names the user to whom the packets belong that follow.
    pub struct Binding {
        /// As the device signed it.
        pub record: LocationRecord,
        /// Whether the sender does not know yet where the recipient is and wants its binding too.
        pub asks: bool,
    }
}

macro_rules! payloads {
    ($($number:literal $variant:ident $doc:literal;)*) => {
        /// An end-to-end message.
        ///
        /// In a format for people it is written as its fields alone.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Payload { $(#[doc = $doc] $variant($variant),)* }

        impl Payload {
            /// Every payload there is, in the order of the numbers.
            pub const FORMS: &'static [Form] = &[$(Form {
                number: $number,
                name: stringify!($variant),
                about: $doc,
                fields: $variant::FIELDS,
            }),*];

            /// The message's number on the wire.
            pub fn number(&self) -> u8 {
                match self { $(Payload::$variant(_) => $number,)* }
            }

            /// The message's name, as in the protocol document and in logs.
            pub fn name(&self) -> &'static str {
                match self { $(Payload::$variant(_) => stringify!($variant),)* }
            }

            /// Why the body of a payload with this number is none; `None` for an unknown number.
            pub(super) fn fault_in(number: u8, body: &[u8]) -> Option<super::fault::Fault> {
                match number { $($number => super::fault::of_body::<$variant>(body),)* _ => None }
            }

            /// Writes the message as it stands in a packet.
            ///
            /// # Errors
            /// [`EncodeError`].
            pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
                let mut out = Vec::with_capacity(128);
                codec::write_head(self.number(), &mut out);
                match self { $(Payload::$variant(body) => codec::write(body, &mut out),)* }?;
                Ok(out)
            }

            /// Reads a packet's payload.
            ///
            /// # Errors
            /// [`DecodeError`].
            pub fn decode(bytes: &[u8]) -> Result<Payload, DecodeError> {
                let (number, body) = codec::read_head(bytes)?;
                match number {
                    $($number => codec::read(body).map(Payload::$variant),)*
                    _ => Err(DecodeError::UnknownMessage(number)),
                }
            }
        }
    };
}

payloads! {
    60 Text "A text for a user.";
    61 Receipt "The recipient has it.";
    62 Echo "Are you there?";
    63 EchoReply "Here I am.";
    64 HopReport "A probe ended here.";
    65 Moved "The destination is elsewhere.";
    66 DeviceRenewal "A device's certificate with a new end?";
    67 DeviceRenewed "Here it is.";
    70 LetterFor "A sealed letter.";
    71 LettersGot "The recipient has these.";
    80 Binding "A correspondent's place.";
}
