//! The command line: one definition of each option.

mod progress;
mod run;

use clap::{Parser, Subcommand};

/// Virtual worlds and real local networks of supernodes and peers.
///
/// Exits with 0 if everything held, 1 if a check found something, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a scenario in the virtual, deterministic world.
    Run(run::Run),
}

impl Arguments {
    /// Does what was asked. True if every check held.
    pub(crate) fn run(self) -> anyhow::Result<bool> {
        match self.command {
            Some(Command::Run(run)) => run.run(),
            None => anyhow::bail!("name a command: `sim run steady`, or see `sim --help`"),
        }
    }
}
