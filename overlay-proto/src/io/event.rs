//! What happens to a node, for applications, logs and checks.

use crate::id::{MessageId, NodeId};
use crate::identity::{Contact, RevocationList};
use crate::mail::ShownLetter;
use crate::name::Name;
use crate::status::Status;
use crate::time::WallTime;
use crate::wire::Class;
use std::ops::Range;
use std::sync::Arc;

/// What happens, for applications, logs and checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This peer is logged in.
    LoggedIn {
        /// Where.
        home: NodeId,
        /// Whether a standby took over.
        failover: bool,
    },
    /// The link to the home is gone. The peer looks for another; until [`Event::LoggedIn`] what it
    /// asks waits.
    HomeLost {
        /// Which.
        home: NodeId,
    },
    /// This peer has no session any more.
    LoggedOut {
        /// 200 if it wanted so.
        status: Status,
    },
    /// A text came. Shown once, however often it was sent.
    Received(ReceivedText),
    /// A message came that waited. It is durable; shown once, in the order of its sender.
    Mail(ShownLetter),
    /// A message of ours is in the recipient's mailbox.
    MailKept {
        /// Which.
        id: MessageId,
        /// For whom.
        to: Name,
        /// Supernodes on whose disks it is.
        copies: u8,
    },
    /// A message of ours has ended.
    MailEnded {
        /// Which.
        id: MessageId,
        /// For whom.
        to: Name,
        /// 200 if it was delivered, 419 if it expired, else why it was returned.
        status: Status,
    },
    /// A neighbour's link is up.
    NeighbourUp {
        /// Who.
        node: NodeId,
        /// In which slot.
        slot: u8,
    },
    /// A neighbour's link is gone.
    NeighbourDown {
        /// Who.
        node: NodeId,
        /// From which slot.
        slot: u8,
    },
    /// This peer's place has changed.
    Placed {
        /// Labels it has, of all trees.
        labels: usize,
        /// Neighbours named by the home.
        neighbours: usize,
        /// Trees in which the label is another one than before, or new.
        changed: u32,
    },
    /// Datagrams to a correspondent take another way.
    PathChanged {
        /// Which.
        node: NodeId,
        /// Whose it is.
        name: Name,
        /// Over a direct link, or hop by hop.
        direct: bool,
    },
    /// Somebody with whom datagrams were exchanged was shut out: the session is over.
    ShutOut {
        /// Which device.
        node: NodeId,
        /// Whose it is.
        name: Name,
    },
    /// This peer had to hand a packet to the scaffold.
    Escalated {
        /// Where it goes.
        destination: NodeId,
    },
    /// This supernode has a new peer.
    ChildIn {
        /// Which.
        node: NodeId,
        /// Whose.
        name: Name,
    },
    /// This supernode has lost a peer.
    ChildOut {
        /// Which.
        node: NodeId,
        /// 200 if it logged out, 302 if it was sent elsewhere.
        status: Status,
    },
    /// This supernode's own certificate ends before long: its operator has to renew it. Told once a
    /// day.
    CertificateEnds {
        /// When.
        until: WallTime,
    },
    /// This supernode drains, and its last peer has gone.
    Drained,
    /// This supernode has given out a name.
    Registered {
        /// Which.
        name: Name,
    },
    /// A supernode is in the membership now.
    MemberUp {
        /// Which.
        node: NodeId,
    },
    /// A supernode is out of it.
    MemberDown {
        /// Which.
        node: NodeId,
    },
    /// The supernodes worth remembering for the next start have changed.
    HostsChanged(Vec<Contact>),
    /// This node has other lists of revocations than before: all that it has, to be kept for
    /// the next start.
    RevocationsChanged(Vec<Arc<RevocationList>>),
    /// A further device of this peer's user has been let in.
    DeviceAdded {
        /// Which.
        node: NodeId,
    },
    /// This peer's certificates have a new end.
    Renewed {
        /// The end.
        until: WallTime,
    },
    /// Somebody was refused.
    Refused {
        /// Who.
        node: NodeId,
        /// Why.
        status: Status,
    },
}

macro_rules! event_names {
    ($($variant:ident = $name:literal,)*) => {
        impl Event {
            /// The names of all events, in the order of the variants: the vocabulary of the logs.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// What the event is called in logs.
            pub fn name(&self) -> &'static str {
                match self { $(Event::$variant { .. } => $name,)* }
            }
        }
    };
}

event_names! {
    LoggedIn = "logged_in",
    HomeLost = "home_lost",
    LoggedOut = "logged_out",
    Received = "received",
    Mail = "mail",
    MailKept = "mail_kept",
    MailEnded = "mail_ended",
    NeighbourUp = "neighbour_up",
    NeighbourDown = "neighbour_down",
    Placed = "placed",
    PathChanged = "path_changed",
    ShutOut = "shut_out",
    Escalated = "escalated",
    ChildIn = "child_in",
    ChildOut = "child_out",
    CertificateEnds = "certificate_ends",
    Drained = "drained",
    Registered = "registered",
    MemberUp = "member_up",
    MemberDown = "member_down",
    HostsChanged = "hosts_changed",
    RevocationsChanged = "revocations_changed",
    DeviceAdded = "device_added",
    Renewed = "renewed",
    Refused = "refused",
}

/// A datagram that came, still in its frame. Who sent it is what the packet says: a correspondent,
/// but proven only by the session.
#[derive(Clone, PartialEq, Eq)]
pub struct Datagram {
    /// From whom.
    pub from: NodeId,
    /// By which queues.
    pub class: Class,
    /// Whether one of them was long: the sender should be told.
    pub congested: bool,
    pub(crate) frame: Vec<u8>,
    pub(crate) payload: Range<usize>,
}

impl Datagram {
    /// What the session at the other end has sent.
    pub fn bytes(&self) -> &[u8] {
        self.frame.get(self.payload.clone()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Datagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Datagram { from, class, congested, payload, .. } = self;
        write!(f, "Datagram({} bytes from {from:?}, {class:?}", payload.len())?;
        f.write_str(if *congested { ", congested)" } else { ")" })
    }
}

/// A text, with what is proven of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedText {
    /// Which message.
    pub id: MessageId,
    /// The sender's name, by certificate.
    pub from: Name,
    /// The sender's device.
    pub node: NodeId,
    /// What is said.
    pub text: String,
    /// The sender's wall clock.
    pub sent: WallTime,
    /// Hops it took.
    pub hops: u8,
    /// Whether it came over the scaffold.
    pub escalated: bool,
}
