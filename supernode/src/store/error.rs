//! Why a store cannot be used, and the way out.

use super::place::StorePlace;
use overlay_proto::id::{RealmId, RegistryId};
use std::io;
use std::path::PathBuf;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be made, read or written.
    #[error(
        "the store {place} cannot be written ({source}): give this user the right to write the file and its folder, or choose another data folder"
    )]
    NoAccess {
        /// The store.
        place: StorePlace,
        /// What the system said.
        source: io::Error,
    },
    /// The database server does not let this user in, or not do what is needed.
    #[error(
        "the database {place} does not let us in ({detail}): check that database, user and password are right, and that the user may create a schema there"
    )]
    NotLetIn {
        /// The store.
        place: StorePlace,
        /// What the server said.
        detail: String,
    },
    /// The database server does not answer.
    #[error(
        "the database {place} does not answer ({detail}): check that the server runs and that this machine reaches it"
    )]
    Unreachable {
        /// The store.
        place: StorePlace,
        /// What went wrong.
        detail: String,
    },
    /// The content is damaged, or it never was a database.
    #[error(
        "the store {place} is damaged ({detail}): move it away with the files beside it, then put back a backup with `supernode restore FILE`; without a backup all names given out are forgotten"
    )]
    Damaged {
        /// The store.
        place: StorePlace,
        /// What is wrong with it.
        detail: String,
    },
    /// A database of some other program.
    #[error("{place} is a database of another program: choose another data folder")]
    NotAStore {
        /// The store.
        place: StorePlace,
    },
    /// A later version of this program has written it.
    #[error(
        "the store {place} has schema {found}, this program knows up to {known}: update this program"
    )]
    Newer {
        /// The store.
        place: StorePlace,
        /// The schema version in the store.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// The schema could not be brought to this version.
    #[error(
        "the store {place} could not be brought to this version ({source}): nothing was changed; put back a backup or ask for help with this message"
    )]
    Migration {
        /// The store.
        place: StorePlace,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// The file system or the server cannot give what durability needs.
    #[error(
        "the store {place} cannot be kept safely ({detail}): put the data folder on a local disk; a PostgreSQL server needs fsync = on"
    )]
    NotDurable {
        /// The store.
        place: StorePlace,
        /// Which setting is not in force.
        detail: String,
    },
    /// A write did not reach the disk, and nobody knows which of the writes before did.
    #[error(
        "the disk of the store {place} did not take what was written ({detail}): nothing is promised any more until this supernode is started again; check the disk first"
    )]
    SyncFailed {
        /// The store.
        place: StorePlace,
        /// What the system said.
        detail: String,
    },
    /// It holds the names of another realm.
    #[error(
        "the store {place} belongs to realm {found}: use the store of this realm, or an empty one"
    )]
    ForeignRealm {
        /// The store.
        place: StorePlace,
        /// The realm to which it belongs.
        found: RealmId,
    },
    /// A file, where several registrars need one store.
    #[error(
        "the store {place} is a file, which registrars cannot share: move the names to PostgreSQL with `supernode backup` and `supernode restore`, and set --store postgres://USER@HOST/DATABASE at every registrar"
    )]
    NotShared {
        /// The store.
        place: StorePlace,
    },
    /// Not the store that the realm's other registrars have.
    #[error(
        "the store {place} is not the one of this realm's registrars (it should be {wanted}, but is {}): set --store to the database of the registrar that made the invitation",
        found.map_or("none at all".to_owned(), |found| found.to_string())
    )]
    OtherStore {
        /// The store.
        place: StorePlace,
        /// The number of the store that they have.
        wanted: RegistryId,
        /// The number of this one, if it is one.
        found: Option<RegistryId>,
    },
    /// Another process holds it for too long.
    #[error(
        "the store {place} is locked by another process: stop the other supernode on this data folder, then try again"
    )]
    Locked {
        /// The store.
        place: StorePlace,
    },
    /// A restore would overwrite names.
    #[error(
        "the store {place} has {users} users already: to replace them all with those of the backup, use --force"
    )]
    NotEmpty {
        /// The store.
        place: StorePlace,
        /// The users in it.
        users: u64,
    },
    /// A backup would overwrite a file, or its folder cannot be written.
    #[error("{} cannot be written ({source}): choose another file", path.display())]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A backup cannot be restored.
    #[error("the backup {} cannot be used ({detail}): take another one; nothing was changed", path.display())]
    UnusableBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Anything else, such as a full disk.
    #[error("the store {place} failed ({source}): check the disk, then try again")]
    Failed {
        /// The store.
        place: StorePlace,
        /// What the database said.
        source: sqlx::Error,
    },
}

/// SQLite's result codes (sqlite.org/rescode.html).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
    pub(super) const IOERR_FSYNC: i32 = 1_034;
    pub(super) const IOERR_DIR_FSYNC: i32 = 1_290;
}

impl StoreError {
    /// What an error of the database means for the owner of `place`.
    pub(super) fn from_sql(place: &StorePlace, source: sqlx::Error) -> StoreError {
        let place = place.clone();
        let code_and_detail = |error: &dyn sqlx::error::DatabaseError| {
            (error.code().unwrap_or_default().into_owned(), error.message().to_owned())
        };
        if let Some((code, detail)) = source.as_database_error().map(code_and_detail) {
            return match &place {
                StorePlace::File(_) => from_sqlite(place, code.parse().ok(), detail, source),
                StorePlace::Postgres(_) => from_postgres(place, &code, detail, source),
            };
        }
        match &source {
            sqlx::Error::Decode(error) => StoreError::Damaged { place, detail: error.to_string() },
            sqlx::Error::ColumnDecode { source, .. } => {
                StoreError::Damaged { place, detail: source.to_string() }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
                StoreError::Unreachable { place, detail: source.to_string() }
            }
            _ => StoreError::Failed { place, source },
        }
    }

    /// What a failed migration means for the owner of `place`.
    pub(super) fn from_migration(
        place: &StorePlace,
        source: sqlx::migrate::MigrateError,
        known: i64,
    ) -> StoreError {
        use sqlx::migrate::MigrateError;
        let place = place.clone();
        match source {
            MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
                StoreError::Newer { place, found, known }
            }
            MigrateError::Execute(error) => StoreError::from_sql(&place, error),
            source => StoreError::Migration { place, source },
        }
    }
}

fn from_sqlite(
    place: StorePlace,
    code: Option<i32>,
    detail: String,
    source: sqlx::Error,
) -> StoreError {
    if let Some(code::IOERR_FSYNC | code::IOERR_DIR_FSYNC) = code {
        return StoreError::SyncFailed { place, detail };
    }
    // The lower byte is the primary code; the rest only refines it.
    match code.map(|code| code & 0xff) {
        Some(code::BUSY) => StoreError::Locked { place },
        Some(code::READONLY | code::CANTOPEN) => StoreError::NoAccess {
            place,
            source: io::Error::new(io::ErrorKind::PermissionDenied, detail),
        },
        Some(code::CORRUPT | code::NOTADB) => StoreError::Damaged { place, detail },
        _ => StoreError::Failed { place, source },
    }
}

/// By the class and number of SQLSTATE (PostgreSQL manual, appendix A).
fn from_postgres(place: StorePlace, code: &str, detail: String, source: sqlx::Error) -> StoreError {
    match code {
        "3D000" | "42501" => StoreError::NotLetIn { place, detail },
        "55P03" => StoreError::Locked { place },
        _ if code.starts_with("28") => StoreError::NotLetIn { place, detail },
        _ if code.starts_with("57P") => StoreError::Unreachable { place, detail },
        _ if code.starts_with("XX") => StoreError::Damaged { place, detail },
        _ => StoreError::Failed { place, source },
    }
}
