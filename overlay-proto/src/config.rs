//! Every limit and starting value of the core, with its unit and its reason.
//!
//! Constants bound what a remote can make grow; [`Config`] holds what an operator, a test or a
//! scenario may set. Starting values are those of DESIGN, section 12.

use crate::identity::verify::{StrictVerifier, Verify};
use crate::time::Span;
use std::sync::Arc;

/// The newest protocol version spoken. Both ends use the highest they share.
pub const PROTOCOL_VERSION: u16 = 1;
/// The oldest protocol version still spoken.
pub const PROTOCOL_VERSION_MIN: u16 = 1;

/// Largest frame, in bytes. A yamux window of 256 KiB holds several; libp2p's connection task
/// stays responsive at writes of 64 KiB and below.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Largest text of one message, in bytes. Leaves room for headers and certificates in a frame.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest canonical user name, in bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Longest transport address, in bytes: a multiaddr with a DNS name fits.
pub const ADDRESS_BYTES_MAX: usize = 160;
/// Most transport addresses one node may announce.
pub const ADDRESSES_MAX: usize = 8;
/// Longest registration code, in bytes.
pub const CODE_BYTES_MAX: usize = 64;
/// Nodes known from an invitation, the host cache or redirects (Skype kept 200).
pub const HOSTS_MAX: usize = 200;
/// Most supernodes a realm may have. Every one links to every other: at 4,096 a supernode has so many
/// connections (some 30 KiB each, 120 MiB), and says and hears 1,700 small messages a second that
/// keep them alive. A million peers need 1,250 supernodes.
pub const MEMBERS_MAX: usize = 4_096;
/// Members in one page of a list that is compared: 45 bytes each.
pub const MEMBERS_PER_PAGE: usize = 1_024;
/// Distances to other supernodes in one heartbeat, 40 bytes each.
pub const RTTS_PER_HEARTBEAT: usize = 1_024;
/// Supernodes told of in one message. Each takes up to a kilobyte with its certificate and
/// addresses.
pub const MEMBERS_PER_MESSAGE: usize = 48;
/// Largest message of the membership protocol, in bytes: news of ninety members. With each one
/// message a second and one piece of news told thirteen times, twenty deaths at once fit all of them.
pub const SWIM_BYTES_MAX: usize = 4 * 1024;
/// Most devices of one user in the location index.
pub const DEVICES_PER_USER_MAX: usize = 8;
/// Most location records one supernode keeps.
pub const LOCATIONS_MAX: usize = 1_000_000;
/// Most trees a packet's address may carry.
pub const TREES_MAX: usize = 32;
/// Most slots a peer may have: a slot number is one nibble of a label.
pub const DEGREE_MAX: usize = 16;
/// Times a packet may be forwarded before it is handed to the scaffold.
pub const HOP_LIMIT: u8 = 64;
/// Nodes a stuck packet may list as visited: no more than the hop limit lets it visit.
pub const VISITED_MAX: usize = 64;
/// Links that have come to a node and on which nothing has been said yet. More crowd out the oldest
/// of who has the most. A greeting takes a tenth of a second and a transport some 2,500 handshakes a
/// second, so so many are under way at most; each costs a kilobyte here and a connection.
pub const STRANGERS_MAX: usize = 256;
/// Links at a supernode that have greeted and not proved yet that they are anybody's. More crowd out
/// the oldest of the address that has the most. A log-in takes two round trips, one that is sent
/// elsewhere may stay for fifteen seconds; with peers and members they fit into the connections of
/// a driver.
pub const GUESTS_MAX: usize = 1_024;
/// Addresses, and keys, whose log-ins a supernode reckons up. Who has been quiet for a while needs
/// no entry; beyond this the one that has been quiet longest is forgotten (96 bytes each).
pub const BUDGETS_MAX: usize = 4_096;
/// Messages whose ids the recipient remembers, to show each once.
pub const SEEN_MESSAGES_MAX: usize = 4_096;
/// Messages under way at one sender.
pub const OUTGOING_MAX: usize = 1_024;
/// Largest datagram of a session, in bytes. On links that are streams large ones cost least a byte;
/// four fit into a write, so a call waits for no more than one of them.
pub const DATAGRAM_BYTES_MAX: usize = 16 * 1024;
/// Devices with which a peer exchanges datagrams. Who has been quiet makes room.
pub const CORRESPONDENTS_MAX: usize = 256;
/// Links to correspondents beside those of the topology. Each costs keep-alives and 30 KiB.
pub const DIRECT_LINKS_MAX: usize = 16;
/// Names whose locations a peer keeps at hand.
pub const LOCATION_CACHE_MAX: usize = 256;
/// Requests a supernode has open toward others at a time.
pub const REQUESTS_MAX: usize = 4_096;
/// Requests for names that wait for a registrar's operator. Anybody can make one, so there is a cap;
/// a person looks at no more.
pub const REGISTRATIONS_WAITING_MAX: usize = 10_000;
/// Of them, those from one address: a school class behind one router.
pub const REGISTRATIONS_WAITING_PER_ADDRESS: usize = 32;
/// Life of a registrar's certificate. Every user's chain goes through it, so it must outlive the
/// users' certificates (one year) several times over: the root key is needed to renew it, and the
/// root is best kept off line.
pub const REGISTRAR_LIFE: Span = Span::secs(10 * 365 * 24 * 3_600);
/// Replicas of a location record (DESIGN, section 7).
pub const LOCATION_REPLICAS: usize = 3;
/// Entries of one list of revocations. Each ends with the certificate it speaks of, after a year:
/// 10,000 are 27 a day. About 1 MiB in memory, at every peer, too.
pub const REVOCATIONS_MAX: usize = 10_000;
/// Entries in one message, about 110 bytes each.
pub const REVOCATIONS_PER_MESSAGE: usize = 400;
/// Signers of such lists: the root and the registrars of a realm.
pub const REVOKERS_MAX: usize = 8;
/// Registrars of a realm that were certified by tickets: beside them there are the root and the first
/// registrar, and each of them may sign a list.
pub const FURTHER_REGISTRARS_MAX: usize = REVOKERS_MAX - 2;
/// Hops that a trace probes.
pub const TRACE_HOPS_MAX: u8 = 24;

/// Largest message that waits for its recipient, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// What of it travels in one letter, in bytes: with certificates and padding 32 KiB, which leave room
/// for other traffic on the link.
pub const PART_BYTES_MAX: usize = 28 * 1024;
/// Smallest and largest letter after padding, in bytes: letters have the sizes between them that are
/// powers of two, so that a size says little.
pub const LETTER_BUCKET_MIN: usize = 256;
/// See [`LETTER_BUCKET_MIN`].
pub const LETTER_BUCKET_MAX: usize = 32 * 1024;
/// What sealing may add to a letter, in bytes: two layers of keys, counters and checksums.
pub const SEAL_BYTES_MAX: usize = 512;
/// Letters in the outbox of one peer, and their bytes. They are the user's own, but each is tried
/// again and again.
pub const OUTBOX_LETTERS_MAX: usize = 10_000;
/// See [`OUTBOX_LETTERS_MAX`].
pub const OUTBOX_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Messages that have ended and are still listed.
pub const OUTBOX_ENDED_MAX: usize = 256;
/// Letters of one sender that wait at the recipient for one before them. More than a sender may
/// leave in a mailbox, and than the parts of a message.
pub const LETTERS_HELD_MAX: usize = 256;
/// Sealed letters that wait to be opened.
pub const LETTERS_QUEUED_MAX: usize = 1_024;
/// Letters opened at a time: they share one sync of the disk.
pub const LETTERS_OPENED_AT_ONCE: usize = 64;
/// Letters whose ids a recipient remembers, to tell a repeat before it is opened.
pub const LETTERS_SEEN_MAX: usize = 16_384;
/// Senders whose next letter a recipient knows.
pub const LETTER_SENDERS_MAX: usize = 4_096;
/// Entries in one receipt for letters: 20 bytes each.
pub const RECEIPTS_PER_MESSAGE: usize = 64;
/// Keys for one use that a device publishes at a time. vodozemac keeps fifty unpublished ones.
pub const ONE_TIME_KEYS_MAX: usize = 24;
/// Replicas of a mailbox: those of the location record (DESIGN, section 8).
pub const MAILBOX_REPLICAS: usize = LOCATION_REPLICAS;
/// Letters that one sender, by way of one home, may have in the mailbox of one device.
pub const MAILBOX_LETTERS_PER_SENDER: usize = 128;
/// Letters in the mailbox of one device: room for some thousand who write as much as they can.
pub const MAILBOX_LETTERS_MAX: usize = 8_192;
/// Bytes in the mailbox of one device.
pub const MAILBOX_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes in all mailboxes of one supernode. They are held in memory, too.
pub const MAILBOXES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Letters in one answer of a mailbox, and their bytes: they must fit into a frame.
pub const LETTERS_PER_MESSAGE: usize = 48;
/// Ids of letters in one message between mailboxes, or from a device that has fetched them.
pub const LETTER_IDS_PER_MESSAGE: usize = 1_024;
/// Longest life of a letter: thirty days.
pub const MAIL_LIFE_MAX: Span = Span::secs(30 * 24 * 3_600);

const _: () = assert!(LETTERS_HELD_MAX > MAILBOX_LETTERS_PER_SENDER);
const _: () = assert!(LETTER_BUCKET_MAX + SEAL_BYTES_MAX + 8_192 < FRAME_BYTES_MAX);
const _: () = assert!(PART_BYTES_MAX + 3_072 < LETTER_BUCKET_MAX);
const _: () = assert!(VISITED_MAX >= HOP_LIMIT as usize);
const _: () = assert!(TEXT_BYTES_MAX + 8 * VISITED_MAX + 4_096 <= FRAME_BYTES_MAX);
const _: () = assert!(DEGREE_MAX <= 16);
const _: () = assert!(REVOCATIONS_PER_MESSAGE * 128 + 1_024 < FRAME_BYTES_MAX);
const _: () = assert!(MEMBERS_PER_PAGE * 48 + 128 < FRAME_BYTES_MAX);
const _: () = assert!(RTTS_PER_HEARTBEAT * 44 + TREES_MAX * 24 + 128 < FRAME_BYTES_MAX);
const _: () = assert!(MEMBERS_PER_MESSAGE * (256 + 5 * ADDRESS_BYTES_MAX) < FRAME_BYTES_MAX);

/// What may be set. The defaults serve a real network; a scenario changes what it studies.
#[derive(Clone, Debug)]
pub struct Config {
    /// Neighbours a peer has at most, `k`. At most [`DEGREE_MAX`].
    pub degree: usize,
    /// Of them, those within the peer's own region: under the same home, which is the supernode
    /// nearest to it. If there are any, paths follow latency; without, they take the fewest hops.
    pub near: usize,
    /// Spanning trees over the peers, `T`, of a small realm. At most [`TREES_MAX`].
    pub trees: usize,
    /// How many trees there are once the realm has so many peers: `(peers, trees)`, least first.
    /// Owners start the new trees, peers are labelled in them as they spread, and nobody changes a
    /// setting. Trees that stand are kept when the realm shrinks.
    pub tree_steps: Vec<(usize, usize)>,
    /// Warm standby supernodes a peer keeps beside its home.
    pub standbys: usize,
    /// How often a quiet link is probed.
    pub keep_alive: Span,
    /// A link on which nothing came for this long is dead: two keep-alives and some patience.
    pub dead_after: Span,
    /// How long a greeting, a dial or a request may take.
    pub patience: Span,
    /// How long a slot may stay without a live link before the home hears of it.
    pub slot_patience: Span,
    /// Life of a location record or session without renewal.
    pub lease: Span,
    /// How often the lease is renewed.
    pub renew: Span,
    /// How long a user stays findable as "off line since" after the lease has ended.
    pub last_seen: Span,
    /// Changes of a peer's surroundings are told to its neighbours and home at most this often.
    pub gossip: Span,
    /// While changes keep coming, that gap doubles up to this, as routers hold back (RFC 8405).
    pub gossip_max: Span,
    /// A peer publishes a changed location at most this often.
    pub publish: Span,
    /// How often a supernode plans, labels and repairs.
    pub plan: Span,
    /// How often supernodes tell each other that they live, and their load.
    pub heartbeat: Span,
    /// A supernode unheard for this long is taken out of the membership.
    pub member_dead_after: Span,
    /// First wait for a receipt; doubled at each try.
    pub receipt_patience: Span,
    /// Tries for one message. The last ones go by the scaffold.
    pub send_tries: u32,
    /// How long a looked-up location is used without asking again.
    pub location_cache: Span,
    /// Whether a peer makes direct links to correspondents with whom it exchanges much, and takes
    /// theirs. Without them everything goes hop by hop, and nobody connects to this machine for it.
    pub direct: bool,
    /// Peers a supernode serves before it redirects newcomers.
    pub children_soft: usize,
    /// Peers a supernode serves at the very most.
    pub children_hard: usize,
    /// Log-ins that a supernode looks at in a second: what one core does beside its other work. A
    /// driver that measures its machine says so with [`Input::Capacity`](crate::io::Input).
    pub logins_per_second: u32,
    /// After a start a supernode takes a quarter of them, and more and more until all, over this
    /// time: what follows a log-in is still to be done for those who were first.
    pub login_ramp: Span,
    /// Escalations a supernode carries for one peer per second, on average and in a burst of ten
    /// times as many.
    pub escalations_per_second: u32,
    /// Life of a user and a device certificate.
    pub certificate_life: Span,
    /// Whether a device takes part in messages that wait: publishes its keys and asks its mailboxes.
    pub mail: bool,
    /// How long a message that waits is kept before it expires, unless its sender says less.
    pub mail_life: Span,
    /// Tries to bring a letter straight to its recipient before it is left in the mailbox.
    pub mail_tries: u32,
    /// How often a device asks its mailboxes though nobody has told it that there is something.
    pub mail_fetch: Span,
    /// How long a letter that came is held back for one before it that did not.
    pub mail_gap: Span,
    /// How long after it was left in the mailbox a letter without a receipt is tried again, at
    /// first; doubled each time, up to 512 times as long. At first soon: a receipt may be lost with
    /// who bore it. Later seldom: nobody has come.
    pub mail_again: Span,
    /// The check behind every signature. A simulator may remember answers; it may not change them.
    pub verifier: Arc<dyn Verify>,
    /// The mistake that this node makes on purpose. Only there with the feature `seeded-bugs`.
    #[cfg(feature = "seeded-bugs")]
    pub seeded_bug: Option<crate::SeededBug>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            degree: 8,
            near: 0,
            trees: 8,
            tree_steps: vec![(10_000, 16), (100_000, 32)],
            standbys: 2,
            keep_alive: Span::secs(5),
            dead_after: Span::secs(12),
            patience: Span::secs(5),
            slot_patience: Span::secs(5),
            lease: Span::secs(60),
            renew: Span::secs(20),
            last_seen: Span::secs(72 * 3_600),
            gossip: Span::secs(1),
            gossip_max: Span::secs(4),
            publish: Span::secs(3),
            plan: Span::millis(250),
            heartbeat: Span::secs(1),
            member_dead_after: Span::secs(5),
            receipt_patience: Span::secs(1),
            send_tries: 6,
            location_cache: Span::secs(30),
            direct: true,
            children_soft: 800,
            children_hard: 1_000,
            logins_per_second: 500,
            login_ramp: Span::secs(30),
            escalations_per_second: 20,
            certificate_life: Span::secs(365 * 24 * 3_600),
            mail: true,
            mail_life: MAIL_LIFE_MAX,
            mail_tries: 2,
            mail_fetch: Span::secs(300),
            mail_gap: Span::secs(24 * 3_600),
            mail_again: Span::secs(30),
            verifier: Arc::new(StrictVerifier),
            #[cfg(feature = "seeded-bugs")]
            seeded_bug: None,
        }
    }
}
