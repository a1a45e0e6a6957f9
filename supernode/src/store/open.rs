//! From a path to a connection on which promises can be kept.

use super::error::StoreError;
use super::looks;
use overlay_proto::id::RealmId;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The schema, one file a version. A published file is never changed; a change is a new file.
static MIGRATIONS: Migrator = sqlx::migrate!();
/// As the first migration sets it.
const APPLICATION_ID: i64 = 1_953_654_124;
/// How long to wait for another process, such as a backup, that holds the write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Only the owner reads and writes: the store says who has which key.
const FILE_MODE: u32 = 0o600;
/// Only the owner enters.
const FOLDER_MODE: u32 = 0o700;

/// Opens the store at `path`, makes or migrates it, and checks that it is sound.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, StoreError> {
    create(path)
        .and_then(|()| restrict(path))
        .map_err(|source| StoreError::NoAccess { path: path.to_owned(), source })?;
    let mut connection = connect(path).await?;
    let failed = |error| StoreError::from_sql(path, error);
    let (id,): (i64,) = sqlx::query_as("SELECT application_id FROM pragma_application_id")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    let (tables,): (i64,) = sqlx::query_as("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if tables > 0 && id != APPLICATION_ID {
        return Err(StoreError::NotAStore { path: path.to_owned() });
    }
    let (verdict,): (String,) =
        sqlx::query_as("SELECT quick_check FROM pragma_quick_check LIMIT 1")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), detail: verdict });
    }
    migrate(path, &mut connection).await?;
    looks::complete(&mut connection).await.map_err(failed)?;
    restrict(path).map_err(|source| StoreError::NoAccess { path: path.to_owned(), source })?;
    Ok(connection)
}

/// One connection with the settings that durability needs, all of them seen to be in force.
pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // Only on macOS do these two differ from plain fsync, which does not reach the disk there.
        .pragma("fullfsync", "1")
        .pragma("checkpoint_fullfsync", "1")
        .connect()
        .await
        .map_err(|error| StoreError::from_sql(path, error))?;
    let (journal, synchronous): (String, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(|error| StoreError::from_sql(path, error))?;
    // SQLite falls back without a word where the file system cannot do what was asked.
    if journal != "wal" || synchronous != 2 {
        let detail = format!("journal mode {journal}, synchronous {synchronous}");
        return Err(StoreError::NotDurable { path: path.to_owned(), detail });
    }
    Ok(connection)
}

/// Closes a connection that has done its work; the last one folds the log into the file.
pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        // Nothing is lost: the log is read at the next start.
        tracing::warn!(%error, "the store did not close cleanly");
    }
}

/// Ties the store to `realm` unless it is tied already; returns the one it is tied to.
pub(super) async fn bind(
    connection: &mut SqliteConnection,
    realm: RealmId,
) -> Result<RealmId, sqlx::Error> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ('realm', ?) ON CONFLICT (key) DO NOTHING")
        .bind(realm.0.as_slice())
        .execute(&mut *connection)
        .await?;
    let (bytes,): (Vec<u8>,) =
        sqlx::query_as("SELECT value FROM meta WHERE key = 'realm'").fetch_one(connection).await?;
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| {
        sqlx::Error::Decode("the realm in the store is not a key of 32 bytes".into())
    })?;
    Ok(RealmId(bytes))
}

async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    MIGRATIONS.run(connection).await.map_err(|error| StoreError::from_migration(path, error, known))
}

/// Makes the folder and an empty file, so that SQLite never makes one that others may read.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?.sync_all()?;
    // SQLite syncs what is in its files; that there is a file by this name, the folders must know.
    for folder in folder.into_iter().flat_map(|folder| folder.ancestors().take(2)) {
        match File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) {
            // A folder above that may be passed but not read is not ours to sync.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            opened => opened?.sync_all()?,
        }
    }
    Ok(())
}

/// Takes the file and its companions from everybody but the owner, whatever the umask was.
fn restrict(path: &Path) -> io::Result<()> {
    for file in ["", "-wal", "-shm"].map(|suffix| companion(path, suffix)) {
        match std::fs::set_permissions(&file, Permissions::from_mode(FILE_MODE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
