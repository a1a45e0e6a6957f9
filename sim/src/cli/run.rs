//! `sim run`: one scenario in the virtual world.

use super::interrupt::{INTERRUPTED, stop_on_interrupt};
use super::json;
use super::progress::Line;
use anyhow::Context;
use clap::Args;
use overlay_sim::report::{curve, page, table};
use overlay_sim::scenario::{Change, Outcome, Scenario, play, play_following};
use overlay_sim::world::Follow;
use owo_colors::OwoColorize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Messages listed by `--traffic`.
const TRAFFIC_ROWS: usize = 16;

/// Options of `sim run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// `steady`, `crash20`, `outage2007` or another built-in scenario, or a scenario file.
    #[arg(value_name = "NAME|FILE")]
    scenario: String,
    /// Users, one peer each.
    #[arg(long)]
    peers: Option<usize>,
    /// Supernodes.
    #[arg(long)]
    supernodes: Option<usize>,
    /// Neighbours a peer has at most, 2 to 16.
    #[arg(long)]
    degree: Option<usize>,
    /// Of them, those within the peer's region: paths follow latency. 0: the fewest hops.
    #[arg(long)]
    near: Option<usize>,
    /// Spanning trees, 1 to 32. Without this: 8, from 10,000 peers 16, above 100,000 32.
    #[arg(long)]
    trees: Option<usize>,
    /// The same seed gives the same run.
    #[arg(long)]
    seed: Option<u64>,
    /// Messages that wait, of the steps that have any, in as much more time.
    #[arg(long)]
    letters: Option<usize>,
    /// Write the figures to this file, as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with charts to this file: one HTML file that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show which messages made the traffic.
    #[arg(long)]
    traffic: bool,
    /// Print all that these hosts are told and do, a line each: supernodes from 0, then users, as
    /// violations name them.
    #[arg(long, value_name = "HOST,..", value_delimiter = ',')]
    follow: Vec<u32>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let change = Change {
            peers: self.peers,
            supernodes: self.supernodes,
            degree: self.degree,
            near: self.near,
            trees: self.trees,
            seed: self.seed,
            letters: self.letters,
        };
        let scenario = Scenario::load(&self.scenario, &change)?;
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_interrupt(stop.clone());
        let outcome = self.play(&scenario, &stop);
        json::write(self.json.as_deref(), &outcome.figures)?;
        if let Some(path) = &self.html {
            write_page(path, &outcome, &scenario)?;
        }
        self.show(&outcome, &scenario);
        Ok(match outcome.passed() {
            true => ExitCode::SUCCESS,
            false if outcome.figures.partial => ExitCode::from(INTERRUPTED),
            false => ExitCode::FAILURE,
        })
    }

    fn play(&self, scenario: &Scenario, stop: &AtomicBool) -> Outcome {
        if !self.follow.is_empty() {
            let tell = |line: &str| anstream::eprintln!("{line}");
            let follow = Follow::new(self.follow.iter().copied(), tell);
            return play_following(scenario, follow, stop);
        }
        let mut line = Line::new();
        let outcome = play(scenario, &mut line, stop);
        line.clear();
        outcome
    }

    /// To standard error: standard output is the JSON's.
    fn show(&self, outcome: &Outcome, scenario: &Scenario) {
        if let Some(begun) = outcome.record.storm {
            anstream::eprintln!("{}", curve::curve(&outcome.record.series, begun));
        }
        anstream::eprintln!("{}", table::summary(&outcome.figures));
        if self.traffic {
            for (name, count) in outcome.tally.messages().into_iter().take(TRAFFIC_ROWS) {
                anstream::eprintln!(
                    "{name:>16} {:>12} frames {:>14} bytes",
                    count.frames,
                    count.bytes
                );
            }
        }
        for (status, count) in &outcome.failures {
            anstream::eprintln!("{count} messages ended with {status}");
        }
        for violation in outcome.findings.kept() {
            anstream::eprintln!("{} {violation}", "violated:".red());
        }
        let found = outcome.findings.count();
        if outcome.figures.partial {
            anstream::eprintln!("{}", "interrupted: the figures are of what was done".yellow());
        } else if found > 0 {
            let text = format!("{found} violations; again with: {}", scenario.replay());
            anstream::eprintln!("{}", text.red());
        } else {
            anstream::eprintln!("{}", "every check holds".green());
        }
    }
}

fn write_page(path: &Path, outcome: &Outcome, scenario: &Scenario) -> anyhow::Result<()> {
    let replay = scenario.replay();
    let (figures, findings, record) = (&outcome.figures, &outcome.findings, &outcome.record);
    let page = page::page(&page::Told { figures, findings, record, replay: &replay })?;
    std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}
