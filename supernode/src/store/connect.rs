//! From a place to a connection on which promises can be kept.

use super::error::StoreError;
use super::files;
use super::place::{PostgresUrl, StorePlace};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Executor};
use std::path::Path;
use std::time::Duration;

/// How long to wait for another process that holds a file's write lock, such as an operator's
/// command. SQLite keeps no queue: who waits may be passed by many times.
const FILE_LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for another registrar that holds a server's write lock. It keeps a queue.
const SERVER_LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long a server may take to let us in. It may be dead without a word.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// One connection with the settings that durability needs, all of them seen to be in force.
pub(super) async fn connect(place: &StorePlace) -> Result<AnyConnection, StoreError> {
    sqlx::any::install_default_drivers();
    match place {
        StorePlace::File(path) => sqlite(place, path).await,
        StorePlace::Postgres(url) => postgres(place, url).await,
    }
}

/// Closes a connection that has done its work; the last one folds SQLite's log into its file.
pub(super) async fn close(connection: AnyConnection) {
    if let Err(error) = connection.close().await {
        // Nothing is lost: the log is read at the next start.
        tracing::warn!(%error, "the store did not close cleanly");
    }
}

async fn sqlite(place: &StorePlace, path: &Path) -> Result<AnyConnection, StoreError> {
    let failed = |error| StoreError::from_sql(place, error);
    let url =
        files::url(path).map_err(|source| StoreError::NoAccess { place: place.clone(), source })?;
    let options: AnyConnectOptions = url.parse().map_err(failed)?;
    let mut connection = options.connect().await.map_err(failed)?;
    for pragma in [
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        // Only on macOS do these two differ from plain fsync, which does not reach the disk there.
        "PRAGMA fullfsync = ON",
        "PRAGMA checkpoint_fullfsync = ON",
        // Structures are checked as they are read, at a small price.
        "PRAGMA cell_size_check = ON",
    ] {
        connection.execute(pragma).await.map_err(failed)?;
    }
    let wait = format!("PRAGMA busy_timeout = {}", FILE_LOCK_PATIENCE.as_millis());
    connection.execute(sqlx::AssertSqlSafe(wait)).await.map_err(failed)?;
    let (journal, synchronous): (String, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(failed)?;
    // SQLite falls back without a word where the file system cannot do what was asked.
    if journal != "wal" || synchronous != 2 {
        let detail = format!("journal mode {journal}, synchronous {synchronous}");
        return Err(StoreError::NotDurable { place: place.clone(), detail });
    }
    Ok(connection)
}

async fn postgres(place: &StorePlace, url: &PostgresUrl) -> Result<AnyConnection, StoreError> {
    let failed = |error| StoreError::from_sql(place, error);
    let unreachable =
        |detail: &str| StoreError::Unreachable { place: place.clone(), detail: detail.to_owned() };
    let options = url.options().ok_or_else(|| unreachable("its URL cannot be read"))?;
    let mut connection = tokio::time::timeout(CONNECT_PATIENCE, options.connect())
        .await
        .map_err(|_| unreachable("no answer in time"))?
        .map_err(failed)?;
    // A schema of our own, so that the database may be shared with others.
    connection.execute("SET search_path TO trellis").await.map_err(failed)?;
    let wait = format!("SET lock_timeout TO {}", SERVER_LOCK_PATIENCE.as_millis());
    connection.execute(sqlx::AssertSqlSafe(wait)).await.map_err(failed)?;
    let (commit,): (String,) = sqlx::query_as("SHOW synchronous_commit")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    // Anything but "off" waits for the server's disk at least.
    if commit == "off" {
        connection.execute("SET synchronous_commit TO on").await.map_err(failed)?;
    }
    let (fsync,): (String,) =
        sqlx::query_as("SHOW fsync").fetch_one(&mut connection).await.map_err(failed)?;
    if fsync != "on" {
        let detail = format!("fsync is {fsync}");
        return Err(StoreError::NotDurable { place: place.clone(), detail });
    }
    Ok(connection)
}
