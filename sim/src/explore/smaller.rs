//! The scenarios that are one cut smaller than another, the greatest cuts first.

use crate::scenario::{Scenario, Step, Under};
use toml::Spanned;

/// Numbers are not halved below this: nothing would be left of the step.
const LEAST: f64 = 0.02;

/// No peer has fewer neighbours at most: a graph of degree two is some rings, which no tree spans.
const DEGREE_LEAST: usize = 3;

/// All scenarios that are one cut smaller and can be played.
pub(super) fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = fewer_steps(scenario);
    all.extend(fewer_hosts(scenario));
    all.extend(plainer(scenario));
    all.extend(milder_steps(scenario));
    all.retain(|cut| !cut.is_like(scenario) && cut.is_playable());
    all
}

fn changed(scenario: &Scenario, change: impl FnOnce(&mut Scenario)) -> Scenario {
    let mut cut = scenario.clone();
    change(&mut cut);
    cut
}

fn fewer_steps(scenario: &Scenario) -> Vec<Scenario> {
    let count = scenario.step.len();
    let without = |place| changed(scenario, |cut| drop(cut.step.remove(place)));
    let mut all = Vec::new();
    if count > 2 {
        // The half behind, then the half in front; a settled world stays at the start.
        all.push(changed(scenario, |cut| cut.step.truncate(1 + count / 2)));
        all.push(changed(scenario, |cut| drop(cut.step.drain(1..=count / 2))));
    }
    // Whatever comes before anybody is in place fails for that alone.
    let settles = matches!(scenario.step.first().map(Spanned::get_ref), Some(Step::Settle { .. }));
    all.extend((usize::from(settles)..count).rev().map(without));
    all
}

fn fewer_hosts(scenario: &Scenario) -> Vec<Scenario> {
    let p = &scenario.population;
    let mut all = Vec::new();
    for peers in [p.peers / 4, p.peers / 2, p.peers * 3 / 4, p.peers - 1] {
        all.push(changed(scenario, |cut| cut.population.peers = peers));
    }
    for supernodes in [1, p.supernodes / 2, p.supernodes - 1] {
        all.push(changed(scenario, |cut| cut.population.supernodes = supernodes));
    }
    all
}

/// Fewer things that are out of the ordinary.
fn plainer(scenario: &Scenario) -> Vec<Scenario> {
    let p = &scenario.population;
    let degree = p.degree.saturating_sub(1).max(DEGREE_LEAST.min(p.degree));
    vec![
        changed(scenario, |cut| cut.population.near = 0),
        changed(scenario, |cut| cut.population.trees = Some(1)),
        changed(scenario, |cut| cut.population.trees = p.trees.map(|trees| trees.div_ceil(2))),
        changed(scenario, |cut| cut.population.register_every = 0),
        changed(scenario, |cut| cut.network = Default::default()),
        changed(scenario, |cut| {
            cut.population.degree = degree;
            // One link out of the region is left.
            cut.population.near = p.near.min(degree.saturating_sub(1));
        }),
    ]
}

fn milder_steps(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for (place, step) in scenario.step.iter().enumerate() {
        let mut step = step.get_ref().clone();
        let count = knobs(&mut step).len();
        for knob in 0..count {
            let mut milder = step.clone();
            if let Some(number) = knobs(&mut milder).into_iter().nth(knob) {
                *number = rounded(*number / 2.0);
                if *number < LEAST {
                    continue;
                }
            }
            all.push(changed(scenario, |cut| cut.step[place] = Spanned::new(0..0, milder)));
        }
        let mut fewer = step;
        match &mut fewer {
            Step::CrashSupernodes { count, .. } | Step::Lookups { count, .. } if *count > 1 => {
                *count /= 2;
            }
            _ => continue,
        }
        all.push(changed(scenario, |cut| cut.step[place] = Spanned::new(0..0, fewer)));
    }
    all
}

/// To hundredths, so that the file reads well.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// The numbers of a step that make it milder when they are less. Limits are none of them: a
/// smaller one asks for more. Nor are means of lives.
fn knobs(step: &mut Step) -> Vec<&mut f64> {
    fn with<'a>(under: &'a mut Under, more: Vec<&'a mut f64>) -> Vec<&'a mut f64> {
        let mut all = more;
        all.push(&mut under.per_peer);
        all
    }
    match step {
        Step::Settle { .. } => Vec::new(),
        Step::Lookups { over_secs, .. } => vec![over_secs],
        Step::Messages(traffic) => vec![&mut traffic.over_secs, &mut traffic.per_peer],
        Step::Crash { share, per_peer, .. } => vec![share, per_peer],
        Step::Churn(churn) => vec![&mut churn.over_secs, &mut churn.per_peer],
        Step::Partition { share, for_secs, under, .. }
        | Step::OneWay { share, for_secs, under, .. } => with(under, vec![for_secs, share]),
        Step::Flap { share, down_secs, for_secs, under, .. } => {
            with(under, vec![for_secs, share, down_secs])
        }
        Step::Slow { share, delay_secs, for_secs, under } => {
            with(under, vec![for_secs, share, delay_secs])
        }
        Step::Loss { share, stall_ms, for_secs, under } => {
            with(under, vec![for_secs, share, stall_ms])
        }
        Step::Chaos { lose, duplicate, reorder, for_secs, under } => {
            with(under, vec![for_secs, lose, duplicate, reorder])
        }
        Step::Adversaries { share, rate, for_secs, under, .. } => {
            with(under, vec![for_secs, share, rate])
        }
        Step::Clock { share, for_secs, under, .. }
        | Step::LyingIndex { share, for_secs, under, .. } => with(under, vec![for_secs, share]),
        Step::SplitScaffold(split) => with(&mut split.under, vec![&mut split.for_secs]),
        Step::OneWayLinks(cut) => with(&mut cut.under, vec![&mut cut.for_secs, &mut cut.share]),
        Step::Pause(pause) => {
            let more = vec![&mut pause.for_secs, &mut pause.share, &mut pause.supernodes];
            with(&mut pause.under, more)
        }
        Step::Sybil(sybil) => {
            with(&mut sybil.under, vec![&mut sybil.per_peer, &mut sybil.users, &mut sybil.for_secs])
        }
        Step::Hot(hot) => with(
            &mut hot.under,
            vec![&mut hot.lookups_per_sec, &mut hot.messages_per_sec, &mut hot.for_secs],
        ),
        Step::Flood(flood) => with(&mut flood.under, vec![&mut flood.times, &mut flood.for_secs]),
        Step::Outage(outage) => {
            with(&mut outage.under, vec![&mut outage.supernodes, &mut outage.users])
        }
        Step::Revoke(revoke) => {
            let more = vec![&mut revoke.over_secs, &mut revoke.share, &mut revoke.cut_off];
            with(&mut revoke.under, more)
        }
        Step::Mail(letters) => {
            vec![&mut letters.over_secs, &mut letters.away, &mut letters.lose, &mut letters.loss]
        }
        Step::Scaffold(deaths) => {
            with(&mut deaths.under, vec![&mut deaths.share, &mut deaths.lose, &mut deaths.one_way])
        }
        Step::CrashSupernodes { under, .. } | Step::Restart { under } => with(under, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::draw::draw;

    #[test]
    fn the_degree_falls_with_all_links_but_one_in_the_region() {
        let mut scenario = draw(0);
        (scenario.population.degree, scenario.population.near) = (6, 5);
        let cuts = smaller(&scenario);
        let lower = cuts.iter().map(|cut| (cut.population.degree, cut.population.near));
        assert!(lower.into_iter().any(|cut| cut == (5, 4)));
    }

    #[test]
    fn cuts_can_be_played_and_come_to_an_end() {
        for seed in 0..20 {
            let mut scenario = draw(seed);
            let mut cuts = 0;
            while let Some(cut) = smaller(&scenario).into_iter().next_back() {
                assert!(cut.is_playable() && !cut.is_like(&scenario));
                scenario = cut;
                cuts += 1;
                assert!(cuts < 500, "seed {seed}: {}", scenario.to_toml());
            }
        }
    }
}
