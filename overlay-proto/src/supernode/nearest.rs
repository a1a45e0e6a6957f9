//! Which supernodes are near a peer that knows its distance to a few: the home it should log in at.

use super::Supernode;
use super::members::contact;
use crate::context::Context;
use crate::id::NodeId;
use crate::identity::Contact;
use crate::peer::survey::MEASURED_MAX;
use crate::time::Span;
use crate::wire::message::Rtt;
use std::collections::BTreeMap;

/// Candidates named to a peer.
const CANDIDATES: usize = 3;
/// A candidate should be nearer than this share of the nearest one's distance, in percent.
const NEARER_PERCENT: u32 = 75;
/// Below this distance, in microseconds, there is nothing to gain.
const NEAR_ENOUGH: u32 = 12_000;
/// Heartbeats with the distances of the others: one in so many.
pub(super) const RTTS_EVERY: u64 = 16;

impl Supernode {
    /// How far the other supernodes are from here.
    pub(super) fn member_rtts(&self, cx: &Context) -> Vec<Rtt> {
        let rtt = |node: NodeId| {
            let Span(micros) = cx.links.get(self.members.link_to(node)?)?.rtt?;
            Some(Rtt { node, micros: u32::try_from(micros).unwrap_or(u32::MAX) })
        };
        self.members.nodes().filter_map(rtt).collect()
    }

    /// Supernodes with room that a peer with these distances has not tried and that seem nearer
    /// than the nearest it has.
    ///
    /// By the triangle inequality a supernode is at least as far from the peer as their distances
    /// to any third one differ; the greatest of these bounds is the guess.
    pub(super) fn nearer(&self, cx: &Context, tried: &[Rtt]) -> Vec<Contact> {
        let Some(best) = tried.iter().map(|rtt| rtt.micros).min() else { return Vec::new() };
        if best <= NEAR_ENOUGH || tried.len() + 1 >= MEASURED_MAX {
            return Vec::new();
        }
        let own: BTreeMap<NodeId, u32> =
            self.member_rtts(cx).into_iter().map(|rtt| (rtt.node, rtt.micros)).collect();
        let mut guesses: Vec<(u32, NodeId, Contact)> = self
            .members
            .with_distances()
            .filter(|(node, member)| {
                tried.iter().all(|rtt| rtt.node != *node)
                    && !member.load.draining
                    && (member.load.children as usize) < cx.config.children_soft
            })
            .filter_map(|(node, member)| {
                let between = |other: NodeId| {
                    let told = member.rtts.iter().find(|rtt| rtt.node == other);
                    if other == cx.me {
                        own.get(&node).copied()
                    } else {
                        told.map(|rtt| rtt.micros)
                    }
                };
                let bounds = tried.iter().filter_map(|t| Some(between(t.node)?.abs_diff(t.micros)));
                Some((bounds.max()?, node, contact(&member.record)))
            })
            .collect();
        guesses.sort_unstable_by_key(|(guess, node, _)| (*guess, *node));
        let worth = |(guess, _, _): &(u32, NodeId, Contact)| *guess < best / 100 * NEARER_PERCENT;
        guesses.into_iter().filter(worth).take(CANDIDATES).map(|(_, _, contact)| contact).collect()
    }
}
