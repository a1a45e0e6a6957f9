//! The sender's side.

use super::TransferError;
use super::message::{GoOn, Offer, Outcome};
use crate::prefixed::{read, write};
use overlay_proto::status::Status;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

const BUFFER_BYTES: usize = 256 * 1024;

/// A file that the other side has, whole and verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its size in bytes.
    pub size: u64,
    /// Bytes that the other side had from an earlier try.
    pub resumed: u64,
}

/// Sends the file at `path`. `progress` hears how many bytes the other side was sent or has, and how
/// many there are.
///
/// # Errors
/// [`TransferError`]. After [`TransferError::Broken`] the next try goes on from there.
pub async fn send(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Sent, TransferError> {
    let (mut file, offer) = announce(path).await?;
    write(stream, &offer).await?;
    let go_on: GoOn = read(stream).await?;
    if !go_on.status.is_success() {
        return Err(TransferError::Refused { status: go_on.status, sentence: go_on.sentence });
    }
    if go_on.offset > offer.size {
        return Err(TransferError::Malformed);
    }
    progress(go_on.offset, offer.size);
    let failed = |source| TransferError::File { path: path.to_owned(), source };
    file.seek(SeekFrom::Start(go_on.offset)).await.map_err(failed)?;
    let mut left = offer.size - go_on.offset;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut outcome = None;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let taken = file.read(&mut buffer[..wanted]).await.map_err(failed)?;
        if taken == 0 {
            return Err(TransferError::Changed { path: path.to_owned() });
        }
        if let Err(error) = stream.write_all(&buffer[..taken]).await {
            // It may have said why it stopped reading.
            outcome = Some(read(stream).await.map_err(|_| TransferError::Broken(error))?);
            break;
        }
        left -= taken as u64;
        progress(offer.size - left, offer.size);
    }
    let outcome: Outcome = match outcome {
        Some(outcome) => outcome,
        None => {
            stream.flush().await.map_err(TransferError::Broken)?;
            read(stream).await?
        }
    };
    match outcome.status {
        Status::CHANGED => Err(TransferError::Changed { path: path.to_owned() }),
        status if status.is_success() => Ok(Sent { size: offer.size, resumed: go_on.offset }),
        status => Err(TransferError::Refused { status, sentence: outcome.sentence }),
    }
}

/// Opens the file and reads it once for its hash.
async fn announce(path: &Path) -> Result<(File, Offer), TransferError> {
    let path: PathBuf = path.to_owned();
    let failed = |source| TransferError::File { path: path.clone(), source };
    let file = File::open(&path).await.map_err(failed)?;
    let hashed = path.clone();
    let hash = tokio::task::spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(hashed)?)?;
        Ok((hasher.finalize(), hasher.count()))
    });
    let (hash, size) =
        hash.await.unwrap_or_else(|_| Err(std::io::Error::other("interrupted"))).map_err(failed)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    Ok((file, Offer { name, size, hash: *hash.as_bytes() }))
}
