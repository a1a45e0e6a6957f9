//! The outages of 2007 and 2010, small: what must hold holds, and the figures say so.

use overlay_sim::report::curve::curve;
use overlay_sim::scenario::{Change, Outcome, Scenario, play};
use std::sync::atomic::AtomicBool;

fn outcome(name: &str, peers: usize, supernodes: usize) -> Outcome {
    let (peers, supernodes) = (Some(peers), Some(supernodes));
    let change = Change { peers, supernodes, ..Change::default() };
    let scenario = Scenario::load(name, &change).expect("built in");
    let outcome = play(&scenario, &mut (), &AtomicBool::new(false));
    let found: Vec<String> = outcome.findings.kept().iter().map(ToString::to_string).collect();
    assert!(outcome.passed(), "{name}: {found:#?}");
    outcome
}

#[test]
fn all_supernodes_restart_and_everybody_is_back_in_the_time_that_takes() {
    let outcome = outcome("outage2007", 300, 2);
    let figures = &outcome.figures;
    // 300 peers at 20 a second, of which there are a quarter at first and all after half a minute.
    let all = figures.storm_secs_to_100.expect("all are back");
    assert!((15.0..60.0).contains(&all), "{all}");
    assert!(figures.storm_goodput_min.expect("they had to wait") >= 0.5);
    assert!(figures.storm_refused.expect("a storm") > 300, "it was one");
    assert!(figures.storm_attempts_per_client.expect("a storm") < 6.0);
    assert_eq!(figures.storm_supernodes_lost, Some(0));
    let begun = outcome.record.storm.expect("a storm");
    let text = curve(&outcome.record.series, begun);
    assert!(text.contains("  0.0 %") && text.contains("100.0 %"), "{text}");
}

#[test]
fn most_supernodes_die_while_half_the_clients_come_back_and_nobody_is_lost() {
    let outcome = outcome("outage2010", 200, 5);
    let figures = &outcome.figures;
    assert_eq!((figures.storm_supernodes_lost, figures.storm_homes_given_up), (Some(0), Some(0)));
    assert!(figures.storm_secs_to_100.is_some());
    let fewest = outcome.record.series.moments().iter().filter(|m| m.here > 0);
    assert_eq!(fewest.map(|moment| moment.supernodes).min(), Some(1), "four of five end");
}

#[test]
fn a_flood_of_forged_log_ins_delays_the_honest_and_keeps_none_out() {
    let outcome = outcome("flood", 100, 2);
    let figures = &outcome.figures;
    assert_eq!(figures.flood_logins, Some(50), "all that came back meanwhile got in meanwhile");
    let p99 = figures.flood_login_ms_p99.expect("they were timed");
    assert!(p99 < 40_000.0, "{p99} ms");
}
