//! Short messages on a stream: each its length (2 bytes, big-endian) and CBOR.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message, in bytes: a file's name has 255, a sentence that says why not 500.
pub(crate) const BYTES_MAX: usize = 1_024;
/// Bytes of the length.
const HEAD: usize = 2;

/// Why a message did not get through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrefixedError {
    /// It is longer than any may be, or not what was expected.
    #[error("malformed")]
    Malformed,
    /// The stream broke.
    #[error("{0}")]
    Broken(#[from] io::Error),
}

/// Writes a message and sees to it that it leaves.
///
/// # Errors
/// [`PrefixedError`].
pub(crate) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), PrefixedError> {
    let mut bytes = vec![0; HEAD];
    ciborium::into_writer(message, &mut bytes).map_err(|_| PrefixedError::Malformed)?;
    let length = bytes.len() - HEAD;
    if length > BYTES_MAX {
        return Err(PrefixedError::Malformed);
    }
    bytes[..HEAD].copy_from_slice(&(length as u16).to_be_bytes());
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads a message.
///
/// # Errors
/// [`PrefixedError`].
pub(crate) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, PrefixedError> {
    let length = usize::from(stream.read_u16().await?);
    if length > BYTES_MAX {
        return Err(PrefixedError::Malformed);
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    ciborium::from_reader(&bytes[..]).map_err(|_| PrefixedError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_reads_back_and_none_is_longer_than_it_may_be() {
        let (mut here, mut there) = tokio::io::duplex(4 * BYTES_MAX);
        write(&mut here, &("file", 7_u64)).await.expect("written");
        let came: (String, u64) = read(&mut there).await.expect("read");
        assert_eq!(came, ("file".to_owned(), 7));
        let long = "x".repeat(BYTES_MAX);
        assert!(matches!(write(&mut here, &long).await, Err(PrefixedError::Malformed)));
        here.write_all(&[0xff, 0xff]).await.expect("written");
        assert!(matches!(read::<String>(&mut there).await, Err(PrefixedError::Malformed)));
        here.write_all(&[0, 1, 0xff]).await.expect("written");
        assert!(matches!(read::<String>(&mut there).await, Err(PrefixedError::Malformed)));
    }
}
