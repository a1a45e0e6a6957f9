//! The one way to write: a transaction that nobody else writes beside, and whose end is a promise.

use super::connect;
use super::error::StoreError;
use super::files;
use super::place::StorePlace;
use super::witness::{SUFFIX, Witness};
use overlay_proto::time::WallTime;
use sqlx::{Any, AnyConnection, Connection, Transaction};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

/// The number of commits that have changed something, in `meta`.
const COMMITS: &str = "commits";

/// A connection through which promises are made.
#[derive(Debug)]
pub(super) struct Scribe {
    pub(super) place: StorePlace,
    pub(super) connection: AnyConnection,
    /// Beside a file only: a server keeps its log by itself.
    pub(super) witness: Option<Arc<Witness>>,
}

impl Scribe {
    /// Connects to a store that has been opened before.
    pub(super) async fn connect(place: &StorePlace) -> Result<Scribe, StoreError> {
        let connection = connect::connect(place).await?;
        let no_access = |source| StoreError::NoAccess { place: place.clone(), source };
        let witness = match place {
            StorePlace::File(path) => Some(
                Witness::open(&files::companion(path, SUFFIX)).map(Arc::new).map_err(no_access)?,
            ),
            StorePlace::Postgres(_) => None,
        };
        Ok(Scribe { place: place.clone(), connection, witness })
    }

    /// Opens the ledger. No other process writes until it is committed or dropped, so nothing
    /// comes between a look and what is written because of it.
    pub(super) async fn begin(&mut self) -> Result<Ledger<'_>, StoreError> {
        let Scribe { place, connection, witness } = self;
        let (begin, lock) = match place {
            StorePlace::File(_) => ("BEGIN IMMEDIATE", None),
            // Each statement after the lock sees all that was committed before it.
            StorePlace::Postgres(_) => (
                "BEGIN ISOLATION LEVEL READ COMMITTED",
                Some("LOCK TABLE names IN SHARE ROW EXCLUSIVE MODE"),
            ),
        };
        let failed = |error| StoreError::from_sql(place, error);
        let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
        if let Some(lock) = lock {
            sqlx::query(lock).execute(&mut *transaction).await.map_err(failed)?;
        }
        Ok(Ledger { place, transaction, witness: witness.clone(), wrote: false, now: wall_clock() })
    }

    /// Closes the connection.
    pub(super) async fn close(self) {
        connect::close(self.connection).await;
    }
}

/// The open ledger. Dropped without a commit, nothing of it was ever there.
pub(super) struct Ledger<'s> {
    place: &'s StorePlace,
    transaction: Transaction<'s, Any>,
    witness: Option<Arc<Witness>>,
    wrote: bool,
    now: WallTime,
}

impl Ledger<'_> {
    /// To read.
    pub(super) fn look(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// To write.
    pub(super) fn write(&mut self) -> &mut AnyConnection {
        self.wrote = true;
        &mut self.transaction
    }

    /// When the ledger was opened, in milliseconds since the epoch.
    pub(super) fn now(&self) -> i64 {
        self.now.0.cast_signed()
    }

    /// Makes what was written durable. When this returns it is a promise; if it fails, nobody
    /// knows whether it was written, and nothing may be promised.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let failed = |error| StoreError::from_sql(self.place, error);
        if !self.wrote {
            return self.transaction.rollback().await.map_err(failed);
        }
        let count = commits(&mut self.transaction).await.map_err(failed)? + 1;
        put_meta(&mut self.transaction, COMMITS, count.to_be_bytes().to_vec())
            .await
            .map_err(failed)?;
        self.transaction.commit().await.map_err(failed)?;
        let Some(witness) = self.witness else { return Ok(()) };
        // A sync takes milliseconds, in which this thread could do something else.
        tokio::task::spawn_blocking(move || witness.promise(count))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| StoreError::SyncFailed {
                place: self.place.clone(),
                detail: error.to_string(),
            })
    }
}

/// How many commits have changed the store.
pub(super) async fn commits(connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
    let Some(value) = meta(connection, COMMITS).await? else { return Ok(0) };
    let count = value.try_into().map_err(|_| sqlx::Error::Decode("its count of commits".into()))?;
    Ok(u64::from_be_bytes(count))
}

/// What `meta` holds under `key`.
pub(super) async fn meta(
    connection: &mut AnyConnection,
    key: &'static str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let value: Option<(Vec<u8>,)> = sqlx::query_as("SELECT value FROM meta WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(value.map(|(value,)| value))
}

/// Sets what `meta` holds under `key`.
pub(super) async fn put_meta(
    connection: &mut AnyConnection,
    key: &'static str,
    value: Vec<u8>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await
    .map(drop)
}

/// Milliseconds since the epoch, for the operator's lists and the expiry of codes.
fn wall_clock() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
