//! One run from the first process to the last.

use super::ground::Ground;
use super::plan::{Options, Plan};
use super::population::{self, Births, Population};
use super::process::Nursery;
use super::progress::Show;
use super::stage::Stage;
use super::verdict::{Finding, Seen};
use crate::measure::Series;
use crate::report::Figures;
use overlay_proto::time::Time;
use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use tokio::time::Instant;

/// What a panic leaves in a log.
const PANIC: &str = "panicked at";

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The directory of the run cannot be used.
    #[error("{} cannot be used ({source}): name another directory with --dir", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is in use by something else.
    #[error("{} is not empty: name a new directory with --dir", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The system does not say which executable this is.
    #[error("this executable cannot be found ({0}): start it by its full path")]
    Executable(io::Error),
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub figures: Figures,
    /// The storm of log-ins, second by second; empty if there was none.
    pub storm: Series,
    /// What is wrong; the run has passed if there is nothing.
    pub findings: Vec<Finding>,
    /// Where the logs of the processes concerned are, if anything is wrong.
    pub logs: Vec<PathBuf>,
    /// Whether it was interrupted before its end.
    pub interrupted: bool,
}

impl Outcome {
    /// When the storm began, if there was one.
    pub fn storm_began(&self) -> Option<Time> {
        self.storm.moments().first().map(|moment| moment.at)
    }

    /// Whether everything that should be delivered was, once, and all else was well.
    pub fn passed(&self) -> bool {
        !self.interrupted && self.findings.is_empty()
    }
}

/// Runs a network from beginning to end, or until `stop` is done. No process is left when this
/// returns. With [`Options::keep`], `kept` hears of the network after the run, and it lives on
/// until `stop` is done.
///
/// # Errors
/// [`LaunchError`], before any process is started.
pub async fn launch(
    options: &Options,
    show: &dyn Show,
    kept: &dyn Fn(&Outcome, &Population, &Path),
    stop: impl Future<Output = ()>,
) -> Result<Outcome, LaunchError> {
    let ground = Ground::prepare(options.dir.as_deref())?;
    let program = std::env::current_exe().map_err(LaunchError::Executable)?;
    let nursery = Nursery::new(program, ground.logs());
    let mut run = Run {
        options,
        plan: Plan::draw(options),
        show,
        nursery: &nursery,
        dir: ground.path(),
        began: Instant::now(),
        seen: Seen::default(),
        population: None,
    };
    tokio::pin!(stop);
    let interrupted = tokio::select! {
        () = run.play() => false,
        () = &mut stop => true,
    };
    let mut outcome = run.outcome(interrupted);
    if let (Some(population), false) = (&run.population, interrupted) {
        if options.keep {
            kept(&outcome, population, ground.path());
            stop.await;
        }
        let failed = population::end(population).await;
        let failed = failed.into_iter().map(|(who, what)| Finding { who, what });
        outcome.findings.extend(failed);
    }
    nursery.clear().await;
    outcome.findings.extend(panics(&nursery));
    outcome.figures.violations = outcome.findings.len() as u64;
    if !outcome.findings.is_empty() {
        ground.keep();
        let concerned: BTreeSet<PathBuf> =
            outcome.findings.iter().map(|finding| nursery.log(&finding.who)).collect();
        outcome.logs = concerned.into_iter().filter(|log| log.exists()).collect();
    }
    Ok(outcome)
}

fn panics(nursery: &Nursery) -> Vec<Finding> {
    let Ok(logs) = std::fs::read_dir(nursery.logs()) else { return Vec::new() };
    let mut found = Vec::new();
    for log in logs.flatten() {
        let text = std::fs::read_to_string(log.path()).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.contains(PANIC)) {
            let who = log.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Finding { who, what: line.to_owned() });
        }
    }
    found
}

struct Run<'a> {
    options: &'a Options,
    plan: Plan,
    show: &'a dyn Show,
    nursery: &'a Nursery,
    dir: &'a Path,
    began: Instant,
    seen: Seen,
    population: Option<Population>,
}

impl Run<'_> {
    /// Plays all phases; stops at the first after which going on has no sense.
    async fn play(&mut self) {
        let births = Births { dir: self.dir, nursery: self.nursery, options: self.options };
        let population = match births.all(&self.plan, self.show).await {
            Ok(population) => self.population.insert(population),
            Err(error) => return self.seen.find(error.concerned(), error.to_string()),
        };
        self.show.over("");
        self.seen.logins = population.peers.iter().filter_map(|peer| peer.login_ms).collect();
        let (plan, options, show) = (&self.plan, self.options, self.show);
        Stage { population, births, plan, options, show }.play(&mut self.seen).await;
    }

    fn outcome(&mut self, interrupted: bool) -> Outcome {
        let mut figures = self.seen.figures(self.options, &self.plan, self.began.elapsed());
        figures.partial = interrupted;
        let findings = std::mem::take(&mut self.seen.findings);
        let storm = self.seen.storm.take().map_or_else(Series::default, |storm| storm.series);
        Outcome { figures, storm, findings, logs: Vec::new(), interrupted }
    }
}
