//! Whether a log-in is looked at now, later or not: decided before any signature is checked, and
//! without keeping anything of who is put off.
//!
//! A token bucket holds the log-ins that this machine can check. Who has a claim here takes from it
//! first, down into debt; who has waited takes what there is; who has just come is put into a line
//! once it is half empty, and who only wants a standby has to wait until nobody else does. The line
//! is one moment in time: when the next one's turn is. The peer carries its place in a cookie.

use super::budgets::{Budgets, key_of};
use super::cookie::{Cookies, Place};
use super::sketch::Sketch;
use crate::context::Context;
use crate::id::{Cookie, NodeId};
use crate::remote::Remote;
use crate::status::Status;
use crate::supernode::bucket::{Bucket, Rate};
use crate::time::{Span, Time};
use rand::Rng;
use std::collections::BTreeMap;

/// The longest wait that anybody is told: the lease of a session. Later, too, everybody who can be
/// served by then has been.
const LINE_MAX: Span = Span::secs(60);
/// More are told to come than can be served, in percent: some have found another home by then.
const OVERBOOKED: u64 = 125;
/// Who comes so much before its turn is served: places are told in whole seconds.
const EARLY: Span = Span::secs(2);
/// The smallest bucket, in log-ins: a few peers that start at once are no storm.
const BURST_MIN: u32 = 16;
/// What one key may ask for under load. An honest device logs in once, and once more at each of its standbys
/// when its link flaps.
const KEY_RATE: Rate = Rate { per_second: 1, burst: 64 };
/// What a log-in that proves nothing costs its key: no honest device makes one, so under load it is
/// a minute until the next.
const KEY_PENALTY: u32 = 128;
/// Places in the line that one key gets in half a minute without showing the one it has.
const PLACES_OF_KEY: u16 = 4;
/// Places in the line that one address gets in half a minute, at least.
const PLACES_OF_ADDRESS_MIN: u16 = 16;
/// The share of all log-ins, one in so many, that one address gets under load.
pub(super) const ADDRESS_SHARE: u32 = 8;
/// Seconds for which an address may save up its share.
pub(super) const ADDRESS_BURST: u32 = 4;
/// What a log-in that proves nothing costs its address: there may be others behind it.
pub(super) const ADDRESS_PENALTY: u32 = 16;
/// Seconds until a standby may be asked again that had no time.
const STANDBY_AGAIN_SECS: u16 = 10;

/// Who asks, as far as can be told for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// One of our peers within its lease, or one that has proved itself on this very link and expects us to stand by.
    Known,
    /// Anybody else, and what it was given when it was put off.
    Stranger(Option<Cookie>),
    /// Somebody who has a home and wants a standby.
    ForLater,
}

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Later {
    /// 503; 429 for who asks too often; 302 for who would wait less elsewhere.
    pub status: Status,
    /// Seconds to wait. Zero: the cookie may be shown at once, on this link.
    pub secs: u16,
    /// The place in the line.
    pub cookie: Option<Cookie>,
}

/// What the decision needs. Its size does not depend on who asks.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Log-ins a second that this machine can take.
    capacity: u32,
    bucket: Bucket,
    /// When the turn of the last one comes who was given a time.
    line: Time,
    cookies: Cookies,
    keys: Budgets<u64>,
    addresses: Budgets<Remote>,
    /// Places given to keys and to addresses lately, once there is a line.
    places: Option<(Sketch, Sketch)>,
    /// Peers of ours whose links have ended, until their leases do.
    expected: BTreeMap<NodeId, Time>,
    started: Time,
}

impl Gate {
    pub fn new(cx: &Context) -> Gate {
        let capacity = cx.config.logins_per_second;
        Gate {
            capacity,
            bucket: Bucket::full(rate(cx, capacity, Span::ZERO), cx.now),
            line: cx.now,
            cookies: Cookies::default(),
            keys: Budgets::new(KEY_RATE),
            addresses: Budgets::new(of_address(capacity)),
            places: None,
            expected: BTreeMap::new(),
            started: cx.now,
        }
    }

    /// Log-ins a second that this machine can take.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// From now on it can take so many. What is in the bucket, and who is in the line, stays.
    pub fn set_capacity(&mut self, logins_per_second: u32) {
        self.capacity = logins_per_second.max(1);
        self.addresses.set_rate(of_address(self.capacity));
    }

    /// Lets a log-in be looked at, or says when to come again. `shorter` says whether there is
    /// another supernode at which one waits much less than so many seconds.
    pub(super) fn pass(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        remote: Option<Remote>,
        asker: Asker,
        shorter: impl FnOnce(u16) -> bool,
    ) -> Result<(), Later> {
        if seeded!(EverybodyAtOnce) {
            return Ok(());
        }
        let rate = rate(cx, self.capacity, cx.now.since(self.started));
        self.bucket.fill(rate, cx.now);
        let half = i64::from(rate.burst / 2);
        let (needed, place) = match asker {
            Asker::Known => (1 - i64::from(rate.burst), None),
            Asker::ForLater => (half, None),
            Asker::Stranger(cookie) => {
                // Budgets share out what is scarce. In quiet times everybody is looked at, and
                // told what is wrong.
                if !self.bucket.has(half) {
                    self.afford(cx, node, remote)?;
                }
                let read = |cookie| self.cookies.read(&cookie, node, remote, cx.now);
                match cookie.and_then(read) {
                    // Not its turn yet: its place is as good as it was.
                    Some(place) if place.due > cx.now + EARLY => {
                        let secs = secs(place.due.since(cx.now));
                        return Err(Later { status: Status::OVERLOADED, secs, cookie });
                    }
                    Some(place) => (1, Some(place)),
                    None => (half, None),
                }
            }
        };
        let others_wait = asker == Asker::ForLater && self.line > cx.now;
        if self.bucket.has(needed) && !others_wait {
            self.bucket.take(rate, 1);
            self.expected.remove(&node);
            if asker != Asker::Known {
                self.charge(cx, node, remote, [1, 1]);
            }
            return Ok(());
        }
        let (status, cookie) = (Status::OVERLOADED, None);
        Err(match asker {
            Asker::Known => Later { status, secs: 1, cookie },
            Asker::ForLater => Later { status, secs: STANDBY_AGAIN_SECS, cookie },
            // Who goes elsewhere takes no place here.
            Asker::Stranger(_) if shorter(self.line_secs(cx)) => {
                Later { status: Status::ASK_THERE, secs: self.line_secs(cx), cookie }
            }
            Asker::Stranger(_) => self.put_off(cx, node, remote, place),
        })
    }

    /// A peer of ours has lost its link: it is expected back until its lease ends. No more are than
    /// there are peers at most.
    pub fn expect(&mut self, cx: &Context, node: NodeId) {
        if self.expected.len() < cx.config.children_hard {
            self.expected.insert(node, cx.now + cx.config.lease);
        }
    }

    /// Whether a peer of ours is expected back.
    pub fn expects(&self, cx: &Context, node: NodeId) -> bool {
        self.expected.get(&node).is_some_and(|until| cx.now < *until)
    }

    /// Forgets whose leases have ended.
    pub fn tend(&mut self, cx: &Context) {
        self.expected.retain(|_, until| cx.now < *until);
    }

    /// Seconds that the next one in the line has to wait.
    pub fn line_secs(&self, cx: &Context) -> u16 {
        secs(self.line.since(cx.now))
    }

    /// For how long nobody has had to wait; at most since the start.
    pub fn calm_for(&self, cx: &Context) -> Span {
        cx.now.since(self.line)
    }

    /// A log-in that was looked at has proved nothing.
    pub(super) fn blame(&mut self, cx: &Context, node: NodeId, remote: Option<Remote>) {
        self.charge(cx, node, remote, [KEY_PENALTY, ADDRESS_PENALTY]);
    }

    fn charge(&mut self, cx: &Context, node: NodeId, remote: Option<Remote>, tokens: [u32; 2]) {
        self.keys.take(key_of(node), tokens[0], cx.now);
        if let Some(remote) = remote {
            self.addresses.take(remote, tokens[1], cx.now);
        }
    }

    /// Whether key and address have something left.
    fn afford(&self, cx: &Context, node: NodeId, remote: Option<Remote>) -> Result<(), Later> {
        let by_key = self.keys.wait(key_of(node), cx.now);
        let by_address = remote.map_or(Span::ZERO, |remote| self.addresses.wait(remote, cx.now));
        let wait = by_key.max(by_address);
        if wait == Span::ZERO {
            return Ok(());
        }
        Err(Later { status: Status::TOO_MANY, secs: secs(wait).max(1), cookie: None })
    }

    /// How long the next one in the line has to wait.
    fn next_in_line(&mut self, cx: &mut Context) -> Span {
        // Reckoned with what can be done by then: after a start that is more than now.
        let up = self.line.max(cx.now).since(self.started);
        let per_second = OVERBOOKED * u64::from(rate(cx, self.capacity, up).per_second);
        let next = self.line.max(cx.now) + Span((100 * 1_000_000 / per_second).max(1));
        let wait = next.since(cx.now);
        if wait <= LINE_MAX {
            self.line = next;
            return wait;
        }
        without_a_place(cx)
    }

    /// Whether key and address have had as many places in the line as they get without showing one.
    fn has_had_enough(&mut self, cx: &mut Context, node: NodeId, remote: Option<Remote>) -> bool {
        let now = cx.now;
        let (keys, addresses) = self.places.get_or_insert_with(|| {
            let mut sketch = || {
                let mut key = [0; 32];
                cx.rng.fill_bytes(&mut key);
                Sketch::new(key, now)
            };
            (sketch(), sketch())
        });
        let share = Sketch::in_window(self.capacity / ADDRESS_SHARE);
        let of_key = keys.count(&node.0, now);
        let of_address = remote.map_or(0, |remote| addresses.count(&remote.bytes(), now));
        of_key > PLACES_OF_KEY || of_address > share.max(PLACES_OF_ADDRESS_MIN)
    }

    /// Puts somebody into the line, or has it show at once that it is no crowd of one.
    fn put_off(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        remote: Option<Remote>,
        place: Option<Place>,
    ) -> Later {
        let status = Status::OVERLOADED;
        if place.is_none() && self.has_had_enough(cx, node, remote) {
            return Later { status, secs: secs(without_a_place(cx)), cookie: None };
        }
        let at_once = place.is_none() && self.line_secs(cx) == 0;
        let wait = if at_once { Span::ZERO } else { self.next_in_line(cx) };
        let since = place.map_or(cx.now, |place| place.since);
        let place = Place { since, due: cx.now + wait };
        let cookie = Some(self.cookies.write(cx, node, remote, place));
        Later { status, secs: if at_once { 0 } else { secs(wait).max(1) }, cookie }
    }
}

/// The wait of who has no place: nobody knows when their turn comes; at least they do not all come
/// back at once.
fn without_a_place(cx: &mut Context) -> Span {
    Span(LINE_MAX.0 / 2) + cx.jitter(Span(LINE_MAX.0 / 2))
}

/// What one address gets of it under load.
fn of_address(capacity: u32) -> Rate {
    let per_second = (capacity / ADDRESS_SHARE).max(1);
    Rate { per_second, burst: ADDRESS_BURST * per_second }
}

/// What the bucket gets so long after the start.
fn rate(cx: &Context, capacity: u32, up: Span) -> Rate {
    let (all, ramp) = (u64::from(capacity), cx.config.login_ramp.0.max(1));
    let per_second = all / 4 + (all - all / 4) * up.0.min(ramp) / ramp;
    let per_second = u32::try_from(per_second).unwrap_or(u32::MAX).max(1);
    Rate { per_second, burst: per_second.max(BURST_MIN) }
}

fn secs(span: Span) -> u16 {
    u16::try_from(span.0.div_ceil(1_000_000)).unwrap_or(u16::MAX)
}
