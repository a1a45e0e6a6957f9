//! Fetching lists of revocations: supernodes from each other, peers from their home or a standby.
//!
//! Who has lists says their numbers, and nothing while there are none; who is behind asks for what it
//! lacks, in parts, of one node at a time. A list counts only when all of it is there and signed.

use crate::config::{REVOCATIONS_MAX, REVOCATIONS_PER_MESSAGE, REVOKERS_MAX};
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::LinkId;
use crate::identity::{ListHead, Revocation, RevocationError, RevocationList, Subject};
use crate::io::Event;
use crate::status::Status;
use crate::time::Time;
use crate::wire::Message;
use crate::wire::message::{ListEpoch, Revocations, RevocationsKnown, RevocationsWanted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Times that a list is asked for again before it is given up.
const FAILURES_MAX: u8 = 3;

/// Lists that are being fetched, by signer.
#[derive(Debug, Default)]
pub(crate) struct Fetching {
    pulls: BTreeMap<Subject, Pull>,
}

#[derive(Debug)]
struct Pull {
    link: LinkId,
    until: Time,
    /// The number after which entries were asked for; those before are the ones held.
    base: u64,
    staged: Vec<Revocation>,
    /// Times that somebody was asked for it in vain.
    failures: u8,
}

/// A list has been taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The one of its signer that was held before.
    pub before: Option<Arc<RevocationList>>,
}

/// Says which lists there are: nothing, while nothing is revoked.
pub(crate) fn tell(cx: &mut Context, links: &[LinkId]) {
    let epoch = |list: &Arc<RevocationList>| ListEpoch {
        signer: list.head.signer(),
        epoch: list.head.epoch,
    };
    let lists: Vec<ListEpoch> = cx.revoked.lists().map(epoch).collect();
    if !lists.is_empty() {
        cx.broadcast(links, &Message::RevocationsKnown(RevocationsKnown { lists }));
    }
}

/// Answers with as much of a list as fits. What nobody has is not answered.
pub(crate) fn answer(cx: &mut Context, link: LinkId, wanted: &RevocationsWanted) {
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

impl Fetching {
    /// The other end says which lists it has: what is newer is asked for, once at a time.
    ///
    /// # Errors
    /// The status with which the link is to be ended; nothing has changed then.
    pub fn on_known(
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
            let busy = self.pulls.get(&list.signer).is_some_and(|pull| cx.now < pull.until);
            if list.epoch > held && !busy {
                self.pull(cx, link, list.signer, held, 0);
            }
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context, link: LinkId, signer: Subject, base: u64, failures: u8) {
        let until = cx.now + cx.config.patience;
        // As many as there are signers: what a liar names, and nobody has, makes room for others.
        if self.pulls.len() >= REVOKERS_MAX && !self.pulls.contains_key(&signer) {
            self.pulls.retain(|_, pull| cx.now < pull.until && pull.failures == 0);
        }
        if self.pulls.len() < REVOKERS_MAX || self.pulls.contains_key(&signer) {
            let staged = Vec::new();
            self.pulls.insert(signer, Pull { link, until, base, staged, failures });
            cx.send(link, RevocationsWanted { signer, after: base });
        }
    }

    /// A part of a list that was asked for.
    ///
    /// # Errors
    /// The status with which the link is to be ended; nothing has changed then.
    pub fn on_part(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        part: Revocations,
    ) -> Result<Option<Taken>, Status> {
        if part.entries.len() > REVOCATIONS_PER_MESSAGE {
            return Err(Status::TOO_LARGE);
        }
        let signer = part.head.signer();
        // Only who was asked: nobody else ends what is under way with another.
        let asked = self.pulls.get(&signer).filter(|pull| pull.link == link);
        if asked.is_some_and(|pull| pull.staged.len() + part.entries.len() > REVOCATIONS_MAX) {
            return Err(Status::TOO_LARGE);
        }
        let Some(mut pull) = asked.is_some().then(|| self.pulls.remove(&signer)).flatten() else {
            return Ok(None);
        };
        pull.staged.extend(part.entries);
        if let (true, Some(last)) = (part.more, pull.staged.last()) {
            pull.until = cx.now + cx.config.patience;
            let after = last.number;
            self.pulls.insert(signer, pull);
            cx.send(link, RevocationsWanted { signer, after });
            return Ok(None);
        }
        let before = cx.revoked.list(signer).cloned();
        let (base, list) = assemble(cx, part.head, pull);
        match cx.adopt_revocations(Arc::new(list)) {
            Ok(()) => return Ok(Some(Taken { before })),
            Err(RevocationError::RolledBack) => {}
            // What we hold is not what theirs was made of: the whole list, then.
            Err(_) if base > 0 => self.pull(cx, link, signer, 0, 0),
            Err(error) => {
                let node = cx.links.node_of(link).unwrap_or(cx.me);
                cx.event(Event::Refused { node, status: error.status() });
            }
        }
        Ok(None)
    }

    /// The link is gone: what was asked over it is to be asked of somebody else.
    pub fn link_down(&mut self, link: LinkId) {
        self.pulls.values_mut().filter(|pull| pull.link == link).for_each(|pull| {
            pull.until = Time(0);
            pull.staged = Vec::new();
        });
    }

    /// Asks one of these links, another one than before if there is, for what has not come in time.
    /// What nobody has is given up: whoever has it some day says so.
    pub fn ask_again(&mut self, cx: &mut Context, links: &[LinkId]) {
        let late = |pull: &Pull| cx.now >= pull.until;
        self.pulls.retain(|_, pull| !late(pull) || pull.failures < FAILURES_MAX);
        let late = self.pulls.iter().filter(|(_, pull)| late(pull));
        let late: Vec<(Subject, LinkId, u8)> =
            late.map(|(signer, pull)| (*signer, pull.link, pull.failures)).collect();
        for (signer, silent, failures) in late {
            let next = links.iter().find(|link| **link != silent).or(links.first());
            if let Some(link) = next {
                let held = cx.revoked.epoch(signer);
                self.pull(cx, *link, signer, held, failures + 1);
            }
        }
    }

    /// When [`Fetching::ask_again`] has something to ask.
    pub fn due(&self) -> Time {
        self.pulls.values().map(|pull| pull.until).min().unwrap_or(Time::NEVER)
    }
}

/// The whole list, of what was held up to the number that was asked after, and what came.
fn assemble(cx: &Context, head: ListHead, pull: Pull) -> (u64, RevocationList) {
    let held = cx.revoked.list(head.signer()).filter(|_| pull.base > 0);
    let kept = held.into_iter().flat_map(|list| list.lasting(head.issued).cloned());
    let entries = kept.chain(pull.staged).collect();
    (pull.base, RevocationList { head, entries })
}

impl Heap for Pull {
    fn heap(&self) -> usize {
        self.staged.capacity() * size_of::<Revocation>()
    }
}

impl Heap for Fetching {
    fn heap(&self) -> usize {
        self.pulls.heap()
    }
}
