//! The outages of 2007 and 2010, small: what must hold holds, and the figures say so.

use overlay_sim::report::curve::curve;
use overlay_sim::scenario::vary::value;
use overlay_sim::scenario::{Change, Outcome, Scenario, play};
use overlay_sim::sweep::{Leg, holds_to, sweep};
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

/// Row 15 of the failure catalogue, small; `sim sweep outage2010` has the whole.
#[test]
fn whether_few_or_most_supernodes_die_all_are_back_in_the_end() {
    let change = Change { peers: Some(100), ..Change::default() };
    let key = "outage.supernodes".parse().expect("a key");
    let values: Vec<String> = ["0.1", "0.9"].map(String::from).into();
    let leg = |text: &String| Leg {
        value: text.clone(),
        scenario: Scenario::load_with("outage2010", &key, &value(text), &change).expect("valid"),
        replay: String::new(),
    };
    let legs: Vec<Leg> = values.iter().map(leg).collect();
    let mut rows = Vec::new();
    let stop = AtomicBool::new(false);
    sweep(&legs, 2, &stop, &mut |at, row| rows.push((at, row)), &|_, _, _| {});
    rows.sort_by_key(|(at, _)| *at);
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    assert_eq!(holds_to(&values, &rows), Some("0.9".into()), "{rows:#?}");
    let lost: Vec<_> = rows.iter().map(|row| row.figures.storm_supernodes_lost).collect();
    assert_eq!(lost, [Some(0); 2]);
}

/// Row 17, small; `sim sweep spike` has the whole.
#[test]
fn a_spike_passes_while_the_usual_load_goes_on() {
    let text = "
        name = 'spike'
        population = { peers = 150, supernodes = 2 }
        [supernode]
        logins_per_second = 5
        check_us = 300
        sign_us = 150
        frame_us = 30
        link_us = 1500
        [[step]]
        settle = { limit_secs = 240 }
        [[step]]
        [step.outage]
        users = 0.5
        over_secs = 10
        away_secs = 2
        how = 'kill'
        load = 0.5
        lead_secs = 20
        load_secs = 60
        under = { per_peer = 0.1 }
    ";
    let scenario = Scenario::parse("test", text, &Change::default()).expect("valid");
    let outcome = play(&scenario, &mut (), &AtomicBool::new(false));
    assert!(outcome.passed(), "{:#?}", outcome.findings.kept());
    let back = outcome.figures.storm_secs_to_normal.expect("while the load went on");
    assert!((1.0..60.0).contains(&back), "{back}");
}

#[test]
fn a_flood_of_forged_log_ins_delays_the_honest_and_keeps_none_out() {
    let outcome = outcome("flood", 100, 2);
    let figures = &outcome.figures;
    assert_eq!(figures.flood_logins, Some(50), "all that came back meanwhile got in meanwhile");
    let p99 = figures.flood_login_ms_p99.expect("they were timed");
    assert!(p99 < 40_000.0, "{p99} ms");
}

/// Row 23 of the failure catalogue.
#[test]
fn a_hot_user_is_served_and_the_others_do_not_notice() {
    let text = "
        name = 'a hot user'
        [population]
        peers = 100
        supernodes = 4
        [supernode]
        check_us = 300
        sign_us = 150
        frame_us = 30
        link_us = 1500
        [[step]]
        settle = { limit_secs = 240 }
        [[step]]
        [step.hot]
        lookups_per_sec = 10000
        messages_per_sec = 10000
        for_secs = 3
        under = { per_peer = 10, over_secs = 3 }
    ";
    let scenario = Scenario::parse("test", text, &Change::default()).expect("valid");
    let outcome = play(&scenario, &mut (), &AtomicBool::new(false));
    let found: Vec<String> = outcome.findings.kept().iter().map(ToString::to_string).collect();
    let figures = &outcome.figures;
    assert!(found.is_empty(), "{found:#?}");
    let before = figures.hot_others_ms_p99_before.expect("they talked");
    let with = figures.hot_others_ms_p99.expect("they talked");
    let served = figures.hot_served_share.expect("it was hot");
    let asked = outcome.tally.messages().into_iter().find(|(name, _)| *name == "Lookup");
    println!(
        "others' p99 {before:.0} ms in peace, {with:.0} ms with a hot user, {:?} lost; {served:.4} of what \
         was for the hot user served; {} frames of look-ups; longest line at a supernode {:?} s",
        figures.hot_others_lost,
        asked.map_or(0, |(_, count)| count.frames),
        figures.hot_line_secs_max
    );
    assert!(with <= 1.5 * before, "{with:.0} ms with a hot user, {before:.0} ms without");
    assert_eq!(figures.hot_others_lost, Some(0));
    assert!(served >= 0.99, "{served}");
}
