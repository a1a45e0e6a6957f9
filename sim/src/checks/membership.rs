//! Supernodes know who of them lives: each hears of each death in time, nobody who lives is given up,
//! and at the end all have one list.

use super::Findings;
use crate::report::{Figures, Sample};
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::id::NodeId;
use overlay_proto::io::Event;
use overlay_proto::time::{Span, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The check's name in findings.
pub const CHECK: &str = "membership";

/// Those who were parted dial each other again within this, and a little more.
const MEET: Span = Span::secs(10);

/// What supernodes have said of each other since the script began to judge them.
#[derive(Debug, Default)]
pub struct Membership {
    begun: Option<Time>,
    /// Hosts whose processes the script has ended, and when.
    ended: BTreeMap<u32, Time>,
    /// When each supernode, named first, gave up each dead one.
    known: BTreeMap<(u32, u32), Time>,
    /// Pairs between which something does not pass; the lower number first.
    parted: BTreeSet<(u32, u32)>,
    /// Until then, and a little longer, they may give each other up.
    parted_until: Option<Time>,
    false_deaths: u64,
    unreached: u64,
    /// Bytes that a supernode sent in a second: in peace, and while others died.
    bytes: [Option<f64>; 2],
    findings: Findings,
}

impl Membership {
    /// All know all: from now on nobody may be given up who lives.
    pub fn begins(&mut self, at: Time) {
        self.begun = Some(at);
    }

    /// The script has ended this supernode.
    pub fn ended(&mut self, host: u32, at: Time) {
        self.ended.insert(host, at);
    }

    /// Between these nothing passes one way: they may give each other up, and nobody else may.
    pub fn parted(&mut self, ways: &[(u32, u32)]) {
        self.parted = ways.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
        self.parted_until = None;
    }

    /// All passes again.
    pub fn healed(&mut self, at: Time) {
        self.parted_until = Some(at);
    }

    /// What a supernode has sent in a second, in peace or while others died.
    pub fn sent(&mut self, in_peace: bool, bytes: f64) {
        self.bytes[usize::from(!in_peace)] = Some(bytes);
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        if self.begun.is_none() || population.user(sighting.host).is_some() {
            return;
        }
        let (by, at) = (sighting.host, sighting.at);
        match &sighting.what {
            Seen::Event(Event::MemberDown { node }) => {
                let Some(of) = population.host_of(node) else { return };
                if self.ended.contains_key(&of) {
                    self.known.insert((by, of), at);
                } else if self.are_parted(by, of, at) {
                    self.unreached += 1;
                } else {
                    self.false_deaths += 1;
                    let what = format!("host {by} gave up supernode {of}, which lives");
                    self.findings.add(CHECK, at, what);
                }
            }
            Seen::Event(Event::MemberUp { node }) => {
                if let Some(of) = population.host_of(node) {
                    self.known.remove(&(by, of));
                }
            }
            _ => {}
        }
    }

    fn are_parted(&self, one: u32, other: u32, at: Time) -> bool {
        let pair = (one.min(other), one.max(other));
        self.parted.contains(&pair) && self.parted_until.is_none_or(|until| at < until + MEET)
    }

    /// Whether all these know each death. Those who have died themselves do not matter.
    pub fn know_all(&self, living: &[u32]) -> bool {
        let knows = |by: &u32| self.ended.keys().all(|of| self.known.contains_key(&(*by, *of)));
        living.iter().all(knows)
    }

    /// The script has waited: each of these should have known each death within `limit`.
    pub fn judge(&mut self, living: &[u32], limit: Span, now: Time) {
        let (mut missing, mut late, mut worst) = (0_u64, 0_u64, Span(0));
        for by in living {
            for (of, ended) in &self.ended {
                match self.known.get(&(*by, *of)).map(|at| at.since(*ended)) {
                    None => missing += 1,
                    Some(waited) => {
                        late += u64::from(waited > limit);
                        worst = worst.max(waited);
                    }
                }
            }
        }
        if missing > 0 {
            let of = living.len() * self.ended.len();
            let what = format!("{missing} of {of} times a living one does not know of a death");
            self.findings.add(CHECK, now, what);
        }
        if late > 0 {
            let (worst, limit) = (worst.as_millis_f64() / 1e3, limit.as_millis_f64() / 1e3);
            let what = format!(
                "{late} times a death was known after {limit:.0} s, once after {worst:.1} s"
            );
            self.findings.add(CHECK, now, what);
        }
    }

    /// Something else that is wrong with the lists.
    pub fn complain(&mut self, at: Time, what: String) {
        self.findings.add(CHECK, at, what);
    }

    /// What was found.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Puts what was measured where it belongs.
    pub fn tell(&self, figures: &mut Figures) {
        if self.begun.is_none() {
            return;
        }
        let wait = |((_, of), at): (&(u32, u32), &Time)| Some(at.since(*self.ended.get(of)?));
        let waits: Vec<Span> = self.known.iter().filter_map(wait).collect();
        let secs = Sample::new(waits.iter().map(|wait| wait.as_millis_f64() / 1e3));
        figures.membership_deaths = Some(self.ended.len());
        figures.membership_secs_p50 = secs.quantile(0.5);
        figures.membership_secs_p99 = secs.quantile(0.99);
        figures.membership_secs_max = secs.quantile(1.0);
        figures.membership_false_deaths = Some(self.false_deaths);
        figures.membership_unreached = Some(self.unreached);
        [figures.membership_bytes_per_second, figures.membership_bytes_per_second_dying] =
            self.bytes;
    }
}

/// Where the lists of the living are not one: each is a host with its node and the members that count
/// for it, with the numbers of their records. Says of the first few what is wrong.
pub fn differences(
    lists: &[(u32, NodeId, BTreeMap<NodeId, u64>)],
    shown: usize,
) -> (usize, Vec<String>) {
    let mut newest: BTreeMap<NodeId, u64> = BTreeMap::new();
    for (node, seq) in lists.iter().flat_map(|(.., list)| list) {
        let known = newest.entry(*node).or_insert(*seq);
        *known = (*known).max(*seq);
    }
    let living: BTreeSet<NodeId> = lists.iter().map(|(_, node, _)| *node).collect();
    let (mut count, mut told) = (0, Vec::new());
    for (host, me, list) in lists {
        let lacks = living.iter().filter(|node| *node != me && !list.contains_key(*node)).count();
        let dead = list.keys().filter(|node| !living.contains(*node)).count();
        let old = list.iter().filter(|(node, seq)| newest.get(*node) > Some(*seq)).count();
        if lacks + dead + old > 0 {
            count += 1;
            if told.len() < shown {
                told.push(format!(
                    "host {host} lacks {lacks} that live, has {dead} that are dead and {old} old records"
                ));
            }
        }
    }
    (count, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    /// Three supernodes on the hosts 0 to 2, no users.
    fn population() -> Population {
        let mut population = Population::new(3, 0);
        (0..3).for_each(|host| population.runs(node(host), host.into()));
        population
    }

    fn down(by: u32, of: u8, secs: u64) -> Sighting {
        let what = Seen::Event(Event::MemberDown { node: node(of) });
        Sighting { at: Time(secs * 1_000_000), host: by, what }
    }

    fn found(sightings: &[Sighting]) -> Vec<String> {
        let mut check = Membership::default();
        check.begins(Time(0));
        check.ended(2, Time(0));
        check.parted(&[]);
        sightings.iter().for_each(|sighting| check.see(sighting, &population()));
        check.judge(&[0, 1], Span::secs(10), Time(30_000_000));
        check.findings().kept().iter().map(|violation| violation.what.clone()).collect()
    }

    #[test]
    fn a_death_has_to_be_known_to_all_in_time() {
        assert_eq!(found(&[down(0, 2, 7), down(1, 2, 9)]), [""; 0]);
        assert_eq!(found(&[down(0, 2, 7)]), ["1 of 2 times a living one does not know of a death"]);
        assert_eq!(
            found(&[down(0, 2, 7), down(1, 2, 11)]),
            ["1 times a death was known after 10 s, once after 11.0 s"]
        );
    }

    #[test]
    fn who_lives_is_given_up_by_nobody_but_those_it_is_parted_from() {
        let told = [down(0, 2, 7), down(1, 2, 7), down(0, 1, 8)];
        assert_eq!(found(&told), ["host 0 gave up supernode 1, which lives"]);
        let mut check = Membership::default();
        check.begins(Time(0));
        check.parted(&[(1, 0)]);
        check.see(&down(0, 1, 8), &population());
        check.healed(Time(9_000_000));
        check.see(&down(0, 1, 12), &population());
        assert_eq!(check.findings().count(), 0);
        check.see(&down(0, 1, 20), &population());
        assert_eq!(check.findings().count(), 1, "it has been back for long");
    }

    #[test]
    fn lists_that_differ_are_found() {
        let list = |of: &[(u8, u64)]| of.iter().map(|(n, seq)| (node(*n), *seq)).collect();
        let same = [(0, node(0), list(&[(1, 5)])), (1, node(1), list(&[(0, 4)]))];
        assert_eq!(differences(&same, 3), (0, Vec::new()));
        let lists = [
            (0, node(0), list(&[(1, 5), (3, 1), (2, 6)])),
            (1, node(1), list(&[(0, 4), (2, 7)])),
            (2, node(2), list(&[(0, 4)])),
        ];
        let (count, told) = differences(&lists, 1);
        assert_eq!(count, 2, "{told:?}");
        assert_eq!(told, ["host 0 lacks 0 that live, has 1 that are dead and 1 old records"]);
    }
}
