//! `sim explore`: many random scenarios in the virtual world.

use super::display::Display;
use super::interrupt::{INTERRUPTED, stop_on_interrupt};
use super::json;
use anyhow::Context;
use clap::Args;
use overlay_sim::explore::draw::draw;
use overlay_sim::explore::{Explored, Failure, Plan, Report, Told, explore};
use overlay_sim::launch::Show;
use owo_colors::OwoColorize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Findings of one seed that are shown; the rest are counted.
const FINDINGS_SHOWN: usize = 5;

/// Options of `sim explore`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sim explore --seeds 200\n\nWhat fails is written as a small \
    scenario of its own; play it with\n  sim run explore-17.toml")]
pub(super) struct Explore {
    /// Random scenarios to play, one for each seed.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    from: u64,
    /// Threads. Without this: as many as there are processor cores.
    #[arg(long, value_parser = super::launch::bounded::<1, 1024>)]
    jobs: Option<usize>,
    /// Play each scenario twice and compare what happened.
    #[arg(long)]
    twice: bool,
    /// Most runs that the shrinking of one failure may take; 0: do not shrink.
    #[arg(long, default_value_t = 200)]
    shrink_runs: usize,
    /// Where the scenarios that failed are written to.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Write the figures to this file, as JSON; without a name, to standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

impl Explore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let plan = Plan {
            seeds: self.from..self.from + self.seeds,
            jobs: self.jobs.unwrap_or(cores),
            twice: self.twice,
            shrink_runs: self.shrink_runs,
            draw: &draw,
        };
        // Before anything runs: a folder that cannot be written to would lose what is found.
        std::fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot make the folder {}", self.dir.display()))?;
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_interrupt(stop.clone());
        let display = Display::new();
        display.phase("scenarios", self.seeds as usize);
        let (mut report, mut ledger) = (Report::default(), Ledger::default());
        let mut trouble = None;
        explore(&plan, &stop, &mut |explored| {
            if let Err(error) = self.heed(&explored, &mut report, &display) {
                trouble.get_or_insert(error);
                stop.store(true, Ordering::Relaxed);
            }
            ledger.enter(&explored);
            let note = format!("{} failed, {} events", report.failures.len(), report.events);
            display.at(report.seeds as usize, &note);
        });
        report.partial = report.seeds < self.seeds;
        report.trace_hash = ledger.hash();
        report.wall_seconds = began.elapsed().as_secs_f64();
        display.over(&format!("{} failed", report.failures.len()));
        display.clear();
        json::write(self.json.as_deref(), &report)?;
        trouble.map_or_else(|| Ok(verdict(&report)), Err)
    }

    fn heed(
        &self,
        explored: &Explored,
        report: &mut Report,
        display: &Display,
    ) -> anyhow::Result<()> {
        report.seeds += 1;
        report.events += explored.events;
        let Some(failure) = &explored.failure else { return Ok(()) };
        report.violations += failure.count;
        let path = self.dir.join(format!("explore-{}.toml", explored.seed));
        let told = tell(explored.seed, failure, &path);
        for line in lines(failure, &told) {
            display.say(&line);
        }
        report.failures.push(told);
        let text = text(explored.seed, failure);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The hash over the traces of all seeds.
#[derive(Default)]
struct Ledger(blake3::Hasher);

impl Ledger {
    fn enter(&mut self, explored: &Explored) {
        self.0.update(&explored.seed.to_le_bytes());
        self.0.update(explored.hash.as_deref().unwrap_or("panic").as_bytes());
    }

    fn hash(&self) -> String {
        self.0.finalize().to_hex()[..32].to_owned()
    }
}

fn tell(seed: u64, failure: &Failure, path: &Path) -> Told {
    let first = &failure.findings[0];
    Told {
        seed,
        check: first.check,
        what: first.what.clone(),
        file: path.display().to_string(),
        replay: format!("sim run {}", path.display()),
    }
}

/// The file of a failure: how it came about, then the scenario.
fn text(seed: u64, failure: &Failure) -> String {
    let shrunk = &failure.shrunk;
    let what = shrunk.finding.what.replace('\n', " ");
    format!(
        "# Drawn by `sim explore --seeds 1 --from {seed}` and shrunk in {} runs. It shows:\n# {what}\n\n{}",
        shrunk.runs,
        shrunk.scenario.to_toml()
    )
}

fn lines(failure: &Failure, told: &Told) -> Vec<String> {
    let mut lines = vec![format!("{}", format!("seed {} fails:", told.seed).red())];
    let shown = failure.findings.iter().take(FINDINGS_SHOWN);
    lines.extend(shown.map(|finding| match finding.check {
        check @ ("panic" | "effort" | "determinism") => format!("  {check}: {}", finding.what),
        _ => format!("  {}", finding.what),
    }));
    if failure.count > FINDINGS_SHOWN as u64 {
        lines.push(format!("  and {} more", failure.count - FINDINGS_SHOWN as u64));
    }
    let (p, steps) = (&failure.shrunk.scenario.population, failure.shrunk.scenario.step.len());
    lines.push(format!("  again with: sim explore --seeds 1 --from {}", told.seed));
    lines.push(format!(
        "  or, with {} peers, {} supernodes and {steps} steps: {}",
        p.peers, p.supernodes, told.replay
    ));
    lines
}

fn verdict(report: &Report) -> ExitCode {
    let (seeds, failed) = (report.seeds, report.failures.len());
    if report.partial {
        let text = format!("interrupted: {seeds} scenarios were played, {failed} failed");
        anstream::eprintln!("{}", text.yellow());
        return ExitCode::from(INTERRUPTED);
    }
    if failed > 0 {
        let text = format!("{failed} of {seeds} scenarios failed");
        anstream::eprintln!("{}", text.red());
        return ExitCode::FAILURE;
    }
    anstream::eprintln!("{}", format!("every check holds in {seeds} scenarios").green());
    ExitCode::SUCCESS
}
