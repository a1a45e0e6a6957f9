//! The file in which letters stand: an SQLite database in WAL mode with full synchronisation, so
//! that a commit that has returned is on the disk.

use overlay_proto::mail::{Batch, ShownLetter};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Only the owner reads and writes: ratchets and letters are in it.
const FILE_MODE: u32 = 0o600;
/// Letters in one answer.
pub(super) const PAGE: i64 = 500;
/// Letters that are kept after they were shown, and as many that were written; the oldest are
/// forgotten.
pub(super) const SHOWN_MAX: i64 = 100_000;

/// The disk could not do what it should.
pub(super) const IO_FAILED: u32 = 10;
/// The disk is full.
const FULL: u32 = 13;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS inbox (
        number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        id          BLOB NOT NULL,
        node        BLOB NOT NULL,
        name        TEXT NOT NULL,
        sent_ms     INTEGER NOT NULL,
        received_ms INTEGER NOT NULL,
        body        BLOB NOT NULL,
        UNIQUE (node, id)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS written (
        number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        id      BLOB NOT NULL UNIQUE,
        name    TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        body    BLOB NOT NULL
    ) STRICT;
";

/// Why the letters of a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The file cannot be made or opened.
    #[error("{path}: {source}; check who owns the data folder and whether the disk is full", path = path.display())]
    NoAccess {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no database of ours, or damaged.
    #[error("{path}: {detail}; put a backup in its place, or move it away to begin without letters", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// A message that came, as the application reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxLetter {
    /// Counts up, for this folder.
    pub number: u64,
    /// The message's id in hex.
    pub id: String,
    /// The sender's name, by certificate.
    pub from: String,
    /// The sender's node id in hex.
    pub node: String,
    /// Milliseconds since the epoch on the sender's clock.
    pub sent_ms: u64,
    /// Milliseconds since the epoch on this machine's clock.
    pub received_ms: u64,
    /// What is said.
    pub text: String,
}

/// Opens the database at `path`, or makes it.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, KeeperError> {
    let no_access = |source| KeeperError::NoAccess { path: path.to_owned(), source };
    // SQLite gives the files beside it the same mode.
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path).map_err(no_access)?;
    let damaged = |error: sqlx::Error| KeeperError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let mut connection = connect(path).await.map_err(damaged)?;
    let (verdict,): (String,) = sqlx::query_as("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await
        .map_err(damaged)?;
    if verdict != "ok" {
        return Err(KeeperError::Damaged { path: path.to_owned(), detail: verdict });
    }
    connection.execute(SCHEMA).await.map_err(damaged)?;
    // What a failed sync has left in the system's memory only is written anew: what is promised from
    // now on comes after it in the log. A full disk is no reason not to read what is there.
    match connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
        Err(error) if kind(&error) != Some(FULL) => Err(damaged(error)),
        _ => Ok(connection),
    }
}

/// The kind of failure: SQLite's result code without what it adds to it (sqlite.org/rescode.html).
pub(super) fn kind(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(|error| error.code())?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Connects to the database at `path`, which has been opened before.
pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        .pragma("cell_size_check", "ON");
    options.connect().await
}

pub(super) type Record = (Vec<u8>, Vec<u8>);

/// All records whose keys begin with `prefix`, or all others.
pub(super) async fn records(
    connection: &mut SqliteConnection,
    prefix: u8,
    with: bool,
) -> Result<Vec<Record>, sqlx::Error> {
    sqlx::query_as(
        "SELECT key, value FROM records WHERE (substr(key, 1, 1) = $1) = $2 ORDER BY key",
    )
    .bind(vec![prefix])
    .bind(with)
    .fetch_all(connection)
    .await
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    key: &[u8],
    value: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO records (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await
    .map(drop)
}

pub(super) async fn forget(
    connection: &mut SqliteConnection,
    key: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM records WHERE key = $1").bind(key).execute(connection).await.map(drop)
}

/// Writes what the core wants kept.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    batch: &Batch,
    now_ms: u64,
) -> Result<(), sqlx::Error> {
    for (key, value) in &batch.put {
        put(connection, key, value).await?;
    }
    for key in &batch.drop {
        forget(connection, key).await?;
    }
    for letter in &batch.show {
        show(connection, letter, now_ms).await?;
    }
    Ok(())
}

/// A second one of the same id would be a mistake of the core; it is not shown.
async fn show(
    connection: &mut SqliteConnection,
    letter: &ShownLetter,
    now_ms: u64,
) -> Result<(), sqlx::Error> {
    let shown = sqlx::query(
        "INSERT INTO inbox (id, node, name, sent_ms, received_ms, body)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(letter.id.0.as_slice())
    .bind(letter.node.0.as_slice())
    .bind(letter.from.as_str())
    .bind(letter.sent_ms.cast_signed())
    .bind(now_ms.cast_signed())
    .bind(letter.body.0.as_slice())
    .execute(&mut *connection)
    .await?;
    if shown.rows_affected() == 0 {
        tracing::error!(id = %letter.id, "a message was to be shown again");
    }
    sqlx::query("DELETE FROM inbox WHERE number <= $1")
        .bind(shown.last_insert_rowid() - SHOWN_MAX)
        .execute(connection)
        .await
        .map(drop)
}

/// The oldest messages with a number above `after`.
pub(super) async fn inbox(
    connection: &mut SqliteConnection,
    after: u64,
) -> Result<Vec<InboxLetter>, sqlx::Error> {
    type Row = (i64, Vec<u8>, Vec<u8>, String, i64, i64, Vec<u8>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, id, node, name, sent_ms, received_ms, body FROM inbox
         WHERE number > $1 ORDER BY number LIMIT $2",
    )
    .bind(after.cast_signed())
    .bind(PAGE)
    .fetch_all(connection)
    .await?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let read = |(number, id, node, from, sent, received, body): Row| InboxLetter {
        number: number.cast_unsigned(),
        id: hex(&id),
        from,
        node: hex(&node),
        sent_ms: sent.cast_unsigned(),
        received_ms: received.cast_unsigned(),
        text: String::from_utf8_lossy(&body).into_owned(),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Ends a connection that has done its work.
pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        // Nothing is lost: the log is read at the next start.
        tracing::warn!(%error, "the letters did not close cleanly");
    }
}
