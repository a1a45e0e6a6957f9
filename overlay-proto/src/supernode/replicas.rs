//! Which supernodes keep a record and stand by for a peer: the first in an order of the record's or
//! the peer's own.

use super::Supernode;
use super::members::{Members, contact};
use crate::config::LOCATION_REPLICAS;
use crate::context::Context;
use crate::id::{IndexKey, NodeId};
use crate::identity::Contact;
use crate::rendezvous;
use crate::wire::message::Standbys;

/// Supernodes asked for one record at most: a realm half of which has just started finds what is
/// there, and a stranger's question costs no more than this.
const ASKED_MAX: usize = 3 * LOCATION_REPLICAS;

impl Members {
    /// Where a peer goes if its home fails: members in an order of the peer's own, so that the load
    /// of a failed home spreads.
    pub fn standbys(&self, peer: NodeId, count: usize) -> Vec<Contact> {
        let mut key = [0; 8];
        key.copy_from_slice(&peer.0[..8]);
        let order = rendezvous::order(b"standby", u64::from_be_bytes(key), self.staying());
        let records = order.iter().take(count).filter_map(|node| self.known.get(node));
        records.map(|member| contact(&member.record)).collect()
    }
}

impl Supernode {
    /// The supernodes in the order in which they keep the records of `key`, this one among them.
    fn index_order(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let all = self.members.nodes().chain(std::iter::once(cx.me));
        rendezvous::order(b"index", key.0, all)
    }

    /// The supernodes that keep the records of `key`, this one perhaps among them.
    pub(super) fn replicas(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let mut order = self.index_order(cx, key);
        order.truncate(LOCATION_REPLICAS);
        order
    }

    /// Where to look for the records of `key`, best first. Others may not know yet of members that
    /// have come only just now, and store elsewhere: these are asked beside the replicas that there
    /// would be without them.
    pub(super) fn replicas_to_ask(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let long = cx.config.renew;
        let mut settled = 0;
        let wanted = |node: &NodeId| {
            let asked = settled < LOCATION_REPLICAS;
            settled += usize::from(self.members.up_for(*node, cx.now) >= long);
            asked
        };
        self.index_order(cx, key).into_iter().take(ASKED_MAX).take_while(wanted).collect()
    }

    /// The live members have changed: records move to their new replicas, peers hear of their new
    /// standbys.
    pub(super) fn follow_members(&mut self, cx: &mut Context) {
        if !std::mem::take(&mut self.members.moved) {
            return;
        }
        self.move_index(cx);
        self.mailboxes_moved(cx);
        for (node, child) in self.children.iter() {
            let standbys = self.members.standbys(*node, cx.config.standbys);
            cx.send(child.link, Standbys { standbys });
        }
    }
}
