//! Every message between two linked nodes, with its number on the wire.

mod admission;
mod greeting;
mod index;
mod mail;
mod membership;
mod revocations;
mod topology;

pub use admission::*;
pub use greeting::*;
pub use index::*;
pub use mail::*;
pub use membership::*;
pub use revocations::*;
pub use topology::*;

/// The capability of a supernode in whose realm a peer logs in at the nearest one.
pub const HOMES_BY_DISTANCE: u32 = 1;

/// Numbers of the messages of which the receiver keeps what they say until it hears of a change:
/// both ends see to it that none is missed. Assign, Report, Publish, Standbys, Placed,
/// Neighbourhood, Members.
const NEWS: [u8; 7] = [15, 16, 17, 20, 30, 31, 41];

/// Whether a frame with this number tells news.
pub(crate) fn is_news(number: u8) -> bool {
    NEWS.contains(&number)
}

/// How a message or a payload looks: a row of the code's own table, from which documents and the
/// dissector for Wireshark are made or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its number on the wire.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// What it says, in a few words.
    pub about: &'static str,
    /// The names of its fields, in order.
    pub fields: &'static [&'static str],
}

macro_rules! messages {
    ($($number:literal $variant:ident $doc:literal;)*) => {
        /// A message between two linked nodes.
        ///
        /// In a format for people it is written as its fields alone.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Message { $(#[doc = $doc] $variant($variant),)* }

        impl Message {
            /// Every message there is, in the order of the numbers.
            pub const FORMS: &'static [Form] = &[$(Form {
                number: $number,
                name: stringify!($variant),
                about: $doc,
                fields: $variant::FIELDS,
            }),*];

            /// The message's number on the wire.
            pub fn number(&self) -> u8 {
                match self { $(Message::$variant(_) => $number,)* }
            }

            /// The message's name, as in the protocol document and in logs.
            pub fn name(&self) -> &'static str {
                match self { $(Message::$variant(_) => stringify!($variant),)* }
            }

            pub(super) fn write_body(&self, out: &mut Vec<u8>) -> Result<(), super::codec::EncodeError> {
                match self { $(Message::$variant(body) => super::codec::write(body, out),)* }
            }

            /// Why the body of a message with this number is none; `None` for an unknown number.
            pub(super) fn fault_in(number: u8, body: &[u8]) -> Option<super::fault::Fault> {
                match number { $($number => super::fault::of_body::<$variant>(body),)* _ => None }
            }

            pub(super) fn read_body(number: u8, body: &[u8]) -> Result<Message, super::codec::DecodeError> {
                match number {
                    $($number => super::codec::read(body).map(Message::$variant),)*
                    _ => Err(super::codec::DecodeError::UnknownMessage(number)),
                }
            }
        }

        $(impl From<$variant> for Message {
            fn from(body: $variant) -> Message { Message::$variant(body) }
        })*
    };
}

messages! {
    1 Hello "The greeting.";
    2 KeepAlive "The link lives.";
    3 Goodbye "The link ends.";
    4 Unsupported "What was that?";
    5 Resync "Tell me again.";
    10 Register "A new user.";
    11 RegisterReply "The new user's certificate.";
    12 Login "A new session.";
    13 LoginReply "The new session's terms.";
    14 Logout "The end of a session.";
    15 Assign "A peer's place.";
    16 Report "What a peer sees.";
    17 Publish "Where a device is.";
    18 Lookup "Where is a user?";
    19 LookupReply "There.";
    20 Standbys "Other standbys.";
    30 Placed "A neighbour's new place.";
    31 Neighbourhood "A neighbour's neighbours.";
    40 Heartbeat "A supernode lives.";
    41 Members "The supernodes there are.";
    42 StoreLocation "A record for a replica.";
    43 Locate "A replica is asked.";
    44 Splice "A link to cut?";
    45 SpliceReply "This one.";
    46 Pair "A free slot?";
    47 PairReply "This one.";
    48 Relink "Another neighbour for a slot.";
    49 RelinkReply "Done, or not.";
    50 Release "A slot is free again.";
    51 Enroll "A new supernode.";
    52 EnrollReply "The new supernode's certificate.";
    53 Withdraw "A device is gone.";
    60 RevocationsKnown "Lists of revocations there are.";
    61 RevocationsWanted "Such a list?";
    62 Revocations "Here it is.";
    63 Revoke "A user shuts a device out.";
    64 Renew "A certificate with a new end?";
    65 RegistrarReply "What a registrar says.";
    66 JoinDevice "A new device asks its user.";
    67 JoinDeviceReply "The new device's certificates.";
    68 Expel "A neighbour was shut out.";
    70 Swim "Who lives?";
    71 Life "I live since then.";
    72 MembersKnown "Do we know the same supernodes?";
    73 MembersHeld "No: these are mine.";
    90 MailKeys "A device's keys for letters.";
    91 MailKeysWanted "A user's keys for letters?";
    92 MailKeysReply "These.";
    93 Deposit "A letter for the mailbox.";
    94 DepositReply "It is there, or not.";
    95 KeepLetter "A letter for a replica.";
    96 LetterKept "It is on the disk, or not.";
    97 FetchLetters "Letters for this device?";
    98 Letters "These.";
    99 LettersTaken "The device has them.";
    100 LettersWait "There are letters.";
    101 MailboxHeld "What a replica has.";
    102 MailboxMissing "What another one lacks.";
}
