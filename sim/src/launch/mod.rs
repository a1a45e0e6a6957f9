//! A real local network: this executable again and again as supernodes and peers on loopback, with
//! users who write to each other, a crash, and a repair under watch.
//!
//! It decides nothing that the core decides: it starts, asks, kills and compares.

mod delivery;
mod ground;
mod invoke;
pub mod plan;
pub mod population;
pub mod process;
pub mod progress;
mod run;
mod stage;
mod storm;
mod verdict;
mod watch;
mod workload;

pub use plan::Options;
pub use process::Role;
pub use progress::Show;
pub use run::{LaunchError, Outcome, launch};
pub use verdict::Finding;
