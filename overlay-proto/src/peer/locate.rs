//! Where users are: look-ups through the home, answers kept for a while, and our own location.

use super::Peer;
use super::location_cache::{LocationCache, Whereabouts};
use super::session::{Session, reply};
use crate::config::ADDRESSES_MAX;
use crate::context::Context;
use crate::coordinates::Labels;
use crate::denial::{self, DENIALS_NEEDED};
use crate::footprint::{Heap, flat};
use crate::id::{CommandId, LinkId, MessageId, NodeId};
use crate::identity::Revoked;
use crate::identity::verify::Signature;
use crate::io::Reply;
use crate::location::{LocationRecord, index_key};
use crate::name::Name;
use crate::status::Status;
use crate::time::Time;
use crate::wire::message::{Found, Lookup, LookupReply, Publish};
use rand::RngExt;
use std::collections::BTreeMap;

/// Times a question is put before the asker hears "no answer".
const TRIES: u32 = 3;
/// Our location is published again before its time when one label in so many has changed.
const STALE_SHARE: u32 = 4;

/// Questions under way, and answers at hand.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    open: BTreeMap<u64, Question>,
    cache: LocationCache,
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
    /// What a negative answer must be signed over.
    nonce: u64,
    /// Whether an answer was wrong, or led nowhere: two replicas are to say.
    careful: bool,
    asked: Time,
    until: Time,
    tries: u32,
    waiting: Vec<Waiter>,
}

/// Who waits for a location.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waiter {
    /// A look-up command, which wants all that is known, and fresh.
    Lookup(CommandId),
    /// Something to be sent there.
    Errand(Errand),
    /// A device that looks for the others of its user.
    OwnDevices,
    /// A log-in that is told of when its record is found.
    OwnRecord,
}

/// What is to be sent to a user.
#[derive(Debug, Clone, Copy)]
pub(super) enum Errand {
    /// A text.
    Send(MessageId),
    /// A ping.
    Ping(CommandId),
    /// A trace.
    Trace(CommandId),
    /// Letters or receipts, by the number of the post's question.
    Post(u64),
    /// The first of many datagrams, to the newest device or to that one.
    Meet(CommandId, Option<NodeId>),
    /// Datagrams that have had no answer for a while.
    Rebind(NodeId),
}

impl Peer {
    /// Finds where an errand leads: from the cache, or through the home.
    pub(super) fn locate(&mut self, cx: &mut Context, name: Name, errand: Errand) {
        let young = self.lookups.cache.young(&name, cx.now, cx.config.location_cache);
        match young.filter(|at| errand.may_go(at.node)).cloned() {
            Some(whereabouts) => self.located(cx, errand, &whereabouts),
            None => self.ask_for(cx, name, Waiter::Errand(errand)),
        }
    }

    /// Finds `name` for `waiter` through the home.
    pub(super) fn ask_for(&mut self, cx: &mut Context, name: Name, waiter: Waiter) {
        self.put(cx, name, waiter, false);
    }

    /// The same after what was said before has led nowhere.
    pub(super) fn ask_again(&mut self, cx: &mut Context, name: Name, waiter: Waiter) {
        self.put(cx, name, waiter, true);
    }

    fn put(&mut self, cx: &mut Context, name: Name, waiter: Waiter, careful: bool) {
        // A text waits for a home as long as it waits for anything.
        let waits = matches!(waiter, Waiter::Errand(Errand::Send(_) | Errand::Post(_)));
        if !self.may_ask() && !waits {
            return self.not_located(cx, waiter, Status::NOT_LOGGED_IN);
        }
        if let Some(open) = self.lookups.open.values_mut().find(|question| question.name == name) {
            open.waiting.push(waiter);
            return;
        }
        let id = cx.fresh_id();
        let until = cx.now + cx.config.patience;
        // Zero would say that no signed answer is wanted.
        let nonce = cx.rng.random_range(1..=u64::MAX);
        let (asked, waiting) = (cx.now, vec![waiter]);
        let question = Question { name, nonce, careful, asked, until, tries: 1, waiting };
        if let Some(home) = self.session.online() {
            cx.send(home, question.lookup(id));
        }
        self.lookups.open.insert(id, question);
        self.wake_by(until);
    }

    pub(super) fn on_lookup_reply(&mut self, cx: &mut Context, link: LinkId, answer: LookupReply) {
        if self.session.online() != Some(link) {
            return;
        }
        let Some(mut question) = self.lookups.open.remove(&answer.id) else { return };
        let id = answer.id;
        let (status, found) = self.believe(cx, &question, answer);
        if !question.careful && self.is_doubtful(&question.name, status, &found) {
            question.careful = true;
            cx.send(link, question.lookup(id));
            self.lookups.open.insert(id, question);
            return;
        }
        let name = question.name;
        let online = found.iter().find(|found| found.lease_ms > 0);
        let online = online.map(|found| Whereabouts::of(&found.record, name.clone(), cx.now));
        match &online {
            // Where we are is no news, and soon not true.
            Some(whereabouts) if whereabouts.node == cx.me => {}
            Some(whereabouts) => self.lookups.cache.remember(whereabouts.clone()),
            None => self.lookups.cache.forget(&name),
        }
        let elapsed = cx.now.since(question.asked);
        for waiter in question.waiting {
            match (waiter, &online) {
                (Waiter::Lookup(command), _) if !found.is_empty() => {
                    reply(cx, command, Reply::Located { found: found.clone(), elapsed });
                }
                (Waiter::Errand(errand), _) => {
                    let mut online = found.iter().filter(|found| found.lease_ms > 0);
                    match online.find(|found| errand.may_go(found.record.node())) {
                        Some(found) => {
                            let at = Whereabouts::of(&found.record, name.clone(), cx.now);
                            self.located(cx, errand, &at);
                        }
                        // Others of the user may be there.
                        None if status == Status::OK => {
                            self.not_located(cx, waiter, Status::OFFLINE);
                        }
                        None => self.not_located(cx, waiter, status),
                    }
                }
                (Waiter::OwnDevices, _) => self.ask_own_devices(cx, &found),
                (Waiter::OwnRecord, _) => self.tell_logged_in(cx),
                (waiter, _) => self.not_located(cx, waiter, status),
            }
        }
    }

    /// What there is to believe of an answer.
    fn believe(
        &self,
        cx: &Context,
        question: &Question,
        answer: LookupReply,
    ) -> (Status, Vec<Found>) {
        let (realm, verifier, now) = (cx.identity.realm, cx.verifier(), cx.wall());
        let is_genuine = |found: &Found| {
            let member = cx.prove_record(&found.record);
            member.is_ok_and(|member| member.name == question.name)
        };
        let mut found: Vec<Found> = answer
            .found
            .into_iter()
            .filter(|f| seeded!(RecordUnchecked) || is_genuine(f))
            .collect();
        for found in &mut found {
            // The index says how much is left; how much there was at most, the device has signed.
            found.lease_ms = found.lease_ms.min(1_000 * u64::from(found.record.lease_secs));
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.record.seq));
        let denied = || {
            // With no other supernode to turn to, ours is the only one there is.
            let needed = if self.standbys.is_empty() { 1 } else { DENIALS_NEEDED };
            let key = index_key(realm, &question.name);
            let question = denial::Question { realm, key, nonce: question.nonce };
            denial::suffice(&answer.denials, &question, needed, verifier, now)
        };
        let status = match (answer.status, found.is_empty()) {
            (Status::OK, true) => Status::UNPROVEN,
            (Status::UNKNOWN_NAME, true) if !denied() => Status::NO_ROUTE,
            (status, _) => status,
        };
        (status, found)
    }

    /// Whether an answer is worse than what is known: nothing in it is signed, or it is older than
    /// the one before. Two replicas may know better than one.
    fn is_doubtful(&self, name: &Name, status: Status, found: &[Found]) -> bool {
        let is_older = |found: &Found| {
            self.lookups.cache.is_older(name, found.record.node(), found.record.seq)
        };
        status == Status::UNPROVEN || found.first().is_some_and(is_older)
    }

    fn located(&mut self, cx: &mut Context, errand: Errand, whereabouts: &Whereabouts) {
        match errand {
            Errand::Send(id) => self.send_text(cx, id, whereabouts),
            Errand::Post(token) => self.post_located(cx, token, Ok(whereabouts)),
            Errand::Ping(command) => self.probe(cx, command, whereabouts, false),
            Errand::Trace(command) => self.probe(cx, command, whereabouts, true),
            Errand::Meet(command, _) => self.meet(cx, command, whereabouts),
            Errand::Rebind(node) => self.rebind(cx, node, whereabouts),
        }
    }

    fn not_located(&mut self, cx: &mut Context, waiter: Waiter, status: Status) {
        match waiter {
            Waiter::Errand(Errand::Send(id)) if status == Status::NO_ROUTE => {
                self.text_waits(cx, id);
            }
            Waiter::Errand(Errand::Send(id)) => self.text_failed(cx, id, status),
            Waiter::Errand(Errand::Post(token)) => self.post_located(cx, token, Err(status)),
            // The next try is due anyway.
            Waiter::OwnDevices | Waiter::Errand(Errand::Rebind(_)) => {}
            // There is a session, which goes on, wherever the record is.
            Waiter::OwnRecord => self.tell_logged_in(cx),
            Waiter::Errand(
                Errand::Ping(command) | Errand::Trace(command) | Errand::Meet(command, _),
            )
            | Waiter::Lookup(command) => reply(cx, command, Reply::Failed { status }),
        }
    }

    /// A fresher location than the one we used, from the scaffold.
    pub(super) fn on_moved(&mut self, cx: &mut Context, record: LocationRecord) {
        let Ok(member) = cx.prove_record(&record) else { return };
        // Only what we asked for: nobody else fills our cache.
        if self.lookups.cache.is_news(&member.name, record.seq) {
            self.lookups.cache.remember(Whereabouts::of(&record, member.name, cx.now));
        }
    }

    /// Puts open questions to a new home.
    pub(super) fn resume_lookups(&mut self, cx: &mut Context) {
        let Some(home) = self.session.online() else { return };
        for (id, question) in &mut self.lookups.open {
            question.until = cx.now + cx.config.patience;
            cx.send(home, question.lookup(*id));
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
                cx.send(home, question.lookup(id));
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
        let home = self.session.home()?;
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

impl Errand {
    /// Whether this device is one for it: the newest that is has it.
    fn may_go(self, node: NodeId) -> bool {
        match self {
            Errand::Meet(_, Some(meant)) | Errand::Rebind(meant) => node == meant,
            _ => true,
        }
    }
}

impl Lookups {
    /// Nobody is sought any more where somebody was who is out.
    pub fn forget_barred(&mut self, revoked: &Revoked) {
        self.cache.retain(|known| !revoked.bars_keys(&known.keys));
    }
}

impl Question {
    fn lookup(&self, id: u64) -> Lookup {
        Lookup { id, name: self.name.clone(), nonce: self.nonce, careful: self.careful }
    }
}

flat!(Waiter);

impl Heap for Question {
    fn heap(&self) -> usize {
        self.name.heap() + self.waiting.heap()
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
