//! How letters end: a receipt came, a seal was broken once too often, or time is up.

use super::{Peer, Then};
use crate::context::Context;
use crate::id::{MessageId, NodeId};
use crate::mail::outbox::Copy;
use crate::mail::records::{self, EndRecord, Key};
use crate::mail::{Batch, LetterReceipts};
use crate::status::Status;

/// Times that a letter is sealed again because its seal could not be opened.
const RESEALS_MAX: u32 = 4;

impl Peer {
    /// Receipts came, from a device that was proved by nothing yet.
    pub(in crate::peer) fn on_letter_receipts(
        &mut self,
        cx: &mut Context,
        from: NodeId,
        receipts: &LetterReceipts,
    ) {
        let is_ours = |copy: &MessageId| {
            self.post.outbox.by_copy.get(copy).is_some_and(|(_, device)| *device == from)
        };
        // Late repeats are not worth a signature.
        if !receipts.entries.iter().any(|entry| is_ours(&entry.copy))
            || !receipts.is_by(cx.verifier(), from, cx.me)
        {
            return;
        }
        for entry in &receipts.entries {
            let Some((id, device)) = self.post.outbox.by_copy.get(&entry.copy).copied() else {
                continue;
            };
            if device != from {
                continue;
            }
            match entry.status {
                Status::SEAL_BROKEN => self.seal_again(cx, id, device),
                status => self.copy_ended(cx, id, device, status),
            }
        }
    }

    /// A seal could not be opened: one of the two ends has lost its ratchet.
    fn seal_again(&mut self, cx: &mut Context, id: MessageId, device: NodeId) {
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return };
        if letter.resealed >= RESEALS_MAX {
            return self.copy_ended(cx, id, device, Status::SEAL_BROKEN);
        }
        letter.resealed += 1;
        letter.addressed = false;
        let name = letter.record.to.clone();
        let Some(copy) = self.post.outbox.remove_copy(id, device) else { return };
        let drop = vec![Key::Copy(id, device, copy.id, copy.order).bytes()];
        self.keep(cx, Batch { drop, ..Batch::default() }, Then::Nothing);
        let Some(thread) = self.post.outbox.threads.get_mut(&name) else { return };
        // Others that were sealed with the lost ratchet come back as well: one new one will do.
        let is_new = thread.renewed.get(&device).is_some_and(|first| copy.order >= *first);
        if !thread.renewed.contains_key(&device) && !thread.anew.contains(&device) || is_new {
            thread.anew.insert(device);
            self.forget_keys(&name, device, cx.now);
        }
        self.work_by(&name, cx.now);
    }

    /// One device has the letter, or never will.
    pub(super) fn copy_ended(
        &mut self,
        cx: &mut Context,
        id: MessageId,
        device: NodeId,
        status: Status,
    ) {
        let Some(copy) = self.post.outbox.remove_copy(id, device) else { return };
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return };
        letter.record.ended.push((device, status));
        let name = letter.record.to.clone();
        if letter.copies.is_empty() && letter.addressed {
            let delivered = letter.record.ended.iter().any(|(_, status)| *status == Status::OK);
            let first = letter.record.ended.first().map_or(status, |(_, status)| *status);
            let status = if delivered { Status::OK } else { first };
            return self.end_letter_with(cx, id, status, Some((device, copy)));
        }
        let batch = Batch {
            put: vec![(Key::Out(id).bytes(), records::write(&letter.record))],
            drop: vec![Key::Copy(id, device, copy.id, copy.order).bytes()],
            ..Batch::default()
        };
        self.keep(cx, batch, Then::Nothing);
        self.work_by(&name, cx.now);
    }

    pub(super) fn end_letter(&mut self, cx: &mut Context, id: MessageId, status: Status) {
        let ended = self.post.outbox.letters.get(&id).map(|letter| &letter.record.ended);
        let delivered = ended.is_some_and(|all| all.iter().any(|(_, s)| *s == Status::OK));
        let status = if delivered { Status::OK } else { status };
        self.end_letter_with(cx, id, status, None);
    }

    /// Forgets a letter; when it was the last of its message, the writer is told how that ended.
    fn end_letter_with(
        &mut self,
        cx: &mut Context,
        id: MessageId,
        status: Status,
        last: Option<(NodeId, Copy)>,
    ) {
        let Some(letter) = self.post.outbox.letters.get(&id) else { return };
        let name = letter.record.to.clone();
        let held = letter.copies.iter().map(|(device, copy)| (*device, copy.id, copy.order));
        let last = last.iter().map(|(device, copy)| (*device, copy.id, copy.order));
        let key = |(device, copy, order)| Key::Copy(id, device, copy, order).bytes();
        let mut batch = Batch { drop: held.chain(last).map(key).collect(), ..Batch::default() };
        batch.drop.push(Key::Out(id).bytes());
        let mut then = Then::Nothing;
        if let Some((message, underway)) = self.post.outbox.leave(id, status) {
            let end = EndRecord {
                to: underway.to,
                sent_ms: underway.sent_ms,
                ended_ms: cx.wall().0,
                status: underway.worst,
            };
            batch.put.push((Key::End(message).bytes(), records::write(&end)));
            if let Some(forgotten) = self.post.outbox.remember_end(message, end.clone()) {
                batch.drop.push(Key::End(forgotten).bytes());
            }
            batch.ended.push((message, end.status));
            then = Then::Ended(message, end);
        }
        self.keep(cx, batch, then);
        self.work_by(&name, cx.now);
    }
}
