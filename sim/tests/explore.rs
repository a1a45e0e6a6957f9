//! Random scenarios: a few of them hold, whichever thread plays them, and what is planted in them
//! is found and cut down.

use overlay_sim::explore::draw::draw;
use overlay_sim::explore::trial::Trial;
use overlay_sim::explore::{Explored, Plan, explore};
use overlay_sim::scenario::{Change, Scenario, Step};
use std::sync::atomic::AtomicBool;

fn explored(plan: &Plan) -> Vec<Explored> {
    let mut all = Vec::new();
    explore(plan, &AtomicBool::new(false), &mut |explored| all.push(explored));
    all
}

#[test]
fn a_few_scenarios_hold_on_one_thread_as_on_two() {
    let plan = Plan { seeds: 1..7, jobs: 2, twice: false, shrink_runs: 0, draw: &draw };
    let all = explored(&plan);
    for one in &all {
        let found = one.failure.as_ref().map(|failure| &failure.findings);
        assert!(found.is_none(), "seed {}: {found:#?}", one.seed);
    }
    let again = explored(&Plan { jobs: 1, ..plan });
    let seeds_and_hashes = |all: &[Explored]| -> Vec<(u64, Option<String>)> {
        all.iter().map(|one| (one.seed, one.hash.clone())).collect()
    };
    assert_eq!(seeds_and_hashes(&all), seeds_and_hashes(&again));
    assert!(all.iter().map(|one| one.seed).eq(1..7), "in the order of the seeds");
}

#[test]
fn a_planted_fault_is_found_and_cut_down() {
    // No network has fewer hops than the bound.
    let planted = |seed| {
        let mut scenario = draw(seed);
        scenario.bars.hops_over_moore = Some(0.01);
        scenario
    };
    let plan = Plan { seeds: 2..3, jobs: 1, twice: false, shrink_runs: 80, draw: &planted };
    let all = explored(&plan);
    let failure = all[0].failure.as_ref().expect("the bar is out of reach");
    assert_eq!((failure.count, failure.findings[0].check), (1, "bars"));
    let (drawn, small) = (planted(2), &failure.shrunk.scenario);
    assert!(small.step.len() < drawn.step.len(), "{}", small.to_toml());
    assert!(small.population.peers < drawn.population.peers, "{}", small.to_toml());
    assert!(matches!(small.step[0].get_ref(), Step::Settle { .. }));
    // The file shows the same.
    let read = Scenario::parse("small.toml", &small.to_toml(), &Change::default()).expect("valid");
    let again = Trial::of(&read, &AtomicBool::new(false)).expect("nobody stops it");
    assert!(again.fails("bars"));
    assert_eq!(again.findings[0], failure.shrunk.finding);
}

#[test]
fn a_panic_is_a_finding() {
    // A world that no file can hold: peers for each of no supernodes.
    let planted = |seed| {
        let mut scenario = draw(seed);
        let count = scenario.step.len();
        scenario.step.drain(1..count);
        scenario.population.arrive_over_secs = Some(0.0);
        scenario.population.supernodes = 0;
        scenario
    };
    let plan = Plan { seeds: 1..2, jobs: 1, twice: false, shrink_runs: 0, draw: &planted };
    let all = explored(&plan);
    let failure = all[0].failure.as_ref().expect("it cannot be played");
    assert_eq!(failure.findings[0].check, "panic");
    assert!(failure.findings[0].what.contains("sim/src/"), "{}", failure.findings[0].what);
}
