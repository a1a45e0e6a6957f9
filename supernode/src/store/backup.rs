//! Copies of a whole store: to a file and back, from either database to either.
//!
//! A backup is a store of its own in one SQLite file, whatever the database it was made of. So what
//! checks a store when it is opened checks a backup before it is believed, and a backup moves a
//! realm from SQLite to PostgreSQL.

use super::connect;
use super::error::StoreError;
use super::ledger::{Ledger, Scribe};
use super::open;
use super::place::StorePlace;
use super::registry::registry;
use super::rows::{CodeRow, NameRow, RequestRow, RevocationRow, Row, TicketRow};
use futures::TryStreamExt;
use overlay_proto::id::{RealmId, RegistryId};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Connection, Executor};
use std::fs::File;
use std::io;
use std::path::Path;

/// Serial numbers left out after a restore: those given out after the backup was made are on
/// certificates, and are not given out a second time. Nobody registers a million users in between.
const SERIALS_LEFT_OUT: i64 = 1_000_000;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Registered users.
    pub users: u64,
    /// Tickets used up.
    pub tickets: u64,
    /// Registration codes.
    pub codes: u64,
    /// Requests that wait or were denied.
    pub requests: u64,
    /// Lists of revocations, one a signer.
    pub lists: u64,
}

/// Copies the store at `place`, as it is at one moment, to the new file `file`. Registrars go on
/// meanwhile. When this returns the file is whole and on the disk; if it fails there is no file.
pub(super) async fn backup(place: &StorePlace, file: &Path) -> Result<Copied, StoreError> {
    let no_backup = |source| StoreError::NoBackup { path: file.to_owned(), source };
    if file.exists() {
        return Err(no_backup(io::ErrorKind::AlreadyExists.into()));
    }
    let folder = folder_of(file);
    let temporary = tempfile::Builder::new().prefix(".backup-").tempdir_in(folder);
    let temporary = temporary.map_err(no_backup)?;
    let path = temporary.path().join("store");
    let mut source = open::reader(place).await?;
    let copied = copy_out(place, &mut source, &StorePlace::File(path.clone())).await?;
    connect::close(source).await;
    File::open(&path).and_then(|file| file.sync_all()).map_err(no_backup)?;
    // A link is not made over a file that somebody has put there meanwhile, as a rename is.
    std::fs::hard_link(&path, file).map_err(no_backup)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(no_backup)?;
    Ok(copied)
}

async fn copy_out(
    place: &StorePlace,
    source: &mut AnyConnection,
    to: &StorePlace,
) -> Result<Copied, StoreError> {
    let failed = |error| StoreError::from_sql(place, error);
    let mut target = open::open(to).await?;
    // One moment for all tables.
    let begin = match place {
        StorePlace::File(_) => "BEGIN",
        StorePlace::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    let mut moment = source.begin_with(begin).await.map_err(failed)?;
    let realm = open::bound(&mut moment).await.map_err(failed)?;
    let mut ledger = target.begin().await?;
    let copied = copy(&mut moment, &mut ledger).await.map_err(failed)?;
    let registry = registry(&mut moment).await.map_err(failed)?;
    ledger.take_registry(registry).await.map_err(failed)?;
    ledger.commit().await?;
    moment.rollback().await.map_err(failed)?;
    if let Some(realm) = realm {
        open::bind(&mut target, realm).await?;
    }
    // One file, without a log beside it.
    let connection = &mut target.connection;
    connection.execute("PRAGMA journal_mode = DELETE").await.map_err(failed)?;
    target.close().await;
    Ok(copied)
}

/// Puts the backup in `file` in place of what is in the store at `place`, all of it or nothing.
///
/// # Errors
/// [`StoreError`]: the backup is damaged, or of another realm; the store has users and `force` is
/// not set. Nothing was changed then.
pub async fn restore(
    file: &Path,
    place: &StorePlace,
    realm: RealmId,
    force: bool,
) -> Result<Copied, StoreError> {
    let unusable = |detail| StoreError::UnusableBackup { path: file.to_owned(), detail };
    // A copy: opening brings a backup of an earlier version to this one.
    let temporary = tempfile::tempdir().map_err(|error| unusable(error.to_string()))?;
    let path = temporary.path().join("store");
    std::fs::copy(file, &path).map_err(|error| unusable(error.to_string()))?;
    let copy = StorePlace::File(path);
    let mut source = open::open(&copy).await.map_err(|error| unusable(reason(error)))?;
    let found = open::bound(&mut source.connection).await;
    let found = found.map_err(|error| unusable(error.to_string()))?;
    if let Some(found) = found.filter(|found| *found != realm) {
        return Err(StoreError::ForeignRealm { place: StorePlace::File(file.to_owned()), found });
    }
    let mut target = open::open(place).await?;
    let bound = open::bind(&mut target, realm).await?;
    if bound != realm {
        return Err(StoreError::ForeignRealm { place: place.clone(), found: bound });
    }
    let number = registry(&mut source.connection).await;
    let number = number.map_err(|error| unusable(error.to_string()))?;
    let copied = replace(&mut source.connection, number, &mut target, force).await?;
    target.close().await;
    source.close().await;
    Ok(copied)
}

async fn replace(
    source: &mut AnyConnection,
    number: RegistryId,
    target: &mut Scribe,
    force: bool,
) -> Result<Copied, StoreError> {
    let place = target.place.clone();
    let failed = |error| StoreError::from_sql(&place, error);
    let mut ledger = target.begin().await?;
    let (users, last): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(max(serial), 0) FROM names")
            .fetch_one(ledger.look())
            .await
            .map_err(failed)?;
    if users > 0 && !force {
        return Err(StoreError::NotEmpty { place, users: users.cast_unsigned() });
    }
    for delete in
        ["DELETE FROM names", "DELETE FROM tickets", "DELETE FROM codes", "DELETE FROM requests"]
    {
        sqlx::query(delete).execute(ledger.write()).await.map_err(failed)?;
    }
    let copied = copy(source, &mut ledger).await.map_err(failed)?;
    ledger.complete_looks().await.map_err(failed)?;
    skip_numbers(&mut ledger, &place, last).await.map_err(failed)?;
    ledger.take_registry(number).await.map_err(failed)?;
    ledger.commit().await?;
    Ok(copied)
}

/// Copies all rows; each is checked on the way.
async fn copy(from: &mut AnyConnection, to: &mut Ledger<'_>) -> Result<Copied, sqlx::Error> {
    // A newer list that is there stays: it is spread already, and lets nobody in again.
    let lists: Vec<RevocationRow> =
        sqlx::query_as(RevocationRow::ALL).fetch_all(&mut *from).await?;
    let count = lists.len() as u64;
    for list in lists {
        to.keep_newer(&list.sound()?).await?;
    }
    Ok(Copied {
        lists: count,
        users: copy_table::<NameRow>(from, to).await?,
        tickets: copy_table::<TicketRow>(from, to).await?,
        codes: copy_table::<CodeRow>(from, to).await?,
        requests: copy_table::<RequestRow>(from, to).await?,
    })
}

async fn copy_table<R: Row>(
    from: &mut AnyConnection,
    to: &mut Ledger<'_>,
) -> Result<u64, sqlx::Error> {
    let mut rows = sqlx::query_as::<_, R>(R::ALL).fetch(from);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        row.sound()?.put(to.write()).await?;
        count += 1;
    }
    Ok(count)
}

/// Lets the database count on from where no number was given out. Neither does so by itself when
/// rows come with their numbers.
async fn skip_numbers(
    ledger: &mut Ledger<'_>,
    place: &StorePlace,
    last: i64,
) -> Result<(), sqlx::Error> {
    let (restored, codes): (i64, i64) = sqlx::query_as(
        "SELECT coalesce((SELECT max(serial) FROM names), 0),
                coalesce((SELECT max(number) FROM codes), 0)",
    )
    .fetch_one(ledger.look())
    .await?;
    let serial = last.max(restored).saturating_add(SERIALS_LEFT_OUT);
    let counters = [("names", "serial", serial), ("codes", "number", codes.saturating_add(1))];
    for (table, column, number) in counters {
        match place {
            StorePlace::File(_) => {
                sqlx::query("DELETE FROM sqlite_sequence WHERE name = $1")
                    .bind(table)
                    .execute(ledger.write())
                    .await?;
                sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)")
                    .bind(table)
                    .bind(number)
                    .execute(ledger.write())
                    .await?;
            }
            StorePlace::Postgres(_) => {
                sqlx::query("SELECT setval(pg_get_serial_sequence($1, $2), $3)")
                    .bind(table)
                    .bind(column)
                    .bind(number)
                    .execute(ledger.write())
                    .await?;
            }
        }
    }
    Ok(())
}

/// What is wrong with a backup, without the place of its copy and advice for a store in use.
fn reason(error: StoreError) -> String {
    match error {
        StoreError::Damaged { detail, .. } => format!("it is damaged: {detail}"),
        StoreError::NotAStore { .. } => "it is a database of another program".to_owned(),
        StoreError::Newer { found, known, .. } => {
            format!("it has schema {found}, this program knows up to {known}: update this program")
        }
        other => other.to_string(),
    }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
