//! After a partition has healed, or who slept has woken, there is one realm again: every supernode
//! counts the same members, each tree has one owner, each peer one session, and the index says the same
//! of everybody wherever it is asked. No old record has replaced a newer one, and nobody who was there
//! all the while has been buried by who slept.

use super::Findings;
use super::one_realm::{Holder, UNDER_WAY, copies, lacks, live, owners_flaws, signed_at};
use crate::scenario::asked::Asked;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::id::NodeId;
use overlay_proto::io::{Event, Reply};
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the check in findings.
pub const CHECK: &str = "convergence";
/// T: from the heal, or from a log-in after it, until the index must agree on a peer. Supernodes that
/// were apart dial each other within four seconds, of which three may be lost on who is not heard yet,
/// and records are published anew at once; without that it would take up to 20 s.
pub const WITHIN: Span = Span::secs(10);
/// Two questions after one user at one moment, put to two supernodes.
#[derive(Debug)]
struct Pair {
    at: Time,
    whom: NodeId,
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Found { seq: u64, home: NodeId, on_line: bool },
    Not(Status),
}

/// What came of the heals of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Heals, and times that who slept woke.
    pub heals: u64,
    /// From each heal, or from the log-in after it, until the index agreed on a peer.
    pub took: Vec<Span>,
    /// From each heal until every tree had one owner.
    pub owners_took: Vec<Span>,
    /// Pairs of questions that were both answered.
    pub compared: u64,
    /// Of them, pairs of answers of which one is not true any more.
    pub conflicting: u64,
    /// Pairs of which one was not answered, or with "cannot say".
    pub unanswered: u64,
    /// Records that replaced newer ones.
    pub stale_writes: u64,
    /// Supernodes that were there all the while and were given up.
    pub buried: u64,
}

/// The check.
#[derive(Debug, Default)]
pub struct Convergence {
    /// The record that each supernode's process was last seen to have of each device.
    kept: BTreeMap<(u32, NodeId), u64>,
    healed: Option<Time>,
    /// Since when each peer that does not agree yet has been in.
    waiting: BTreeMap<NodeId, Time>,
    agreed: BTreeSet<NodeId>,
    owners_wait: bool,
    /// The hosts that sleep, or have slept in this step.
    sleepers: BTreeSet<u32>,
    pairs: Vec<Pair>,
    counts: Counts,
    findings: Findings,
}

impl Convergence {
    /// These sleep from now on, and nobody else is disturbed.
    pub fn fell_asleep(&mut self, hosts: &[u32]) {
        self.sleepers = hosts.iter().copied().collect();
    }

    /// All that was wrong is right from now on.
    pub fn healed(&mut self, at: Time) {
        self.counts.heals += 1;
        self.healed = Some(at);
        self.waiting.clear();
        self.agreed.clear();
        self.owners_wait = true;
    }

    /// Nobody sleeps any more, and who did is like the others.
    pub fn is_over(&mut self) {
        self.sleepers.clear();
        self.healed = None;
    }

    /// Looks at what all live supernodes hold. `on_line` are the peers that are logged in as they
    /// believe. True if all has agreed since the heal.
    pub fn look(
        &mut self,
        at: Time,
        wall_at_start: u64,
        holders: &[Holder],
        on_line: &[NodeId],
        trees: usize,
    ) -> bool {
        self.note_kept(at, holders);
        let Some(healed) = self.healed else { return true };
        let copies = copies(holders);
        let live = live(holders);
        let all_members = holders.iter().all(|holder| lacks(holder, &live).is_none());
        for node in on_line {
            if self.agreed.contains(node) {
                continue;
            }
            let since = *self.waiting.entry(*node).or_insert(at.max(healed));
            let since = if since <= healed + Span::secs(1) { healed } else { since };
            let flaw = copies.get(node).map_or_else(
                || Some("no record".to_owned()),
                |copies| copies.flaw(at, wall_at_start, holders.len()),
            );
            let flaw = flaw.or_else(|| (!all_members).then(|| "members differ".to_owned()));
            let took = at.since(since);
            match flaw {
                None => {
                    self.counts.took.push(took);
                    self.agreed.insert(*node);
                }
                Some(flaw) if took > WITHIN => {
                    let what = format!("{took:?} after the heal, of {node:?}: {flaw}");
                    self.findings.add(CHECK, at, what);
                    self.counts.took.push(took);
                    self.agreed.insert(*node);
                }
                Some(_) => {}
            }
        }
        if self.owners_wait && owners_flaws(holders, trees).is_empty() {
            self.counts.owners_took.push(at.since(healed));
            self.owners_wait = false;
        }
        !self.owners_wait && on_line.iter().all(|node| self.agreed.contains(node))
    }

    /// Looks only at which records are kept.
    pub fn glance(&mut self, at: Time, holders: &[Holder]) {
        self.note_kept(at, holders);
    }

    /// Notes which records are kept, and finds those that have replaced newer ones.
    fn note_kept(&mut self, at: Time, holders: &[Holder]) {
        for Holder { host, held } in holders {
            for record in &held.records {
                let before = self.kept.insert((*host, record.node), record.seq);
                if let Some(before) = before.filter(|before| *before > record.seq) {
                    self.counts.stale_writes += 1;
                    let what = format!(
                        "host {host} kept record {before} of {:?} and keeps {}, an older one",
                        record.node, record.seq
                    );
                    self.findings.add(CHECK, at, what);
                }
            }
        }
    }

    /// A user is asked after, at two supernodes. The number of the pair.
    pub fn asks(&mut self, whom: NodeId, at: Time) -> u32 {
        self.pairs.push(Pair { at, whom, answers: Vec::new() });
        (self.pairs.len() - 1) as u32
    }

    /// Pairs of questions that wait for an answer.
    pub fn open(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.answers.len() < 2).count()
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting, population: &Population, wall_at_start: u64) {
        match &sighting.what {
            Seen::Event(Event::MemberDown { node }) if !self.sleepers.is_empty() => {
                let there = population.host_of(node);
                let slept = |host: u32| self.sleepers.contains(&host);
                if let Some(there) = there.filter(|there| !slept(*there) && !slept(sighting.host)) {
                    self.counts.buried += 1;
                    let what = format!("host {} gave up host {there}, which lives", sighting.host);
                    self.findings.add(CHECK, sighting.at, what);
                }
            }
            Seen::Reply(id, reply) => {
                if let Some(Asked::Compare(number)) = Asked::of(*id) {
                    self.answered(number, reply, sighting.at, wall_at_start);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, number: u32, reply: &Reply, at: Time, wall_at_start: u64) {
        let Some(pair) = self.pairs.get_mut(number as usize) else { return };
        pair.answers.push(match reply {
            Reply::Located { found, .. } => {
                let of_it = found.iter().find(|found| found.record.node() == pair.whom);
                of_it.map_or(Answer::Not(Status::UNKNOWN_NAME), |found| Answer::Found {
                    seq: found.record.seq,
                    home: found.record.home,
                    on_line: found.lease_ms > 0,
                })
            }
            Reply::Failed { status } => Answer::Not(*status),
            _ => Answer::Not(Status::UNPROVEN),
        });
        let &[one, other] = pair.answers.as_slice() else { return };
        match pair.judge(one, other, wall_at_start) {
            Some(true) => {
                self.counts.compared += 1;
                self.counts.conflicting += 1;
                let what = format!(
                    "{:?} was asked after at two supernodes, which say {one:?} and {other:?}",
                    pair.whom
                );
                self.findings.add(CHECK, at, what);
            }
            Some(false) => self.counts.compared += 1,
            None => self.counts.unanswered += 1,
        }
    }

    /// What came of it, if there was anything to agree on.
    pub fn counts(&self) -> Option<&Counts> {
        (self.counts.heals > 0).then_some(&self.counts)
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

impl Pair {
    /// Whether two answers conflict; `None` if one of them says nothing.
    fn judge(&self, one: Answer, other: Answer, wall_at_start: u64) -> Option<bool> {
        let says_nothing = |answer: Answer| {
            let unable = [Status::NO_ROUTE, Status::TIMEOUT, Status::OVERLOADED];
            matches!(answer, Answer::Not(status) if unable.contains(&status))
        };
        if says_nothing(one) || says_nothing(other) {
            return None;
        }
        let (Answer::Found { seq: first, .. }, Answer::Found { seq: second, .. }) = (one, other)
        else {
            return Some(one != other);
        };
        // One of them may have been asked just before a newer record came.
        let newest = signed_at(first.max(second), wall_at_start);
        let settled = newest + UNDER_WAY <= self.at;
        Some(one != other && settled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::one_realm::tests::{PEER, WALL, realm, supernode};
    use super::*;

    #[test]
    fn who_does_not_agree_in_time_and_an_older_record_are_found() {
        let mut check = Convergence::default();
        let mut holders = realm();
        let look = |check: &mut Convergence, at: u64, holders: &[Holder]| {
            check.look(Time(at * 1_000_000), WALL, holders, &[PEER], 1)
        };
        check.healed(Time(60_000_000));
        holders[2].held.records.clear();
        assert!(!look(&mut check, 61, &holders) && !look(&mut check, 70, &holders));
        assert_eq!(check.verdict().count(), 0);
        assert!(look(&mut check, 71, &holders), "it is not waited for any more");
        assert_eq!(check.verdict().count(), 1);
        holders[1].held.records[0].seq -= 1;
        check.glance(Time(72_000_000), &holders);
        let counts = check.counts().expect("a heal").clone();
        assert_eq!((counts.stale_writes, check.verdict().count()), (1, 2));
        assert_eq!(counts.took, [Span::secs(11)]);
    }

    #[test]
    fn two_answers_conflict_unless_one_of_them_is_new() {
        let found = |seq| Answer::Found { seq, home: supernode(0), on_line: true };
        let judge = |at, one, other| {
            let pair = Pair { at: Time(at), whom: PEER, answers: Vec::new() };
            pair.judge(one, other, WALL)
        };
        let unknown = Answer::Not(Status::UNKNOWN_NAME);
        let silent = Answer::Not(Status::TIMEOUT);
        assert_eq!(judge(60_000_000, found(WALL), found(WALL)), Some(false));
        assert_eq!(judge(60_000_000, found(WALL), found(WALL + 20_000)), Some(true));
        assert_eq!(judge(21_000_000, found(WALL), found(WALL + 20_000)), Some(false));
        assert_eq!(judge(60_000_000, found(WALL), unknown), Some(true));
        assert_eq!(judge(60_000_000, found(WALL), silent), None);
    }

    #[test]
    fn who_was_there_and_is_given_up_while_others_sleep_is_found() {
        let mut population = Population::new(4, 2);
        (0..4).for_each(|host| population.runs(supernode(host), u32::from(host)));
        let mut check = Convergence::default();
        let told = |host, of| Sighting {
            at: Time(1),
            host,
            what: Seen::Event(Event::MemberDown { node: supernode(of) }),
        };
        check.see(&told(1, 2), &population, WALL);
        check.fell_asleep(&[3]);
        for (host, of, count) in [(1, 3, 0), (3, 1, 0), (1, 2, 1)] {
            check.see(&told(host, of), &population, WALL);
            assert_eq!(check.verdict().count(), count, "{host} of {of}");
        }
    }
}
