//! `sim sweep`: a scenario again and again, each time with another value for one key.

use super::display::Display;
use super::interrupt::{INTERRUPTED, stop_on_interrupt};
use super::json;
use clap::Args;
use overlay_sim::launch::Show;
use overlay_sim::scenario::vary::{self, Key};
use overlay_sim::scenario::{Change, Scenario};
use overlay_sim::sweep::{Leg, Report, Row, UnderWay, holds_to, line, sweep, table};
use owo_colors::OwoColorize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Options of `sim sweep`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sim sweep outage2010 --vary \
    outage.supernodes=0.1,0.3,0.5,0.7,0.9\n  sim sweep spike --vary \
    outage.load=0.5,0.6,0.7,0.8,0.9,0.95 --hold-to 0.8\n  sim sweep scaffold --vary \
    population.supernodes=200,500,1000 --jobs 1\n\nExits with 0 if every check holds for every value \
    (with --hold-to: for all up to that one), else with 1.")]
pub(super) struct Sweep {
    /// A built-in scenario or a scenario file.
    #[arg(value_name = "NAME|FILE")]
    scenario: String,
    /// What is varied: `seed`, a value of a table (`population.degree`) or of a step (`outage.load`),
    /// and its values.
    #[arg(long, value_name = "KEY=VALUE,...")]
    vary: Variation,
    /// Runs for each value, with seeds that follow each other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// The first seed. Without this: the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Only values up to this one have to hold, in the order in which they are named; the others show
    /// where it ends.
    #[arg(long, value_name = "VALUE")]
    hold_to: Option<String>,
    /// Users, one peer each.
    #[arg(long)]
    peers: Option<usize>,
    /// Supernodes.
    #[arg(long)]
    supernodes: Option<usize>,
    /// Runs at a time, each on a thread. Without this: as many as there are processor cores.
    #[arg(long, value_parser = super::launch::bounded::<1, 1024>)]
    jobs: Option<usize>,
    /// Write the figures to this file, as JSON; without a name, to standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

/// `KEY=VALUE,...`
#[derive(Debug, Clone)]
struct Variation {
    key: Key,
    values: Vec<String>,
}

impl FromStr for Variation {
    type Err = String;

    fn from_str(text: &str) -> Result<Variation, String> {
        let (key, values) =
            text.split_once('=').ok_or("KEY=VALUE,... is needed, such as outage.load=0.5,0.9")?;
        let values: Vec<String> = values.split(',').map(|v| v.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            return Err("a value is empty".into());
        }
        Ok(Variation { key: key.parse()?, values })
    }
}

impl Sweep {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        let (key, values) = (self.vary.key.to_string(), &self.vary.values);
        if let Some(last) = self.hold_to.as_ref().filter(|last| !values.contains(last)) {
            anyhow::bail!("--hold-to {last} is none of the values of {key}");
        }
        let legs = self.legs()?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_interrupt(stop.clone());
        let display = Display::new();
        display.phase("runs", legs.len());
        let under_way = UnderWay::default();
        let bar = display.bar();
        let mut rows: Vec<(usize, Row)> = Vec::new();
        let heed = &mut |at, row: Row| {
            under_way.over(at);
            display.say(&line(&key, &row));
            rows.push((at, row));
            display.at(rows.len(), "");
        };
        sweep(&legs, self.jobs.unwrap_or(cores), &stop, heed, &|at, phase, pulse| {
            let secs = pulse.now.0 / 1_000_000;
            let text = format!("{}: {phase}, {secs} s", legs[at].value);
            bar.set_message(under_way.at(at, text));
        });
        display.over("");
        display.clear();
        rows.sort_by_key(|(at, _)| *at);
        let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        let report = Report {
            scenario: self.scenario.clone(),
            key,
            holds_to: holds_to(values, &rows),
            partial: rows.len() < legs.len() || stop.load(Ordering::Relaxed),
            rows,
            wall_seconds: began.elapsed().as_secs_f64(),
        };
        json::write(self.json.as_deref(), &report)?;
        Ok(self.verdict(&report))
    }

    /// All runs. What cannot be played is said before anything runs.
    fn legs(&self) -> anyhow::Result<Vec<Leg>> {
        let mut legs = Vec::new();
        for text in &self.vary.values {
            for nth in 0..self.seeds {
                let mut change = Change {
                    peers: self.peers,
                    supernodes: self.supernodes,
                    seed: self.seed,
                    ..Change::default()
                };
                let (key, value) = (&self.vary.key, vary::value(text));
                let first = Scenario::load_with(&self.scenario, key, &value, &change)?;
                change.seed = Some(first.seed + nth);
                let scenario = Scenario::load_with(&self.scenario, key, &value, &change)?;
                let replay = self.replay(text, &scenario);
                legs.push(Leg { value: text.clone(), scenario, replay });
            }
        }
        Ok(legs)
    }

    fn replay(&self, value: &str, scenario: &Scenario) -> String {
        let p = &scenario.population;
        format!(
            "sim sweep {} --vary {}={value} --peers {} --supernodes {} --seed {}",
            self.scenario, self.vary.key, p.peers, p.supernodes, scenario.seed
        )
    }

    /// To standard error: standard output is the JSON's.
    fn verdict(&self, report: &Report) -> ExitCode {
        anstream::eprintln!("{}", table(&report.key, &report.rows));
        if report.partial {
            anstream::eprintln!("{}", "interrupted: some runs are missing".yellow());
            return ExitCode::from(INTERRUPTED);
        }
        for row in report.rows.iter().filter(|row| !row.holds) {
            anstream::eprintln!("again with: {}", row.replay);
        }
        let key = &report.key;
        let place = |value: &String| self.vary.values.iter().position(|other| other == value);
        let held = report.holds_to.as_ref().and_then(place);
        let wanted = self.hold_to.as_ref().or(self.vary.values.last()).and_then(place);
        let text = match &report.holds_to {
            Some(value) => format!("every check holds up to {key} = {value}"),
            None => format!("not even {key} = {} holds", self.vary.values[0]),
        };
        if held >= wanted {
            anstream::eprintln!("{}", text.green());
            ExitCode::SUCCESS
        } else {
            anstream::eprintln!("{}", text.red());
            ExitCode::FAILURE
        }
    }
}
