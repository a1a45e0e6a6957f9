//! Where users are: look-ups through the home, answers kept for a while, and our own location.

use super::Peer;
use super::session::{Session, reply};
use crate::config::{ADDRESSES_MAX, LOCATION_CACHE_MAX};
use crate::context::Context;
use crate::coordinates::Labels;
use crate::footprint::{Heap, flat};
use crate::id::{CommandId, LinkId, MessageId};
use crate::identity::verify::Signature;
use crate::io::Reply;
use crate::location::LocationRecord;
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::message::{Found, Lookup, LookupReply, Publish};
use std::collections::BTreeMap;

/// Times a question is put before the asker hears "no answer".
const TRIES: u32 = 3;
/// Our location is published again before its time when one label in so many has changed.
const STALE_SHARE: u32 = 4;

/// Questions under way, and answers at hand.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    open: BTreeMap<u64, Question>,
    cache: BTreeMap<Name, Answer>,
    /// The newest sequence number of our own records.
    seq: u64,
    /// When our own location was published last, and whether it has changed since.
    published: Time,
    published_labels: Labels,
    changed: bool,
}

#[derive(Debug)]
struct Question {
    name: Name,
    asked: Time,
    until: Time,
    tries: u32,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Answer {
    record: LocationRecord,
    at: Time,
}

/// Who waits for a location.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waiter {
    /// A text that is to be sent.
    Send(MessageId),
    /// A ping.
    Ping(CommandId),
    /// A trace.
    Trace(CommandId),
    /// A look-up command.
    Lookup(CommandId),
}

impl Peer {
    /// Finds `name` for `waiter`: from the cache, unless `fresh` is wanted, or through the home.
    pub(super) fn locate(&mut self, cx: &mut Context, name: Name, waiter: Waiter, fresh: bool) {
        let cached = self.lookups.cache.get(&name);
        let young = cached.filter(|a| !fresh && cx.now.since(a.at) < cx.config.location_cache);
        if let Some(record) = young.map(|answer| answer.record.clone()) {
            return self.located(cx, waiter, &record);
        }
        if !self.may_ask() && !matches!(waiter, Waiter::Send(_)) {
            return self.not_located(cx, waiter, Status::NOT_LOGGED_IN);
        }
        if let Some(open) = self.lookups.open.values_mut().find(|question| question.name == name) {
            open.waiting.push(waiter);
            return;
        }
        let id = cx.fresh_id();
        let until = cx.now + cx.config.patience;
        let question =
            Question { name: name.clone(), asked: cx.now, until, tries: 1, waiting: vec![waiter] };
        self.lookups.open.insert(id, question);
        if let Some(home) = self.session.online() {
            cx.send(home, Lookup { id, name });
        }
        self.wake_by(until);
    }

    pub(super) fn on_lookup_reply(&mut self, cx: &mut Context, link: LinkId, answer: LookupReply) {
        if self.session.online() != Some(link) {
            return;
        }
        let Some(question) = self.lookups.open.remove(&answer.id) else { return };
        let believed = |found: &Found| {
            let member = found.record.check(cx.verifier(), cx.identity.realm, cx.wall());
            member.is_ok_and(|member| member.name == question.name)
        };
        let mut found: Vec<Found> = answer.found.into_iter().filter(believed).collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.record.seq));
        let status = match (answer.status, found.is_empty()) {
            (Status::OK, true) => Status::UNPROVEN,
            (status, _) => status,
        };
        let online =
            found.iter().find(|found| found.lease_ms > 0).map(|found| found.record.clone());
        match &online {
            Some(record) => self.remember(cx, question.name.clone(), record.clone()),
            None => {
                self.lookups.cache.remove(&question.name);
            }
        }
        let elapsed = cx.now.since(question.asked);
        for waiter in question.waiting {
            match (waiter, &online) {
                (Waiter::Lookup(command), _) if !found.is_empty() => {
                    reply(cx, command, Reply::Located { found: found.clone(), elapsed });
                }
                (_, Some(record)) => self.located(cx, waiter, record),
                (_, None) => self.not_located(cx, waiter, status),
            }
        }
    }

    fn located(&mut self, cx: &mut Context, waiter: Waiter, record: &LocationRecord) {
        match waiter {
            Waiter::Send(id) => self.send_text(cx, id, record),
            Waiter::Ping(command) => self.ping(cx, command, record),
            Waiter::Trace(command) => self.trace(cx, command, record),
            // Only an uncached question reaches a look-up command's waiter.
            Waiter::Lookup(command) => {
                let found = vec![Found { record: record.clone(), age_ms: 0, lease_ms: 0 }];
                reply(cx, command, Reply::Located { found, elapsed: Span::ZERO });
            }
        }
    }

    fn not_located(&mut self, cx: &mut Context, waiter: Waiter, status: Status) {
        match waiter {
            Waiter::Send(id) => self.text_failed(cx, id, status),
            Waiter::Ping(command) | Waiter::Trace(command) | Waiter::Lookup(command) => {
                reply(cx, command, Reply::Failed { status });
            }
        }
    }

    /// A fresher location than the one we used, from the scaffold.
    pub(super) fn on_moved(&mut self, cx: &mut Context, record: LocationRecord) {
        let Ok(member) = record.check(cx.verifier(), cx.identity.realm, cx.wall()) else { return };
        // Only what we asked for: nobody else fills our cache.
        if self.lookups.cache.get(&member.name).is_some_and(|held| held.record.seq < record.seq) {
            self.remember(cx, member.name, record);
        }
    }

    fn remember(&mut self, cx: &Context, name: Name, record: LocationRecord) {
        let cache = &mut self.lookups.cache;
        if cache.len() >= LOCATION_CACHE_MAX && !cache.contains_key(&name) {
            let oldest = cache.iter().min_by_key(|(_, answer)| answer.at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                cache.remove(&oldest);
            }
        }
        cache.insert(name, Answer { record, at: cx.now });
    }

    /// Puts open questions to a new home.
    pub(super) fn resume_lookups(&mut self, cx: &mut Context) {
        let Some(home) = self.session.online() else { return };
        for (id, question) in &mut self.lookups.open {
            question.until = cx.now + cx.config.patience;
            cx.send(home, Lookup { id: *id, name: question.name.clone() });
        }
    }

    pub(super) fn tick_lookups(&mut self, cx: &mut Context) {
        let now = cx.now;
        let due: Vec<u64> =
            self.lookups.open.iter().filter(|(_, q)| now >= q.until).map(|(id, _)| *id).collect();
        for id in due {
            let Some(mut question) = self.lookups.open.remove(&id) else { continue };
            if question.tries >= TRIES {
                for waiter in question.waiting {
                    self.not_located(cx, waiter, Status::TIMEOUT);
                }
                continue;
            }
            question.tries += 1;
            question.until = now + cx.config.patience;
            if let Some(home) = self.session.online() {
                cx.send(home, Lookup { id, name: question.name.clone() });
            }
            self.lookups.open.insert(id, question);
        }
        let next = self.lookups.open.values().map(|question| question.until).min();
        self.wake_by(next.unwrap_or(Time::NEVER));
        if self.lookups.changed && self.session.online().is_some() {
            let at = self.lookups.published + cx.config.publish;
            if now >= at { self.publish_now(cx) } else { self.wake_by(at) }
        }
    }

    /// Our own location is not what was published: soon it will be, if many labels differ. A few
    /// stale ones lead astray nobody who has the others; those wait for the renewal.
    pub(super) fn location_changed(&mut self, cx: &Context) {
        let Some(coordinates) = &self.place.coordinates else { return };
        let stale = self.lookups.published_labels.differing(&coordinates.labels).count_ones();
        if stale * STALE_SHARE < cx.trees as u32 {
            return;
        }
        self.lookups.changed = true;
        self.wake_by((self.lookups.published + cx.config.publish).max(cx.now));
    }

    /// Publishes our location, which renews the session too.
    pub(super) fn publish_now(&mut self, cx: &mut Context) {
        let Some(record) = self.location_record(cx, lease_secs(cx)) else { return };
        let Session::Online { link, renew_at, until, .. } = &mut self.session else { return };
        *renew_at = cx.now + cx.config.renew;
        *until = cx.now + cx.config.lease;
        let (link, renew_at) = (*link, *renew_at);
        self.lookups.published_labels = record.labels.clone();
        cx.send(link, Publish { record });
        self.lookups.published = cx.now;
        self.lookups.changed = false;
        self.wake_by(renew_at);
    }

    /// Our location as it is now, signed. A lease of zero says that we are leaving.
    pub(super) fn location_record(
        &mut self,
        cx: &Context,
        lease_secs: u16,
    ) -> Option<LocationRecord> {
        let Session::Online { home, .. } = self.session else { return None };
        self.lookups.seq = cx.wall().0.max(self.lookups.seq + 1);
        let record = LocationRecord {
            chain: cx.identity.chain()?.clone(),
            seq: self.lookups.seq,
            home,
            standbys: self.standbys.iter().map(|standby| standby.node).collect(),
            addresses: cx.listening.iter().take(ADDRESSES_MAX).cloned().collect(),
            labels: self.place.coordinates.as_ref().map(|c| c.labels.clone()).unwrap_or_default(),
            lease_secs,
            signature: Signature([0; 64]),
        };
        Some(record.signed(&cx.identity.device, cx.verifier()))
    }
}

flat!(Waiter);

impl Heap for Question {
    fn heap(&self) -> usize {
        self.name.heap() + self.waiting.heap()
    }
}

impl Heap for Answer {
    fn heap(&self) -> usize {
        self.record.heap()
    }
}

impl Heap for Lookups {
    fn heap(&self) -> usize {
        self.open.heap() + self.cache.heap() + self.published_labels.heap()
    }
}

/// The lease that our location records ask for, in seconds.
pub(super) fn lease_secs(cx: &Context) -> u16 {
    u16::try_from(cx.config.lease.as_millis() / 1_000).unwrap_or(u16::MAX)
}
