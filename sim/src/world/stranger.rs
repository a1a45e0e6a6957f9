//! Nodes without a certificate of the realm, many to each peer. They dial whom they know of, greet as
//! if they belonged there, say a few things that they may not say, and go.

use super::forgery::{Forgery, Speaker};
use super::{Machine, Runs, World, address_of};
use overlay_proto::id::{DialId, LinkId, NodeId};
use overlay_proto::identity::SecretKey;
use overlay_proto::io::{Deadline, Input, Output};
use overlay_proto::time::{Span, Time};
use overlay_proto::wire::{Message, codec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of those that a stranger dials, the share that are supernodes.
const AT_SUPERNODES: f64 = 0.7;
/// Things said on one link, at most.
const SAID_MAX: u32 = 4;
/// A link that nobody has ended is ended by the stranger after this.
const STAYS: Span = Span::secs(10);

/// What strangers have got, all together.
#[derive(Debug, Default)]
pub struct Gains {
    /// Links that they made.
    pub links: AtomicU64,
    /// Frames that they said after their greeting.
    pub said: AtomicU64,
    /// Answers that only members get: a session, where somebody is, a place.
    pub granted: AtomicU64,
    /// Links that somebody else made to them.
    pub dialled: AtomicU64,
}

fn count(counter: &AtomicU64) {
    // One thread plays; the order means nothing.
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One stranger. It knows little, so that there may be many.
#[derive(Debug)]
pub struct Stranger {
    forgery: Arc<Forgery>,
    gains: Arc<Gains>,
    seed: u64,
    /// Where it runs.
    host: u32,
    /// Visits left, and when the next one begins.
    visits: u32,
    next_at: Time,
    gap: Span,
    dialled: u64,
    link: Option<Visit>,
    out: VecDeque<Output>,
}

#[derive(Debug, Clone, Copy)]
struct Visit {
    link: LinkId,
    to_supernode: bool,
    greeted: bool,
    until: Time,
}

impl Stranger {
    /// One that pays so many visits from `at` on, one each `gap`.
    pub fn new(
        forgery: Arc<Forgery>,
        gains: Arc<Gains>,
        seed: u64,
        (at, visits, gap): (Time, u32, Span),
    ) -> Stranger {
        let out = VecDeque::new();
        let host = 0;
        Stranger {
            forgery,
            gains,
            seed,
            host,
            visits,
            next_at: at,
            gap,
            dialled: 0,
            link: None,
            out,
        }
    }

    /// Its key: it owns one, as everybody does who makes a link.
    fn key(&self) -> SecretKey {
        SecretKey::from_bytes(ChaCha8Rng::seed_from_u64(self.seed).random())
    }

    /// Its node id.
    pub fn node(&self) -> NodeId {
        NodeId(self.key().public())
    }

    fn dice(&self) -> ChaCha8Rng {
        let mut dice = ChaCha8Rng::seed_from_u64(self.seed);
        dice.set_stream(1 + self.dialled);
        dice
    }

    fn visit(&mut self, now: Time) {
        self.visits -= 1;
        self.next_at = now + self.gap;
        self.dialled += 1;
        let mut dice = self.dice();
        let (supernodes, peers) = (&self.forgery.supernodes, &self.forgery.peers);
        let contact = match dice.random_bool(AT_SUPERNODES) {
            true => supernodes.get(dice.random_range(0..supernodes.len())),
            false => peers.get(dice.random_range(0..peers.len())).map(|(peer, _)| peer),
        };
        if let Some(contact) = contact {
            let (node, addresses) = (contact.node, contact.addresses.clone());
            self.out.push_back(Output::Dial { id: DialId(self.dialled), node, addresses });
        }
    }

    fn came(&mut self, now: Time, link: LinkId, node: NodeId, dialled: bool) {
        if !dialled {
            count(&self.gains.dialled);
        }
        count(&self.gains.links);
        let to_supernode = self.forgery.supernodes.iter().any(|contact| contact.node == node);
        self.link = Some(Visit { link, to_supernode, greeted: false, until: now + STAYS });
        self.say(|speaker, dice| speaker.greet(link, dice));
    }

    fn say(&mut self, words: impl FnOnce(&Speaker<'_>, &mut ChaCha8Rng) -> Option<Output>) {
        let (key, mut dice) = (self.key(), self.dice());
        let (node, address) = (NodeId(key.public()), &super::address_of(self.host));
        let speaker = Speaker { forgery: &self.forgery, key: &key, node, address };
        self.out.extend(words(&speaker, &mut dice));
    }

    fn heard(&mut self, link: LinkId, frame: &[u8]) {
        let Some(visit) = self.link.as_mut().filter(|visit| visit.link == link) else { return };
        if !std::mem::replace(&mut visit.greeted, true) {
            let to_supernode = visit.to_supernode;
            let mut dice = self.dice();
            dice.set_word_pos(1 << 20);
            for _ in 0..dice.random_range(1..=SAID_MAX) {
                count(&self.gains.said);
                self.say(|speaker, _| speaker.lie(link, to_supernode, &mut dice));
            }
            return;
        }
        let granted = match codec::decode_message(frame) {
            Ok(Message::LoginReply(reply)) => reply.status.is_success(),
            Ok(Message::LookupReply(reply)) => !reply.found.is_empty(),
            Ok(Message::Assign(_) | Message::PairReply(_) | Message::SpliceReply(_)) => true,
            _ => false,
        };
        if granted {
            count(&self.gains.granted);
        }
    }
}

impl Machine for Stranger {
    fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::LinkUp { link, node, dial, .. } => self.came(now, link, node, dial.is_some()),
            Input::Received { link, frame } => self.heard(link, &frame),
            Input::LinkDown { link } if self.link.is_some_and(|visit| visit.link == link) => {
                self.link = None;
            }
            Input::Tick => {
                if let Some(visit) = self.link.filter(|visit| visit.until <= now) {
                    self.out.push_back(Output::HangUp { link: visit.link });
                    self.link = None;
                }
                if self.visits > 0 && self.next_at <= now {
                    self.visit(now);
                }
            }
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.out.pop_front();
        if self.out.is_empty() {
            // There are many, and most of them wait.
            self.out.shrink_to_fit();
        }
        output
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let visit = (self.visits > 0).then_some(self.next_at);
        let stay = self.link.map(|visit| visit.until);
        let at = visit.into_iter().chain(stay).min()?;
        Some(Deadline { at, reason: "stranger" })
    }
}

impl<M: Machine> World<M> {
    /// Places a host and has a stranger live on it. Returns its index.
    pub fn start_stranger(&mut self, mut stranger: Stranger, rng: &mut impl rand::Rng) -> u32 {
        let host = self.places.add(rng);
        let node = stranger.node();
        stranger.host = host;
        self.settle(host, node, Runs::Stranger(Box::new(stranger)), address_of(host));
        let due = self.hosts[host as usize].machine.as_ref().and_then(Runs::due);
        self.hosts[host as usize].due = due.unwrap_or(Time::NEVER);
        self.ask_wake(host);
        host
    }
}
