//! Flap damping: a peer whose links fail again and again waits for new ones, so that its trouble
//! does not become that of all around it (as RFC 2439 does it for routes).
//!
//! Each lost link is a point, and points halve with time. Who has too many keeps the links that it
//! has and a few to be reached by, until enough of them are forgotten.

use crate::id::NodeId;
use crate::time::{Span, Time};
use std::collections::BTreeMap;

/// After so long half of the points are forgotten. A peer that has failed three times within a
/// minute waits for about two.
const HALF_LIFE: Span = Span::secs(60);
/// Damped from so many points on, in halves of the degree: a peer that loses every link it has is
/// not damped before it does so for the third time.
const SUPPRESS: usize = 5;
/// Served again at so many points, in halves of the degree.
const REUSE: usize = 2;
/// No more points than this are held against anybody, in halves of the degree: whatever has been,
/// two half-lives of quiet are enough to be served again.
const CEILING: usize = 4 * REUSE;
/// Links that a damped peer is given nevertheless.
const LINKS_LEFT: usize = 2;
/// Peers remembered. More are not damped: there is no flap worth it in such a storm.
const REMEMBERED_MAX: usize = 4_096;

/// What is held against whom.
#[derive(Debug, Default)]
pub(crate) struct Damping {
    records: BTreeMap<NodeId, Record>,
}

#[derive(Debug, Default)]
struct Record {
    points: usize,
    /// Up to when points have been forgotten.
    at: Time,
    damped: bool,
}

impl Damping {
    /// A peer of a realm of this `degree` has lost `links` links.
    pub fn lost(&mut self, node: NodeId, links: usize, degree: usize, now: Time) {
        if self.records.len() >= REMEMBERED_MAX && !self.records.contains_key(&node) {
            return;
        }
        let record = self.records.entry(node).or_insert(Record { at: now, ..Record::default() });
        record.points = record.points.saturating_add(links).min(CEILING * degree / 2);
        record.damped |= 2 * record.points >= SUPPRESS * degree;
    }

    /// Whether `node` has to wait for another link, beside the `linked` ones that it has.
    pub fn holds(&self, node: &NodeId, linked: usize) -> bool {
        linked >= LINKS_LEFT && self.records.get(node).is_some_and(|record| record.damped)
    }

    /// Lets time heal.
    pub fn forget(&mut self, degree: usize, now: Time) {
        self.records.retain(|_, record| {
            while now.since(record.at) >= HALF_LIFE && record.points > 0 {
                record.points /= 2;
                record.at += HALF_LIFE;
            }
            record.damped &= 2 * record.points > REUSE * degree;
            record.points > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId([1; 32]);
    const DEGREE: usize = 8;

    fn after(losses: &[(u64, usize)], at: u64) -> Damping {
        let mut damping = Damping::default();
        for (secs, links) in losses {
            let now = Time(0) + Span::secs(*secs);
            damping.forget(DEGREE, now);
            damping.lost(PEER, *links, DEGREE, now);
        }
        damping.forget(DEGREE, Time(0) + Span::secs(at));
        damping
    }

    #[test]
    fn who_loses_everything_time_and_again_waits_and_is_served_again() {
        let flaps = [(0, 8), (20, 8), (40, 8)];
        assert!(!after(&flaps[..2], 40).holds(&PEER, 8), "twice can happen to anybody");
        assert!(after(&flaps, 40).holds(&PEER, 2));
        assert!(!after(&flaps, 40).holds(&PEER, 1), "it stays reachable");
        assert!(!after(&flaps, 40).holds(&NodeId([2; 32]), 8), "somebody else");
        assert!(after(&flaps, 60).holds(&PEER, 2));
        assert!(!after(&flaps, 120).holds(&PEER, 2));
    }

    #[test]
    fn who_has_failed_for_long_is_served_again_after_two_quiet_half_lives() {
        let losses: Vec<_> = (0..60).map(|n| (n, 8)).collect();
        assert!(after(&losses, 100).holds(&PEER, 8));
        assert!(!after(&losses, 180).holds(&PEER, 8));
    }

    #[test]
    fn losses_far_apart_are_forgotten_and_take_no_room() {
        let losses: Vec<_> = (0..20).map(|n| (n * 120, 8)).collect();
        assert!(!after(&losses, 20 * 120).holds(&PEER, 8));
        assert!(after(&losses, 10_000).records.is_empty());
    }
}
