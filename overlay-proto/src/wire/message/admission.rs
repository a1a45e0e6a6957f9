//! How somebody gets a name, a certificate and a session.

use super::{MemberRecord, SlotContact};
use crate::coordinates::Coordinates;
use crate::encoding::positional::positional;
use crate::id::{Cookie, NodeId, UserKey};
use crate::identity::{Certificate, Contact, DeviceChain, Seal, Signature, Subject, Ticket};
use crate::location::LocationRecord;
use crate::name::Name;
use crate::status::Status;
use crate::wire::TransportAddress;
use std::sync::Arc;

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
        /// Registrars to ask instead, with status 302, 503 and 507.
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
    /// Asks the realm's root machine for a supernode's certificate.
    pub struct Enroll {
        /// The permission.
        pub ticket: Ticket,
        /// The registrar's key, with a ticket for a registrar.
        pub registrar: Option<RegistrarClaim> = None,
    }
}

positional! {
    /// Somebody has this key and wants to be a registrar with it.
    pub struct RegistrarClaim {
        /// The registrar's public key.
        pub key: Subject,
        /// That key's signature over transcript, key and the ticket's number.
        pub proof: Signature,
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
        /// The certificate of the registrar's key, if one was claimed.
        pub registrar: Option<Certificate> = None,
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
    /// The answer of a registrar to [`Revoke`](super::Revoke), once that is durable, and to [`Renew`].
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
