//! What one realm is, seen from outside: every supernode counts the same members, each tree has one
//! owner, each peer that is on line one session, and three supernodes have its newest record.

use overlay_proto::id::NodeId;
use overlay_proto::time::{Span, Time};
use overlay_proto::view::{HeldView, RecordView};
use std::collections::{BTreeMap, BTreeSet};

/// A record that was signed so long ago is where it belongs, or a newer one is.
pub(super) const UNDER_WAY: Span = Span::secs(3);
/// Supernodes that keep a record, if there are so many (DESIGN, section 7).
const REPLICAS: usize = 3;

/// What one supernode holds.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Its host.
    pub host: u32,
    /// What its process knows.
    pub held: HeldView,
}

/// What the index says of one device, everywhere.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// The newest record.
    newest: Option<RecordView>,
    /// The numbers of all records of it.
    seqs: Vec<u64>,
    /// The supernodes that have a session of it.
    sessions: Vec<NodeId>,
}

/// The virtual wall clock when the world begins, in milliseconds: records are numbered by it.
pub(super) fn signed_at(seq: u64, wall_at_start: u64) -> Time {
    Time(seq.saturating_sub(wall_at_start).saturating_mul(1_000))
}

impl Copies {
    /// What is not as it should be of a peer that is on line, if anything.
    pub(super) fn flaw(&self, at: Time, wall_at_start: u64, supernodes: usize) -> Option<String> {
        let Some(newest) = self.newest else { return Some("no record".into()) };
        let age = |seq: u64| at.since(signed_at(seq, wall_at_start));
        // Newer ones may still be under way.
        let settled = self.seqs.iter().copied().filter(|seq| age(*seq) > UNDER_WAY).max();
        let is_kept = |seq: &&u64| settled.is_none_or(|settled| **seq >= settled);
        let copies = self.seqs.iter().filter(is_kept).count();
        if copies < REPLICAS.min(supernodes) {
            let ages: Vec<Span> = self.seqs.iter().map(|seq| age(*seq)).collect();
            return Some(format!(
                "its record is at {copies} of {supernodes} supernodes; all that are kept were \
                 signed so long ago: {ages:?}"
            ));
        }
        if self.sessions != [newest.home] {
            let (sessions, home) = (&self.sessions, newest.home);
            return Some(format!("sessions at {sessions:?}, and its record names {home:?}"));
        }
        (!newest.on_line).then(|| "its newest record has ended".into())
    }
}

pub(super) fn copies(holders: &[Holder]) -> BTreeMap<NodeId, Copies> {
    let mut all: BTreeMap<NodeId, Copies> = BTreeMap::new();
    for Holder { held, .. } in holders {
        for record in &held.records {
            let copies = all.entry(record.node).or_default();
            copies.seqs.push(record.seq);
            // Of two of one number the lease may have begun later: the longer one counts.
            let rank = |record: &RecordView| (record.seq, record.on_line);
            if copies.newest.is_none_or(|newest| rank(&newest) < rank(record)) {
                copies.newest = Some(*record);
            }
        }
        for node in &held.sessions {
            all.entry(*node).or_default().sessions.push(held.node);
        }
    }
    all
}

pub(super) fn live(holders: &[Holder]) -> BTreeSet<NodeId> {
    holders.iter().map(|holder| holder.held.node).collect()
}

/// Whether a supernode counts one that is gone, or does not count one that lives.
pub(super) fn lacks(Holder { host, held }: &Holder, live: &BTreeSet<NodeId>) -> Option<String> {
    if let Some(gone) = held.members.iter().find(|node| !live.contains(node)) {
        return Some(format!("host {host} counts {gone:?}, which is gone"));
    }
    let (counted, others) = (held.members.len(), live.len() - 1);
    (counted < others).then(|| format!("host {host} counts {counted} of {others} others"))
}

pub(super) fn owners_flaws(holders: &[Holder], trees: usize) -> Vec<String> {
    let owned = |tree: usize| {
        let has = |holder: &&Holder| holder.held.roots.iter().any(|(root, _)| *root == tree);
        holders.iter().filter(has).count()
    };
    let wrong = (0..trees).map(|tree| (tree, owned(tree))).filter(|(_, owners)| *owners != 1);
    wrong.map(|(tree, owners)| format!("tree {tree} has {owners} owners")).collect()
}

/// What is not one about a realm at rest: members, owners, and what the index says of those on line.
pub fn flaws(
    at: Time,
    wall_at_start: u64,
    holders: &[Holder],
    on_line: &[NodeId],
    trees: usize,
) -> Vec<String> {
    let live = live(holders);
    let members = holders.iter().filter_map(|holder| lacks(holder, &live));
    let copies = copies(holders);
    let index = on_line.iter().filter_map(|node| {
        let none = || Some("no record".to_owned());
        let flaw = copies
            .get(node)
            .map_or_else(none, |copies| copies.flaw(at, wall_at_start, holders.len()));
        flaw.map(|flaw| format!("of {node:?}: {flaw}"))
    });
    let trees = if on_line.is_empty() { 0 } else { trees };
    members.chain(index).chain(owners_flaws(holders, trees)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::checks) const WALL: u64 = 1_000_000;
    pub(in crate::checks) const PEER: NodeId = NodeId([9; 32]);

    pub(in crate::checks) fn supernode(host: u8) -> NodeId {
        NodeId([host; 32])
    }

    /// Supernodes 0 to 3, of which 0 is the peer's home and the first three keep its record, signed
    /// when the world began.
    pub(in crate::checks) fn realm() -> Vec<Holder> {
        let members = |me| (0..4).filter(|other| *other != me).map(supernode).collect();
        let record = RecordView { node: PEER, seq: WALL, home: supernode(0), on_line: true };
        let held = |me| HeldView {
            node: supernode(me),
            members: members(me),
            roots: if me == 0 { vec![(0, overlay_proto::coordinates::Epoch(1))] } else { vec![] },
            sessions: if me == 0 { vec![PEER] } else { vec![] },
            records: if me < 3 { vec![record] } else { vec![] },
        };
        (0..4).map(|me| Holder { host: u32::from(me), held: held(me) }).collect()
    }

    fn flaws_after(change: impl FnOnce(&mut Vec<Holder>)) -> usize {
        let mut holders = realm();
        change(&mut holders);
        flaws(Time(60_000_000), WALL, &holders, &[PEER], 1).len()
    }

    #[test]
    fn one_realm_is_right_and_what_is_not_one_is_found() {
        assert_eq!(flaws_after(|_| ()), 0);
        assert_eq!(flaws_after(|all| all[1].held.members.truncate(2)), 1, "a member is missing");
        assert_eq!(flaws_after(|all| all[2].held.records.clear()), 1, "two copies");
        assert_eq!(flaws_after(|all| all[2].held.records[0].seq -= 20_000), 1, "an old copy");
        let renewed = |all: &mut Vec<Holder>| all[0].held.records[0].seq += 59_900;
        assert_eq!(flaws_after(renewed), 0, "the next one is under way");
        let renewed_beside_an_old_one = |all: &mut Vec<Holder>| {
            renewed(all);
            all[2].held.records[0].seq -= 20_000;
        };
        assert_eq!(flaws_after(renewed_beside_an_old_one), 1, "and an old copy");
        assert_eq!(flaws_after(|all| all[3].held.sessions.push(PEER)), 1, "two sessions");
        assert_eq!(flaws_after(|all| all[0].held.sessions.clear()), 1, "no session");
        let second = |all: &mut Vec<Holder>| {
            let root = all[0].held.roots[0];
            all[2].held.roots.push(root);
        };
        assert_eq!(flaws_after(second), 1, "two owners");
        assert_eq!(flaws_after(|all| all[0].held.roots.clear()), 1, "no owner");
    }
}
