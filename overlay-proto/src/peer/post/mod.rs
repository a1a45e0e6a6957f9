//! Messages that wait for their recipient, at their two ends: what is written goes out until it has
//! ended, and what comes is opened, put into order and shown once.
//!
//! Nothing is acknowledged before the keeper has it on the disk. Whatever is lost on the way, also
//! with one end's memory, is sent again by who still has it; ids and numbers make that harmless.

mod composing;
mod ending;
mod keys;
mod receipts;
mod receiving;
mod sending;

use super::Peer;
use super::location_cache::Whereabouts;
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::{CommandId, MessageId, NodeId, StoreId};
use crate::identity::Domain;
use crate::io::{Event, Output};
use crate::mail::inbox::Inbox;
use crate::mail::letter::Inside;
use crate::mail::outbox::{Copy, MessageView, Outbox};
use crate::mail::records::{self, EndRecord, InRecord, Key, OutRecord};
use crate::mail::vault::RecordKey;
use crate::mail::{Batch, DeviceKeys, VaultAnswer, VaultRequest};
use crate::name::Name;
use crate::time::{Span, Time};
use crate::wire::message::LettersTaken;
use receipts::{Due, LeavingReceipts};
use receiving::{Incoming, Round};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// After a disk has failed to keep something, it is asked again this much later.
const DISK_AGAIN: Span = Span::secs(1);

/// Keys are published within so long after a log-in.
const PUBLISH_WITHIN: Span = Span::secs(2);
/// And again at least so often: the mailboxes may be others by then.
const PUBLISH_EVERY: Span = Span::secs(900);

/// The post of one peer.
#[derive(Debug, Default)]
pub(crate) struct Post {
    outbox: Outbox,
    inbox: Inbox,
    /// What the keeper has been asked.
    asked: BTreeMap<StoreId, Asked>,
    /// What it could not keep, to be asked again.
    again: VecDeque<(Time, Batch, Then)>,
    /// Sealed letters that came.
    waiting: VecDeque<Incoming>,
    /// Their copies, and those that are being opened.
    queued: BTreeSet<MessageId>,
    round: Round,
    /// Nothing is opened before this, since the disk has failed.
    rest_until: Time,
    /// Whether a mailbox has more than it has sent.
    is_more: bool,
    fetch_at: Time,
    publish_at: Time,
    receipts: BTreeMap<NodeId, Due>,
    leaving: Vec<LeavingReceipts>,
    /// Copies that mailboxes may forget.
    taken: Vec<MessageId>,
    presence: BTreeMap<Name, Presence>,
    /// Whom the look-ups under way are for.
    locating: BTreeMap<u64, Name>,
    /// Our keys as published last.
    published: Option<Box<DeviceKeys>>,
    /// Ratchets begun with our keys since.
    begun: usize,
    last_order: u64,
}

/// Where a correspondent is, as far as is known.
#[derive(Debug, Default)]
struct Presence {
    on_line: Option<Box<Whereabouts>>,
    /// Until when that is believed.
    until: Time,
    is_locating: bool,
}

/// Why the keeper was asked.
#[derive(Debug)]
enum Asked {
    Sealing { letter: MessageId, device: NodeId, copy: MessageId },
    SealingReceipts { name: Name, device: NodeId, copy: MessageId, order: u64 },
    Opening(Incoming),
    Publishing,
    Writing { command: CommandId, message: MessageId, letters: Vec<(MessageId, OutRecord)> },
    Keeping(Batch, Then),
}

/// What follows once something is durable.
#[derive(Debug)]
enum Then {
    Nothing,
    /// A message of ours has ended.
    Ended(MessageId, EndRecord),
    /// A round of letters is settled.
    Settled,
}

impl Peer {
    /// What the keeper has kept since the last start.
    pub(crate) fn recall_post(&mut self, cx: &mut Context, kept: Vec<(RecordKey, Vec<u8>)>) {
        let post = &mut self.post;
        let mut copies = Vec::new();
        let mut opened = Vec::new();
        for (key, value) in kept {
            match Key::read(&key) {
                Some(Key::Out(id)) => {
                    if let Some(record) = records::read::<OutRecord>(&value) {
                        post.outbox.enter(id, record);
                    }
                }
                Some(Key::Copy(letter, device, id, order)) => {
                    post.last_order = post.last_order.max(order);
                    copies.push((letter, device, Copy::new(id, order, Some(value))));
                }
                Some(Key::End(id)) => {
                    if let Some(end) = records::read::<EndRecord>(&value) {
                        post.outbox.ended.push_back((id, end));
                    }
                }
                Some(Key::Next(name)) => {
                    if let Ok(next) = value.try_into().map(u64::from_be_bytes) {
                        let thread = post.outbox.threads.entry(name).or_default();
                        thread.next = thread.next.max(next);
                    }
                }
                Some(Key::In(node)) => {
                    if let Some(record) = records::read::<InRecord>(&value) {
                        post.inbox.recall_thread(node, record);
                    }
                }
                Some(Key::Seen(copy)) => {
                    if let Some(seen) = records::read(&value) {
                        post.inbox.recall_seen(copy, seen);
                    }
                }
                Some(Key::Opened(copy)) => opened.push((copy, value)),
                _ => {}
            }
        }
        post.outbox.ended.make_contiguous().sort_by_key(|(_, end)| end.ended_ms);
        for (letter, device, copy) in copies {
            post.outbox.add_copy(letter, device, copy);
        }
        self.settle_recalled(cx, opened);
    }

    /// The keeper has answered. False if this was not asked for here.
    pub(crate) fn on_vaulted(&mut self, cx: &mut Context, id: StoreId, answer: VaultAnswer) {
        let Some(asked) = self.post.asked.remove(&id) else { return };
        match asked {
            Asked::Sealing { letter, device, copy } => {
                self.on_sealed(cx, letter, device, copy, answer);
            }
            Asked::SealingReceipts { name, device, copy, order } => {
                if let VaultAnswer::Sealed(bytes) = answer {
                    self.leave_receipts(cx, &name, device, copy, order, bytes);
                }
            }
            Asked::Opening(incoming) => self.on_opened(cx, incoming, answer),
            Asked::Publishing => self.on_published(cx, answer),
            Asked::Writing { command, message, letters } => {
                let durable = answer == VaultAnswer::Kept;
                self.on_written(cx, command, message, letters, durable);
            }
            Asked::Keeping(_, then) if answer == VaultAnswer::Kept => self.on_kept(cx, then),
            Asked::Keeping(batch, then) => {
                let at = cx.now + DISK_AGAIN;
                self.post.again.push_back((at, batch, then));
                self.wake_by(at);
            }
        }
    }

    fn on_kept(&mut self, cx: &mut Context, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Ended(id, end) => {
                cx.event(Event::MailEnded { id, to: end.to, status: end.status });
            }
            Then::Settled => self.on_settled(cx),
        }
    }

    /// Has something kept, however often the disk fails.
    fn keep(&mut self, cx: &mut Context, batch: Batch, then: Then) {
        let request = VaultRequest::Keep(batch.clone());
        self.ask_keeper(cx, request, Asked::Keeping(batch, then));
    }

    fn ask_keeper(&mut self, cx: &mut Context, request: VaultRequest, why: Asked) {
        let id = StoreId(cx.fresh_id());
        self.post.asked.insert(id, why);
        cx.emit(Output::Vault { id, request });
    }

    /// A session has begun: what waited for one goes on.
    pub(super) fn resume_post(&mut self, cx: &mut Context) {
        if cx.identity.chain().is_none() || !cx.config.mail {
            return;
        }
        self.post.presence.values_mut().for_each(|presence| presence.until = Time(0));
        for thread in self.post.outbox.threads.values_mut() {
            thread.keys_asked = None;
            thread.keys_at = cx.now;
            thread.work_at = cx.now;
        }
        // After a storm of log-ins not everybody publishes at once.
        self.post.publish_at = cx.now + cx.jitter(PUBLISH_WITHIN);
        self.post.fetch_at = cx.now;
        self.tick_post(cx);
    }

    pub(super) fn tick_post(&mut self, cx: &mut Context) {
        let now = cx.now;
        while self.post.again.front().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, batch, then)) = self.post.again.pop_front() {
                self.keep(cx, batch, then);
            }
        }
        if self.session.online().is_some() && cx.config.mail {
            if now >= self.post.fetch_at {
                self.fetch_letters(cx);
            }
            if now >= self.post.publish_at {
                self.post.publish_at = now + PUBLISH_EVERY + cx.jitter(PUBLISH_EVERY);
                self.publish_mail_keys(cx);
            }
        }
        let due = |(name, thread): (&Name, &crate::mail::outbox::OutThread)| {
            (thread.work_at <= now && !thread.queue.is_empty()).then(|| name.clone())
        };
        let due: Vec<Name> = self.post.outbox.threads.iter().filter_map(due).collect();
        due.iter().for_each(|name| self.work(cx, name));
        self.tick_receipts(cx);
        self.leave_again(cx);
        self.give_up_gaps(cx);
        self.next_round(cx);
        self.wake_for_post(cx);
    }

    fn wake_for_post(&mut self, cx: &Context) {
        let threads = self.post.outbox.threads.values();
        let work = threads.filter(|thread| !thread.queue.is_empty()).map(|thread| thread.work_at);
        let leaving = self.post.leaving.iter().map(|left| left.at);
        let receipts = self.post.receipts.values().map(|due| due.at).chain(leaving);
        let online = self.session.online().filter(|_| cx.config.mail);
        let fetch = online.map(|_| self.post.fetch_at.min(self.post.publish_at));
        let again = self.post.again.front().map(|(at, ..)| *at);
        let rest = (!self.post.waiting.is_empty() && self.post.rest_until > cx.now)
            .then_some(self.post.rest_until);
        let gaps = [self.post.inbox.next_gap(cx.config.mail_gap), rest.unwrap_or(Time::NEVER)];
        let all = work.chain(receipts).chain(fetch).chain(again).chain(gaps);
        let next = all.min().unwrap_or(Time::NEVER);
        self.wake_by(next);
    }

    /// Asks all mailboxes for what they have for this device.
    pub(super) fn fetch_letters(&mut self, cx: &mut Context) {
        let Some(home) = self.session.online() else { return };
        let (half, more) = (Span(cx.config.mail_fetch.0 / 2), cx.jitter(cx.config.mail_fetch));
        self.post.fetch_at = cx.now + half + more;
        self.post.is_more = false;
        let (key, device) = (self.own_key(cx), cx.me);
        cx.send(home, crate::wire::message::FetchLetters { key, device });
        let at = self.post.fetch_at;
        self.wake_by(at);
    }

    /// Tells the mailboxes which letters they may forget. If nobody hears it, they will be sent and
    /// this is said again.
    fn acknowledge(&mut self, cx: &mut Context) {
        let Some(home) = self.session.online() else { return self.post.taken.clear() };
        let key = self.own_key(cx);
        for ids in
            std::mem::take(&mut self.post.taken).chunks(crate::config::LETTER_IDS_PER_MESSAGE)
        {
            let signed = taken_signed(ids);
            let device = &cx.identity.device;
            let signature = device.sign_before(cx.verifier(), Domain::LettersTaken, &signed);
            cx.send(home, LettersTaken { key, device: cx.me, ids: ids.to_vec(), signature });
        }
    }

    /// A number by which copies stand in the order in which they were sealed.
    fn next_order(&mut self, cx: &Context) -> u64 {
        self.post.last_order = cx.wall().0.max(self.post.last_order + 1);
        self.post.last_order
    }

    /// The messages of the outbox, oldest first.
    pub(crate) fn messages(&self) -> Vec<MessageView> {
        self.post.outbox.views()
    }
}

/// What a device signs when it has letters.
pub(crate) fn taken_signed(ids: &[MessageId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.0).collect()
}

/// What was inside a seal, if it is one of ours.
fn inside(plain: &[u8]) -> Option<Inside> {
    Inside::unpad(plain)
}

impl Heap for Post {
    fn heap(&self) -> usize {
        self.outbox.heap() + self.inbox.heap()
    }
}
