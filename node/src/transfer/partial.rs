//! A file that is not whole yet, and the name it will get.

use super::TransferError;
use super::message::Offer;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// Longest name of a file that is taken, in bytes: what every usual file system allows, less what the
/// partial file adds.
const NAME_BYTES_MAX: usize = 200;
/// Names tried if that of the offer is taken.
const NAMES_MAX: usize = 1_000;
const BUFFER_BYTES: usize = 256 * 1024;

/// What has come so far.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) path: PathBuf,
    folder: PathBuf,
    name: String,
    file: File,
    hasher: blake3::Hasher,
    /// Bytes there.
    pub(super) bytes: u64,
}

/// The offered name, if it is one for a file in a folder: neither a way out of it nor hidden.
pub(super) fn plain(name: &str) -> Option<&str> {
    let is_plain = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('.')
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control());
    is_plain.then_some(name)
}

impl Partial {
    /// Opens what has come of this very file before, or begins anew.
    pub(super) async fn open(folder: &Path, offer: &Offer) -> Result<Partial, TransferError> {
        let name = plain(&offer.name).ok_or(TransferError::Malformed)?;
        // The hash is part of the name: two files of one name do not meet.
        let digits = blake3::Hash::from_bytes(offer.hash).to_hex();
        let path = folder.join(format!(".{name}.{}.partial", &digits[..16]));
        let failed = |source| TransferError::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).await.map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut bytes = 0;
        while bytes <= offer.size {
            let taken = file.read(&mut buffer).await.map_err(failed)?;
            if taken == 0 {
                break;
            }
            hasher.update(&buffer[..taken]);
            bytes += taken as u64;
        }
        if bytes > offer.size {
            file.set_len(0).await.map_err(failed)?;
            file.rewind().await.map_err(failed)?;
            (hasher, bytes) = (blake3::Hasher::new(), 0);
        }
        let (folder, name) = (folder.to_owned(), name.to_owned());
        Ok(Partial { path, folder, name, file, hasher, bytes })
    }

    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        self.file.write_all(bytes).await.map_err(|source| self.failed(source))?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes durable what has come.
    pub(super) async fn keep(&mut self) -> Result<(), TransferError> {
        self.file.flush().await.map_err(|source| self.failed(source))?;
        self.file.sync_all().await.map_err(|source| self.failed(source))
    }

    /// Gives the file its name, if it is what was announced; else it is not kept.
    pub(super) async fn finish(mut self, offer: &Offer) -> Result<PathBuf, TransferError> {
        self.keep().await?;
        if self.hasher.finalize() != blake3::Hash::from_bytes(offer.hash) {
            // Whether this end or the other one is wrong, more of it helps nobody.
            let _ = tokio::fs::remove_file(&self.path).await;
            return Err(TransferError::Damaged);
        }
        let (from, folder, name) = (self.path.clone(), self.folder.clone(), self.name.clone());
        let named = tokio::task::spawn_blocking(move || give_name(&from, &folder, &name)).await;
        match named {
            Ok(named) => named.map_err(|source| self.failed(source)),
            Err(_) => Err(self.failed(io::Error::other("interrupted"))),
        }
    }

    fn failed(&self, source: io::Error) -> TransferError {
        TransferError::File { path: self.path.clone(), source }
    }
}

/// Never overwrites: a second `a.txt` becomes `a (1).txt`.
fn give_name(from: &Path, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let (stem, suffix) = match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    };
    for n in 0..NAMES_MAX {
        let tried = if n == 0 { name.to_owned() } else { format!("{stem} ({n}){suffix}") };
        let to = folder.join(tried);
        // A second link fails if the name is taken; renaming would replace what has it.
        match std::fs::hard_link(from, &to) {
            Ok(()) => {
                std::fs::remove_file(from)?;
                std::fs::File::open(folder)?.sync_all()?;
                return Ok(to);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
