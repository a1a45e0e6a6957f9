//! What a node shows of itself to its owner: plain values, ready for JSON.

use crate::coordinates::{Epoch, Label};
use crate::id::{NodeId, ShortId};
use crate::status::Status;
use serde::{Deserialize, Serialize};

/// A peer at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// The node id in hex.
    pub node: String,
    /// The user's name, once registered.
    pub name: Option<String>,
    /// `offline`, `connecting`, `proving` or `online`.
    pub state: String,
    /// The home's node id, when on line.
    pub home: Option<String>,
    /// The standbys' node ids with a live link.
    pub standbys: Vec<String>,
    /// Seconds that the session lasts unless renewed.
    pub lease_secs: u64,
    /// Live neighbours.
    pub neighbours: usize,
    /// Slots there are.
    pub degree: usize,
    /// Trees in which it has a place.
    pub labels: usize,
    /// Trees there are.
    pub trees: usize,
    /// Packets forwarded for others.
    pub forwarded: u64,
    /// Packets handed to the scaffold.
    pub escalated: u64,
    /// Texts received.
    pub received: u64,
    /// Packets with texts that came, copies among them.
    pub arrived: u64,
    /// Of those, the ones addressed to labels of which at least one is not this peer's any more.
    pub arrived_stale: u64,
}

/// One neighbour of a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighbourView {
    /// The slot.
    pub slot: u8,
    /// The neighbour's node id.
    pub node: String,
    /// Whether there is a live link.
    pub up: bool,
    /// Round-trip time in milliseconds, once measured.
    pub rtt_ms: Option<f64>,
    /// Where it is linked, or would be.
    pub address: String,
    /// Its live neighbours.
    pub neighbours: usize,
}

/// One device with which a peer exchanges datagrams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrespondentView {
    /// Its node id.
    pub node: String,
    /// Whose it is.
    pub name: String,
    /// Hops that its last datagram took; one over a direct link.
    pub hops: u8,
    /// Whether there is a direct link.
    pub direct: bool,
    /// Round-trip time of the direct link in milliseconds, once measured.
    pub rtt_ms: Option<f64>,
    /// Seconds since the last datagram, either way.
    pub quiet_secs: u64,
}

/// A supernode at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupernodeView {
    /// The node id in hex.
    pub node: String,
    /// The realm in hex.
    pub realm: String,
    /// Whether it registers users.
    pub registrar: bool,
    /// Peers logged in.
    pub children: usize,
    /// Location records kept.
    pub locations: usize,
    /// Links that its peers have up.
    pub links: usize,
    /// Free slots of its peers.
    pub free_slots: usize,
    /// Trees that it owns.
    pub trees_owned: usize,
    /// Packets carried over the scaffold.
    pub escalated: u64,
    /// Log-ins admitted since start.
    pub logins: u64,
    /// Requests refused since start.
    pub refused: u64,
    /// The other supernodes.
    pub members: Vec<MemberView>,
    /// Seconds since the start.
    #[serde(default)]
    pub uptime_secs: u64,
    /// Seconds that its own certificate still holds.
    #[serde(default)]
    pub certificate_secs: u64,
    /// Whether it sends its peers elsewhere, to stop.
    #[serde(default)]
    pub draining: bool,
    /// Peers from which on newcomers are sent elsewhere, if others have fewer.
    #[serde(default)]
    pub peers_soft: usize,
    /// Peers from which on nobody is taken in any more.
    #[serde(default)]
    pub peers_hard: usize,
    /// Slots of each peer.
    #[serde(default)]
    pub degree: usize,
    /// Peers of others that would log in here if their home failed.
    #[serde(default)]
    pub standby_links: usize,
    /// Links whose other end has not greeted yet.
    #[serde(default)]
    pub strangers: usize,
    /// Log-ins a second that it takes at most: what its driver has measured, or was told.
    #[serde(default)]
    pub logins_per_second: u32,
    /// Seconds that a newcomer has to wait until it is looked at.
    #[serde(default)]
    pub line_secs: u16,
    /// Questions to other supernodes about links, without an answer yet.
    #[serde(default)]
    pub requests_open: usize,
    /// Searches for locations under way.
    #[serde(default)]
    pub finds_open: usize,
    /// Registrations that wait for the store.
    #[serde(default)]
    pub store_open: usize,
    /// What it has done.
    #[serde(default)]
    pub counters: CountersView,
}

/// How often something was refused for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalsView {
    /// The reason.
    pub status: Status,
    /// How often.
    pub count: u64,
}

/// What a supernode has done since its start. Of the log-ins tried each is admitted, a standby's,
/// redirected or refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CountersView {
    /// Log-ins that were answered, but for those challenged.
    pub logins_tried: u64,
    /// Log-ins under load that were given a cookie to show at once: they come again, and are
    /// counted then.
    pub logins_challenged: u64,
    /// Those that got a session.
    pub logins_admitted: u64,
    /// Those that asked for a warm link to a standby, and got it.
    pub logins_standby: u64,
    /// Those that were sent to other supernodes.
    pub logins_redirected: u64,
    /// Those that were refused, by status code.
    pub logins_refused: Vec<RefusalsView>,
    /// Log-ins tried in the last one to two minutes.
    pub recent_attempts: u64,
    /// About how many nodes made those attempts, within some 3 %.
    pub recent_clients: u64,
    /// Names given out.
    pub registered: u64,
    /// Free slots of its peers that were filled by cutting a link.
    pub slots_spliced: u64,
    /// Free slots of its peers that were filled with another free slot.
    pub slots_paired: u64,
    /// Slots of its peers that got another neighbour, for a splice or at another home's wish.
    pub relinked: u64,
    /// Pairs of links that have swapped ends.
    pub swapped: u64,
    /// Places signed and sent.
    pub places_issued: u64,
    /// Peers' look-ups that were answered, whatever the answer.
    pub lookups_answered: u64,
    /// Questions to other supernodes that keep a record. Zero from an older program.
    #[serde(default)]
    pub replicas_asked: u64,
}

/// One supernode as another sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// The node id.
    pub node: String,
    /// Whether it is heard of.
    pub alive: bool,
    /// Peers logged in there.
    pub children: u32,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// Whether it registers users.
    #[serde(default)]
    pub registrar: bool,
    /// Whether it sends its peers elsewhere, to stop.
    #[serde(default)]
    pub draining: bool,
    /// Links that its peers have up.
    #[serde(default)]
    pub links: u32,
    /// Free slots of its peers.
    #[serde(default)]
    pub free_slots: u32,
    /// Round-trip time in milliseconds, once measured; of the two ends the one measures that dialled.
    #[serde(default)]
    pub rtt_ms: Option<f64>,
    /// Seconds since it was heard of last; since it was told of, if it never was.
    #[serde(default)]
    pub heard_secs: u64,
    /// Seconds that its link is up, if it is.
    #[serde(default)]
    pub up_secs: Option<u64>,
}

/// One peer of a supernode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildView {
    /// The node id.
    pub node: String,
    /// The user.
    pub name: String,
    /// Links up.
    pub links: usize,
    /// Trees in which it has a place.
    pub labels: usize,
    /// Seconds since log-in.
    pub online_secs: u64,
    /// Where it is linked from.
    pub address: String,
    /// Slots there are.
    #[serde(default)]
    pub degree: usize,
    /// Seconds that the session lasts unless renewed.
    #[serde(default)]
    pub lease_secs: u64,
}

/// A peer's place and what it believes of those around it, for checks that compare the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceView {
    /// The peer.
    pub node: NodeId,
    /// What its home issued last; `None` before the first time.
    pub issued: Option<IssuedView>,
    /// Its live neighbours.
    pub neighbours: Vec<BeliefView>,
}

/// A place as a home has issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedView {
    /// Counts up with each issue.
    pub seq: u64,
    /// The neighbour in each slot; [`ShortId::NONE`] where a slot is free.
    pub slots: Vec<ShortId>,
    /// The label in each tree.
    pub labels: Vec<Label>,
}

/// What a peer believes of one live neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeliefView {
    /// The slot in which the peer has it.
    pub slot: u8,
    /// The neighbour.
    pub node: NodeId,
    /// The newest place of it that its home signed; `None` until the first is there.
    pub issued: Option<IssuedView>,
    /// Its own neighbours, as it says: its slot, who is there, the labels in each tree.
    pub far: Vec<(u8, ShortId, Vec<Label>)>,
}

/// What a supernode holds of the realm's soft state, for checks that compare several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldView {
    /// The supernode.
    pub node: NodeId,
    /// The other supernodes that count as alive.
    pub members: Vec<NodeId>,
    /// The trees that have their root among its peers, each with the root's epoch.
    pub roots: Vec<(usize, Epoch)>,
    /// The peers that have a session here.
    pub sessions: Vec<NodeId>,
    /// The records that it keeps.
    pub records: Vec<RecordView>,
}

/// A location record as a supernode keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView {
    /// The device.
    pub node: NodeId,
    /// The record's number.
    pub seq: u64,
    /// The home that it names.
    pub home: NodeId,
    /// Whether its lease lasts.
    pub on_line: bool,
}
