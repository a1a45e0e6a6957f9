//! What the routes take and give, the same types at both ends.

use crate::contacts::Standing;
use crate::data::InboxEntry;
use crate::mail::{InboxLetter, Said};
use overlay_proto::io::HopSeen;
use overlay_proto::status::Status;
use overlay_proto::time::Span;
use overlay_proto::view::PeerView;
use overlay_proto::wire::message::Found;
use serde::{Deserialize, Serialize};

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The number in the table of status codes.
    pub status: Status,
    /// What happened.
    pub text: String,
    /// What to do about it.
    pub way_out: String,
}

impl From<Status> for Problem {
    fn from(status: Status) -> Problem {
        Problem { status, text: status.text().to_owned(), way_out: status.way_out().to_owned() }
    }
}

/// A running peer: `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The program's version.
    pub version: String,
    /// The number of its process.
    pub process: u32,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// The texts in its inbox, counted from the beginning.
    pub inbox: u64,
    /// Whether its user has said to be away.
    #[serde(default)]
    pub away: bool,
    /// The role.
    #[serde(flatten)]
    pub peer: PeerView,
}

/// `POST /v1/away`: what contacts are told who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwayRequest {
    /// Away, or back.
    pub away: bool,
}

/// `POST /v1/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRequest {
    /// The recipient's name.
    pub to: String,
    /// What to say.
    pub text: String,
}

/// The recipient has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// The message's id in hex.
    pub id: String,
    /// The recipient's canonical name.
    pub to: String,
    /// Hops it took.
    pub hops: u8,
    /// How often it was sent.
    pub tries: u32,
    /// Whether it went over the scaffold.
    pub escalated: bool,
    /// Milliseconds to the receipt.
    pub ms: f64,
}

/// `POST /v1/users/{name}/ping`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// The user's canonical name.
    pub name: String,
    /// Hops there.
    pub hops: u8,
    /// Hops back.
    pub hops_back: u8,
    /// Milliseconds there and back.
    pub ms: f64,
}

/// `POST /v1/users/{name}/trace`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The user's canonical name.
    pub name: String,
    /// Whether the last hop is the user's device.
    pub arrived: bool,
    /// The hops that answered, in order.
    pub hops: Vec<Hop>,
}

/// One hop of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Hops from here.
    pub hop: u8,
    /// The node id in hex.
    pub node: String,
    /// Whose it is, if it says so.
    pub name: Option<String>,
    /// Milliseconds there and back.
    pub ms: f64,
}

/// `GET /v1/users/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Located {
    /// The user's canonical name.
    pub name: String,
    /// Milliseconds the look-up took; 0 if it was at hand.
    pub ms: f64,
    /// The user's devices, newest record first.
    pub devices: Vec<Device>,
}

/// One device of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The node id in hex.
    pub node: String,
    /// Whether it is logged in.
    pub online: bool,
    /// The supernode at which it is, or was, logged in.
    pub home: String,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// Trees in which it has a place.
    pub labels: usize,
    /// Milliseconds since it said so.
    pub age_ms: u64,
    /// Milliseconds that this holds.
    pub lease_ms: u64,
}

/// `GET /v1/inbox?after=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxPage {
    /// The oldest texts with a number above N; ask again with the last number for more.
    pub messages: Vec<InboxEntry>,
}

/// `POST /v1/mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRequest {
    /// The recipient's name.
    pub to: String,
    /// What to say.
    pub text: String,
    /// Seconds for which it is kept; thirty days unless told otherwise, and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_secs: Option<u64>,
}

/// The message is on this device's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailWritten {
    /// The message's id in hex.
    pub id: String,
    /// The recipient's canonical name.
    pub to: String,
}

/// `GET /v1/mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSent {
    /// The messages under way, and the newest of those that have ended, oldest first.
    pub messages: Vec<SentMail>,
}

/// A message of this user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMail {
    /// The message's id in hex.
    pub id: String,
    /// The recipient.
    pub to: String,
    /// Milliseconds since the epoch when it was written.
    pub sent_ms: u64,
    /// `waiting` (on this device), `kept` (in the mailbox), `delivered`, `expired` or `returned`.
    pub state: String,
    /// The same as a code: 100, 202, 200, 419, or why it was returned.
    pub status: Status,
}

/// `GET /v1/mail/inbox?after=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailInbox {
    /// The oldest messages with a number above N; ask again with the last number for more.
    pub messages: Vec<InboxLetter>,
}

/// `GET /v1/mail/with`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Everybody with whom messages were exchanged, by name.
    pub names: Vec<String>,
}

/// `GET /v1/mail/with/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The other user's canonical name.
    pub with: String,
    /// The newest messages, oldest first.
    pub said: Vec<Said>,
}

/// `POST /v1/devices`: a code for one more device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCodeMade {
    /// The code. Who has it while it works can be this user.
    pub code: String,
    /// Seconds for which it works.
    pub valid_secs: u64,
}

/// `GET /v1/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// This one first, then those it has let in, then those that others have seen.
    pub devices: Vec<OwnDevice>,
}

/// One device of the peer's own user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDevice {
    /// What its owner calls it; none for one that another device has let in.
    pub label: Option<String>,
    /// The node id in hex.
    pub node: String,
    /// Whether it is the one that is asked.
    pub this: bool,
    /// Milliseconds since the epoch when it was let in, where that is known.
    pub added_ms: Option<u64>,
    /// Milliseconds since the epoch when it was shut out, if it was.
    pub revoked_ms: Option<u64>,
    /// Whether it is on line.
    pub online: bool,
    /// Milliseconds since it was last heard of, where that is known.
    pub seen_ms_ago: Option<u64>,
}

/// Done, with nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Always 200.
    pub status: Status,
}

/// One line of `GET /v1/events`, and of `run --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ApiEvent {
    /// The node runs and can be dialled.
    Listening {
        /// The node id in hex.
        node: String,
        /// Where it can be dialled.
        addresses: Vec<String>,
    },
    /// Logged in.
    LoggedIn {
        /// The home's node id in hex.
        home: String,
        /// Whether a standby took over.
        failover: bool,
    },
    /// The link to the home is gone; another home is being looked for.
    HomeLost {
        /// The former home's node id in hex.
        home: String,
    },
    /// Logged out.
    LoggedOut {
        /// 200 if it was wanted.
        status: Status,
    },
    /// A text came. It is in the inbox.
    Message(InboxEntry),
    /// A message that waited for this user came. It is on the disk, and in `GET /v1/mail/inbox`.
    Mail {
        /// The message's id in hex.
        id: String,
        /// The sender's name, by certificate.
        from: String,
        /// What is said.
        text: String,
    },
    /// A message of this user is in the recipient's mailbox.
    MailKept {
        /// The message's id in hex.
        id: String,
        /// The recipient.
        to: String,
        /// Supernodes on whose disks it is.
        copies: u8,
    },
    /// A message of this user has ended.
    MailEnded {
        /// The message's id in hex.
        id: String,
        /// The recipient.
        to: String,
        /// 200 if it was delivered, 419 if it expired, else why it was returned.
        status: Status,
    },
    /// What is exchanged with a device of another user goes another way.
    PathChanged {
        /// The device's node id in hex.
        node: String,
        /// The user.
        name: String,
        /// Over a direct link, or hop by hop.
        direct: bool,
    },
    /// A user with whom a session stood was shut out, or that device of theirs: the session is over.
    ShutOut {
        /// The device's node id in hex.
        node: String,
        /// The user.
        name: String,
    },
    /// A neighbour's link is up.
    NeighbourUp {
        /// The neighbour's node id in hex.
        node: String,
    },
    /// A neighbour's link is gone.
    NeighbourDown {
        /// The neighbour's node id in hex.
        node: String,
    },
    /// The place in the topology has changed.
    Placed {
        /// Trees in which it has a place.
        labels: usize,
        /// Neighbours named by the home.
        neighbours: usize,
    },
    /// A peer logged in at this supernode.
    ChildIn {
        /// Its node id in hex.
        node: String,
        /// Its user.
        name: String,
    },
    /// A peer left this supernode.
    ChildOut {
        /// Its node id in hex.
        node: String,
        /// 200 if it logged out, 302 if it was sent elsewhere.
        status: Status,
    },
    /// This supernode drains, and its last peer has gone.
    Drained,
    /// A name was given out by this supernode.
    Registered {
        /// The name.
        name: String,
    },
    /// A supernode is in the membership.
    MemberUp {
        /// Its node id in hex.
        node: String,
    },
    /// A supernode is out of the membership.
    MemberDown {
        /// Its node id in hex.
        node: String,
    },
    /// Somebody was refused.
    Refused {
        /// The node id in hex.
        node: String,
        /// Why.
        status: Status,
    },
    /// A further device of this user has been let in.
    DeviceAdded {
        /// Its node id in hex.
        node: String,
    },
    /// This supernode's certificate ends before long: its operator has to renew it.
    CertificateEnds {
        /// When, in milliseconds since the epoch.
        until_ms: u64,
    },
    /// The certificates have a new end.
    Renewed {
        /// Milliseconds since the epoch.
        until_ms: u64,
    },
    /// This node knows of other lists of revocations than before.
    RevocationsChanged {
        /// Entries in all of them.
        entries: usize,
    },
    /// This reader was too slow, and events were left out. Texts are in the inbox.
    Missed {
        /// How many.
        count: u64,
    },
}

impl From<&HopSeen> for Hop {
    fn from(seen: &HopSeen) -> Hop {
        Hop {
            hop: seen.hop,
            node: seen.node.to_string(),
            name: seen.name.as_ref().map(ToString::to_string),
            ms: millis(seen.round_trip),
        }
    }
}

impl From<&Found> for Device {
    fn from(found: &Found) -> Device {
        Device {
            node: found.record.node().to_string(),
            online: found.lease_ms > 0,
            home: found.record.home.to_string(),
            addresses: found.record.addresses.iter().map(ToString::to_string).collect(),
            labels: found.record.labels.placed(),
            age_ms: found.age_ms,
            lease_ms: found.lease_ms,
        }
    }
}

/// Milliseconds with three digits behind the point: microseconds are all there is.
pub fn millis(span: Span) -> f64 {
    (span.as_millis_f64() * 1_000.0).round() / 1_000.0
}

/// One person in the address book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactEntry {
    /// Who.
    pub name: String,
    /// How they stand to this user.
    pub standing: Standing,
    /// What was said with the request.
    pub greeting: String,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: u64,
    /// Whether they are on line; only of contacts, and only if somebody knows.
    pub online: Option<bool>,
    /// Whether they have said to be away; only of contacts on line, and only if they say it.
    #[serde(default)]
    pub away: Option<bool>,
    /// Milliseconds since they were seen; likewise.
    pub seen_ms_ago: Option<u64>,
}

/// `GET /v1/contacts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactList {
    /// By name.
    pub contacts: Vec<ContactEntry>,
}

/// `POST /v1/contacts/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactRequest {
    /// What to say with it.
    #[serde(default)]
    pub greeting: String,
}

/// What became of asking for a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whom.
    pub name: String,
    /// How they stand to this user now.
    pub standing: Standing,
    /// Whether they have been told; else they will be, when they are on line.
    pub told: bool,
}

/// `GET /v1/services`, in its query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRequest {
    /// What is served.
    pub service: String,
    /// To whom: `contacts`, which is the default, `everyone`, or names with commas between.
    pub allow: Option<String>,
}

/// A stream that somebody wants; one line of the answer to `GET /v1/services`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingStream {
    /// To be taken at `POST /v1/incoming/{id}` or refused by `DELETE`.
    pub id: u64,
    /// Who wants it, by certificate.
    pub from: String,
}

/// The answer of a service: `POST /v1/users/{name}/request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAnswered {
    /// As text.
    pub answer: String,
}
