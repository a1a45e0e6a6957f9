//! Why a store cannot be used, and the way out.

use overlay_proto::id::RealmId;
use std::path::{Path, PathBuf};

/// Why a store cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be made, read or written.
    #[error(
        "the store {} cannot be written ({source}): give this user the right to write the file and its folder, or choose another data folder",
        path.display()
    )]
    NoAccess {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's content is damaged, or it never was a database.
    #[error(
        "the store {} is damaged ({detail}): put back a backup; only if there is none, move the file away to begin anew, and all names given out are forgotten",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A database of some other program.
    #[error(
        "{} is a database of another program: choose another data folder",
        path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program has written it.
    #[error(
        "the store {} has schema {found}, this program knows up to {known}: update this program",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// The schema could not be brought to this version.
    #[error(
        "the store {} could not be brought to this version ({source}): nothing was changed; put back a backup or ask for help with this message",
        path.display()
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// The file system cannot give what durability needs.
    #[error(
        "the store {} cannot be kept safely ({detail}): put the data folder on a local disk",
        path.display()
    )]
    NotDurable {
        /// The file.
        path: PathBuf,
        /// Which setting is not in force.
        detail: String,
    },
    /// It holds the names of another realm.
    #[error(
        "the store {} belongs to realm {found}: use the data folder of that realm, or an empty one",
        path.display()
    )]
    ForeignRealm {
        /// The file.
        path: PathBuf,
        /// The realm to which it belongs.
        found: RealmId,
    },
    /// Another process holds it for too long.
    #[error(
        "the store {} is locked by another process: stop the other supernode on this data folder, then try again",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Anything else, such as a full disk.
    #[error("the store {} failed ({source}): check the disk, then try again", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

/// SQLite's primary result codes (sqlite.org/rescode.html).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

impl StoreError {
    /// What an error of SQLite means for the owner of `path`.
    pub(super) fn from_sql(path: &Path, source: sqlx::Error) -> StoreError {
        let path = path.to_owned();
        let Some(database) = source.as_database_error() else {
            return StoreError::Failed { path, source };
        };
        // The lower byte is the primary code; the rest only refines it.
        let primary = database.code().and_then(|code| code.parse::<i32>().ok()).map(|c| c & 0xff);
        let detail = database.message().to_owned();
        match primary {
            Some(code::BUSY) => StoreError::Locked { path },
            Some(code::READONLY | code::CANTOPEN) => StoreError::NoAccess {
                path,
                source: std::io::Error::new(std::io::ErrorKind::PermissionDenied, detail),
            },
            Some(code::CORRUPT | code::NOTADB) => StoreError::Damaged { path, detail },
            _ => StoreError::Failed { path, source },
        }
    }

    /// What a failed migration means for the owner of `path`.
    pub(super) fn from_migration(
        path: &Path,
        source: sqlx::migrate::MigrateError,
        known: i64,
    ) -> StoreError {
        use sqlx::migrate::MigrateError;
        match source {
            MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
                StoreError::Newer { path: path.to_owned(), found, known }
            }
            MigrateError::Execute(error) => StoreError::from_sql(path, error),
            source => StoreError::Migration { path: path.to_owned(), source },
        }
    }
}
