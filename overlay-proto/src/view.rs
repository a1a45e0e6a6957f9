//! What a node shows of itself to its owner: plain values, ready for JSON.

use crate::coordinates::Label;
use crate::id::{NodeId, ShortId};
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
    /// Whether it is sending them elsewhere, to stop.
    #[serde(default)]
    pub draining: bool,
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
