//! A storm of log-ins is weathered: supernodes go on serving, nobody is lost to the load, and once
//! the network comes back it does not fall again.

use super::Findings;
use crate::measure::{Moment, Series};
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::io::Event;
use overlay_proto::time::{Span, Time};
use std::collections::BTreeMap;

const CHECK: &str = "storm";

/// Seconds over which useful log-ins are counted. Two supernodes that are a little late at once are
/// no collapse.
const WINDOW: usize = 5;
/// Peers hear that supernodes are back, and come, within this.
const GRACE: Span = Span::secs(10);
/// The least share of what supernodes can do that must be useful while more wait than they can
/// serve.
const GOODPUT_MIN: f64 = 0.5;
/// The share of the peers by which those logged in may fall again while all come back.
const RELAPSE_MAX: f64 = 0.05;
/// The share of the peers by which fewer may be logged in than usual and all is normal: those who have
/// just come back vary by as much.
const NORMAL: f64 = 0.02;
/// Seconds over which attempts are set against those who made them.
const ATTEMPTS_WINDOW: Span = Span::secs(10);
/// Attempts of each that are worth a warning: in quiet times it is one.
const WARNING: f64 = 1.5;

/// How a supernode's capacity grows after its start, as the scenario sets it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Capacity {
    /// Log-ins a second.
    pub logins_per_second: u32,
    /// From a quarter to all of them.
    pub ramp: Span,
}

/// A usual load goes on while blows fall, and afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The first blow falls then.
    pub first: Time,
    /// The last blow falls then.
    pub last: Time,
    /// The load ends then.
    pub until: Time,
}

/// What one storm came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StormFigures {
    /// Seconds from the last blow of the script until so many of a hundred were logged in: 50, 99,
    /// 100. `None` if they never were.
    pub secs_to: [Option<f64>; 3],
    /// Most sessions given in one second.
    pub logins_per_second_peak: f64,
    /// The least share of the capacity that was useful while more waited than could be served;
    /// `None` if there was no such time.
    pub goodput_min: Option<f64>,
    /// Log-ins asked for, by each who asked.
    pub attempts_per_client: f64,
    /// The same in the worst ten seconds.
    pub attempts_per_client_peak: f64,
    /// Log-ins put off or refused.
    pub refused: u64,
    /// The same in the worst second.
    pub refused_per_second_peak: f64,
    /// Supernodes that others gave up while they lived.
    pub supernodes_lost: u64,
    /// Peers that gave up a home that lived.
    pub homes_given_up: u64,
    /// Seconds from the last blow until as many were logged in as before the first, under the same
    /// load; `None` if they never were while it lasted, or there was none before.
    pub secs_to_normal: Option<f64>,
    /// Seconds from the first ten in which each asked more than 1.5 times until the share of those
    /// logged in fell again; `None` without such a fall.
    pub warning_secs: Option<f64>,
}

/// Attempts and who made them, in one window of time.
#[derive(Debug, Clone, Copy, Default)]
struct Attempts {
    made: u64,
    clients: u64,
}

impl Attempts {
    fn of_each(&self) -> f64 {
        self.made as f64 / self.clients.max(1) as f64
    }
}

/// What is counted of log-ins, always, and judged if the script has a storm.
#[derive(Debug, Default)]
pub struct Storm {
    asked: u64,
    refused: u64,
    logins: u64,
    supernodes_lost: u64,
    /// The first of them: when, whom and by whom.
    first_lost: Option<(Time, u32, u32)>,
    homes_given_up: u64,
    /// The live supernodes and when each started.
    started: BTreeMap<u32, Time>,
    /// The window in which each host has asked last.
    asked_in: Vec<u32>,
    windows: BTreeMap<u32, Attempts>,
    begun: Option<Time>,
    over: Option<Time>,
    load: Option<Load>,
}

impl Storm {
    /// The script begins to strike.
    pub fn begins(&mut self, at: Time) {
        self.begun.get_or_insert(at);
        self.over = None;
    }

    /// When the script began to strike, if it did.
    pub fn begun(&self) -> Option<Time> {
        self.begun
    }

    /// The script has done its worst, and all that it brings back is back.
    pub fn is_over(&mut self, at: Time) {
        self.over = Some(at);
    }

    /// A usual load goes on all the while: it must be borne again before it ends.
    pub fn is_loaded(&mut self, load: Load) {
        self.load = Some(load);
    }

    /// A supernode has started.
    pub fn supernode_started(&mut self, host: u32, at: Time) {
        self.started.insert(host, at);
    }

    /// A supernode has been ended.
    pub fn supernode_ended(&mut self, host: u32) {
        self.started.remove(&host);
    }

    /// Log-ins asked for.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Log-ins put off or refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Sessions that peers have got.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// Supernodes that live.
    pub fn supernodes(&self) -> usize {
        self.started.len()
    }

    /// Log-ins that the live supernodes can look at in a second.
    pub fn capacity(&self, capacity: Capacity, now: Time) -> f64 {
        let share = |started: &Time| {
            let up = now.since(*started).0 as f64 / capacity.ramp.0.max(1) as f64;
            0.25 + 0.75 * up.min(1.0)
        };
        self.started.values().map(share).sum::<f64>() * f64::from(capacity.logins_per_second)
    }

    /// Looks at what a host has told.
    pub fn see(
        &mut self,
        sighting: &Sighting,
        population: &Population,
        is_alive: impl Fn(u32) -> bool,
    ) {
        let lives = |node| population.host_of(node).is_some_and(&is_alive);
        match &sighting.what {
            Seen::AskedIn => self.ask(sighting.host, sighting.at),
            Seen::Event(Event::LoggedIn { .. }) => self.logins += 1,
            Seen::Event(Event::Refused { .. }) if population.user(sighting.host).is_none() => {
                self.refused += 1;
            }
            Seen::Event(Event::MemberDown { node }) => {
                let of = population.host_of(node).filter(|host| is_alive(*host));
                let settled = |host| self.is_settled(host, sighting.at);
                if let Some(of) = of.filter(|of| settled(*of) && settled(sighting.host))
                    && self.begun.is_some()
                {
                    self.supernodes_lost += 1;
                    self.first_lost.get_or_insert((sighting.at, of, sighting.host));
                }
            }
            Seen::Event(Event::HomeLost { home }) => {
                self.homes_given_up += u64::from(self.begun.is_some() && lives(home));
            }
            _ => {}
        }
    }

    /// Whether a supernode has had the time to find the others: of two links that two have dialled
    /// at once one is given up.
    fn is_settled(&self, host: u32, now: Time) -> bool {
        let started = self.started.get(&host);
        started.is_some_and(|started| now.since(*started) >= GRACE)
    }

    fn ask(&mut self, host: u32, at: Time) {
        self.asked += 1;
        let window = 1 + (at.0 / ATTEMPTS_WINDOW.0) as u32;
        let count = self.windows.entry(window).or_default();
        count.made += 1;
        let host = host as usize;
        self.asked_in.resize(self.asked_in.len().max(host + 1), 0);
        if std::mem::replace(&mut self.asked_in[host], window) != window {
            count.clients += 1;
        }
    }

    /// What the storm came to, if there was one.
    pub fn figures(&self, series: &Series) -> Option<StormFigures> {
        let begun = self.begun?;
        let over = self.over.unwrap_or(Time::NEVER);
        let moments: Vec<&Moment> = series.moments().iter().filter(|m| m.at >= begun).collect();
        let since = |share: f64| {
            let back = |m: &&&Moment| m.at >= over && is_in(m) >= share;
            moments.iter().find(back).map(|m| m.at.since(over).0 as f64 / 1e6)
        };
        let rate = |count: fn(&Moment) -> u64| {
            let rates = moments.windows(2).map(|pair| per_second(pair[0], pair[1], count));
            rates.fold(0.0, f64::max)
        };
        let (made, clients) = self.attempts_since(begun);
        Some(StormFigures {
            secs_to: [since(0.5), since(0.99), since(1.0)],
            logins_per_second_peak: rate(|m| m.logins),
            goodput_min: goodput(&moments, over).map(|(_, share)| share),
            attempts_per_client: made as f64 / clients.max(1) as f64,
            attempts_per_client_peak: self.worst_since(begun),
            refused: moments.last().zip(moments.first()).map_or(0, |(b, a)| b.refused - a.refused),
            refused_per_second_peak: rate(|m| m.refused),
            supernodes_lost: self.supernodes_lost,
            homes_given_up: self.homes_given_up,
            secs_to_normal: self.load.and_then(|load| to_normal(&moments, begun, load)),
            warning_secs: relapse(&moments, over).and_then(|fell| self.warning(begun, fell.0)),
        })
    }

    fn since(&self, begun: Time) -> impl Iterator<Item = (Time, Attempts)> {
        let first = 1 + (begun.0 / ATTEMPTS_WINDOW.0) as u32;
        let end = |window: u32| Time(u64::from(window) * ATTEMPTS_WINDOW.0);
        self.windows.range(first..).map(move |(window, attempts)| (end(*window), *attempts))
    }

    fn attempts_since(&self, begun: Time) -> (u64, u64) {
        let made = self.since(begun).map(|(_, attempts)| attempts.made).sum();
        let first = 1 + (begun.0 / ATTEMPTS_WINDOW.0) as u32;
        (made, self.asked_in.iter().filter(|window| **window >= first).count() as u64)
    }

    fn worst_since(&self, begun: Time) -> f64 {
        self.since(begun).map(|(_, attempts)| attempts.of_each()).fold(0.0, f64::max)
    }

    fn warning(&self, begun: Time, fell: Time) -> Option<f64> {
        let mut loud = self.since(begun).filter(|(_, attempts)| attempts.of_each() >= WARNING);
        let (at, _) = loud.next().filter(|(at, _)| *at < fell)?;
        Some(fell.since(at).0 as f64 / 1e6)
    }

    /// What was wrong, if there was a storm.
    pub fn verdict(&self, series: &Series) -> Findings {
        let mut findings = Findings::default();
        let Some(begun) = self.begun else { return findings };
        let over = self.over.unwrap_or(Time::NEVER);
        let moments: Vec<&Moment> = series.moments().iter().filter(|m| m.at >= begun).collect();
        if let Some((at, share)) = goodput(&moments, over).filter(|(_, s)| *s < GOODPUT_MIN) {
            let what = format!("only {:.0} % of the capacity was useful", 100.0 * share);
            findings.add(CHECK, at, what);
        }
        if let Some(load) = self.load.filter(|load| to_normal(&moments, begun, *load).is_none()) {
            let secs = load.until.since(load.last).0 / 1_000_000;
            let what = format!("{secs} s after the last blow the usual load was not borne again");
            findings.add(CHECK, load.until, what);
        }
        if let Some((at, fall)) = relapse(&moments, over) {
            let what =
                format!("{:.1} % of the peers were lost again on the way back", 100.0 * fall);
            findings.add(CHECK, at, what);
        }
        if let Some((at, of, by)) = self.first_lost {
            let count = self.supernodes_lost;
            let what = format!(
                "{count} times a living supernode was given up, first that of host {of} by host {by}"
            );
            findings.add(CHECK, at, what);
        }
        if self.homes_given_up > 0 {
            let what = format!("{} sessions of living homes were given up", self.homes_given_up);
            findings.add(CHECK, begun, what);
        }
        findings
    }
}

/// The share of the live peers that are logged in.
fn is_in(moment: &Moment) -> f64 {
    moment.on_line as f64 / moment.here.max(1) as f64
}

fn per_second(before: &Moment, after: &Moment, count: fn(&Moment) -> u64) -> f64 {
    (count(after) - count(before)) as f64 / (after.secs() - before.secs()).max(1e-6)
}

/// The least share of the capacity that gave sessions, over windows in which more were waiting
/// than could be served, and when.
fn goodput(moments: &[&Moment], over: Time) -> Option<(Time, f64)> {
    let windows = moments.windows(WINDOW + 1).filter_map(|window| {
        let (first, last) = (window.first()?, window.last()?);
        let could = window.iter().map(|m| m.capacity).fold(f64::INFINITY, f64::min);
        let wait = |m: &Moment| (m.here.saturating_sub(m.on_line)) as f64;
        let crowded = wait(first).min(wait(last)) >= could * (last.secs() - first.secs());
        let counts = over != Time::NEVER && first.at >= over + GRACE && could > 0.0 && crowded;
        counts.then(|| (first.at, per_second(first, last, |m| m.logins) / could))
    });
    windows.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Seconds from the last blow until as many were logged in, over a window, as in the second half of the
/// time before the first.
fn to_normal(moments: &[&Moment], begun: Time, load: Load) -> Option<f64> {
    let half = begun + Span(load.first.since(begun).0 / 2);
    let before = moments.iter().filter(|m| m.at >= half && m.at < load.first);
    let usual = mean(before.map(|m| is_in(m)))?;
    let while_it_lasts = |window: &&[&Moment]| {
        window[0].at >= load.last && window.iter().all(|m| m.at <= load.until)
    };
    let mut windows = moments.windows(WINDOW).filter(while_it_lasts);
    let back = windows.find(|window| {
        mean(window.iter().map(|m| is_in(m))).is_some_and(|share| share >= usual - NORMAL)
    })?;
    Some(back.last()?.at.since(load.last).0 as f64 / 1e6)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

/// When the share of those logged in first fell too far below what it had been, and how far it fell.
fn relapse(moments: &[&Moment], over: Time) -> Option<(Time, f64)> {
    let mut most = 0.0_f64;
    let mut worst: Option<(Time, f64)> = None;
    for moment in moments.iter().filter(|m| m.at >= over) {
        most = most.max(is_in(moment));
        let fall = most - is_in(moment);
        if fall > worst.map_or(RELAPSE_MAX, |(_, fall)| fall) {
            worst = Some((worst.map_or(moment.at, |(at, _)| at), fall));
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred peers, ten of which could get in each second; so many have, second by second.
    fn series(on_line: &[usize]) -> Series {
        let mut series = Series::default();
        let mut logins = 0;
        for (secs, now) in on_line.iter().enumerate() {
            let before = secs.checked_sub(1).map_or(0, |before| on_line[before]);
            logins += now.saturating_sub(before) as u64;
            series.keep(Moment {
                at: Time(secs as u64 * 1_000_000),
                here: 100,
                on_line: *now,
                logins,
                capacity: 10.0,
                supernodes: 1,
                ..Moment::default()
            });
        }
        series
    }

    fn storm() -> Storm {
        let mut storm = Storm::default();
        storm.begins(Time(0));
        storm.is_over(Time(0));
        storm
    }

    fn found(on_line: &[usize]) -> Vec<String> {
        storm().verdict(&series(on_line)).kept().iter().map(|v| v.what.clone()).collect()
    }

    #[test]
    fn a_steady_return_is_fine_and_measured() {
        let back: Vec<usize> = (0..30).map(|secs: usize| (8 * secs).min(100)).collect();
        assert_eq!(found(&back), [""; 0]);
        let figures = storm().figures(&series(&back)).expect("there was a storm");
        assert_eq!(figures.secs_to, [Some(7.0), Some(13.0), Some(13.0)]);
        assert_eq!(figures.logins_per_second_peak, 8.0);
    }

    #[test]
    fn idle_supernodes_before_a_crowd_are_found() {
        let slow: Vec<usize> = (0..40).map(|secs| 3 * secs).collect();
        assert_eq!(found(&slow), ["only 30 % of the capacity was useful"]);
        let empty: Vec<usize> = (0..40).map(|secs| if secs < 9 { 10 * secs } else { 97 }).collect();
        assert_eq!(found(&empty), [""; 0], "three that wait are no crowd");
    }

    #[test]
    fn a_second_fall_is_found() {
        let up_and_down = [0, 10, 20, 30, 40, 50, 60, 52, 60, 70, 80, 90, 100];
        assert_eq!(found(&up_and_down), ["8.0 % of the peers were lost again on the way back"]);
    }

    #[test]
    fn the_usual_load_has_to_be_borne_again_while_it_lasts() {
        let secs = |secs: u64| Time(secs * 1_000_000);
        let load = Load { first: secs(10), last: secs(15), until: secs(40) };
        let (usual, low) = ([95; 10], [60; 10]);
        let back: Vec<usize> = [&usual[..], &low, &[94; 30]].concat();
        let mut storm = storm();
        storm.is_loaded(load);
        storm.is_over(load.until);
        assert_eq!(storm.verdict(&series(&back)).count(), 0);
        let figures = storm.figures(&series(&back)).expect("there was a storm");
        assert_eq!(figures.secs_to_normal, Some(9.0), "at 20 s they are back, for 5 s at 24 s");
        // Once the load has ended everybody is back; that is no merit.
        let never: Vec<usize> = [&usual[..], &low, &low, &low, &[100; 10]].concat();
        let found = storm.verdict(&series(&never));
        let what = "25 s after the last blow the usual load was not borne again";
        assert_eq!(found.kept().iter().filter(|v| v.what == what).count(), 1, "{found:?}");
    }

    #[test]
    fn attempts_are_set_against_who_made_them() {
        let mut storm = storm();
        for host in [1, 1, 1, 2, 7] {
            storm.ask(host, Time(1_000_000));
        }
        storm.ask(2, Time(11_000_000));
        let figures = storm.figures(&series(&[0; 3])).expect("there was a storm");
        assert_eq!(figures.attempts_per_client, 2.0);
        assert!((figures.attempts_per_client_peak - 5.0 / 3.0).abs() < 1e-9);
    }
}
