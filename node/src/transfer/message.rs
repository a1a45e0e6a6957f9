//! The messages of a transfer.

use super::TransferError;
use overlay_proto::status::Status;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message, in bytes: a file's name has at most 255.
const BYTES_MAX: usize = 1_024;

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

pub(super) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), TransferError> {
    let mut bytes = vec![0, 0];
    ciborium::into_writer(message, &mut bytes).map_err(|_| TransferError::Malformed)?;
    let length = u16::try_from(bytes.len() - 2).map_err(|_| TransferError::Malformed)?;
    bytes[..2].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&bytes).await.map_err(TransferError::Broken)?;
    stream.flush().await.map_err(TransferError::Broken)
}

pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, TransferError> {
    let length = usize::from(stream.read_u16().await.map_err(TransferError::Broken)?);
    if length > BYTES_MAX {
        return Err(TransferError::Malformed);
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.map_err(TransferError::Broken)?;
    ciborium::from_reader(&bytes[..]).map_err(|_| TransferError::Malformed)
}
