//! One run from the first process to the last.

use super::delivery;
use super::plan::{Errand, Options, Plan};
use super::population::{self, Births, Population, Resident};
use super::process::Nursery;
use super::progress::Show;
use super::verdict::{Finding, Seen};
use super::watch::{Watched, until_all_in_place};
use super::workload::{look_up_all, send_all};
use crate::report::Figures;
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
    /// What is wrong; the run has passed if there is nothing.
    pub findings: Vec<Finding>,
    /// Where the logs of the processes concerned are, if anything is wrong.
    pub logs: Vec<PathBuf>,
    /// Whether it was interrupted before its end.
    pub interrupted: bool,
}

impl Outcome {
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

/// The directory of a run: temporary unless the user has named one.
enum Ground {
    Temporary(tempfile::TempDir),
    Named(PathBuf),
}

impl Ground {
    fn prepare(named: Option<&Path>) -> Result<Ground, LaunchError> {
        let ground = match named {
            None => {
                let made = tempfile::Builder::new().prefix("trellis-").tempdir();
                let failed = |source| LaunchError::Directory { path: std::env::temp_dir(), source };
                Ground::Temporary(made.map_err(failed)?)
            }
            Some(path) => {
                let failed = |source| LaunchError::Directory { path: path.to_owned(), source };
                std::fs::create_dir_all(path).map_err(failed)?;
                if std::fs::read_dir(path).map_err(failed)?.next().is_some() {
                    return Err(LaunchError::NotEmpty { path: path.to_owned() });
                }
                // The children must find it wherever they are.
                Ground::Named(path.canonicalize().map_err(failed)?)
            }
        };
        for part in ["logs", "supernodes", "peers"] {
            let path = ground.path().join(part);
            let failed = |source| LaunchError::Directory { path: path.clone(), source };
            std::fs::create_dir(&path).map_err(failed)?;
        }
        Ok(ground)
    }

    fn path(&self) -> &Path {
        match self {
            Ground::Temporary(dir) => dir.path(),
            Ground::Named(path) => path,
        }
    }

    fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    fn keep(self) {
        if let Ground::Temporary(dir) = self {
            let _ = dir.keep();
        }
    }
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
        let stage = Stage { population, plan: &self.plan, options: self.options, show: self.show };
        stage.play(&mut self.seen).await;
    }

    fn outcome(&mut self, interrupted: bool) -> Outcome {
        let mut figures = self.seen.figures(self.options, &self.plan, self.began.elapsed());
        figures.partial = interrupted;
        let findings = std::mem::take(&mut self.seen.findings);
        Outcome { figures, findings, logs: Vec::new(), interrupted }
    }
}

/// A living network and what it is to go through.
struct Stage<'a> {
    population: &'a Population,
    plan: &'a Plan,
    options: &'a Options,
    show: &'a dyn Show,
}

impl Stage<'_> {
    async fn play(&self, seen: &mut Seen) {
        let nobody = BTreeSet::new();
        seen.placed = self.watch("taking places", Instant::now(), &nobody, seen).await;
        self.look_up(seen).await;
        self.messages("messages before the crash", &self.plan.before, seen).await;
        delivery::settle(self.population, &self.plan.before).await;
        let mut victims = Vec::new();
        if self.anything_to_kill() {
            victims = self.crash(seen).await;
            self.messages("messages after repair", &self.plan.after, seen).await;
        } else {
            self.messages("messages", &self.plan.during, seen).await;
            self.messages("messages", &self.plan.after, seen).await;
        }
        let errands: Vec<Errand> = [&self.plan.before, &self.plan.during, &self.plan.after]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        self.show.phase("comparing inboxes", 0);
        delivery::settle(self.population, &errands).await;
        seen.judgement = delivery::judge(self.population, &errands).await;
        self.explain(&errands, seen);
        self.unexpected_ends(&victims, seen);
        self.show.over("");
    }

    fn anything_to_kill(&self) -> bool {
        self.plan.supernode_victim.is_some() || !self.plan.peer_victims.is_empty()
    }

    async fn watch(
        &self,
        phase: &str,
        began: Instant,
        affected: &BTreeSet<usize>,
        seen: &mut Seen,
    ) -> Watched {
        self.show.phase(phase, self.options.peers);
        let watched =
            until_all_in_place(self.population, self.options, began, affected, self.show).await;
        seen.watched(&watched, &format!("at the end of \"{phase}\""));
        self.show.over("");
        watched
    }

    async fn look_up(&self, seen: &mut Seen) {
        self.show.phase("look-ups", self.plan.lookups.len());
        seen.lookups = look_up_all(self.population, &self.plan.lookups, self.show).await;
        for (who, what) in seen.lookups.wrong.clone() {
            seen.find(&who, what);
        }
        self.show.over("");
    }

    async fn messages(&self, phase: &str, errands: &[Errand], seen: &mut Seen) {
        self.show.phase(phase, errands.len());
        seen.told.extend(send_all(self.population, errands, self.show).await);
        self.show.over("");
    }

    /// Kills at once, and watches the repair while survivors write to each other.
    async fn crash(&self, seen: &mut Seen) -> Vec<&Resident> {
        let supernodes = &self.population.supernodes;
        let peers = self.plan.peer_victims.iter().map(|victim| &self.population.peers[*victim]);
        let victims: Vec<&Resident> = self
            .plan
            .supernode_victim
            .map(|victim| &supernodes[victim])
            .into_iter()
            .chain(peers)
            .collect();
        let names: Vec<&str> = victims.iter().map(|victim| victim.name.as_str()).collect();
        self.show.phase(&format!("kill -9 of {}", names.join(", ")), 0);
        let nodes: BTreeSet<&str> = victims.iter().map(|victim| victim.node.as_str()).collect();
        let hit = |ties: &BTreeSet<String>| ties.iter().any(|node| nodes.contains(node.as_str()));
        let affected: BTreeSet<usize> = seen
            .placed
            .ties
            .iter()
            .filter(|(peer, ties)| !self.plan.peer_victims.contains(peer) && hit(ties))
            .map(|(peer, _)| *peer)
            .collect();
        let began = Instant::now();
        for victim in &victims {
            victim.process.kill();
        }
        for victim in &victims {
            victim.process.ended().await;
        }
        self.show.over(&format!("{} peers lost a neighbour or their home", affected.len()));
        let (watched, told) = tokio::join!(
            self.repair(began, &affected),
            send_all(self.population, &self.plan.during, &super::progress::Silent),
        );
        seen.watched(&watched, "at the end of repair");
        seen.told.extend(told);
        seen.repaired = Some(watched);
        victims
    }

    async fn repair(&self, began: Instant, affected: &BTreeSet<usize>) -> Watched {
        self.show.phase("repair, with messages", self.options.peers - self.plan.peer_victims.len());
        let watched =
            until_all_in_place(self.population, self.options, began, affected, self.show).await;
        self.show.over(&format!("{:.1} s", began.elapsed().as_secs_f64()));
        watched
    }

    /// Turns what is wrong with the messages into findings, with what the senders were told.
    fn explain(&self, errands: &[Errand], seen: &mut Seen) {
        for (who, what) in std::mem::take(&mut seen.judgement.wrong) {
            seen.find(&who, what);
        }
        let told = std::mem::take(&mut seen.told);
        for (errand, told) in errands.iter().zip(&told) {
            if let super::workload::Told::Failed(why) = told {
                let (from, to) =
                    (&self.population.peers[errand.from], &self.population.peers[errand.to]);
                seen.find(
                    &from.name,
                    format!("was told of {:?} to {}: {why}", errand.text, to.name),
                );
            }
        }
        seen.told = told;
    }

    fn unexpected_ends(&self, victims: &[&Resident], seen: &mut Seen) {
        for node in self.population.supernodes.iter().chain(&self.population.peers) {
            let meant = victims.iter().any(|victim| victim.node == node.node);
            if let (Some(status), false) = (node.process.exit(), meant) {
                seen.find(&node.name, format!("ended by itself with {status}"));
            }
        }
    }
}
