//! The one door: a node with its roles.

use crate::config::Config;
use crate::id::NodeId;
use crate::identity::{Contact, Identity};
use crate::io::{Deadline, Input, Output};
use crate::time::{Time, WallTime};
use crate::view::{ChildView, NeighbourView, PeerView, SupernodeView};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a node is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Limits and intervals.
    pub config: Arc<Config>,
    /// Keys and certificates. A user makes it a peer, a supernode's certificate a supernode.
    pub identity: Arc<Identity>,
    /// Supernodes to begin with: from an invitation or the host cache.
    pub hosts: Vec<Contact>,
    /// All randomness of the node comes from here.
    pub seed: [u8; 32],
    /// The wall clock now.
    pub wall: WallTime,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    out: VecDeque<Output>,
}

impl Node {
    /// A node that has just started, at `now`.
    pub fn new(setup: Setup, now: Time) -> Node {
        let _ = now;
        Node { id: setup.identity.node(), out: VecDeque::new() }
    }

    /// The node id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Takes one input at `now`.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        let _ = (now, input);
    }

    /// The next thing for the driver to do. To be drained to `None` after each input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When the next [`Input::Tick`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        None
    }

    /// The peer role at a glance, if the node has it.
    pub fn peer_view(&self) -> Option<PeerView> {
        None
    }

    /// The peer's neighbours, in slot order.
    pub fn neighbour_views(&self) -> Vec<NeighbourView> {
        Vec::new()
    }

    /// The supernode role at a glance, if the node has it.
    pub fn supernode_view(&self) -> Option<SupernodeView> {
        None
    }

    /// The supernode's peers, by node id.
    pub fn child_views(&self) -> Vec<ChildView> {
        Vec::new()
    }
}
