//! Scenarios: what happens to a world, from a TOML file or built in.

pub mod asked;
pub mod file;
pub mod play;
pub mod population;
mod stage;
mod steps;
mod tell;

pub use file::{Change, Scenario, ScenarioError, Step};
pub use play::{Outcome, Progress, play};
