//! Scenarios: what happens to a world, from a TOML file or built in.

mod agree;
pub(crate) mod asked;
mod churn;
pub mod file;
mod flood;
mod hot;
mod limits;
mod lives;
pub mod load;
mod mail;
pub mod play;
pub mod population;
mod processes;
mod revoke;
mod scaffold;
mod stage;
pub mod step;
mod steps;
mod storm;
mod strain;
mod tell;
pub mod vary;
mod watch;

pub use file::{Scenario, trees_by_size};
pub use flood::Flood;
pub use hot::Hot;
pub use load::{Change, ScenarioError};
pub use mail::Letters;
pub use play::{Outcome, Progress, play};
pub use revoke::Revocations;
pub use scaffold::Deaths;
pub use step::{Step, Under};
pub use storm::Outage;
