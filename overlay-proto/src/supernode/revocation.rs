//! Who is out: lists of revocations spread over the scaffold, and end what they speak of.
//!
//! A supernode tells the numbers of its lists to every other one when a link is made, when one of
//! them is new, and with each heartbeat; who is behind asks for what it lacks, in parts. So a list
//! is everywhere one round trip after it is durable, after a heartbeat and a round trip where that
//! first word was lost, and as soon after a partition heals. **Deadline**: five seconds among
//! supernodes that are linked.
//!
//! A supernode that starts again with an empty memory is told by its driver what it had. Whoever
//! has no disk for it asks the others as soon as it is linked, and may admit somebody who is out
//! for that second.

use super::Supernode;
use super::child::Child;
use super::members::Reach;
use crate::config::{REVOCATIONS_MAX, REVOCATIONS_PER_MESSAGE, REVOKERS_MAX};
use crate::context::Context;
use crate::id::{LinkId, NodeId, ShortId};
use crate::identity::{
    DeviceChain, ListHead, Revocation, RevocationError, RevocationList, Subject,
};
use crate::io::Event;
use crate::links;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::Message;
use crate::wire::message::{Expel, ListEpoch, Revocations, RevocationsKnown, RevocationsWanted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So long nobody is seated beside who was shut out: requests of planners are over by then.
const EXPELLED_FOR: Span = Span::secs(60);
/// Of those shut out within that time, so many are remembered.
const EXPELLED_MAX: usize = 4_096;

/// What a supernode does about revocations.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    /// Lists that are being fetched, by signer.
    pulls: BTreeMap<Subject, Pull>,
    /// Whose certificates have opened which link, for a session or to stand by.
    bearers: BTreeMap<LinkId, Bearer>,
    /// Who was shut out a while ago, and until when that is remembered.
    expelled: BTreeMap<ShortId, Time>,
}

#[derive(Debug)]
struct Pull {
    link: LinkId,
    until: Time,
    /// The number after which entries were asked for; those before are the ones held.
    base: u64,
    staged: Vec<Revocation>,
}

/// The three keys by which somebody may be out.
#[derive(Debug, Clone, Copy)]
struct Bearer {
    registrar: Subject,
    user: Subject,
    device: Subject,
}

impl Supernode {
    /// A proven chain has opened `link`, or stands for its session from now on.
    pub(super) fn bears(&mut self, link: LinkId, chain: &DeviceChain) {
        let (registrar, user) = (chain.registrar.subject, chain.user.subject);
        self.spread.bearers.insert(link, Bearer { registrar, user, device: chain.device.subject });
    }

    /// The link is gone, and what was asked over it.
    pub(super) fn forget_bearer(&mut self, link: LinkId) {
        self.spread.bearers.remove(&link);
        self.spread.pulls.retain(|_, pull| pull.link != link);
    }

    /// What is told on a new link and with each heartbeat: nothing, while nothing is revoked.
    pub(super) fn tell_revocations(&self, cx: &mut Context, links: &[LinkId]) {
        let epoch = |list: &Arc<RevocationList>| ListEpoch {
            signer: list.head.signer(),
            epoch: list.head.epoch,
        };
        let lists: Vec<ListEpoch> = cx.revoked.lists().map(epoch).collect();
        if !lists.is_empty() {
            cx.broadcast(links, &Message::RevocationsKnown(RevocationsKnown { lists }));
        }
    }

    pub(super) fn tell_revocations_to_all(&self, cx: &mut Context) {
        let links: Vec<LinkId> =
            self.members.alive().filter_map(|(_, member)| member.link()).collect();
        self.tell_revocations(cx, &links);
    }

    /// A member says which lists it has: what is newer is asked for, once at a time.
    pub(super) fn on_revocations_known(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        known: &RevocationsKnown,
    ) -> Result<(), Status> {
        if known.lists.len() > REVOKERS_MAX {
            return Err(Status::TOO_LARGE);
        }
        for list in &known.lists {
            let held = cx.revoked.epoch(list.signer);
            let busy = self.spread.pulls.get(&list.signer).is_some_and(|pull| cx.now < pull.until);
            if list.epoch > held && !busy {
                self.pull(cx, link, list.signer, held);
            }
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context, link: LinkId, signer: Subject, base: u64) {
        let until = cx.now + cx.config.patience;
        // As many as there are signers: what a liar names beyond them makes room for nobody.
        let stale = |pull: &Pull| cx.now < pull.until;
        self.spread.pulls.retain(|_, pull| stale(pull));
        if self.spread.pulls.len() < REVOKERS_MAX || self.spread.pulls.contains_key(&signer) {
            self.spread.pulls.insert(signer, Pull { link, until, base, staged: Vec::new() });
            cx.send(link, RevocationsWanted { signer, after: base });
        }
    }

    pub(super) fn on_revocations_wanted(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        wanted: &RevocationsWanted,
    ) {
        let Some(list) = cx.revoked.list(wanted.signer) else { return };
        let first = list.entries.partition_point(|entry| entry.number <= wanted.after);
        let rest = &list.entries[first..];
        let part = rest.len().min(REVOCATIONS_PER_MESSAGE);
        let answer = Revocations {
            head: list.head.clone(),
            entries: rest[..part].to_vec(),
            more: part < rest.len(),
        };
        cx.send(link, answer);
    }

    /// A part of a list that was asked for. It counts only when all of it is there and signed.
    pub(super) fn on_revocations(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        part: Revocations,
    ) -> Result<(), Status> {
        if part.entries.len() > REVOCATIONS_PER_MESSAGE {
            return Err(Status::TOO_LARGE);
        }
        let signer = part.head.signer();
        // Only who was asked: nobody else ends what is under way with another.
        let asked = self.spread.pulls.get(&signer).filter(|pull| pull.link == link);
        if asked.is_some_and(|pull| pull.staged.len() + part.entries.len() > REVOCATIONS_MAX) {
            return Err(Status::TOO_LARGE);
        }
        let Some(mut pull) = asked.is_some().then(|| self.spread.pulls.remove(&signer)).flatten()
        else {
            return Ok(());
        };
        pull.staged.extend(part.entries);
        if let (true, Some(last)) = (part.more, pull.staged.last()) {
            pull.until = cx.now + cx.config.patience;
            let after = last.number;
            self.spread.pulls.insert(signer, pull);
            cx.send(link, RevocationsWanted { signer, after });
            return Ok(());
        }
        let before = cx.revoked.list(signer).cloned();
        let (base, list) = assemble(cx, part.head, pull);
        match cx.adopt_revocations(Arc::new(list)) {
            Ok(()) => {
                self.revocations_changed(cx);
                before.iter().for_each(|older| self.write_again(cx, older));
            }
            Err(RevocationError::RolledBack) => {}
            // What we hold is not what theirs was made of: the whole list, then.
            Err(_) if base > 0 => self.pull(cx, link, signer, 0),
            Err(error) => {
                let node = cx.links.node_of(link).unwrap_or(cx.me);
                cx.event(Event::Refused { node, status: error.status() });
            }
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
        cx.event(Event::RevocationsChanged(cx.revoked.lists().cloned().collect()));
        self.directory.purge(|record| cx.revoked.bars(&record.chain));
        let barred: Vec<LinkId> = self
            .spread
            .bearers
            .iter()
            .filter(|(_, bearer)| {
                cx.revoked.bars_device(bearer.registrar, bearer.user, bearer.device)
            })
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

/// The whole list, of what was held up to the number that was asked after, and what came.
fn assemble(cx: &Context, head: ListHead, pull: Pull) -> (u64, RevocationList) {
    let held = cx.revoked.list(head.signer()).filter(|_| pull.base > 0);
    let kept = held.into_iter().flat_map(|list| list.lasting(head.issued).cloned());
    let entries = kept.chain(pull.staged).collect();
    (pull.base, RevocationList { head, entries })
}

#[cfg(test)]
mod tests;
