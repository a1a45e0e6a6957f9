//! Where a newcomer is sent who is better served by another supernode.
//!
//! What is known of the others is as old as their last heartbeat: seconds in a large realm. Were
//! everybody sent to the least loaded ones, these would be overrun before anybody heard of it
//! (Mitzenmacher, "How Useful Is Old Information?", 2000). So many are drawn once a heartbeat, equals
//! with the same chance, and named in turn; and what another has said is held against what was true
//! here at that time.

use crate::context::Context;
use crate::identity::Contact;
use crate::supernode::members::Members;
use crate::time::Time;
use std::collections::VecDeque;

/// A supernode with this many peers more than twice another one sends newcomers elsewhere.
const IMBALANCE: u64 = 16;
/// Supernodes named to a newcomer.
const NAMED: usize = 3;
/// Supernodes among which newcomers are spread from one heartbeat to the next.
const DRAWN: usize = 64;
/// Seconds, beside half of the wait here, that another line must be shorter.
const MUCH_LESS_SECS: u16 = 2;
/// Heartbeats for which it is known how many peers were here: in a realm of 2,000 another's last one
/// is so old.
const LOOKS: usize = 64;

/// The supernodes where there is room, as far as heartbeats have said.
#[derive(Debug, Default)]
pub(in crate::supernode) struct Elsewhere {
    /// Those with the fewest peers, and how many they have, fewest first.
    peers: Vec<(u32, Contact)>,
    /// Those with the shortest lines, and how many seconds one waits there, shortest first.
    lines: Vec<(u16, Contact)>,
    /// Peers up to which a supernode keeps its newcomers. `None`: there is no other.
    fair: Option<u64>,
    /// How many peers were here when, oldest first.
    here: VecDeque<(Time, usize)>,
    /// Which are named next.
    turn: usize,
}

impl Elsewhere {
    /// Looks anew: once a heartbeat, not for each newcomer. There are so many peers here.
    pub fn look(&mut self, cx: &mut Context, members: &Members, peers: usize) {
        self.here.push_back((cx.now, peers));
        if self.here.len() > LOOKS {
            self.here.pop_front();
        }
        let said = members.staying().map(|(_, member)| (member.heard, member.load.children));
        self.fair = said.map(|(at, theirs)| self.keeps_beside(at, theirs)).min();
        let peers = members.staying().map(|(node, member)| (member.load.children, *node));
        self.peers = members.least(DRAWN, peers, &mut cx.rng);
        let lines = members.staying().map(|(node, member)| (member.load.line_secs, *node));
        self.lines = members.least(DRAWN, lines, &mut cx.rng);
    }

    /// Peers up to which newcomers are kept beside another supernode that had so many at that time:
    /// it has probably got more since, as we have.
    fn keeps_beside(&self, at: Time, theirs: u32) -> u64 {
        let later = self.here.partition_point(|(then, _)| *then <= at);
        let then = self.here.get(later.saturating_sub(1)).map_or(0, |(_, peers)| *peers);
        let now = self.here.back().map_or(0, |(_, peers)| *peers);
        fair_beside(theirs) + now.saturating_sub(then) as u64
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether one who has so many peers has had more than its share of newcomers.
    pub fn is_uneven(&self, peers: usize) -> bool {
        self.fair.is_some_and(|fair| fair < peers as u64)
    }

    /// Whether another has fewer peers than so many.
    pub fn has_fewer(&self, peers: usize) -> bool {
        self.peers.first().is_some_and(|(least, _)| (*least as usize) < peers)
    }

    /// A few with fewer peers than so many, none of which would send a newcomer on.
    pub fn with_room(&mut self, peers: usize) -> Vec<Contact> {
        let most = self.peers.first().map_or(0, |(least, _)| fair_beside(*least));
        let takes = |theirs: u32| (theirs as usize) < peers && u64::from(theirs) <= most;
        in_turn(&self.peers, &mut self.turn, takes)
    }

    /// Whether there is one where who has to wait so long here would wait much less.
    pub fn has_shorter_line(&self, secs: u16) -> bool {
        self.lines.first().is_some_and(|(there, _)| is_much_less(*there, secs))
    }

    /// A few of those.
    pub fn with_shorter_line(&mut self, secs: u16) -> Vec<Contact> {
        in_turn(&self.lines, &mut self.turn, |there| is_much_less(there, secs))
    }
}

/// As many as one may have beside another with so many.
fn fair_beside(theirs: u32) -> u64 {
    2 * u64::from(theirs) + IMBALANCE
}

fn is_much_less(there: u16, secs: u16) -> bool {
    there.saturating_add(MUCH_LESS_SECS) <= secs / 2
}

/// The next few that will do. Those that will are the first ones of the list, for it is sorted.
fn in_turn<F: Copy>(
    sorted: &[(F, Contact)],
    turn: &mut usize,
    will_do: impl Fn(F) -> bool,
) -> Vec<Contact> {
    let fit = &sorted[..sorted.partition_point(|(figure, _)| will_do(*figure))];
    let begin = turn.checked_rem(fit.len()).unwrap_or(0);
    *turn = begin + NAMED;
    let named = fit.iter().cycle().skip(begin).take(NAMED.min(fit.len()));
    named.map(|(_, contact)| contact.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::time::Span;
    use std::collections::BTreeMap;

    fn peers(figures: impl IntoIterator<Item = u32>) -> Elsewhere {
        let named = |(n, figure)| (figure, Contact { node: NodeId([n; 32]), addresses: vec![] });
        Elsewhere { peers: (0..).zip(figures).map(named).collect(), ..Elsewhere::default() }
    }

    #[test]
    fn those_with_room_are_named_in_turn() {
        let mut elsewhere = peers([0; 32]);
        let mut named: BTreeMap<NodeId, u32> = BTreeMap::new();
        for contact in (0..320).flat_map(|_| elsewhere.with_room(17)) {
            *named.entry(contact.node).or_default() += 1;
        }
        assert_eq!(
            (named.len(), named.values().min(), named.values().max()),
            (32, Some(&30), Some(&30))
        );
    }

    #[test]
    fn nobody_is_sent_to_who_would_send_it_on_or_has_no_more_room() {
        let mut elsewhere = peers([10, 12, 36, 37, 50]);
        let mut nodes = |peers| {
            let named = elsewhere.with_room(peers);
            named.iter().map(|contact| contact.node.0[0]).max()
        };
        assert_eq!(
            (nodes(100), nodes(36), nodes(12), nodes(10)),
            (Some(2), Some(1), Some(0), None)
        );
        assert!(elsewhere.has_fewer(11) && !elsewhere.has_fewer(10));
        let mut alone = Elsewhere::default();
        assert!(alone.is_empty() && !alone.is_uneven(9_999) && alone.with_room(9_999).is_empty());
    }

    #[test]
    fn what_another_said_is_held_against_what_was_true_here_then() {
        let here = [(0, 10), (1, 30), (2, 50)];
        let here = here.into_iter().map(|(secs, peers)| (Time(0) + Span::secs(secs), peers));
        let elsewhere = Elsewhere { here: here.collect(), ..Elsewhere::default() };
        let keeps = |millis, theirs| elsewhere.keeps_beside(Time(0) + Span::millis(millis), theirs);
        assert_eq!([keeps(0, 10), keeps(999, 10), keeps(1_000, 10)], [76, 76, 56]);
        assert_eq!([keeps(5_000, 10), keeps(5_000, 20)], [36, 56]);
        assert_eq!(Elsewhere::default().keeps_beside(Time(0), 5), 26);
    }
}
