//! Files over a stream: announced, resumed, verified.
//!
//! ```text
//! sender    →  offer: name, size, BLAKE3 hash of the whole
//! receiver  →  go on: status, offset from which it lacks bytes
//! sender    →  the bytes from there
//! receiver  →  outcome: status, sentence
//! ```
//!
//! Each message is its length (2 bytes, big-endian) and CBOR. What has come is kept in a hidden file
//! until it is whole and its hash is right; only then does it get its name. So nothing half-written is
//! ever taken for a file, and a transfer that broke goes on where it stopped.

mod message;
mod partial;
mod receive;
mod send;
#[cfg(test)]
mod tests;

pub use receive::{Received, receive};
pub use send::{Sent, send};

use crate::prefixed::PrefixedError;
use overlay_proto::status::Status;
use std::io;
use std::path::PathBuf;

/// The service under which files are taken.
pub const SERVICE: &str = "file";

/// Why a file did not get through.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file of ours cannot be read or written.
    #[error("{} cannot be used ({source})", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has changed since it was announced.
    #[error("{} changed while it was sent: send it again", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// What came is not what was announced. It is not kept.
    #[error("what came is not what was announced: it is not kept, have it sent again")]
    Damaged,
    /// The other side says no, or has failed.
    #[error("{status}: {sentence}")]
    Refused {
        /// The code.
        status: Status,
        /// What it says.
        sentence: String,
    },
    /// The stream broke. What has come is kept, and the next try goes on from there.
    #[error("the stream broke ({0}): try again, what has come is kept")]
    Broken(io::Error),
    /// The other side does not speak as it should.
    #[error("the other side's message could not be read: update both sides")]
    Malformed,
}

impl From<PrefixedError> for TransferError {
    fn from(error: PrefixedError) -> TransferError {
        match error {
            PrefixedError::Malformed => TransferError::Malformed,
            PrefixedError::Broken(error) => TransferError::Broken(error),
        }
    }
}

impl TransferError {
    /// The status code.
    pub fn status(&self) -> Status {
        match self {
            TransferError::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Status::STORE_FAILED,
                io::ErrorKind::NotFound => Status::UNKNOWN_NAME,
                _ => Status::INTERNAL,
            },
            TransferError::Changed { .. } | TransferError::Damaged => Status::CHANGED,
            TransferError::Refused { status, .. } => *status,
            TransferError::Broken(_) => Status::TIMEOUT,
            TransferError::Malformed => Status::MALFORMED,
        }
    }
}
