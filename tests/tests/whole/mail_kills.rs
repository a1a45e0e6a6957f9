//! Exactly once: whoever is killed at whatever moment, each message that was promised is shown once,
//! in order, and its sender hears of it. Sender, recipient and supernodes are real processes, ended
//! by `kill -9`.
//!
//! `MAIL_RUNS=200 cargo test -p overlay-tests --test whole mail_kills:: -- --nocapture` plays 200 runs, each
//! in a realm of its own; `MAIL_SEED` is the seed of the first.

use overlay_tests::program::GUARD;
use overlay_tests::{Realm, Running, run};
use std::collections::BTreeSet;
use std::fmt;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many runs, and the seed of the first.
const RUNS_VARIABLE: &str = "MAIL_RUNS";
const SEED_VARIABLE: &str = "MAIL_SEED";
/// How long processes are killed in one run.
const KILLING: Duration = Duration::from_secs(6);
/// Before each kill, and before a process that was killed comes back, in milliseconds.
const PAUSE_MS: u64 = 400;
const AWAY_MS: u64 = 700;
/// Between two messages, in milliseconds.
const WRITE_MS: u64 = 120;
const SUPERNODES: usize = 3;
/// How long what was written may take to come and to have its end, before both ends start once more: a
/// receipt that was lost is asked for after a minute.
const SETTLING: Duration = Duration::from_secs(100);
/// Between two looks at what has come.
const LOOK: Duration = Duration::from_millis(100);

/// A row of numbers that are hard to foresee (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn pause(&mut self, bound_ms: u64) {
        thread::sleep(Duration::from_millis(self.below(bound_ms)));
    }
}

/// What alice was told of her messages, each of which is a number.
#[derive(Debug, Default)]
struct Written {
    /// Those that were promised, with their ids.
    promised: Vec<(u64, String)>,
    /// Those of which nothing was promised: they may have been taken, or not.
    unsure: BTreeSet<u64>,
}

/// Writes one message after the other, whether alice runs or not, until it is `over`.
fn write(folder: PathBuf, mut dice: Dice, over: &AtomicBool) -> Written {
    let data = folder.to_str().expect("plain");
    let mut written = Written::default();
    for number in 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let text = number.to_string();
        let answer = run("peer", &["message", "bob", &text, "--json", "--data", data]);
        match answer.code {
            Some(0) => {
                let id = answer.json()["id"].as_str().expect("a text").to_owned();
                written.promised.push((number, id));
            }
            _ => drop(written.unsure.insert(number)),
        }
        dice.pause(WRITE_MS);
    }
    written
}

/// Ends the writer also when the test panics: the scope would wait for it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The processes of one run.
struct Scene {
    realm: Realm,
    alice: Running,
    bob: Running,
    /// Supernodes that are away.
    away: Vec<usize>,
    kills: u32,
}

impl Scene {
    /// Alice and bob, who have exchanged a message each, so that each knows the other's keys.
    fn start() -> Scene {
        let realm = Realm::start_at_fixed_addresses(SUPERNODES);
        let mut both = realm.settle(&["alice", "bob"]);
        for (from, to) in [("alice", "bob"), ("bob", "alice")] {
            let answer = realm.peer(from, &["message", to, "0", "--wait"]).json();
            assert_eq!(answer["state"], "delivered", "{answer}");
        }
        let bob = both.pop().expect("two");
        let alice = both.pop().expect("two");
        Scene { realm, alice, bob, away: Vec::new(), kills: 0 }
    }

    /// Kills somebody, who comes back at once or after a while. One supernode is always there.
    fn kill(&mut self, dice: &mut Dice) {
        match dice.below(7) {
            0 | 1 => {
                self.alice.kill9();
                self.kills += 1;
                self.away_for_a_while(dice);
                self.alice = self.realm.begin_peer("alice");
            }
            2 | 3 => {
                self.bob.kill9();
                self.kills += 1;
                self.away_for_a_while(dice);
                self.bob = self.realm.begin_peer("bob");
            }
            other => self.kill_supernode(other as usize - 4, dice),
        }
    }

    /// One that is away comes back instead.
    fn kill_supernode(&mut self, victim: usize, dice: &mut Dice) {
        if let Some(at) = self.away.iter().position(|away| *away == victim) {
            self.away.remove(at);
            return self.realm.revive_supernode(victim);
        }
        self.realm.supernodes[victim].kill9();
        self.kills += 1;
        match dice.below(2) == 0 && self.away.len() + 1 < SUPERNODES {
            true => self.away.push(victim),
            false => self.realm.revive_supernode(victim),
        }
    }

    fn away_for_a_while(&self, dice: &mut Dice) {
        if dice.below(2) == 0 {
            dice.pause(AWAY_MS);
        }
    }

    /// Who is away comes back, but one supernode that may be gone for good.
    fn heal(&mut self, dice: &mut Dice) {
        let gone = self.away.len().min(dice.below(2) as usize);
        for victim in self.away.split_off(gone) {
            self.realm.revive_supernode(victim);
        }
        self.log_in();
    }

    /// Waits until everything has come and has its end, but not for ever.
    fn wait(&self, written: &Written, patience: Duration) {
        let began = Instant::now();
        let open = || {
            let verdict = judge(self, written);
            verdict.lost + verdict.without_end
        };
        while open() > 0 && began.elapsed() < patience {
            thread::sleep(LOOK);
        }
    }

    fn log_in(&mut self) {
        self.alice.event("logged_in", |_| true);
        self.bob.event("logged_in", |_| true);
    }
}

/// What one run has shown.
#[derive(Debug, Default)]
struct Verdict {
    promised: usize,
    unsure: usize,
    kills: u32,
    lost: usize,
    twice: usize,
    out_of_order: usize,
    without_end: usize,
    /// Without an end before the last start, long after whoever bore a lost receipt was asked again.
    late: usize,
    /// Shown, but never written.
    strange: usize,
}

impl Verdict {
    fn is_good(&self) -> bool {
        let Verdict { lost, twice, out_of_order, without_end, late, strange, .. } = self;
        lost + twice + out_of_order + without_end + late + strange == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { promised, unsure, kills, lost, twice, out_of_order, .. } = self;
        write!(
            f,
            "{kills} kills, {promised} messages promised, {unsure} not; {lost} lost, {twice} shown twice, {out_of_order} out of order, {} without an end ({} had one only after a start)",
            self.without_end, self.late
        )?;
        if self.strange > 0 { write!(f, ", {} nobody wrote", self.strange) } else { Ok(()) }
    }
}

/// Compares what alice was told with what bob is shown.
fn judge(scene: &Scene, written: &Written) -> Verdict {
    let shown = scene.realm.received("bob");
    let shown: Vec<u64> = shown.iter().map(|text| text.parse().expect("a number")).collect();
    let once: BTreeSet<u64> = shown.iter().copied().collect();
    let promised: BTreeSet<u64> = written.promised.iter().map(|(number, _)| *number).collect();
    let states = scene.realm.written("alice");
    let ended = |id: &str| states.iter().any(|(of, state)| of == id && state == "delivered");
    Verdict {
        promised: promised.len(),
        unsure: written.unsure.len(),
        kills: scene.kills,
        lost: promised.difference(&once).count(),
        twice: shown.len() - once.len(),
        out_of_order: shown.windows(2).filter(|pair| pair[0] > pair[1]).count(),
        late: 0,
        without_end: written.promised.iter().filter(|(_, id)| !ended(id)).count(),
        // The first was written before the run.
        strange: once
            .iter()
            .filter(|n| **n > 0 && !promised.contains(n) && !written.unsure.contains(n))
            .count(),
    }
}

/// One run: kills while alice writes, then peace until everything has come.
fn play(seed: u64) -> Verdict {
    let mut dice = Dice(seed);
    let mut scene = Scene::start();
    let over = AtomicBool::new(false);
    let (folder, pen) = (scene.realm.folder("alice"), Dice(!seed));
    let written = thread::scope(|scope| {
        let writing = scope.spawn(|| write(folder, pen, &over));
        let ending = Over(&over);
        let end = Instant::now() + KILLING;
        while Instant::now() < end {
            dice.pause(PAUSE_MS);
            scene.kill(&mut dice);
        }
        drop(ending);
        writing.join().expect("it does not panic")
    });
    scene.heal(&mut dice);
    scene.wait(&written, SETTLING);
    let late = judge(&scene, &written).without_end;
    // Whatever only memory knew is gone, and what still comes would be a second time.
    scene.alice.kill9();
    scene.bob.kill9();
    scene.alice = scene.realm.begin_peer("alice");
    scene.bob = scene.realm.begin_peer("bob");
    scene.log_in();
    scene.wait(&written, GUARD);
    Verdict { late, ..judge(&scene, &written) }
}

#[test]
fn each_message_is_shown_once_whoever_is_killed() {
    let number = |name, otherwise| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (runs, first) = (number(RUNS_VARIABLE, 1), number(SEED_VARIABLE, 1));
    let mut sum = Verdict::default();
    let mut failed = Vec::new();
    for seed in first..first + runs {
        let began = Instant::now();
        // A program that does not start or hangs ends its run, not the others.
        let verdict = catch_unwind(|| play(seed)).ok();
        let said = verdict.as_ref().map_or("broken off".to_owned(), ToString::to_string);
        let (run, secs) = (seed - first + 1, began.elapsed().as_secs());
        println!("run {run} of {runs}, seed {seed}, {secs} s: {said}");
        if !verdict.as_ref().is_some_and(Verdict::is_good) {
            println!(
                "  again: {SEED_VARIABLE}={seed} cargo test -p overlay-tests --test whole mail_kills:: -- --nocapture"
            );
            failed.push(seed);
        }
        let verdict = verdict.unwrap_or_default();
        sum.kills += verdict.kills;
        sum.promised += verdict.promised;
        sum.unsure += verdict.unsure;
        sum.lost += verdict.lost;
        sum.twice += verdict.twice;
        sum.out_of_order += verdict.out_of_order;
        sum.without_end += verdict.without_end;
        sum.late += verdict.late;
        sum.strange += verdict.strange;
    }
    println!("{runs} runs: {sum}; failed: {}", failed.len());
    assert!(failed.is_empty(), "seeds {failed:?}: {sum}");
    assert!(sum.promised as u64 > runs, "next to nothing was written: {sum}");
}
