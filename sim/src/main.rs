//! `sim`: virtual worlds and real local networks, from the command line.

mod cli;

use clap::Parser;
use overlay_sim::launch::Role;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // A launcher starts this executable again for each node.
    if let Some(role) = words.get(1).and_then(|word| Role::of(word)) {
        words.remove(1);
        return match role {
            Role::Peer => overlay_node::cli::run(words),
            Role::Supernode => overlay_supernode::cli::run(words),
        };
    }
    match cli::Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("sim: {error:#}");
            ExitCode::from(2)
        }
    }
}
