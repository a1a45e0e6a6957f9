//! The keeper of letters: seals them with a ratchet and keeps them, with all that the core wants
//! kept of messages that wait, in one file of the data folder.

mod database;
mod envelope;
mod history;
mod keeper;
mod ratchets;
#[cfg(test)]
mod tests;

pub use database::{InboxLetter, KeeperError};
pub use history::{Said, Wrote};
pub use keeper::LetterKeeper;

/// The file, in the data folder.
pub const FILE: &str = "letters.sqlite";
