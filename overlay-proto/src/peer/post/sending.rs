//! Letters on their way: sealed for each device, sent straight to it while it is on line, else left
//! in the mailbox, and again until a receipt says what became of them.

use super::composing::draw_id;
use super::{Asked, Peer};
use crate::context::Context;
use crate::encoding::Blob;
use crate::id::{LinkId, MessageId, NodeId};
use crate::io::Event;
use crate::location::index_key;
use crate::mail::letter::Inside;
use crate::mail::outbox::{Copy, Stage};
use crate::mail::records::Key;
use crate::mail::{Letter, SealedLetter, VaultAnswer, VaultRequest};
use crate::name::Name;
use crate::peer::locate::Errand;
use crate::peer::location_cache::Whereabouts;
use crate::peer::routing::Route;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::end_to_end::LetterFor;
use crate::wire::message::{Deposit, DepositReply};
use crate::wire::{Class, Payload};

/// Copies for one device that are under way at a time. Their recipient's ratchet keeps the keys of
/// forty letters that it has not seen yet.
const WINDOW: usize = 32;
/// Who was not found is looked for again after this.
const OFF_LINE_FOR: Span = Span::secs(30);
/// First and longest wait after a mailbox has refused a letter; in between it doubles, and what is
/// waited is drawn from the whole of it.
const REFUSED_WAIT: Span = Span::secs(20);
const REFUSED_WAIT_MAX: Span = Span::secs(1_800);
/// How often the wait for the receipt of a letter in the mailbox is doubled.
const KEPT_DOUBLINGS: u32 = 9;
/// While a mailbox is not to be asked, its owner is looked for so often.
const LOOK_WHILE_PAUSED: Span = Span::secs(60);

impl Peer {
    /// Does what is due for the letters to `name`.
    pub(super) fn work(&mut self, cx: &mut Context, name: &Name) {
        self.expire_letters(cx, name);
        let Some(thread) = self.post.outbox.threads.get_mut(name) else { return };
        thread.work_at = Time::NEVER;
        let expiry = thread.queue.values().filter_map(|id| self.post.outbox.letters.get(id));
        let expiry = expiry.map(|letter| letter.record.expires_ms).min();
        let until_expiry = expiry.map(|at| Span::millis(at.saturating_sub(cx.wall().0) + 1));
        thread.work_at = until_expiry.map_or(Time::NEVER, |span| cx.now + span);
        if self.session.online().is_none() {
            return;
        }
        self.address_letters(cx, name);
        self.send_copies(cx, name);
    }

    pub(super) fn work_by(&mut self, name: &Name, at: Time) {
        if let Some(thread) = self.post.outbox.threads.get_mut(name) {
            thread.work_at = thread.work_at.min(at);
        }
        self.wake_by(at);
    }

    fn expire_letters(&mut self, cx: &mut Context, name: &Name) {
        let now_ms = cx.wall().0;
        let Some(thread) = self.post.outbox.threads.get(name) else { return };
        let is_old = |id: &MessageId| {
            let letter = self.post.outbox.letters.get(id);
            letter.is_some_and(|letter| letter.record.expires_ms <= now_ms)
        };
        let old: Vec<MessageId> = thread.queue.values().copied().filter(is_old).collect();
        old.into_iter().for_each(|id| self.end_letter(cx, id, Status::MESSAGE_EXPIRED));
    }

    /// Has the first letters that have no copies sealed.
    fn address_letters(&mut self, cx: &mut Context, name: &Name) {
        let Some(thread) = self.post.outbox.threads.get(name) else { return };
        let letters = &self.post.outbox.letters;
        let under_way = thread.queue.values().filter(|id| {
            let letter = letters.get(id);
            letter.is_some_and(|l| l.addressed && l.copies.values().any(|c| c.stage != Stage::Kept))
        });
        let room = WINDOW.saturating_sub(under_way.count());
        let unaddressed = |id: &&MessageId| letters.get(id).is_some_and(|l| !l.addressed);
        let due: Vec<MessageId> =
            thread.queue.values().filter(unaddressed).take(room).copied().collect();
        if due.is_empty() {
            return;
        }
        if !self.devices_known(cx, name) {
            let at = self.post.outbox.threads.get(name).map_or(Time::NEVER, |t| t.keys_at);
            return self.work_by(name, at);
        }
        due.into_iter().for_each(|id| self.seal_letter(cx, name, id));
    }

    fn seal_letter(&mut self, cx: &mut Context, name: &Name, id: MessageId) {
        let Some(chain) = cx.identity.chain().cloned() else { return };
        let Some(thread) = self.post.outbox.threads.get(name) else { return };
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return };
        letter.addressed = true;
        let has = |node: &NodeId| {
            letter.copies.contains_key(node) || letter.record.ended.iter().any(|(n, _)| n == node)
        };
        let devices: Vec<NodeId> =
            thread.devices.keys().filter(|node| !has(node) && **node != cx.me).copied().collect();
        if devices.is_empty() && letter.copies.is_empty() {
            return self.end_letter(cx, id, Status::UNKNOWN_NAME);
        }
        for device in devices {
            let (copy, order) = (draw_id(cx), self.next_order(cx));
            self.post.outbox.add_copy(id, device, Copy::new(copy, order, None));
            let Some(thread) = self.post.outbox.threads.get_mut(name) else { return };
            let keys = thread.devices.get(&device).cloned().map(Box::new);
            let anew = keys.is_some() && thread.anew.remove(&device);
            if anew {
                thread.renewed.insert(device, order);
            }
            let Some(user) = keys.as_ref().map(|keys| keys.chain.user.subject.0) else { continue };
            let floor = self.post.outbox.floor(name, device, u64::MAX);
            let Some(letter) = self.post.outbox.letters.get(&id) else { return };
            let record = &letter.record;
            let letter = Letter {
                from: chain.clone(),
                to: crate::id::UserKey(user),
                id: record.message,
                seq: record.seq,
                floor: floor.min(record.seq),
                part: record.part,
                parts: record.parts,
                sent_ms: record.sent_ms,
                expires_ms: record.expires_ms,
                body: record.body.clone(),
                signature: crate::identity::Signature([0; 64]),
            };
            let letter = letter.signed(&cx.identity.device, cx.verifier());
            let request = VaultRequest::Seal {
                to: device,
                keys,
                anew,
                plain: Inside::Letter(letter).pad(),
                label: own_label(cx),
                under: Key::Copy(id, device, copy, order).bytes(),
            };
            self.ask_keeper(cx, request, Asked::Sealing { letter: id, device, copy });
        }
    }

    pub(super) fn on_sealed(
        &mut self,
        cx: &mut Context,
        id: MessageId,
        device: NodeId,
        copy: MessageId,
        answer: VaultAnswer,
    ) {
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return };
        let name = letter.record.to.clone();
        let held = letter.copies.get_mut(&device).filter(|held| held.id == copy);
        match answer {
            VaultAnswer::Sealed(bytes) => {
                if let Some(held) = held {
                    held.sealed = Some(bytes);
                }
                if let Some(thread) = self.post.outbox.threads.get_mut(&name) {
                    thread.known.insert(device);
                }
                self.work_by(&name, cx.now);
            }
            other => {
                letter.addressed = false;
                self.post.outbox.remove_copy(id, device);
                let again = cx.now + super::DISK_AGAIN;
                if other == VaultAnswer::NoSession {
                    self.forget_keys(&name, device, again);
                }
                self.work_by(&name, again);
            }
        }
    }

    fn send_copies(&mut self, cx: &mut Context, name: &Name) {
        let Some(thread) = self.post.outbox.threads.get(name) else { return };
        let mut per_device: std::collections::BTreeMap<NodeId, usize> = Default::default();
        let mut due = Vec::new();
        let mut next = Time::NEVER;
        for id in thread.queue.values() {
            let Some(letter) = self.post.outbox.letters.get(id) else { continue };
            for (device, copy) in letter.copies.iter().filter(|(_, copy)| copy.sealed.is_some()) {
                if copy.stage != Stage::Kept {
                    let under_way = per_device.entry(*device).or_default();
                    *under_way += 1;
                    if *under_way > WINDOW {
                        continue;
                    }
                }
                if copy.again_at <= cx.now {
                    due.push((*id, *device));
                } else {
                    next = next.min(copy.again_at);
                }
            }
        }
        self.work_by(name, next);
        for (letter, device) in due {
            let at = self.send_copy(cx, name, letter, device);
            self.work_by(name, at);
        }
    }

    /// Sends one copy, or finds out how. Returns when it is due again.
    fn send_copy(&mut self, cx: &mut Context, name: &Name, id: MessageId, device: NodeId) -> Time {
        let stage = self.copy_mut(id, device).map(|copy| copy.stage);
        match stage {
            Some(Stage::Direct) => self.send_straight(cx, name, id, device),
            Some(Stage::Leaving(_)) => self.leave_copy(cx, name, id, device),
            Some(Stage::Kept) => {
                // No receipt yet: the recipient may be there by now, or a mailbox has lost it.
                if let Some(copy) = self.copy_mut(id, device) {
                    (copy.stage, copy.tries) = (Stage::Direct, 0);
                }
                self.send_straight(cx, name, id, device)
            }
            None => Time::NEVER,
        }
    }

    fn copy_mut(&mut self, id: MessageId, device: NodeId) -> Option<&mut Copy> {
        self.post.outbox.letters.get_mut(&id)?.copies.get_mut(&device)
    }

    fn send_straight(
        &mut self,
        cx: &mut Context,
        name: &Name,
        id: MessageId,
        device: NodeId,
    ) -> Time {
        let presence = self.post.presence.entry(name.clone()).or_default();
        if presence.is_locating {
            return Time::NEVER;
        }
        if cx.now >= presence.until {
            self.locate_for_post(cx, name);
            return Time::NEVER;
        }
        let there = presence.on_line.clone().filter(|there| there.node == device);
        let tries_max = cx.config.mail_tries;
        let patience = cx.config.receipt_patience;
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return Time::NEVER };
        let expires_ms = letter.record.expires_ms;
        let Some(copy) = letter.copies.get_mut(&device) else { return Time::NEVER };
        let Some(there) = there.filter(|_| copy.tries < tries_max) else {
            (copy.stage, copy.tries) = (Stage::Leaving(None), 0);
            return self.leave_copy(cx, name, id, device);
        };
        let route = if copy.tries == 0 { Route::Hops } else { Route::Scaffold };
        copy.again_at = cx.now + Span(patience.0 << copy.tries.min(4));
        copy.tries += 1;
        let (at, copy_id) = (copy.again_at, copy.id);
        let bytes = Blob(copy.sealed.clone().unwrap_or_default());
        let payload = Payload::LetterFor(LetterFor { id: copy_id, expires_ms, bytes });
        let to = there.destination(cx.identity.realm);
        self.send_payload(cx, Class::Message, &to, &payload, route);
        at
    }

    /// Leaves a copy in the mailbox, unless that has just refused.
    fn leave_copy(&mut self, cx: &mut Context, name: &Name, id: MessageId, device: NodeId) -> Time {
        let Some(home) = self.session.online() else { return Time::NEVER };
        let patience = cx.config.patience;
        let Some(thread) = self.post.outbox.threads.get(name) else { return Time::NEVER };
        let pause_until = thread.pause_until;
        let another_asks = thread.refusals > 0 && self.post.outbox.is_leaving_for(device);
        let key = index_key(cx.identity.realm, name);
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return Time::NEVER };
        let expires_ms = letter.record.expires_ms;
        let Some(copy) = letter.copies.get_mut(&device) else { return Time::NEVER };
        if let Stage::Leaving(Some(_)) = copy.stage {
            // No answer: perhaps the home or the mailbox is gone.
            copy.stage = Stage::Leaving(None);
            copy.tries += 1;
            copy.again_at = cx.now + cx.jitter(Span(patience.0 << copy.tries.min(4)));
            return copy.again_at;
        }
        if cx.now < pause_until {
            // Its owner may be on line before the mailbox has room.
            (copy.stage, copy.tries) = (Stage::Direct, 0);
            copy.again_at = pause_until.min(cx.now + LOOK_WHILE_PAUSED);
            return copy.again_at;
        }
        if another_asks {
            // One tries for all, until it is let in.
            copy.again_at = cx.now + patience;
            return copy.again_at;
        }
        let question = cx.fresh_id();
        copy.stage = Stage::Leaving(Some(question));
        copy.again_at = cx.now + patience + patience;
        let at = copy.again_at;
        let letter = SealedLetter {
            key,
            to: device,
            id: copy.id,
            order: copy.order,
            expires_ms,
            bytes: Blob(copy.sealed.clone().unwrap_or_default()),
        };
        cx.send(home, Deposit { id: question, letter });
        at
    }

    pub(in crate::peer) fn on_deposit_reply(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        answer: DepositReply,
    ) {
        if self.session.online() != Some(link) || self.receipts_left(&answer) {
            return;
        }
        let Some((id, device)) = self.post.outbox.left_by(answer.id) else { return };
        let again = cx.config.mail_again;
        let Some(letter) = self.post.outbox.letters.get_mut(&id) else { return };
        let (name, message) = (letter.record.to.clone(), letter.record.message);
        let Some(copy) = letter.copies.get_mut(&device) else { return };
        if answer.status == Status::ACCEPTED {
            copy.stage = Stage::Kept;
            let wait = Span(again.0 << copy.kept.min(KEPT_DOUBLINGS));
            copy.kept += 1;
            copy.again_at = cx.now + wait + cx.jitter(wait);
            if seeded!(KeptIsDelivered) {
                return self.copy_ended(cx, id, device, Status::OK);
            }
            if let Some(thread) = self.post.outbox.threads.get_mut(&name) {
                thread.refusals = 0;
            }
            if self.post.outbox.count_kept(message) {
                cx.event(Event::MailKept { id: message, to: name.clone(), copies: answer.copies });
            }
        } else if answer.status == Status::MESSAGE_EXPIRED || answer.status == Status::TOO_LARGE {
            return self.copy_ended(cx, id, device, answer.status);
        } else {
            copy.stage = Stage::Leaving(None);
            let Some(thread) = self.post.outbox.threads.get_mut(&name) else { return };
            let wait = Span(REFUSED_WAIT.0 << thread.refusals.min(10)).min(REFUSED_WAIT_MAX);
            thread.refusals += 1;
            thread.pause_until = cx.now + Span::secs(1) + cx.jitter(wait);
            let again_at = thread.pause_until.min(cx.now + LOOK_WHILE_PAUSED);
            if let Some(copy) = self.copy_mut(id, device) {
                (copy.stage, copy.tries, copy.again_at) = (Stage::Direct, 0, again_at);
            }
        }
        self.work_by(&name, cx.now);
    }

    /// Looks for a correspondent, unless that is being done.
    pub(super) fn locate_for_post(&mut self, cx: &mut Context, name: &Name) {
        let presence = self.post.presence.entry(name.clone()).or_default();
        if presence.is_locating {
            return;
        }
        presence.is_locating = true;
        let token = cx.fresh_id();
        self.post.locating.insert(token, name.clone());
        self.locate(cx, name.clone(), Errand::Post(token));
    }

    /// A correspondent was found, or not.
    pub(in crate::peer) fn post_located(
        &mut self,
        cx: &mut Context,
        token: u64,
        found: Result<&Whereabouts, Status>,
    ) {
        let Some(name) = self.post.locating.remove(&token) else { return };
        let presence = self.post.presence.entry(name.clone()).or_default();
        presence.is_locating = false;
        let life = if found.is_ok() { cx.config.location_cache } else { OFF_LINE_FOR };
        presence.until = cx.now + life;
        presence.on_line = found.ok().cloned().map(Box::new);
        if let Err(Status::UNKNOWN_NAME) = found {
            let told = self.post.outbox.threads.get(&name).is_some_and(|t| t.told_at.is_some());
            if !told {
                self.return_all(cx, &name);
            }
        }
        if let Ok(there) = found {
            self.hurry_kept(cx, &name, there.node);
        }
        self.work_by(&name, cx.now);
        self.receipts_located(cx, &name);
    }

    /// A device is on line: what waits for it in the mailbox should have a receipt soon.
    fn hurry_kept(&mut self, cx: &Context, name: &Name, device: NodeId) {
        let soon = cx.now + cx.config.mail_again;
        let Some(thread) = self.post.outbox.threads.get(name) else { return };
        for id in thread.queue.values() {
            let letter = self.post.outbox.letters.get_mut(id);
            let copy = letter.and_then(|letter| letter.copies.get_mut(&device));
            if let Some(copy) = copy.filter(|copy| copy.stage == Stage::Kept) {
                copy.again_at = copy.again_at.min(soon);
            }
        }
    }

    /// Nobody has this name.
    fn return_all(&mut self, cx: &mut Context, name: &Name) {
        let Some(thread) = self.post.outbox.threads.get(name) else { return };
        let all: Vec<MessageId> = thread.queue.values().copied().collect();
        all.into_iter().for_each(|id| self.end_letter(cx, id, Status::UNKNOWN_NAME));
    }
}

/// What the outer seal says of us, for when the inner one breaks.
pub(super) fn own_label(cx: &Context) -> Vec<u8> {
    let name = cx.identity.chain().and_then(|chain| chain.claimed_name());
    name.map(|name| name.as_str().as_bytes().to_vec()).unwrap_or_default()
}
