//! Every message between two linked nodes, with its number on the wire.

use crate::coordinates::{Coordinates, Epoch, LabelChanges, LinkCost};
use crate::denial::Denial;
use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::id::{Cookie, IndexKey, MessageId, NodeId, Nonce, RealmId, ShortId, UserKey};
use crate::identity::{
    Certificate, Contact, DeviceChain, DeviceRevocation, ListHead, Revocation, Seal, Signature,
    Subject, Ticket,
};
use crate::location::LocationRecord;
use crate::mail::{DeviceKeys, SealedLetter};
use crate::name::Name;
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

/// The capability of a supernode in whose realm a peer logs in at the nearest one.
pub const HOMES_BY_DISTANCE: u32 = 1;

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

positional! {
    /// Asks a registrar for a certificate.
    pub struct Register {
        /// The name wanted.
        pub name: Name,
        /// The key that shall own it.
        pub user: UserKey,
        /// The registration code, where the realm asks for one.
        pub code: Option<String>,
        /// The user key's signature over transcript, name and key.
        pub proof: Signature,
    }
}

positional! {
    /// The registrar's answer, sent once the record is durable.
    pub struct RegisterReply {
        /// 200, or why not.
        pub status: Status,
        /// The registrar's certificate and the new user certificate.
        pub certificates: Option<UserCertificates>,
        /// Registrars to ask instead, with status 302.
        pub redirect: Vec<Contact>,
    }
}

positional! {
    /// What a registrar gives to a user.
    pub struct UserCertificates {
        /// The registrar's own certificate.
        pub registrar: Certificate,
        /// The user's.
        pub user: Certificate,
    }
}

positional! {
    /// Asks a supernode to be this peer's home.
    pub struct Login {
        /// The certificates down to this device.
        pub chain: Arc<DeviceChain>,
        /// The certificate of the home that issued its former place.
        pub issuer: Option<Arc<Certificate>>,
        /// The place it had under its former home, to be kept.
        pub coordinates: Option<Coordinates>,
        /// Its neighbours then, in slot order of those coordinates.
        pub neighbours: Vec<SlotContact>,
        /// Where it can be dialled.
        pub addresses: Vec<TransportAddress>,
        /// Whether the supernode shall only stand by, should the home fail.
        pub warm: bool,
        /// How far the supernodes are that it has tried, where homes are chosen by that.
        pub rtts: Vec<Rtt>,
        /// The device key's signature over the transcript.
        pub proof: Signature,
        /// What the supernode gave out when it put this peer off.
        pub cookie: Option<Cookie> = None,
    }
}

positional! {
    /// How far a node is from the sender.
    pub struct Rtt {
        /// The node.
        pub node: NodeId,
        /// Round-trip time in microseconds.
        pub micros: u32,
    }
}

positional! {
    /// The answer to a log-in.
    pub struct LoginReply {
        /// 200, 302 with others to ask, or why not.
        pub status: Status,
        /// Seconds until the session ends unless renewed.
        pub lease_secs: u16,
        /// Supernodes to keep a warm link to.
        pub standbys: Vec<Contact>,
        /// Supernodes to ask instead, with status 302.
        pub redirect: Vec<Contact>,
        /// Trees in this realm.
        pub trees: u8,
        /// Slots of each peer in this realm.
        pub degree: u8,
        /// Of them, those for near neighbours. If there are any, links cost by their time as well.
        pub near: u8,
        /// More supernodes to remember, with status 200.
        pub others: Vec<Contact>,
        /// With status 429 or 503: seconds to wait before asking here again. With zero and a
        /// cookie: ask at once, on this link.
        pub retry_after_secs: u16 = 0,
        /// With status 503: what to show when asking again, so that the wait counts.
        pub cookie: Option<Cookie> = None,
    }
}

positional! {
    /// Ends the session at once.
    pub struct Logout {
        /// The device's last location record, with a lease of zero.
        pub record: Option<LocationRecord>,
    }
}

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
    /// One supernode, as another knows it.
    pub struct MemberRecord {
        /// Its certificate.
        pub certificate: Arc<Certificate>,
        /// Where it can be dialled.
        pub addresses: Vec<TransportAddress>,
        /// Whether it registers users.
        pub registrar: bool,
        /// Of two records of one supernode the one with the higher number holds. Milliseconds since
        /// the Unix epoch, when it said this first, or more.
        pub seq: u64 = 0,
    }
}

positional! {
    /// A supernode says that it lives, and its load.
    pub struct Heartbeat {
        /// Peers logged in.
        pub children: u32,
        /// Free slots of its peers.
        pub free_slots: u32,
        /// Links that its peers have up.
        pub links: u32,
        /// Whether it is leaving and takes nobody in.
        pub draining: bool,
        /// How far the other supernodes are. Empty in most heartbeats: then nothing new.
        pub rtts: Vec<Rtt>,
        /// The roots that it has appointed.
        pub roots: Vec<RootClaim>,
        /// Seconds that a newcomer has to wait there for its log-in.
        pub line_secs: u16 = 0,
    }
}

positional! {
    /// A supernode has appointed one of its peers as the root of a tree.
    pub struct RootClaim {
        /// The tree.
        pub tree: u8,
        /// The tree's epoch under this root.
        pub epoch: Epoch,
        /// The root.
        pub root: ShortId,
    }
}

positional! {
    /// The supernodes that the sender knows. Sent when a link is made and when one is new.
    pub struct Members {
        /// Each with its certificate.
        pub members: Vec<MemberRecord>,
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
    /// Asks the realm's root machine for a supernode's certificate.
    pub struct Enroll {
        /// The permission.
        pub ticket: Ticket,
    }
}

positional! {
    /// The answer to [`Enroll`], sent once the ticket is durably used up.
    pub struct EnrollReply {
        /// 200, or why not.
        pub status: Status,
        /// The certificate.
        pub certificate: Option<Certificate>,
        /// The supernodes there are.
        pub members: Vec<MemberRecord>,
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
    /// The lists of revocations that a supernode has. Sent with each heartbeat, if there are any,
    /// and at once when one is new.
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

positional! {
    /// Asks for a user's certificate with a new end. It proves nothing: whoever carries it, only
    /// the owner of the key can use the answer.
    pub struct Renew {
        /// Repeated in the answer.
        pub id: u64,
        /// The certificate of the registrar that issued it.
        pub registrar: Certificate,
        /// The user's certificate, still valid.
        pub user: Certificate,
    }
}

positional! {
    /// The answer of a registrar to [`Revoke`], once that is durable, and to [`Renew`].
    pub struct RegistrarReply {
        /// As in the question.
        pub id: u64,
        /// 200, or why not.
        pub status: Status,
        /// Renewed certificates.
        pub certificates: Option<UserCertificates>,
    }
}

positional! {
    /// A new device asks a device of its user for a certificate. From the new device to the other's
    /// home, which passes it on.
    pub struct JoinDevice {
        /// Repeated in the answer.
        pub id: u64,
        /// The device that gave the code.
        pub to: NodeId,
        /// The new device.
        pub device: NodeId,
        /// What its owner calls it.
        pub label: String,
        /// Proves that the new device knows the code's secret, and covers all of the above but the
        /// id.
        pub seal: Seal,
    }
}

positional! {
    /// The answer to [`JoinDevice`], sent once the new device is durably in the user's list.
    pub struct JoinDeviceReply {
        /// As in the question.
        pub id: u64,
        /// The new device.
        pub device: NodeId,
        /// 200, or why not.
        pub status: Status,
        /// The certificates down to it.
        pub chain: Option<Arc<DeviceChain>>,
    }
}

positional! {
    /// A home has shut a peer out: no other home's peers shall have it as a neighbour.
    pub struct Expel {
        /// Who was shut out.
        pub node: ShortId,
    }
}

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

positional! {
    /// A word of the membership protocol, from one supernode to another it is linked with.
    pub struct Swim {
        /// At most [`SWIM_BYTES_MAX`](crate::config::SWIM_BYTES_MAX) bytes, in the protocol's own
        /// form.
        pub data: Blob,
    }
}

positional! {
    /// Which life the sender lives, for the membership protocol. Sent when a link is made, and over
    /// all links when it has begun another.
    pub struct Life {
        /// When it began: milliseconds since the Unix epoch, or more.
        pub life: u64,
        /// The receiver's life that the sender holds for ended. Zero if none.
        pub buried: u64,
    }
}

positional! {
    /// How many supernodes the sender counts, and a checksum over their records: whether both ends
    /// know the same ones.
    pub struct MembersKnown {
        /// With the sender itself.
        pub count: u32,
        /// CRC-32 over each node id and the number of its record (8 bytes, the high one first), in
        /// the order of the ids. It guards against mistakes, not against a liar.
        pub sum: u32,
    }
}

positional! {
    /// A page of what the sender knows of supernodes. The receiver answers with the records that are
    /// newer with it, or missing here.
    pub struct MembersHeld {
        /// The page begins behind this node. None: with the first.
        pub after: Option<NodeId>,
        /// It ends with this one. None: with the last.
        pub until: Option<NodeId>,
        /// All that the sender knows between.
        pub entries: Vec<MemberHeld>,
    }
}

positional! {
    /// Which record of a supernode the sender has.
    pub struct MemberHeld {
        /// The supernode.
        pub node: NodeId,
        /// The record's number.
        pub seq: u64,
    }
}

/// Numbers of the messages of which the receiver keeps what they say until it hears of a change:
/// both ends see to it that none is missed. Assign, Report, Publish, Standbys, Placed,
/// Neighbourhood, Members.
const NEWS: [u8; 7] = [15, 16, 17, 20, 30, 31, 41];

/// Whether a frame with this number tells news.
pub(crate) fn is_news(number: u8) -> bool {
    NEWS.contains(&number)
}

macro_rules! messages {
    ($($number:literal $variant:ident $doc:literal;)*) => {
        /// A message between two linked nodes.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Message { $(#[doc = $doc] $variant($variant),)* }

        impl Message {
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
