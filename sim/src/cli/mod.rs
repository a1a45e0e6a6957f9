//! The command line: one definition of each option.

mod compare;
mod display;
mod explore;
mod interrupt;
mod json;
mod launch;
mod progress;
mod run;
mod sweep;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Virtual worlds and real local networks of supernodes and peers.
///
/// Without a command: `launch`, with its options.
///
/// Exits with 0 if everything held, 1 if a check found something, 2 if it could not run, 130 if it
/// was interrupted.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    launch: launch::Launch,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a real local network of processes, kill some, and watch the repair.
    Launch(launch::Launch),
    /// Compare rival routing designs with ours, on static networks.
    Compare(compare::Compare),
    /// Play many random scenarios in the virtual world, and shrink what fails.
    Explore(explore::Explore),
    /// Play a scenario in the virtual, deterministic world.
    Run(run::Run),
    /// Play a scenario again and again, each time with another value for one of its numbers.
    Sweep(sweep::Sweep),
}

impl Arguments {
    /// Does what was asked.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Compare(compare)) => compare.run().map(|()| ExitCode::SUCCESS),
            Some(Command::Explore(explore)) => explore.run(),
            Some(Command::Run(run)) => run.run(),
            Some(Command::Sweep(sweep)) => sweep.run(),
            Some(Command::Launch(launch)) => launch.run(),
            None => self.launch.run(),
        }
    }
}
