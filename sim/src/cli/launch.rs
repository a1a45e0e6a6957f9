//! `sim launch`: a real local network of processes.

use super::display::Display;
use super::interrupt::INTERRUPTED;
use super::json;
use anyhow::Context;
use clap::Args;
use overlay_sim::launch::population::{Population, folder};
use overlay_sim::launch::{Options, Outcome, Role, launch};
use overlay_sim::report::{curve, table};
use owo_colors::OwoColorize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Findings shown; the rest are counted.
const FINDINGS_SHOWN: usize = 20;

/// Options of `sim launch`.
#[derive(Debug, Args)]
pub(super) struct Launch {
    /// Supernodes.
    #[arg(long, default_value_t = 3, value_parser = bounded::<1, 64>)]
    supernodes: usize,
    /// Users, one peer each.
    #[arg(long, default_value_t = 24, value_parser = bounded::<2, 1000>)]
    peers: usize,
    /// Neighbours a peer has at most.
    #[arg(long, default_value_t = 8, value_parser = bounded::<2, 16>)]
    degree: usize,
    /// Spanning trees.
    #[arg(long, default_value_t = 8, value_parser = bounded::<1, 32>)]
    trees: usize,
    /// Messages before the crash, as many during repair, and as many after it.
    #[arg(long, default_value_t = 100)]
    messages: usize,
    /// Who writes to whom, and who is killed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Peers that start and log in at a time.
    #[arg(long, default_value_t = 2, value_parser = bounded::<1, 64>)]
    parallel: usize,
    /// Write the figures to this file, as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Kill every supernode at once and start them again, so that all peers log in anew.
    #[arg(long)]
    storm: bool,
    /// Leave the network running after the run, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Put data folders and logs into this new directory, and leave them there.
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn bounded<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (MIN..=MAX).contains(&number) => Ok(number),
        _ => Err(format!("a number from {MIN} to {MAX} is needed")),
    }
}

impl Launch {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.play())
    }

    async fn play(self) -> anyhow::Result<ExitCode> {
        let options = Options {
            supernodes: self.supernodes,
            peers: self.peers,
            degree: self.degree,
            trees: self.trees,
            messages: self.messages,
            seed: self.seed,
            parallel: self.parallel,
            keep: self.keep,
            storm: self.storm,
            dir: self.dir.clone(),
        };
        let signals = Signals::listen().context("no signal can be waited for")?;
        let display = Display::new();
        let kept = |outcome: &Outcome, population: &Population, dir: &Path| {
            display.clear();
            anstream::eprintln!("{}", table::summary(&outcome.figures));
            show_findings(outcome);
            // Tried again at the end, where a failure is told.
            let _ = json::write(self.json.as_deref(), &outcome.figures);
            show_way_in(population, dir);
        };
        let outcome = launch(&options, &display, &kept, signals.any()).await?;
        display.clear();
        json::write(self.json.as_deref(), &outcome.figures)?;
        if !self.keep || outcome.interrupted {
            anstream::eprintln!("{}", table::summary(&outcome.figures));
        }
        if let Some(begun) = outcome.storm_began() {
            anstream::eprintln!("{}", curve::curve(&outcome.storm, begun));
        }
        show_findings(&outcome);
        Ok(self.verdict(&outcome))
    }

    fn verdict(&self, outcome: &Outcome) -> ExitCode {
        for log in &outcome.logs {
            anstream::eprintln!("see {}", log.display());
        }
        if outcome.interrupted {
            let text = "interrupted: every process is ended; the figures are of what was done";
            anstream::eprintln!("{}", text.yellow());
            return ExitCode::from(INTERRUPTED);
        }
        if !outcome.passed() {
            let count = outcome.findings.len();
            anstream::eprintln!("{}", format!("{count} findings, seed {}", self.seed).red());
            return ExitCode::FAILURE;
        }
        if self.supernodes == 1 && !self.storm {
            anstream::eprintln!("the only supernode was not killed: it is the whole scaffold");
        }
        let f = &outcome.figures;
        let text = format!("all {} messages were delivered, each once", f.messages_delivered);
        anstream::eprintln!("{}", text.green());
        ExitCode::SUCCESS
    }
}

fn show_findings(outcome: &Outcome) {
    for finding in outcome.findings.iter().take(FINDINGS_SHOWN) {
        anstream::eprintln!("{} {} {}", "wrong:".red(), finding.who, finding.what);
    }
    if let Some(more) = outcome.findings.len().checked_sub(FINDINGS_SHOWN + 1) {
        anstream::eprintln!("and {} more", more + 1);
    }
}

fn show_way_in(population: &Population, dir: &Path) {
    let living = population.peers.iter().find(|peer| peer.process.exit().is_none());
    let Some(host) = living else { return };
    let data = folder(dir, Role::Peer, &host.name);
    let beside = std::env::current_exe().map(|exe| exe.with_file_name("peer"));
    let peer = match beside {
        Ok(peer) if peer.is_file() => peer.display().to_string(),
        _ => "cargo run --release --bin peer --".to_owned(),
    };
    anstream::eprintln!(
        "\nThe network is running. Join it from another terminal:\n\n  \
         {peer} join {} --name me --data /tmp/me\n  {peer} run --data /tmp/me\n\n\
         then type `@{} hello`, and see that it has come:\n\n  {peer} inbox --data {}\n\n\
         Ctrl-C here ends the network.",
        population.invitation,
        host.name,
        data.display(),
    );
}

/// The signals upon which a run ends in order.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn any(self) {
        let [mut interrupt, mut terminate, mut hangup] = self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
