//! How homes agree on links: each slot is changed by its own home only, by compare-and-swap.
//!
//! To put `j` into the link `u–v`, `u`'s home asks `v`'s home to replace `u` by `j`; only when it
//! has done so, `u`'s home replaces `v` by `j`, and `j`'s home hears of both. Whatever is lost on
//! the way, a slot whose link never comes up is free again after a while, at both ends.

use super::Supernode;
use super::child::Phase;
use super::planner::Reach;
use super::swapping::Swap;
use crate::config::DEGREE_MAX;
use crate::context::Context;
use crate::id::{LinkId, NodeId, ShortId};
use crate::status::Status;
use crate::time::Time;
use crate::wire::message::{
    Pair, PairReply, PeerContact, Release, Relink, RelinkReply, Splice, SpliceReply,
};

/// A question to another supernode.
#[derive(Debug)]
pub(crate) struct Request {
    pub until: Time,
    pub kind: RequestKind,
}

/// What was asked.
#[derive(Debug)]
pub(crate) enum RequestKind {
    /// A link to cut for our peer.
    Splice { child: NodeId },
    /// A partner for our peer.
    Pair { child: NodeId },
    /// To replace our peer at the other end of a link.
    Relink(Box<Cut>),
    /// The same, for two links that swap ends.
    Swap(Box<Swap>),
}

/// A link that is being cut: `child` is ours, `joiner` comes between it and `other`.
#[derive(Debug)]
pub(crate) struct Cut {
    child: NodeId,
    other: PeerContact,
    joiner: PeerContact,
    origin: Origin,
}

/// Who wants the link cut.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// We, for one of our peers.
    Here { child: NodeId },
    /// Another supernode, for one of its.
    There { link: LinkId, id: u64 },
}

impl Supernode {
    /// Cuts one of our links and puts `joiner` between its ends.
    pub(super) fn cut(
        &mut self,
        cx: &mut Context,
        joiner: PeerContact,
        exclude: &[ShortId],
        reach: Reach,
        origin: Origin,
    ) {
        let short = joiner.contact.node.short();
        let mut found = self.cuttable(cx, short, exclude, reach);
        if let Origin::There { .. } = origin {
            // A way between the two homes for a way between the two homes would be no gain.
            let back = |found: &(NodeId, PeerContact)| found.1.home == joiner.home;
            if found.as_ref().is_some_and(back) {
                found = self.cuttable(cx, short, exclude, reach).or(found);
            }
            // Whoever asks from elsewhere has no other choice.
            found = found.or_else(|| self.cuttable(cx, short, exclude, Reach::Anywhere));
        }
        let Some((node, other)) = found else {
            return self.cut_ends(cx, &joiner, &origin, None);
        };
        if self.children.contains_key(&other.contact.node) {
            let swapped = self.swap_here(cx, node, &other, &joiner);
            return self.cut_ends(cx, &joiner, &origin, swapped);
        }
        let Some(link) = self.members.link_to(other.home) else {
            return self.cut_ends(cx, &joiner, &origin, None);
        };
        let cut = Cut { child: node, other: other.clone(), joiner: joiner.clone(), origin };
        let kind = RequestKind::Relink(Box::new(cut));
        let Some(id) = self.open_request(cx, kind) else { return };
        self.set_phase(node, other.contact.node, Phase::Cutting);
        cx.send(link, Relink { id, child: other.contact.node, old: node.short(), new: joiner });
    }

    /// Both ends are our peers.
    fn swap_here(
        &mut self,
        cx: &Context,
        node: NodeId,
        other: &PeerContact,
        joiner: &PeerContact,
    ) -> Option<Vec<PeerContact>> {
        let far = self.children.get_mut(&other.contact.node)?;
        if !far.replace(node.short(), joiner.clone(), cx.now) {
            return None;
        }
        let near = self.children.get_mut(&node)?;
        near.replace(other.contact.node.short(), joiner.clone(), cx.now);
        self.counters.relinked += 2;
        let near = PeerContact { contact: near.contact.clone(), home: cx.me };
        Some(vec![near, other.clone()])
    }

    /// A cut has ended, well or not: tells who wanted it.
    fn cut_ends(
        &mut self,
        cx: &mut Context,
        joiner: &PeerContact,
        origin: &Origin,
        ends: Option<Vec<PeerContact>>,
    ) {
        match origin {
            Origin::Here { child } => self.take_ends(cx, *child, 2, ends.unwrap_or_default()),
            Origin::There { link, id } => {
                let status = if ends.is_some() { Status::OK } else { Status::STALE };
                let ends = ends.unwrap_or_default();
                if cx.links.greeted(*link).is_some() {
                    cx.send(*link, SpliceReply { id: *id, status, ends });
                } else {
                    ends.iter().for_each(|end| self.release(cx, end, joiner.contact.node));
                }
            }
        }
    }

    /// Seats a peer's new neighbours; those that no longer fit are released.
    fn take_ends(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        reserved: usize,
        ends: Vec<PeerContact>,
    ) {
        let found = !ends.is_empty();
        if let Some(child) = self.children.get_mut(&node) {
            child.unreserve(reserved);
        }
        for end in ends {
            let other = end.contact.node.short();
            // Its home may have asked ours for the same link meanwhile: then it is there. To release
            // it would end what both have made, and both would begin anew, in step.
            if self.children.get(&node).is_some_and(|child| child.has(other)) {
                continue;
            }
            let child = self.children.get_mut(&node);
            match child.is_some_and(|child| child.seat(end.clone(), cx.now)) {
                // Two slots are reserved for a splice, one for a pair.
                true if reserved == 2 => self.counters.spliced += 1,
                true => self.counters.paired += 1,
                false => self.release(cx, &end, node),
            }
        }
        self.planned(cx, node, found);
    }

    /// Tells `peer`'s home that `node` will not come.
    pub(super) fn release(&mut self, cx: &mut Context, peer: &PeerContact, node: NodeId) {
        if let Some(child) = self.children.get_mut(&peer.contact.node) {
            child.unseat(node.short());
        } else if let Some(link) = self.members.link_to(peer.home) {
            cx.send(link, Release { child: peer.contact.node, node: node.short() });
        }
    }

    pub(super) fn on_release(&mut self, release: &Release) {
        if let Some(child) = self.children.get_mut(&release.child)
            && let Some((_, seat)) = child.seat_of(release.node)
            && matches!(seat.phase, Phase::Expected { .. })
        {
            child.unseat(release.node);
        }
    }

    pub(super) fn on_splice(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        home: NodeId,
        splice: Splice,
    ) -> Result<(), Status> {
        if splice.exclude.len() > DEGREE_MAX {
            return Err(Status::TOO_LARGE);
        }
        let joiner = PeerContact { contact: splice.joiner, home };
        // Who comes from elsewhere takes a far link's place: near ones stay near.
        let reach = if cx.config.near > 0 { Reach::Far } else { Reach::Anywhere };
        self.cut(cx, joiner, &splice.exclude, reach, Origin::There { link, id: splice.id });
        Ok(())
    }

    pub(super) fn on_splice_reply(&mut self, cx: &mut Context, reply: SpliceReply) {
        if let Some(Request { kind: RequestKind::Splice { child }, .. }) =
            self.requests.remove(&reply.id)
        {
            let mut ends = reply.ends;
            ends.truncate(2);
            self.take_ends(cx, child, 2, ends);
        }
    }

    pub(super) fn on_pair(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        home: NodeId,
        pair: Pair,
    ) -> Result<(), Status> {
        if pair.exclude.len() > DEGREE_MAX {
            return Err(Status::TOO_LARGE);
        }
        let partners = self.partners(pair.peer.node, &pair.exclude);
        let partner = partners.get(cx.random_below(partners.len())).copied();
        let peer = PeerContact { contact: pair.peer, home };
        let seated = partner.and_then(|partner| {
            let child = self.children.get_mut(&partner)?;
            child.seat(peer, cx.now).then(|| child.contact.clone())
        });
        self.counters.paired += u64::from(seated.is_some());
        let status = if seated.is_some() { Status::OK } else { Status::STALE };
        let partner = seated.map(|contact| PeerContact { contact, home: cx.me });
        cx.send(link, PairReply { id: pair.id, status, partner });
        Ok(())
    }

    pub(super) fn on_pair_reply(&mut self, cx: &mut Context, reply: PairReply) {
        if let Some(Request { kind: RequestKind::Pair { child }, .. }) =
            self.requests.remove(&reply.id)
        {
            self.take_ends(cx, child, 1, reply.partner.into_iter().collect());
        }
    }

    pub(super) fn on_relink(&mut self, cx: &mut Context, link: LinkId, relink: Relink) {
        let done = self.children.get_mut(&relink.child).and_then(|child| {
            child.replace(relink.old, relink.new, cx.now).then(|| child.contact.clone())
        });
        self.counters.relinked += u64::from(done.is_some());
        let status = if done.is_some() { Status::OK } else { Status::STALE };
        cx.send(link, RelinkReply { id: relink.id, status, child: done });
    }

    pub(super) fn on_relink_reply(&mut self, cx: &mut Context, reply: RelinkReply) {
        let Some(Request { kind, .. }) = self.requests.remove(&reply.id) else { return };
        let cut = match kind {
            RequestKind::Relink(cut) => cut,
            RequestKind::Swap(swap) => return self.go_on_swapping(cx, *swap, Some(reply)),
            RequestKind::Splice { .. } | RequestKind::Pair { .. } => return,
        };
        let Cut { child, other, joiner, origin } = *cut;
        self.set_phase(child, other.contact.node, Phase::Up);
        let Some(contact) = reply.child.filter(|_| reply.status == Status::OK) else {
            return self.cut_ends(cx, &joiner, &origin, None);
        };
        let far = PeerContact { contact, home: other.home };
        let near = self.children.get_mut(&child).and_then(|near| {
            let replaced = near.replace(other.contact.node.short(), joiner.clone(), cx.now);
            replaced.then(|| PeerContact { contact: near.contact.clone(), home: cx.me })
        });
        self.counters.relinked += u64::from(near.is_some());
        // Half a splice is still a link for the joiner.
        let ends = near.into_iter().chain(std::iter::once(far)).collect();
        self.cut_ends(cx, &joiner, &origin, Some(ends));
    }

    pub(super) fn set_phase(&mut self, child: NodeId, peer: NodeId, phase: Phase) {
        if let Some(child) = self.children.get_mut(&child)
            && let Some((_, seat)) = child.seat_of(peer.short())
            && !matches!(seat.phase, Phase::Expected { .. })
        {
            seat.phase = phase;
        }
    }

    /// Requests without an answer count as refused.
    pub(super) fn expire_requests(&mut self, cx: &mut Context) {
        let due: Vec<u64> =
            self.requests.iter().filter(|(_, r)| cx.now >= r.until).map(|(id, _)| *id).collect();
        for id in due {
            match self.requests.remove(&id).map(|request| request.kind) {
                Some(RequestKind::Splice { child }) => self.take_ends(cx, child, 2, Vec::new()),
                Some(RequestKind::Pair { child }) => self.take_ends(cx, child, 1, Vec::new()),
                Some(RequestKind::Relink(cut)) => {
                    self.set_phase(cut.child, cut.other.contact.node, Phase::Up);
                    self.cut_ends(cx, &cut.joiner, &cut.origin, None);
                }
                Some(RequestKind::Swap(swap)) => self.go_on_swapping(cx, *swap, None),
                None => {}
            }
        }
    }
}
