//! Letters that came: opened a few at a time, settled with one write, and only then acknowledged.

use super::{Peer, Then, inside};
use crate::config::{
    LETTERS_OPENED_AT_ONCE, LETTERS_PER_MESSAGE, LETTERS_QUEUED_MAX, MAIL_LIFE_MAX,
};
use crate::context::Context;
use crate::id::{LinkId, MessageId, NodeId};
use crate::identity::Member;
use crate::io::Event;
use crate::mail::inbox::{SeenCopy, Settled};
use crate::mail::letter::{Inside, ReceiptEntry};
use crate::mail::records::Key;
use crate::mail::{Batch, Letter, LetterReceipts, ShownLetter, VaultAnswer, VaultRequest};
use crate::name::Name;
use crate::status::Status;
use crate::time::Span;
use crate::wire::end_to_end::LetterFor;
use crate::wire::message::Letters;

/// A sealed letter that came.
#[derive(Debug)]
pub(super) struct Incoming {
    pub copy: MessageId,
    pub order: u64,
    pub sealed: Vec<u8>,
}

/// One round of letters. The next begins when it is settled, so that what is kept of a sender is
/// written by one hand.
#[derive(Debug, Default)]
pub(super) enum Round {
    #[default]
    Idle,
    /// So many answers are still to come.
    Opening { open: usize, done: Vec<(Incoming, VaultAnswer)> },
    /// What follows is being kept.
    Settling(After),
}

/// What follows once a round is durable.
#[derive(Debug, Default)]
pub(super) struct After {
    show: Vec<ShownLetter>,
    receipts: Vec<(NodeId, Name, ReceiptEntry)>,
    taken: Vec<MessageId>,
    /// Receipts that came by the mailbox.
    news: Vec<(NodeId, LetterReceipts)>,
    /// Keys of ours that were used to begin a ratchet.
    begun: usize,
}

impl Peer {
    /// A letter came straight from its sender.
    pub(in crate::peer) fn on_letter(&mut self, cx: &mut Context, letter: LetterFor) {
        if let Some(seen) = self.post.inbox.seen(letter.id).cloned() {
            return self.owe_again(cx, letter.id, seen);
        }
        // The ratchet's order is that of sending, unless something was lost on the way.
        self.queue_letter(Incoming { copy: letter.id, order: 0, sealed: letter.bytes.0 });
        self.next_round(cx);
    }

    /// A mailbox has something for this device. The others have it, too, or will in a moment.
    pub(in crate::peer) fn letters_wait(&mut self, cx: &mut Context) {
        let soon = cx.now + Span::millis(50);
        if self.post.fetch_at > soon {
            self.post.fetch_at = soon;
            self.wake_by(soon);
        }
    }

    /// Letters came from a mailbox.
    pub(in crate::peer) fn on_letters(&mut self, cx: &mut Context, link: LinkId, page: Letters) {
        if self.session.online() != Some(link) || page.device != cx.me {
            return;
        }
        self.post.is_more |= page.more;
        for letter in page.letters.into_iter().take(LETTERS_PER_MESSAGE) {
            if let Some(seen) = self.post.inbox.seen(letter.id).cloned() {
                self.post.taken.push(letter.id);
                self.owe_again(cx, letter.id, seen);
            } else if letter.to == cx.me {
                let (copy, order) = (letter.id, letter.order);
                self.queue_letter(Incoming { copy, order, sealed: letter.bytes.0 });
            }
        }
        if matches!(self.post.round, Round::Idle) && self.post.waiting.is_empty() {
            self.acknowledge(cx);
        }
        self.next_round(cx);
    }

    /// A copy that was settled comes again: its sender has not heard, or a mailbox.
    fn owe_again(&mut self, cx: &mut Context, copy: MessageId, seen: SeenCopy) {
        if seen.status > 0 {
            let entry = ReceiptEntry { copy, status: Status(seen.status) };
            self.owe_receipt(cx, seen.from, seen.name, entry);
        }
    }

    fn queue_letter(&mut self, letter: Incoming) {
        if self.post.waiting.len() < LETTERS_QUEUED_MAX && self.post.queued.insert(letter.copy) {
            self.post.waiting.push_back(letter);
        }
    }

    /// Has the letters that wait opened, if none are being opened.
    pub(super) fn next_round(&mut self, cx: &mut Context) {
        let is_idle = matches!(self.post.round, Round::Idle);
        if !is_idle || self.post.waiting.is_empty() || cx.now < self.post.rest_until {
            return;
        }
        self.post.waiting.make_contiguous().sort_by_key(|letter| letter.order);
        let count = self.post.waiting.len().min(LETTERS_OPENED_AT_ONCE);
        self.post.round = Round::Opening { open: count, done: Vec::with_capacity(count) };
        let batch: Vec<Incoming> = self.post.waiting.drain(..count).collect();
        for letter in batch {
            let under = Key::Opened(letter.copy).bytes();
            let request = VaultRequest::Open { sealed: letter.sealed.clone(), under };
            self.ask_keeper(cx, request, super::Asked::Opening(letter));
        }
    }

    pub(super) fn on_opened(&mut self, cx: &mut Context, letter: Incoming, answer: VaultAnswer) {
        let Round::Opening { open, done } = &mut self.post.round else { return };
        done.push((letter, answer));
        *open -= 1;
        if *open > 0 {
            return;
        }
        let done = std::mem::take(done);
        let (mut batch, mut after) = (Batch::default(), After::default());
        let mut failed = Vec::new();
        for (letter, answer) in done {
            match answer {
                VaultAnswer::Opened(opened) => {
                    self.post.queued.remove(&letter.copy);
                    after.begun += usize::from(opened.began);
                    if let Some(proved) = self.take_inside(
                        cx,
                        letter.copy,
                        Some(opened.from),
                        &opened.plain,
                        &mut batch,
                        &mut after,
                    ) {
                        batch.trust.push((proved, opened.session));
                    }
                }
                VaultAnswer::Broken { from } => {
                    self.post.queued.remove(&letter.copy);
                    after.taken.push(letter.copy);
                    after.complain(letter.copy, from);
                }
                _ => failed.push(letter),
            }
        }
        if !failed.is_empty() {
            // A disk that is full now may not be in a while.
            self.post.rest_until = cx.now + super::DISK_AGAIN;
        }
        failed.into_iter().rev().for_each(|letter| self.post.waiting.push_front(letter));
        self.settle(cx, batch, after);
    }

    /// Letters that were opened and not settled when the node ended.
    pub(super) fn settle_recalled(&mut self, cx: &mut Context, kept: Vec<(MessageId, Vec<u8>)>) {
        if kept.is_empty() {
            return;
        }
        let (mut batch, mut after) = (Batch::default(), After::default());
        for (copy, plain) in kept {
            self.take_inside(cx, copy, None, &plain, &mut batch, &mut after);
        }
        self.settle(cx, batch, after);
    }

    /// Takes what was inside a seal. Returns who has proved to have written it. What proves nothing
    /// is forgotten, and its sender is told nothing.
    fn take_inside(
        &mut self,
        cx: &mut Context,
        copy: MessageId,
        claimed: Option<NodeId>,
        plain: &[u8],
        batch: &mut Batch,
        after: &mut After,
    ) -> Option<NodeId> {
        after.taken.push(copy);
        match inside(plain) {
            Some(Inside::Letter(letter)) => {
                if let Some(member) = self.proved(cx, &letter, claimed) {
                    let mut due = Vec::new();
                    self.post.inbox.take(cx.now, copy, &member, letter, batch, &mut due);
                    after.owe(due);
                    return Some(member.node);
                }
            }
            Some(Inside::Receipts(receipts)) => {
                if let Some(from) = claimed
                    && receipts.is_by(cx.verifier(), from, cx.me)
                {
                    batch.drop.push(Key::Opened(copy).bytes());
                    // The other replicas have it, too.
                    let expires_ms = cx.wall().plus(MAIL_LIFE_MAX).0;
                    let name = self.own_name(cx)?;
                    let seen = SeenCopy { expires_ms, from, name, status: 0 };
                    self.post.inbox.see(copy, seen, batch);
                    after.news.push((from, receipts));
                    return Some(from);
                }
            }
            None => {}
        }
        batch.drop.push(Key::Opened(copy).bytes());
        None
    }

    fn proved(&self, cx: &Context, letter: &Letter, claimed: Option<NodeId>) -> Option<Member> {
        let own = cx.identity.user.as_ref()?.public();
        let member = letter.check(cx.verifier(), cx.identity.realm, own, cx.wall()).ok()?;
        if cx.revoked.bars(&letter.from) {
            return None;
        }
        claimed.is_none_or(|claimed| claimed == member.node).then_some(member)
    }

    /// Waiting has an end: later letters are shown without the missing ones.
    pub(super) fn give_up_gaps(&mut self, cx: &mut Context) {
        if !matches!(self.post.round, Round::Idle)
            || cx.now < self.post.inbox.next_gap(cx.config.mail_gap)
        {
            return;
        }
        let (mut batch, mut after, mut due) = (Batch::default(), After::default(), Vec::new());
        self.post.inbox.skip_gaps(cx.now, cx.config.mail_gap, &mut batch, &mut due);
        after.owe(due);
        self.settle(cx, batch, after);
    }

    fn settle(&mut self, cx: &mut Context, mut batch: Batch, mut after: After) {
        self.post.inbox.purge(cx.wall().0, &mut batch);
        after.show = batch.show.clone();
        self.post.round = Round::Settling(after);
        if batch.is_empty() {
            return self.on_settled(cx);
        }
        self.keep(cx, batch, Then::Settled);
    }

    /// A round is durable: now everybody may know.
    pub(super) fn on_settled(&mut self, cx: &mut Context) {
        let Round::Settling(after) = std::mem::take(&mut self.post.round) else { return };
        after.show.into_iter().for_each(|letter| cx.event(Event::Mail(letter)));
        for (node, name, entry) in after.receipts {
            self.owe_receipt(cx, node, name, entry);
        }
        self.post.taken.extend(after.taken);
        self.acknowledge(cx);
        for (from, receipts) in after.news {
            self.on_letter_receipts(cx, from, &receipts);
        }
        (0..after.begun).for_each(|_| self.key_spent(cx));
        self.next_round(cx);
        if matches!(self.post.round, Round::Idle) && self.post.is_more {
            self.fetch_letters(cx);
        }
        self.wake_for_post(cx);
    }
}

impl After {
    fn owe(&mut self, due: Vec<Settled>) {
        for Settled { copy, node, name, status, .. } in due {
            self.receipts.push((node, name, ReceiptEntry { copy, status }));
        }
    }

    /// The claimed sender of a letter that could not be opened is told so.
    fn complain(&mut self, copy: MessageId, from: Option<(NodeId, Vec<u8>)>) {
        let named = from.and_then(|(node, label)| {
            let name = Name::new(std::str::from_utf8(&label).ok()?).ok()?;
            Some((node, name))
        });
        if let Some((node, name)) = named {
            self.receipts.push((node, name, ReceiptEntry { copy, status: Status::SEAL_BROKEN }));
        }
    }
}
