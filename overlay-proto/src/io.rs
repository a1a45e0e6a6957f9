//! All that crosses the door of a [`Node`](crate::Node): inputs, outputs, events.

mod event;

pub use event::{Datagram, Event, ReceivedText};

use crate::id::{CommandId, DialId, LinkId, MessageId, NodeId, StoreId, UserKey};
use crate::identity::{
    Certificate, Contact, DeviceChain, DeviceCode, RevocationList, SecretKey, Subject, Ticket,
};
use crate::mail::vault::RecordKey;
use crate::mail::{VaultAnswer, VaultRequest};
use crate::name::Name;
pub use crate::peer::devices::{CODE_LIFE, DeviceEntry};
pub use crate::remote::Remote;
use crate::status::Status;
use crate::time::{Span, Time, WallTime};
use crate::wire::message::Found;
use crate::wire::{Class, TransportAddress};
use std::sync::Arc;

/// What a driver tells a node.
#[derive(Debug, Clone)]
pub enum Input {
    /// A link is up: the transport has proved that the other end holds `node`'s key.
    ///
    /// There may be two links to one node for a moment; the core keeps one.
    LinkUp {
        /// A number never used before.
        link: LinkId,
        /// The other end.
        node: NodeId,
        /// The address at which this node sees the other end.
        remote: TransportAddress,
        /// The dial that led to it, if this end dialled.
        dial: Option<DialId>,
    },
    /// A link is gone, for whatever reason. Never reported for a link not yet up.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// One whole frame came.
    Received {
        /// Over which link.
        link: LinkId,
        /// Its bytes, without the length before it.
        frame: Vec<u8>,
    },
    /// A dial led to nothing.
    DialFailed {
        /// Which.
        dial: DialId,
    },
    /// The addresses at which this node can be dialled, all of them, best first.
    Listening(Vec<TransportAddress>),
    /// The store has answered.
    Stored {
        /// Which request.
        id: StoreId,
        /// The answer. Durable when it is given.
        answer: StoreAnswer,
    },
    /// The application wants something.
    Command {
        /// Repeated in the reply.
        id: CommandId,
        /// What.
        command: Command,
    },
    /// The lists of revocations that this supernode had at its last end. To be given at the start,
    /// before anything else; each is checked again.
    Revocations(Vec<Arc<RevocationList>>),
    /// The devices that this one had let in at its last end. To be given at the start.
    Devices(Vec<DeviceEntry>),
    /// The log-ins a second that this machine can take now, as measured; in place of
    /// [`Config::logins_per_second`](crate::Config).
    Capacity {
        /// Log-ins a second. Zero counts as one.
        logins_per_second: u32,
    },
    /// What the keeper of letters kept at the last end: all records. To be given at the start.
    Records(Vec<(RecordKey, Vec<u8>)>),
    /// The keeper of letters has answered.
    Vaulted {
        /// Which request.
        id: StoreId,
        /// The answer. Durable when it is given.
        answer: VaultAnswer,
    },
    /// The application's session has a datagram for a correspondent: one with whom
    /// [`Command::Meet`] has made this node acquainted, or who has sent it one. At most
    /// [`DATAGRAM_BYTES_MAX`](crate::config::DATAGRAM_BYTES_MAX) long; it may be lost.
    Datagram {
        /// To whom.
        to: NodeId,
        /// Which queues.
        class: Class,
        /// What.
        bytes: Vec<u8>,
    },
    /// The wall clock has been read. To be given at least once a minute.
    WallClock(WallTime),
    /// Time has passed. Due when [`Node::poll_timeout`](crate::Node::poll_timeout) says; more
    /// often does no harm.
    Tick,
}

/// What a node tells its driver.
#[derive(Debug, Clone)]
pub enum Output {
    /// Dial a node; answer with [`Input::LinkUp`] or [`Input::DialFailed`].
    Dial {
        /// To be repeated in the answer.
        id: DialId,
        /// Who must answer.
        node: NodeId,
        /// Where, best first.
        addresses: Vec<TransportAddress>,
    },
    /// End a link once what was sent on it before has left; answer with [`Input::LinkDown`].
    HangUp {
        /// Which.
        link: LinkId,
    },
    /// Send a frame. If the class's queue is full the driver drops it and counts.
    Send {
        /// Over which link.
        link: LinkId,
        /// Which queue.
        class: Class,
        /// The bytes.
        frame: Vec<u8>,
    },
    /// Ask the store; answer with [`Input::Stored`]. A peer keeps only what is its own.
    Store {
        /// To be repeated in the answer.
        id: StoreId,
        /// What.
        request: StoreRequest,
    },
    /// Ask the keeper of letters; answer with [`Input::Vaulted`]. Requests are carried out in order.
    Vault {
        /// To be repeated in the answer.
        id: StoreId,
        /// What.
        request: VaultRequest,
    },
    /// A datagram for the application's session.
    Datagram(Datagram),
    /// The end of a command. Each command gets exactly one.
    Reply {
        /// Which command.
        id: CommandId,
        /// What came of it.
        reply: Reply,
    },
    /// Something worth knowing has happened.
    Event(Event),
}

/// When a node wants to be woken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Time,
    /// What is due then, for those who look for busy timers.
    pub reason: &'static str,
}

/// What an application may want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register the identity's user under this name. Reply: [`Reply::Registered`].
    Register {
        /// The name.
        name: Name,
        /// The registration code, where the realm asks for one.
        code: Option<String>,
    },
    /// Log in, and stay logged in until [`Command::Logout`]. Reply: [`Reply::LoggedIn`], as soon as
    /// others find us, or at the first refusal that cannot be mended by trying again.
    Login,
    /// Log out. Reply: [`Reply::Done`].
    Logout,
    /// Send a text. Reply: [`Reply::Delivered`], once the receipt is back.
    Send {
        /// To whom.
        to: Name,
        /// What.
        text: String,
    },
    /// Write a message that waits for its recipient. Reply: [`Reply::Written`], once it is durable
    /// here, on line or not. [`Event::MailKept`] and [`Event::MailEnded`] tell what becomes of it.
    Write {
        /// To whom.
        to: Name,
        /// What, at most [`MESSAGE_BYTES_MAX`](crate::config::MESSAGE_BYTES_MAX) bytes.
        body: Vec<u8>,
        /// How long it is kept, at most thirty days; the configured life if nothing is said.
        life: Option<Span>,
    },
    /// Measure the way to a user and back. Reply: [`Reply::Pong`].
    Ping {
        /// Whose newest device.
        to: Name,
    },
    /// See every hop to a user. Reply: [`Reply::Traced`].
    Trace {
        /// Whose newest device.
        to: Name,
    },
    /// Find a user's newest device, or that one, and make it a correspondent: datagrams can go there.
    /// Reply: [`Reply::Met`].
    Meet {
        /// Who.
        to: Name,
        /// Which device; `None` for the one on line with the newest record.
        node: Option<NodeId>,
    },
    /// Find a user's devices. Reply: [`Reply::Located`].
    Lookup {
        /// Who.
        name: Name,
    },
    /// Make a code with which one more device of this user can join. Reply: [`Reply::DeviceCode`].
    AddDevice,
    /// Join as a further device of a user. Reply: [`Reply::Registered`].
    JoinDevice {
        /// The code, from the device that has the user's key.
        code: Arc<DeviceCode>,
        /// What the owner calls this device.
        label: String,
    },
    /// Shut out a device that this one has let in. Reply: [`Reply::Done`], once it is durable.
    RevokeDevice {
        /// Which.
        node: NodeId,
    },
    /// Shut somebody out of the realm, for a registrar. Reply: [`Reply::Done`], once it is durable.
    Revoke {
        /// Whom.
        outcast: Outcast,
    },
    /// Send all peers to other supernodes, to stop, for a supernode. Reply: [`Reply::Done`] at once;
    /// [`Event::Drained`] when they have gone.
    Drain,
    /// Become a supernode of the realm. Reply: [`Reply::Enrolled`].
    Enroll {
        /// The permission.
        ticket: Ticket,
        /// The key of the registrar that this node shall be, if the ticket permits that.
        registrar: Option<Box<SecretKey>>,
    },
}

/// Who is to be shut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcast {
    /// A user with all devices. The name stays taken.
    User(Name),
    /// One device, or a supernode; the latter only by the machine that has the root's key.
    Node(NodeId),
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The name is ours. The driver stores the chain before it logs in.
    Registered {
        /// The certificates down to this device.
        chain: Arc<DeviceChain>,
    },
    /// Logged in.
    LoggedIn {
        /// Where.
        home: NodeId,
        /// From the command until our location was found in the index.
        elapsed: Span,
    },
    /// A code for one more device. It works once, and for ten minutes.
    DeviceCode {
        /// The code.
        code: Arc<DeviceCode>,
    },
    /// Done, with nothing to tell.
    Done,
    /// The recipient has the message.
    Delivered {
        /// Which message.
        id: MessageId,
        /// Hops it took.
        hops: u8,
        /// How often it was sent.
        tries: u32,
        /// Whether it had to go over the scaffold.
        escalated: bool,
        /// From the command to the receipt.
        elapsed: Span,
    },
    /// The message is on this device's disk, and will be delivered or accounted for.
    Written {
        /// Which message.
        id: MessageId,
    },
    /// The other side has answered.
    Pong {
        /// Hops there.
        hops: u8,
        /// Hops back.
        hops_back: u8,
        /// There and back.
        round_trip: Span,
    },
    /// The hops on the way, in order; those that did not answer are left out.
    Traced {
        /// Each hop.
        hops: Vec<HopSeen>,
        /// Whether the last of them is the destination.
        arrived: bool,
    },
    /// Datagrams can go there.
    Met {
        /// Which device.
        node: NodeId,
        /// Whose, by certificate.
        name: Name,
    },
    /// The user's devices, newest record first.
    Located {
        /// Each with its age and lease.
        found: Vec<Found>,
        /// From the command to the answer; zero from the cache.
        elapsed: Span,
    },
    /// The certificate. The driver stores it and starts again with it.
    Enrolled {
        /// For this node, as a supernode.
        certificate: Arc<Certificate>,
        /// For its registrar's key, if it asked as one.
        registrar: Option<Arc<Certificate>>,
        /// Supernodes to begin with.
        supernodes: Vec<Contact>,
    },
    /// It did not work.
    Failed {
        /// Why, and with [`Status::way_out`] what to do.
        status: Status,
    },
}

/// One hop of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopSeen {
    /// Hops from here.
    pub hop: u8,
    /// Who.
    pub node: NodeId,
    /// Whose, if it says so.
    pub name: Option<Name>,
    /// There and back.
    pub round_trip: Span,
}

/// What a supernode asks of its durable store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreRequest {
    /// Give `name` to `user`, unless another key has it.
    ClaimName {
        /// The name.
        name: Name,
        /// The key.
        user: UserKey,
        /// The registration code shown.
        code: Option<String>,
        /// From where it was asked; none from this machine itself.
        origin: Option<Remote>,
    },
    /// Use up a ticket, unless another node, or another registrar's key, has used it.
    RedeemTicket {
        /// The ticket's number.
        serial: u64,
        /// Who used it.
        node: NodeId,
        /// Of a registrar's ticket: the registrar's key. A node has one at most.
        registrar: Option<Subject>,
    },
    /// Who has used a ticket as this node? Answer: [`StoreAnswer::Enrolled`] or
    /// [`StoreAnswer::Missing`].
    FindSupernode {
        /// The node.
        node: NodeId,
    },
    /// Who owns a name? Answer: [`StoreAnswer::Found`] or [`StoreAnswer::Missing`].
    FindUser {
        /// The name.
        name: Name,
    },
    /// Keep a peer's own certificates in place of the older ones. Asked of the peer's driver.
    KeepChain {
        /// The certificates.
        chain: Arc<DeviceChain>,
    },
    /// Keep the list of devices that this one has let in. Asked of the peer's driver.
    KeepDevices {
        /// All of them.
        devices: Vec<DeviceEntry>,
    },
    /// Keep a signer's list of revocations in place of its older one.
    KeepRevocations {
        /// The list.
        list: Arc<RevocationList>,
    },
}

/// What the store answers, once it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreAnswer {
    /// Done; a claim of the same name by the same key, or of a ticket by the same node, again
    /// gives the same number.
    Granted {
        /// The certificate's serial number.
        serial: u64,
    },
    /// The node is a supernode by a ticket.
    Enrolled {
        /// The registrar's key that was certified with it.
        registrar: Option<Subject>,
    },
    /// The name's owner.
    Found {
        /// The serial number of the owner's certificates.
        serial: u64,
        /// The owner's key.
        user: crate::id::UserKey,
    },
    /// Nobody has that name.
    Missing,
    /// Another key or node has it.
    Taken,
    /// The code is wrong, used up or too old.
    WrongCode,
    /// The request is kept until the operator decides; the same key may ask again.
    Waiting,
    /// The operator has said no.
    Denied,
    /// Too many wait for the operator already.
    Full,
    /// The store failed; nothing was promised.
    Failed,
}
