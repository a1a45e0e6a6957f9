//! Receipts: several at a time, straight to the sender if it is on line, else by its mailbox. One
//! that is lost is asked for again by the letter that comes again.

use super::composing::draw_id;
use super::sending::own_label;
use super::{Asked, Peer};
use crate::config::{LETTER_SENDERS_MAX, MAIL_LIFE_MAX, RECEIPTS_PER_MESSAGE};
use crate::context::Context;
use crate::encoding::Blob;
use crate::id::{MessageId, NodeId};
use crate::location::index_key;
use crate::mail::letter::{Inside, ReceiptEntry};
use crate::mail::{LetterReceipts, SealedLetter, VaultRequest};
use crate::name::Name;
use crate::peer::routing::Route;
use crate::time::{Span, Time};
use crate::wire::end_to_end::LettersGot;
use crate::wire::message::{Deposit, DepositReply};
use crate::wire::{Class, Payload};

/// Receipts wait so long for others.
const GATHERED_FOR: Span = Span::millis(30);
/// Sealed receipts on their way to mailboxes at a time, and how often each is brought there.
const LEAVING_MAX: usize = 256;
const LEAVE_TRIES: u32 = 5;

/// Sealed receipts for a sender who is off line.
#[derive(Debug)]
pub(super) struct LeavingReceipts {
    letter: SealedLetter,
    tries: u32,
    asked: u64,
    pub at: Time,
}

/// Receipts that are due to one device.
#[derive(Debug)]
pub(super) struct Due {
    name: Name,
    entries: Vec<ReceiptEntry>,
    pub at: Time,
}

impl Peer {
    /// A device shall hear what became of a copy that it has sent.
    pub(super) fn owe_receipt(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        name: Name,
        entry: ReceiptEntry,
    ) {
        if self.post.receipts.len() >= LETTER_SENDERS_MAX && !self.post.receipts.contains_key(&node)
        {
            return;
        }
        let at = cx.now + GATHERED_FOR;
        let due = self.post.receipts.entry(node).or_insert(Due { name, entries: Vec::new(), at });
        if !due.entries.iter().any(|held| held.copy == entry.copy) {
            due.entries.push(entry);
        }
        if due.entries.len() >= RECEIPTS_PER_MESSAGE {
            due.at = cx.now;
        }
        let at = due.at;
        self.wake_by(at);
    }

    pub(super) fn tick_receipts(&mut self, cx: &mut Context) {
        if self.session.online().is_none() {
            // The sender will ask again.
            return self.post.receipts.clear();
        }
        let due: Vec<NodeId> =
            self.post.receipts.iter().filter(|(_, d)| d.at <= cx.now).map(|(n, _)| *n).collect();
        due.into_iter().for_each(|node| self.send_receipts(cx, node));
    }

    /// A correspondent was looked for: receipts that have waited for that leave.
    pub(super) fn receipts_located(&mut self, cx: &mut Context, name: &Name) {
        let waiting = self.post.receipts.iter().filter(|(_, due)| due.name == *name);
        let nodes: Vec<NodeId> = waiting.map(|(node, _)| *node).collect();
        nodes.into_iter().for_each(|node| self.send_receipts(cx, node));
    }

    fn send_receipts(&mut self, cx: &mut Context, node: NodeId) {
        let Some(due) = self.post.receipts.get_mut(&node) else { return };
        let name = due.name.clone();
        let presence = self.post.presence.entry(name.clone()).or_default();
        if presence.is_locating || cx.now >= presence.until {
            due.at = Time::NEVER;
            return self.locate_for_post(cx, &name);
        }
        let there = presence.on_line.clone().filter(|there| there.node == node);
        let Some(due) = self.post.receipts.remove(&node) else { return };
        for entries in due.entries.chunks(RECEIPTS_PER_MESSAGE) {
            let device = &cx.identity.device;
            let receipts = LetterReceipts::sign(device, cx.verifier(), node, entries.to_vec());
            match &there {
                Some(there) => {
                    let to = there.destination(cx.identity.realm);
                    let payload = Payload::LettersGot(LettersGot { receipts });
                    self.send_payload(cx, Class::Message, &to, &payload, Route::Hops);
                }
                None => self.seal_receipts(cx, &name, node, receipts),
            }
        }
    }

    fn seal_receipts(
        &mut self,
        cx: &mut Context,
        name: &Name,
        node: NodeId,
        receipts: LetterReceipts,
    ) {
        let (copy, order) = (draw_id(cx), self.next_order(cx));
        let request = VaultRequest::Seal {
            to: node,
            keys: None,
            anew: false,
            plain: Inside::Receipts(receipts).pad(),
            label: own_label(cx),
            under: Vec::new(),
        };
        let why = Asked::SealingReceipts { name: name.clone(), device: node, copy, order };
        self.ask_keeper(cx, request, why);
    }

    pub(super) fn leave_receipts(
        &mut self,
        cx: &mut Context,
        name: &Name,
        device: NodeId,
        copy: MessageId,
        order: u64,
        bytes: Vec<u8>,
    ) {
        let letter = SealedLetter {
            key: index_key(cx.identity.realm, name),
            to: device,
            id: copy,
            order,
            expires_ms: cx.wall().plus(MAIL_LIFE_MAX).0,
            bytes: Blob(bytes),
        };
        if self.post.leaving.len() < LEAVING_MAX {
            self.post.leaving.push(LeavingReceipts { letter, tries: 0, asked: 0, at: cx.now });
            self.leave_again(cx);
        }
    }

    /// Brings sealed receipts to the mailbox, again if nobody has said that they are there.
    pub(super) fn leave_again(&mut self, cx: &mut Context) {
        let Some(home) = self.session.online() else {
            // The sender will ask again.
            return self.post.leaving.clear();
        };
        let now = cx.now;
        self.post.leaving.retain(|left| left.tries < LEAVE_TRIES || left.at > now);
        let mut due = std::mem::take(&mut self.post.leaving);
        for left in due.iter_mut().filter(|left| left.at <= now) {
            left.asked = cx.fresh_id();
            let wait = Span((2 * cx.config.patience.0) << left.tries);
            left.at = now + wait + cx.jitter(wait);
            left.tries += 1;
            cx.send(home, Deposit { id: left.asked, letter: left.letter.clone() });
        }
        self.post.leaving = due;
        let next = self.post.leaving.iter().map(|left| left.at).min();
        self.wake_by(next.unwrap_or(Time::NEVER));
    }

    /// The mailbox has answered. Whether that was about receipts.
    pub(super) fn receipts_left(&mut self, answer: &DepositReply) -> bool {
        let Some(at) = self.post.leaving.iter().position(|left| left.asked == answer.id) else {
            return false;
        };
        if answer.status.is_success() {
            self.post.leaving.remove(at);
        }
        true
    }
}
