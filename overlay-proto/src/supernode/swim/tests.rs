//! The protocol by itself: instances, and a wire of ten milliseconds between them.

use super::*;
use crate::testing::WALL;
use proptest::prelude::*;
use rand::SeedableRng;

const WIRE: Span = Span::millis(10);

/// Some instances that believe all news.
struct Ring {
    now: Time,
    all: BTreeMap<NodeId, Swim>,
    wire: VecDeque<(Time, NodeId, NodeId, Vec<u8>)>,
    /// Nothing passes from the first to the second.
    cut: Vec<(NodeId, NodeId)>,
}

fn node(n: u8) -> NodeId {
    NodeId([n; 32])
}

fn instance(n: u8, life: u64) -> Swim {
    Swim::new(node(n), life, ChaCha8Rng::from_seed([n; 32]), &Config::default())
}

impl Ring {
    fn of(n: u8) -> Ring {
        let now = Time(0) + Span::secs(1);
        let all = (1..=n).map(|n| (node(n), instance(n, WALL.0))).collect();
        let mut ring = Ring { now, all, wire: VecDeque::new(), cut: Vec::new() };
        (2..=n).for_each(|other| ring.meet(node(1), node(other)));
        ring
    }

    /// Two tell each other of their lives, as over a new link.
    fn meet(&mut self, a: NodeId, b: NodeId) {
        for (to, of) in [(a, b), (b, a)] {
            let (life, buried) = (self.all[&of].life(), self.all[&of].buried(to));
            let told = self.all.get_mut(&to).expect("there");
            told.met(self.now, of, life);
            told.rise(self.now, buried);
        }
        self.post();
    }

    fn post(&mut self) {
        for (from, swim) in &mut self.all {
            while let Some((to, data)) = swim.pop_word() {
                self.wire.push_back((self.now + WIRE, *from, to, data));
            }
        }
    }

    fn run(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            let timer = self.all.values().map(Swim::next_at).min().unwrap_or(Time::NEVER);
            let word = self.wire.front().map_or(Time::NEVER, |(at, ..)| *at);
            let next = timer.min(word);
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if word <= timer {
                self.deliver();
            } else {
                self.all.values_mut().for_each(|swim| swim.tick(next, |_| false));
            }
            self.post();
        }
        self.now = until;
    }

    fn deliver(&mut self) {
        let Some((_, from, to, data)) = self.wire.pop_front() else { return };
        if let Some(swim) = self.all.get_mut(&to).filter(|_| !self.cut.contains(&(from, to))) {
            swim.hear(self.now, from, &data, |_, _| true).expect("their own word");
        }
    }

    fn verdicts(&self, of: NodeId) -> Vec<Verdict> {
        self.all.iter().filter(|(n, _)| **n != of).map(|(_, swim)| swim.verdict(of)).collect()
    }
}

#[test]
fn those_who_know_one_find_all() {
    let mut ring = Ring::of(5);
    // News of who is there travels by links; what is said of a life that is suspected does here.
    for (a, b) in [(2, 3), (2, 4), (2, 5), (3, 4), (3, 5), (4, 5)] {
        ring.meet(node(a), node(b));
    }
    ring.run(Span::secs(30));
    for n in 1..=5 {
        assert_eq!(ring.verdicts(node(n)), [Verdict::Alive; 4], "{n}");
    }
}

#[test]
fn who_dies_is_dead_to_all_in_time_and_nobody_else_is() {
    for n in [2, 3, 8] {
        let mut ring = Ring::of(n);
        for a in 2..=n {
            (a + 1..=n).for_each(|b| ring.meet(node(a), node(b)));
        }
        ring.run(Span::secs(20));
        ring.all.remove(&node(2));
        // As long as a member took that was silent, and the round in which it was noticed.
        ring.run(Config::default().member_dead_after + Span::millis(2_500));
        assert!(ring.verdicts(node(2)).iter().all(|v| *v == Verdict::Dead), "of {n}");
        for other in (1..=n).filter(|other| *other != 2) {
            assert!(ring.verdicts(node(other)).iter().all(|v| *v == Verdict::Alive), "of {n}");
        }
    }
}

#[test]
fn a_broken_path_between_two_kills_neither() {
    let mut ring = Ring::of(4);
    for (a, b) in [(2, 3), (2, 4), (3, 4)] {
        ring.meet(node(a), node(b));
    }
    ring.cut = vec![(node(2), node(3)), (node(3), node(2))];
    ring.run(Span::secs(60));
    for n in 1..=4 {
        assert_eq!(ring.verdicts(node(n)), [Verdict::Alive; 3], "{n}");
    }
}

#[test]
fn a_newer_life_beats_the_older_and_one_that_was_buried_rises() {
    let mut ring = Ring::of(3);
    ring.meet(node(2), node(3));
    ring.run(Span::secs(10));
    let gone = ring.all.remove(&node(2)).expect("there");
    ring.run(Span::secs(20));
    assert_eq!(ring.verdicts(node(2)), [Verdict::Dead; 2]);

    ring.all.insert(node(2), instance(2, WALL.0 + 30_000));
    ring.meet(node(1), node(2));
    ring.meet(node(2), node(3));
    ring.run(Span::secs(10));
    assert_eq!(ring.verdicts(node(2)), [Verdict::Alive; 2], "it has started again");

    ring.all.remove(&node(2));
    ring.run(Span::secs(20));
    // It was only cut off, in a life that the others have buried since.
    ring.all.insert(node(2), gone);
    ring.meet(node(1), node(2));
    assert!(ring.all.get_mut(&node(2)).expect("there").take_reborn(), "all shall hear of it");
    ring.meet(node(1), node(2));
    ring.meet(node(2), node(3));
    ring.run(Span::secs(10));
    assert_eq!(ring.verdicts(node(2)), [Verdict::Alive; 2], "it has risen");
    assert!(ring.all[&node(2)].life() > WALL.0 + 30_000);
}

#[test]
fn who_was_not_run_for_a_while_buries_nobody() {
    let mut ring = Ring::of(3);
    ring.meet(node(2), node(3));
    ring.run(Span::secs(10));
    let mut sleeper = ring.all.remove(&node(1)).expect("there");
    let at = sleeper.next_at();
    for _ in 0..4 {
        // It wakes, and looks at its clock before it reads its letters.
        sleeper.tick(at + Span::secs(60), |_| false);
    }
    assert!(sleeper.pop_turn().is_none() || sleeper.verdict(node(2)) == Verdict::Alive);
    assert!(sleeper.next_at() > at + Span::secs(60), "there is time to read them");
}

#[test]
fn who_speaks_is_not_buried_for_questions_left_unanswered() {
    let mut ring = Ring::of(2);
    ring.run(Span::secs(10));
    let mut one = ring.all.remove(&node(1)).expect("there");
    let wait = |one: &mut Swim, span: Span, speaks: bool| {
        let until = one.next_at() + span;
        while one.next_at() < until {
            one.tick(one.next_at(), |_| speaks);
            while one.pop_word().is_some() {}
        }
    };
    wait(&mut one, Span::secs(60), true);
    assert_eq!(one.verdict(node(2)), Verdict::Alive);
    wait(&mut one, Config::default().member_dead_after, false);
    assert_eq!(one.verdict(node(2)), Verdict::Dead);
}

#[test]
fn who_speaks_for_another_is_not_heard() {
    let mut ring = Ring::of(3);
    let data = loop {
        let data = ring.wire.pop_front();
        match data {
            Some((_, from, to, data)) if from == node(1) && to == node(2) => break data,
            Some(_) => {}
            None => ring.run(Span::millis(100)),
        }
    };
    let two = ring.all.get_mut(&node(2)).expect("there");
    let before = format!("{two:?}");
    assert_eq!(two.hear(ring.now, node(3), &data, |_, _| true), Err(Unfit));
    assert_eq!(format!("{two:?}"), before);
    assert_eq!(two.hear(ring.now, node(1), &data, |_, _| true), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_changes_nothing(mut data in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_u8..12) {
        let mut swim = instance(1, WALL.0);
        swim.met(Time(5), node(2), WALL.0);
        if let Some(first) = data.first_mut() {
            *first = kind;
        }
        let before = format!("{swim:?}");
        prop_assert!(swim.hear(Time(6), node(2), &data, |_, _| true).is_err());
        prop_assert_eq!(format!("{swim:?}"), before);
    }

    #[test]
    fn a_bent_word_is_refused_or_harmless(at in 0_usize..200, with: u8) {
        let mut one = instance(1, WALL.0);
        let mut two = instance(2, WALL.0);
        one.met(Time(5), node(2), WALL.0);
        two.met(Time(5), node(1), WALL.0);
        while one.next_at() < Time(5) + Span::secs(3) {
            one.tick(one.next_at(), |_| false);
        }
        let (_, mut data) = one.pop_word().expect("a question");
        let at = at % data.len();
        data[at] = with;
        let before = format!("{two:?}");
        if two.hear(Time(6), node(1), &data, |of, _| of == node(1)).is_err() {
            prop_assert_eq!(format!("{two:?}"), before);
        }
        prop_assert!(two.foca.iter_membership_state().count() <= 1, "nobody new is known");
    }
}
