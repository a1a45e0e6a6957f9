//! The receiver's side.

use super::TransferError;
use super::message::{GoOn, Offer, Outcome};
use super::partial::Partial;
use crate::prefixed::{read, write};
use overlay_proto::status::Status;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const BUFFER_BYTES: usize = 256 * 1024;
/// How often what has come is made durable: so much may have to come again after a power cut.
const KEEP_EVERY_BYTES: u64 = 64 * 1024 * 1024;

/// A file that has come, whole and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes that were there from an earlier try.
    pub resumed: u64,
}

/// Takes a file into `folder`. `progress` hears its name, how many bytes are there, and how many there
/// will be.
///
/// # Errors
/// [`TransferError`]; what has come is kept unless it is [`TransferError::Damaged`].
pub async fn receive(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    folder: &Path,
    mut progress: impl FnMut(&str, u64, u64),
) -> Result<Received, TransferError> {
    let offer: Offer = read(stream).await?;
    let mut partial = match Partial::open(folder, &offer).await {
        Ok(partial) => partial,
        Err(error) => {
            let sentence = told(&error);
            write(stream, &GoOn { status: error.status(), offset: 0, sentence }).await?;
            return Err(error);
        }
    };
    let resumed = partial.bytes;
    let go_on = GoOn { status: Status::OK, offset: resumed, sentence: String::new() };
    write(stream, &go_on).await?;
    let came = match fill(stream, &mut partial, &offer, &mut progress).await {
        Ok(()) => partial.finish(&offer).await,
        Err(error) => {
            // What has come is there after a crash, too, unless the disk itself has failed.
            let _ = partial.keep().await;
            Err(error)
        }
    };
    let outcome = match &came {
        Ok(_) => Outcome { status: Status::OK, sentence: String::new() },
        Err(error) => Outcome { status: error.status(), sentence: told(error) },
    };
    let said = write(stream, &outcome).await;
    let path = came?;
    // The file is here, whatever the other side knows; it will hear of it when it tries again.
    if said.is_ok() {
        let _ = stream.shutdown().await;
    }
    Ok(Received { path, size: offer.size, resumed })
}

async fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    partial: &mut Partial,
    offer: &Offer,
    progress: &mut impl FnMut(&str, u64, u64),
) -> Result<(), TransferError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut kept = partial.bytes;
    progress(&offer.name, partial.bytes, offer.size);
    while partial.bytes < offer.size {
        let left = usize::try_from(offer.size - partial.bytes).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let taken = stream.read(&mut buffer[..wanted]).await.map_err(TransferError::Broken)?;
        if taken == 0 {
            return Err(TransferError::Broken(std::io::ErrorKind::UnexpectedEof.into()));
        }
        partial.append(&buffer[..taken]).await?;
        if partial.bytes - kept >= KEEP_EVERY_BYTES {
            partial.keep().await?;
            kept = partial.bytes;
        }
        progress(&offer.name, partial.bytes, offer.size);
    }
    Ok(())
}

/// What the other side is told: nothing of the folders here.
fn told(error: &TransferError) -> String {
    match error {
        TransferError::File { source, .. } => format!("the other side cannot keep it ({source})"),
        other => other.to_string(),
    }
}
