//! A message is written: cut into letters, and durable before its writer hears of it.

use super::{Asked, Peer};
use crate::config::{
    MAIL_LIFE_MAX, MESSAGE_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_LETTERS_MAX, PART_BYTES_MAX,
};
use crate::context::Context;
use crate::encoding::Blob;
use crate::id::{CommandId, MessageId};
use crate::io::Reply;
use crate::mail::records::{self, Key, OutRecord};
use crate::mail::{Batch, VaultRequest};
use crate::name::Name;
use crate::peer::session::reply;
use crate::status::Status;
use crate::time::Span;
use rand::Rng;

impl Peer {
    pub(in crate::peer) fn on_write(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        to: Name,
        body: Vec<u8>,
        life: Option<Span>,
    ) {
        let outbox = &self.post.outbox;
        let refusal = if cx.identity.chain().is_none() {
            Some(Status::UNPROVEN)
        } else if body.len() > MESSAGE_BYTES_MAX {
            Some(Status::TOO_LARGE)
        } else if outbox.letters.len() >= OUTBOX_LETTERS_MAX
            || outbox.bytes + body.len() > OUTBOX_BYTES_MAX
        {
            Some(Status::TOO_MANY)
        } else {
            None
        };
        if let Some(status) = refusal {
            return reply(cx, command, Reply::Failed { status });
        }
        let life = life.unwrap_or(cx.config.mail_life).min(MAIL_LIFE_MAX);
        let message = draw_id(cx);
        let (sent_ms, expires_ms) = (cx.wall().0, cx.wall().plus(life).0);
        let cut: Vec<&[u8]> =
            if body.is_empty() { vec![&[]] } else { body.chunks(PART_BYTES_MAX).collect() };
        let parts = u8::try_from(cut.len()).unwrap_or(u8::MAX);
        // The numbers are taken now: what is written next comes after it, also on the disk.
        let thread = self.post.outbox.threads.entry(to.clone()).or_default();
        let first = thread.next;
        thread.next += cut.len() as u64;
        let mut batch = Batch::default();
        batch.put.push((Key::Next(to.clone()).bytes(), thread.next.to_be_bytes().to_vec()));
        let mut letters = Vec::with_capacity(cut.len());
        for (part, (seq, bytes)) in (0..).zip((first..).zip(cut)) {
            let record = OutRecord {
                to: to.clone(),
                message,
                seq,
                part,
                parts,
                sent_ms,
                expires_ms,
                body: Blob(bytes.to_vec()),
                ended: Vec::new(),
            };
            let id = draw_id(cx);
            batch.put.push((Key::Out(id).bytes(), records::write(&record)));
            letters.push((id, record));
        }
        let why = Asked::Writing { command, message, letters };
        self.ask_keeper(cx, VaultRequest::Keep(batch), why);
    }

    pub(super) fn on_written(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        message: MessageId,
        letters: Vec<(MessageId, OutRecord)>,
        durable: bool,
    ) {
        if !durable {
            // Its numbers are never used: nobody waits for what is below the floor.
            return reply(cx, command, Reply::Failed { status: Status::STORE_FAILED });
        }
        let to = letters.first().map(|(_, record)| record.to.clone());
        for (id, record) in letters {
            self.post.outbox.enter(id, record);
        }
        reply(cx, command, Reply::Written { id: message });
        if let Some(to) = to {
            self.work(cx, &to);
            self.wake_for_post(cx);
        }
    }
}

pub(super) fn draw_id(cx: &mut Context) -> MessageId {
    let mut id = [0; 16];
    cx.rng.fill_bytes(&mut id);
    MessageId(id)
}
