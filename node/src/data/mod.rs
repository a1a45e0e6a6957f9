//! The data folder: everything a node keeps between two starts, of a peer or a supernode.
//!
//! Only its owner may enter it, one process at a time works in it, and every file is either whole
//! or not there.

mod book;
mod devices;
mod error;
mod hosts;
mod identity;
mod inbox;
mod keys;
mod own_store;
mod revocations;
mod write;

pub use error::DataError;
pub use identity::{Kept, Loaded};
pub use inbox::{INBOX_PAGE, Inbox, InboxEntry};
pub use keys::{KeyKind, system_rng};
pub use own_store::OwnStore;

use etcetera::BaseStrategy;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only the owner enters: the folder holds secret keys.
const FOLDER_MODE: u32 = 0o700;
/// Only the owner reads and writes.
const FILE_MODE: u32 = 0o600;

/// A data folder. Holding one says nothing about what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// The right to change a folder, as long as it is held.
#[derive(Debug)]
pub struct Lock {
    // The system lets go of the lock when the file is closed, however the process ends.
    _file: File,
}

impl Folder {
    /// The folder at `path`, whether it is there or not.
    pub fn at(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }

    /// Where `program` (`peer` or `supernode`) keeps its data unless told otherwise.
    ///
    /// # Errors
    /// [`DataError::NoHome`].
    pub fn default_path(program: &str) -> Result<PathBuf, DataError> {
        let base = etcetera::choose_base_strategy().map_err(|_| DataError::NoHome)?;
        Ok(base.data_dir().join("trellis").join(program))
    }

    /// Makes the folder if it is not there, and takes it from everybody but the owner.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn create(&self) -> Result<(), DataError> {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.path)
            .and_then(|()| {
                std::fs::set_permissions(&self.path, Permissions::from_mode(FOLDER_MODE))
            })
            .map_err(|source| DataError::NoAccess { path: self.path.clone(), source })
    }

    /// Takes the folder for this process alone.
    ///
    /// # Errors
    /// [`DataError::InUse`], [`DataError::NoAccess`].
    pub fn lock(&self) -> Result<Lock, DataError> {
        let path = self.file("lock");
        let no_access = |source| DataError::NoAccess { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(no_access)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: the holder writes its number right after it has the lock.
                let _ = file.read_to_string(&mut holder);
                let process = holder.trim().parse().ok();
                return Err(DataError::InUse { path: self.path.clone(), process });
            }
            Err(TryLockError::Error(source)) => return Err(no_access(source)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(no_access)?;
        Ok(Lock { _file: file })
    }

    /// Makes sure that nobody has joined in this folder.
    ///
    /// # Errors
    /// [`DataError::Exists`]; what is wrong with the identity that is there.
    pub fn refuse_if_joined(&self) -> Result<(), DataError> {
        match self.kept()? {
            Some(_) => Err(DataError::Exists { path: self.file(identity::FILE) }),
            None => Ok(()),
        }
    }

    /// Makes sure that there is neither an identity nor a key in this folder.
    ///
    /// # Errors
    /// [`DataError::Exists`]; what is wrong with what is there.
    pub fn refuse_if_used(&self) -> Result<(), DataError> {
        self.refuse_if_joined()?;
        for kind in [KeyKind::Root, KeyKind::Registrar, KeyKind::Device, KeyKind::User] {
            let path = self.file(&kind.file());
            if path.exists() {
                return Err(DataError::Exists { path });
            }
        }
        Ok(())
    }

    /// Writes the file with settings, unless there is one.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn write_settings(&self, text: &str) -> Result<(), DataError> {
        let path = self.file(crate::settings::FILE);
        match write::write(&path, text.as_bytes(), write::Replace::Refused) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            done => done.map_err(|source| DataError::NoAccess { path, source }),
        }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file `name` in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Puts `bytes` in place of what the file had. Durable when this returns.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), DataError> {
        let path = self.file(name);
        write::write(&path, bytes, write::Replace::Allowed)
            .map_err(|source| DataError::NoAccess { path, source })
    }

    /// Where the running node is spoken to.
    pub fn socket(&self) -> PathBuf {
        self.file("control.sock")
    }
}

#[cfg(test)]
mod tests;
