//! `sim compare`: rival routing designs and ours, side by side.

use super::json;
use super::progress::Line;
use clap::Args;
use overlay_sim::compare::{Plan, compare, table};
use overlay_sim::scenario::{Progress, trees_by_size};
use std::path::PathBuf;

/// Packets a peer sends, on average, unless told otherwise; and of all together at most.
const PACKETS_A_PEER: usize = 2;
const PACKETS_MAX: usize = 200_000;

/// Options of `sim compare`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sim compare --peers 10000 --crash 0.2 --json compare.json")]
pub(super) struct Compare {
    /// Nodes of each network.
    #[arg(long, default_value_t = 10_000, value_parser = super::launch::bounded::<20, 1_000_000>)]
    peers: usize,
    /// Neighbours a node has at most.
    #[arg(long, default_value_t = 8, value_parser = super::launch::bounded::<3, 16>)]
    degree: usize,
    /// Spanning trees of ours, 1 to 32. Without this: 8, from 10,000 peers 16, above 100,000 32.
    #[arg(long, value_parser = super::launch::bounded::<1, 32>)]
    trees: Option<usize>,
    /// The same seed gives the same figures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Packets sent over each design. Without this: two a peer, 200,000 at most.
    #[arg(long, value_parser = super::launch::bounded::<1, 10_000_000>)]
    pairs: Option<usize>,
    /// Share of the nodes that vanish, 0 to below 1. Nobody repairs.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    crash: f64,
    /// Write the figures to this file, as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("a share from 0 to below 1 is needed, such as 0.2".to_owned()),
    }
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let plan = Plan {
            peers: self.peers,
            degree: self.degree,
            trees: self.trees.unwrap_or_else(|| trees_by_size(self.peers)),
            seed: self.seed,
            pairs: self.pairs.unwrap_or((PACKETS_A_PEER * self.peers).min(PACKETS_MAX)),
            crash: self.crash,
        };
        let mut line = Line::new();
        let compared = compare(&plan, &mut |text| line.phase(text));
        line.clear();
        let compared = compared?;
        json::write(self.json.as_deref(), &compared)?;
        // To standard error: standard output is the JSON's.
        anstream::eprintln!("{}", table::table(&compared));
        anstream::eprintln!(
            "{} peers, k = {}, T = {}, {} packets, {} % vanished, seed {}; in brackets: over the shortest path",
            plan.peers,
            plan.degree,
            plan.trees,
            plan.pairs,
            100.0 * plan.crash,
            plan.seed
        );
        Ok(())
    }
}
