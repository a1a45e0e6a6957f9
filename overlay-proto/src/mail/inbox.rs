//! What a recipient has, shows and waits for: each message once, in the order of its sender.
//!
//! Every change that is made here stands in a [`Batch`] as well. Whoever acknowledges waits until
//! that is durable.

use crate::config::{LETTER_SENDERS_MAX, LETTERS_HELD_MAX, LETTERS_SEEN_MAX};
use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::footprint::{Heap, flat};
use crate::id::{MessageId, NodeId};
use crate::identity::Member;
use crate::mail::letter::{Letter, ShownLetter};
use crate::mail::records::{self, InRecord, Key};
use crate::mail::vault::Batch;
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers of letters that were passed over and are remembered, so that their sender is told.
const SKIPPED_MAX: usize = 256;

/// What came, by sender.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    threads: BTreeMap<NodeId, Thread>,
    /// Copies that were opened.
    seen: BTreeMap<MessageId, SeenCopy>,
    by_expiry: BTreeSet<(u64, MessageId)>,
}

positional! {
    /// A copy that was opened, remembered until no mailbox can have it any more.
    pub struct SeenCopy {
        /// When it expires, in milliseconds since the epoch.
        pub expires_ms: u64,
        /// The device that sent it.
        pub from: NodeId,
        /// That device's user.
        pub name: Name,
        /// What its sender was told; nothing, if zero.
        pub status: u16,
    }
}

#[derive(Debug, Default)]
struct Thread {
    next: u64,
    skipped: Vec<u64>,
    /// Letters that wait for one before them, or for another part of their message.
    held: BTreeMap<u64, Held>,
    /// Since when something has been waiting.
    gap_since: Option<Time>,
}

#[derive(Debug)]
struct Held {
    copy: MessageId,
    from: Name,
    letter: Letter,
}

/// What became of a copy, for its sender.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub copy: MessageId,
    pub node: NodeId,
    pub name: Name,
    pub expires_ms: u64,
    pub status: Status,
}

impl Held {
    fn settled(self, node: NodeId, status: Status) -> Settled {
        let expires_ms = self.letter.expires_ms;
        Settled { copy: self.copy, node, name: self.from, expires_ms, status }
    }
}

impl Inbox {
    /// What is remembered of this copy, if it was opened before.
    pub fn seen(&self, copy: MessageId) -> Option<&SeenCopy> {
        self.seen.get(&copy).filter(|_| !seeded!(LetterShownAgain))
    }

    /// What was kept at the last end: where a conversation stands.
    pub fn recall_thread(&mut self, node: NodeId, record: InRecord) {
        let thread = self.threads.entry(node).or_default();
        (thread.next, thread.skipped) = (record.next, record.skipped);
    }

    /// What was kept at the last end: a copy that was opened.
    pub fn recall_seen(&mut self, copy: MessageId, seen: SeenCopy) {
        self.by_expiry.insert((seen.expires_ms, copy));
        self.seen.insert(copy, seen);
    }

    /// A letter that was opened, is kept as [`Key::Opened`], and is proved to be its sender's.
    /// What senders are told once `batch` is durable goes into `due`: of a letter that waits for
    /// another one, nothing before that has come.
    pub fn take(
        &mut self,
        now: Time,
        copy: MessageId,
        from: &Member,
        letter: Letter,
        batch: &mut Batch,
        due: &mut Vec<Settled>,
    ) {
        let full = self.threads.len() >= LETTER_SENDERS_MAX;
        if full && !self.threads.contains_key(&from.node) {
            return batch.drop.push(Key::Opened(copy).bytes());
        }
        let (expires_ms, name) = (letter.expires_ms, from.name.clone());
        let seen = SeenCopy { expires_ms, from: from.node, name: name.clone(), status: 0 };
        self.see(copy, seen, batch);
        let thread = self.threads.entry(from.node).or_default();
        let (seq, floor) = (letter.seq, letter.floor);
        if seq < thread.next && !seeded!(LetterShownAgain) {
            batch.drop.push(Key::Opened(copy).bytes());
            let skipped = thread.skipped.contains(&seq);
            let status = if skipped { Status::STALE } else { Status::OK };
            let settled = Settled { copy, node: from.node, name, expires_ms, status };
            return self.settle(vec![settled], batch, due);
        }
        if seeded!(LetterShownAgain) {
            thread.next = thread.next.min(seq);
        }
        // Sealed again, it has another id, by which alone its sender knows it now.
        if let Some(older) = thread.held.insert(seq, Held { copy, from: name, letter }) {
            batch.drop.push(Key::Opened(older.copy).bytes());
        }
        let mut released = Vec::new();
        if thread.held.len() > LETTERS_HELD_MAX {
            thread.skip(from.node, batch, &mut released);
        }
        thread.advance(floor, from.node, now, batch, &mut released);
        self.settle(released, batch, due);
    }

    /// Goes on without the letters for which others have waited too long.
    pub fn skip_gaps(
        &mut self,
        now: Time,
        patience: Span,
        batch: &mut Batch,
        due: &mut Vec<Settled>,
    ) {
        let mut released = Vec::new();
        for (node, thread) in &mut self.threads {
            if thread.gap_since.is_some_and(|since| now.since(since) >= patience) {
                thread.skip(*node, batch, &mut released);
                thread.advance(0, *node, now, batch, &mut released);
            }
        }
        self.settle(released, batch, due);
    }

    /// What their senders are told of these copies is remembered, should they come again.
    fn settle(&mut self, released: Vec<Settled>, batch: &mut Batch, due: &mut Vec<Settled>) {
        for settled in &released {
            let Settled { copy, node, name, expires_ms, status } = settled.clone();
            self.see(copy, SeenCopy { expires_ms, from: node, name, status: status.0 }, batch);
        }
        due.extend(released);
    }

    /// When the next gap is given up.
    pub fn next_gap(&self, patience: Span) -> Time {
        let since = self.threads.values().filter_map(|thread| thread.gap_since);
        since.min().map_or(Time::NEVER, |since| since + patience)
    }

    /// Remembers a copy that was opened.
    pub fn see(&mut self, copy: MessageId, seen: SeenCopy, batch: &mut Batch) {
        batch.put.push((Key::Seen(copy).bytes(), records::write(&seen)));
        self.recall_seen(copy, seen);
        if self.seen.len() > LETTERS_SEEN_MAX
            && let Some((_, oldest)) = self.by_expiry.pop_first()
        {
            self.seen.remove(&oldest);
            batch.drop.push(Key::Seen(oldest).bytes());
        }
    }

    /// Forgets the copies that no mailbox can have any more.
    pub fn purge(&mut self, now_ms: u64, batch: &mut Batch) {
        while let Some((expires_ms, copy)) = self.by_expiry.first().copied() {
            if expires_ms > now_ms {
                return;
            }
            self.by_expiry.pop_first();
            self.seen.remove(&copy);
            batch.drop.push(Key::Seen(copy).bytes());
        }
    }
}

impl Thread {
    /// Shows what can be shown, and notes where the conversation stands.
    fn advance(
        &mut self,
        floor: u64,
        node: NodeId,
        now: Time,
        batch: &mut Batch,
        due: &mut Vec<Settled>,
    ) {
        let before = self.next;
        while let Some((first, _)) = self.held.first_key_value() {
            // Its sender waits for nothing below the floor, and what is held comes first.
            let first = *first;
            self.next = self.next.max(floor.min(first));
            if seeded!(LetterGapIgnored) {
                self.next = first;
            }
            if first > self.next || !self.show(node, batch, due) {
                break;
            }
        }
        if self.held.is_empty() {
            self.gap_since = None;
        } else if self.gap_since.is_none() || self.next > before {
            self.gap_since = Some(now);
        }
        let record = InRecord { next: self.next, skipped: self.skipped.clone() };
        batch.put.push((Key::In(node).bytes(), records::write(&record)));
    }

    /// Shows the message that begins with the next letter; false if parts of it are missing.
    fn show(&mut self, node: NodeId, batch: &mut Batch, due: &mut Vec<Settled>) -> bool {
        let next = self.next;
        let Some(first) = self.held.get(&next) else { return false };
        let (id, parts) = (first.letter.id, u64::from(first.letter.parts));
        if first.letter.part > 0 {
            // The beginning of its message was passed over.
            self.forget(next, node, batch, due);
            self.next = next + 1;
            return true;
        }
        let numbers = next..next.saturating_add(parts);
        let belongs = |(part, seq): (u64, u64)| {
            let held = self.held.get(&seq)?;
            let fits = held.letter.id == id && u64::from(held.letter.part) == part;
            fits.then_some(held)
        };
        let all: Option<Vec<&Held>> = (0..).zip(numbers.clone()).map(belongs).collect();
        let Some(all) = all else { return false };
        let body = all.iter().flat_map(|held| held.letter.body.0.iter().copied()).collect();
        batch.show.push(ShownLetter {
            id,
            from: first.from.clone(),
            node,
            seq: next + parts - 1,
            sent_ms: first.letter.sent_ms,
            body: Blob(body),
        });
        for seq in numbers {
            if let Some(held) = self.held.remove(&seq) {
                batch.drop.push(Key::Opened(held.copy).bytes());
                due.push(held.settled(node, Status::OK));
            }
        }
        self.next = next + parts;
        true
    }

    /// Passes over what is missing before the first letter that is held, or over a message of which
    /// parts are missing.
    fn skip(&mut self, node: NodeId, batch: &mut Batch, due: &mut Vec<Settled>) {
        let Some((first, held)) = self.held.first_key_value() else { return };
        let (first, id) = (*first, held.letter.id);
        if first > self.next {
            let from = self.next.max(first.saturating_sub(SKIPPED_MAX as u64));
            (from..first).for_each(|seq| self.note_skipped(seq));
            self.next = first;
            return;
        }
        while self.held.get(&self.next).is_some_and(|held| held.letter.id == id) {
            self.forget(self.next, node, batch, due);
            self.next += 1;
        }
    }

    fn forget(&mut self, seq: u64, node: NodeId, batch: &mut Batch, due: &mut Vec<Settled>) {
        if let Some(held) = self.held.remove(&seq) {
            batch.drop.push(Key::Opened(held.copy).bytes());
            due.push(held.settled(node, Status::STALE));
        }
        self.note_skipped(seq);
    }

    fn note_skipped(&mut self, seq: u64) {
        self.skipped.push(seq);
        if self.skipped.len() > SKIPPED_MAX {
            self.skipped.remove(0);
        }
    }
}

flat!(Thread, SeenCopy);

impl Heap for Inbox {
    fn heap(&self) -> usize {
        self.threads.heap() + self.seen.heap()
    }
}

#[cfg(test)]
mod tests;
