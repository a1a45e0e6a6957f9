//! Who is out: lists of revocations spread over the scaffold, and end what they speak of.
//!
//! A supernode tells the numbers of its lists to every other one when a link is made, when one of
//! them is new, and with each heartbeat; who is behind asks for what it lacks, in parts. So a list
//! is everywhere one round trip after it is durable, after a heartbeat and a round trip where that
//! first word was lost, and as soon after a partition heals. **Deadline**: five seconds among
//! supernodes that are linked, and for the peers that are logged in with them.
//!
//! Peers keep the lists, too: how else would a session between two of them end, over links of their
//! own? Each is told by its home and by those that stand by for it, so one that is silent hides
//! nothing while another speaks.
//!
//! A supernode that starts again with an empty memory is told by its driver what it had. Whoever
//! has no disk for it asks the others as soon as it is linked, and may admit somebody who is out
//! for that second.

use super::Supernode;
use super::bucket::{Bucket, Rate};
use super::child::Child;
use super::members::Reach;
use crate::config::{REVOCATIONS_MAX, REVOCATIONS_PER_MESSAGE, REVOKERS_MAX};
use crate::context::Context;
use crate::fetching::{self, Fetching};
use crate::id::{LinkId, NodeId, ShortId};
use crate::identity::{ChainKeys, DeviceChain, RevocationList};
use crate::io::Event;
use crate::links;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::Message;
use crate::wire::message::{Expel, Revocations, RevocationsWanted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So long nobody is seated beside who was shut out: requests of planners are over by then.
const EXPELLED_FOR: Span = Span::secs(60);
/// Of those shut out within that time, so many are remembered.
const EXPELLED_MAX: usize = 4_096;
/// Peers are told that a list is new at most this often: each of some hundreds fetches it.
const PEERS_TOLD_GAP: Span = Span::secs(1);
/// Parts of lists for one peer: all lists, as full as they get, at once, and then one a second.
const PARTS: Rate = Rate {
    per_second: 1,
    burst: (REVOKERS_MAX * (REVOCATIONS_MAX / REVOCATIONS_PER_MESSAGE + 1)) as u32,
};

/// What a supernode does about revocations.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    pub(super) fetching: Fetching,
    /// When peers were told last which lists there are, and whether there are others since.
    peers_told: Time,
    peers_untold: bool,
    /// Whose certificates have opened which link, for a session or to stand by.
    bearers: BTreeMap<LinkId, Bearer>,
    /// Who was shut out a while ago, and until when that is remembered.
    expelled: BTreeMap<ShortId, Time>,
}

/// Who has proved itself on a link, and what may be told there.
#[derive(Debug, Clone, Copy)]
struct Bearer {
    keys: ChainKeys,
    /// Parts of lists.
    parts: Bucket,
}

impl Supernode {
    /// A proven chain has opened `link`, or stands for its session from now on.
    pub(super) fn bears(&mut self, cx: &Context, link: LinkId, chain: &DeviceChain) {
        let held = self.spread.bearers.get(&link).map(|bearer| bearer.parts);
        let parts = held.unwrap_or_else(|| Bucket::full(PARTS, cx.now));
        self.spread.bearers.insert(link, Bearer { keys: chain.keys(), parts });
    }

    /// Whether somebody has proved on `link` who it is.
    pub(super) fn is_borne(&self, link: LinkId) -> bool {
        self.spread.bearers.contains_key(&link)
    }

    /// The link is gone, and what was asked over it.
    pub(super) fn forget_bearer(&mut self, link: LinkId) {
        self.spread.bearers.remove(&link);
        self.spread.fetching.link_down(link);
    }

    pub(super) fn tell_revocations_to_all(&self, cx: &mut Context) {
        let links: Vec<LinkId> =
            self.members.alive().filter_map(|(_, member)| member.link()).collect();
        fetching::tell(cx, &links);
    }

    /// Peers, and those that would be: at once, unless they were told just now.
    pub(super) fn tell_peers_of_revocations(&mut self, cx: &mut Context) {
        if cx.now < self.spread.peers_told + PEERS_TOLD_GAP {
            self.spread.peers_untold = true;
            return;
        }
        (self.spread.peers_told, self.spread.peers_untold) = (cx.now, false);
        let links: Vec<LinkId> = self.spread.bearers.keys().copied().collect();
        fetching::tell(cx, &links);
    }

    /// To be called with each heartbeat.
    pub(super) fn tell_peers_what_is_due(&mut self, cx: &mut Context) {
        if self.spread.peers_untold {
            self.tell_peers_of_revocations(cx);
        }
    }

    /// A peer, or one that would be, asks for a list. Who asks for more than all there is waits.
    pub(super) fn on_wanted_by_peer(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        wanted: &RevocationsWanted,
    ) {
        let Some(bearer) = self.spread.bearers.get_mut(&link) else { return };
        bearer.parts.fill(PARTS, cx.now);
        if bearer.parts.has(1) {
            bearer.parts.take(PARTS, 1);
            fetching::answer(cx, link, wanted);
        }
    }

    /// A part of a list that was asked for.
    pub(super) fn on_revocations(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        part: Revocations,
    ) -> Result<(), Status> {
        if let Some(taken) = self.spread.fetching.on_part(cx, link, part)? {
            self.revocations_changed(cx);
            taken.before.iter().for_each(|older| self.write_again(cx, older));
        }
        Ok(())
    }

    /// What the driver has kept since the last start.
    pub(crate) fn recall_revocations(&mut self, cx: &mut Context, lists: Vec<Arc<RevocationList>>) {
        let adopted = lists.into_iter().filter(|list| cx.adopt_revocations(list.clone()).is_ok());
        if adopted.count() > 0 {
            self.revocations_changed(cx);
        }
    }

    /// A list is new: everybody hears of it, and what it speaks of ends here.
    pub(super) fn revocations_changed(&mut self, cx: &mut Context) {
        self.tell_revocations_to_all(cx);
        self.tell_peers_of_revocations(cx);
        cx.event(Event::RevocationsChanged(cx.revoked.lists().cloned().collect()));
        self.directory.purge(|record| cx.revoked.bars(&record.chain));
        let barred: Vec<LinkId> = self
            .spread
            .bearers
            .iter()
            .filter(|(_, bearer)| cx.revoked.bars_keys(&bearer.keys))
            .map(|(link, _)| *link)
            .collect();
        barred.into_iter().for_each(|link| self.shut_out(cx, link));
        self.shut_out_supernodes(cx);
    }

    /// Ends the session on `link`, or the wish to have one some day.
    pub(super) fn shut_out(&mut self, cx: &mut Context, link: LinkId) {
        let child = self.child_of(cx, link);
        if let Some(node) = child {
            self.expel(cx, node);
            self.child_gone(cx, node, Status::REVOKED);
        }
        if let Some(node) = cx.links.node_of(link) {
            cx.event(Event::Refused { node, status: Status::REVOKED });
        }
        self.warm.remove(&link);
        self.spread.bearers.remove(&link);
        links::dismiss(cx, link, Status::REVOKED);
    }

    /// The neighbours of a child that is out drop their links to it: each one's home frees the
    /// slot, and what is in no slot is hung up.
    fn expel(&mut self, cx: &mut Context, node: NodeId) {
        let expel = Expel { node: node.short() };
        self.on_expel(cx, &expel);
        let links: Vec<LinkId> =
            self.members.alive().filter_map(|(_, member)| member.link()).collect();
        cx.broadcast(&links, &Message::Expel(expel));
    }

    /// Frees the slots of the one who was shut out, now and for a while: a plan under way may yet
    /// name it.
    pub(super) fn on_expel(&mut self, cx: &Context, expel: &Expel) {
        if self.spread.expelled.len() >= EXPELLED_MAX {
            self.spread.expelled.pop_first();
        }
        self.spread.expelled.insert(expel.node, cx.now + EXPELLED_FOR);
        self.free_slots_of_expelled(cx);
    }

    /// To be called with each heartbeat.
    pub(super) fn free_slots_of_expelled(&mut self, cx: &Context) {
        self.spread.expelled.retain(|_, until| cx.now < *until);
        if self.spread.expelled.is_empty() {
            return;
        }
        let expelled = &self.spread.expelled;
        let linked =
            |child: &Child| child.linked().into_iter().filter(|other| expelled.contains_key(other));
        let children = self.children.iter();
        let held = children.flat_map(|(node, child)| linked(child).map(|other| (*node, other)));
        let held: Vec<(NodeId, ShortId)> = held.collect();
        for (neighbour, out) in held {
            if let Some(child) = self.children.get_mut(&neighbour) {
                child.unseat(out);
                self.stale.insert(neighbour);
            }
            self.wake_by(cx.now);
        }
    }

    fn shut_out_supernodes(&mut self, cx: &mut Context) {
        let out: Vec<NodeId> = self
            .members
            .known
            .keys()
            .filter(|node| cx.revoked.bars_supernode(**node))
            .copied()
            .collect();
        for node in out {
            if let Some(link) = self.members.link_to(node) {
                links::dismiss(cx, link, Status::REVOKED);
                self.unlink_member(cx, node, Reach::Unlinked);
            }
            self.members.known.remove(&node);
            self.swim.forget(node);
            self.members.seeds.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests;
