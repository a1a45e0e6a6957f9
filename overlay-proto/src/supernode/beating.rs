//! Heartbeats: how often a supernode tells the others its load, and when at once.
//!
//! Each second it tells 32 of them, in turn: all of a small realm, and in a large one each every
//! `n / 32` seconds. Who lives is not found out by heartbeats but by the membership protocol.

use super::Supernode;
use super::members::Reach;
use super::nearest;
use crate::config::RTTS_PER_HEARTBEAT;
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::status::Status;
use crate::time::Span;
use crate::wire::Message;
use crate::wire::message::{Heartbeat, RootClaim};
use rand_chacha::ChaCha8Rng;
use std::ops::Bound;

/// Members told in a second. A load that is a minute old, as at 2,000 members, still says where there
/// is room; 32 messages a second cost a supernode nothing.
const EACH_SECOND: usize = 32;
/// A link on which nothing has come for so many rounds of heartbeats is dead.
const ROUNDS_MISSED: u64 = 3;

/// What heartbeats have said so far.
#[derive(Debug)]
pub(super) struct Beat {
    /// With whom lists are compared.
    pub(super) dice: ChaCha8Rng,
    /// Rounds through all members so far.
    rounds: u64,
    /// Who was told last.
    last: Option<NodeId>,
    told: Told,
}

/// What all are told of at once when it changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    draining: bool,
    roots: Vec<RootClaim>,
    /// The newest number of each list of revocations.
    lists: Vec<u64>,
}

impl Beat {
    pub fn new(dice: ChaCha8Rng) -> Beat {
        Beat { dice, rounds: 0, last: None, told: Told::default() }
    }
}

impl Supernode {
    /// Tells members that we live; gives up those of which nothing is heard.
    pub(super) fn tend_members(&mut self, cx: &mut Context) {
        let links = self.members.links();
        let mut load = self.load(cx);
        let lists = cx.revoked.lists().map(|list| list.head.epoch).collect();
        let told = Told { draining: load.draining, roots: load.roots.clone(), lists };
        let urgent = self.beat.told != told;
        self.beat.told = told;
        let next = if urgent { links.clone() } else { self.next_to_tell(&links) };
        if cx.config.near > 0 && self.beat.rounds.is_multiple_of(nearest::RTTS_EVERY) {
            load.rtts = self.member_rtts(cx);
            load.rtts.sort_by_key(|rtt| (rtt.micros, rtt.node));
            load.rtts.truncate(RTTS_PER_HEARTBEAT);
        }
        let next: Vec<LinkId> = next.into_iter().map(|(_, link)| link).collect();
        cx.broadcast(&next, &Message::Heartbeat(load));
        crate::fetching::tell(cx, &next);
        self.compare_with_one(cx);
        self.give_up_silent(cx, &links);
    }

    /// The members after the last that was told, as many as are told in a second.
    fn next_to_tell(&mut self, links: &[(NodeId, LinkId)]) -> Vec<(NodeId, LinkId)> {
        let begin = match self.beat.last.map_or(Bound::Unbounded, Bound::Excluded) {
            Bound::Excluded(last) => {
                links.partition_point(|(node, _)| *node <= last) % links.len().max(1)
            }
            _ => 0,
        };
        let in_turn = links.iter().cycle().skip(begin).take(links.len().min(EACH_SECOND));
        let next: Vec<(NodeId, LinkId)> = in_turn.copied().collect();
        let wrapped = begin + next.len() >= links.len();
        self.beat.rounds += u64::from(wrapped);
        self.beat.last = next.last().map(|(node, _)| *node);
        next
    }

    /// In a small realm a heartbeat comes every second: the silence of a link is the quickest sign of
    /// all that nothing passes over it. Whatever comes breaks it: a crowded member's heartbeats may be
    /// late when its answers are not.
    fn give_up_silent(&mut self, cx: &mut Context, links: &[(NodeId, LinkId)]) {
        let round = links.len().div_ceil(EACH_SECOND) as u64 * cx.config.heartbeat.0;
        let silence = Span(cx.config.member_dead_after.0.max(ROUNDS_MISSED * round));
        for (node, link) in links {
            let heard = cx.links.heard(*link);
            if heard.is_some_and(|heard| cx.now.since(heard) >= silence) {
                crate::links::dismiss(cx, *link, Status::TIMEOUT);
                self.unlink_member(cx, *node, Reach::Unlinked);
            }
        }
    }

    pub(super) fn load(&self, cx: &Context) -> Heartbeat {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Heartbeat {
            children: count(self.children.len()),
            free_slots: count(self.children.values().map(|child| self.offered(child)).sum()),
            links: count(self.children.values().map(|child| child.up()).sum()),
            draining: self.drain.is_some(),
            rtts: Vec::new(),
            roots: self.trees.claims(),
            line_secs: self.gate.line_secs(cx),
        }
    }
}
