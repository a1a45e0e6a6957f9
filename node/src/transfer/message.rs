//! The messages of a transfer.

use overlay_proto::status::Status;
use serde::{Deserialize, Serialize};

/// A file that somebody wants to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    /// Its name, without folders.
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    /// BLAKE3 of the whole.
    pub(super) hash: [u8; 32],
}

/// From where the receiver wants it, or why not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GoOn {
    pub(super) status: Status,
    pub(super) offset: u64,
    pub(super) sentence: String,
}

/// How it ended for the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) sentence: String,
}
