//! Opening a store: made or migrated, and seen to be whole before anything is read from it.

use super::connect;
use super::error::StoreError;
use super::files;
use super::ledger::{Ledger, Scribe, commits, meta, put_meta};
use super::place::StorePlace;
use super::rows::{CodeRow, NameRow, RequestRow, RevocationRow, Row, TicketRow};
use futures::TryStreamExt;
use overlay_proto::id::RealmId;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Connection, Executor};
use std::io;

/// The schema of each database, one file a version. A published file is never changed; a change is
/// a new file.
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
/// As SQLite's first migration sets it.
const APPLICATION_ID: i64 = 1_953_654_124;
/// The realm's key, in `meta`.
const REALM: &str = "realm";
/// That every row of the first tables has its checksum, in `meta`; 2 for those of the lists, too.
const MARKED: &str = "marked";
const ALL_MARKED: u8 = 2;
/// The lock under which the schema is made: any number that nobody else uses ("trel").
const SCHEMA_LOCK: i64 = APPLICATION_ID;

/// Opens the store at `place`, makes or migrates it, and checks that it is sound.
pub(super) async fn open(place: &StorePlace) -> Result<Scribe, StoreError> {
    let no_access = |source| StoreError::NoAccess { place: place.clone(), source };
    let failed = |error| StoreError::from_sql(place, error);
    if let StorePlace::File(path) = place {
        files::create(path).and_then(|()| files::restrict(path)).map_err(no_access)?;
    }
    let mut scribe = Scribe::connect(place).await?;
    // Read before the store: a commit of another process meanwhile is in the store at least.
    let promised = promised(&scribe)?;
    let connection = &mut scribe.connection;
    let migrations = match place {
        StorePlace::File(_) => {
            recognize(place, connection).await?;
            &SQLITE
        }
        StorePlace::Postgres(_) => {
            make_schema(connection).await.map_err(failed)?;
            &POSTGRES
        }
    };
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    // Not `run`: what it takes is too general for a future that changes threads, as sqlx says there.
    migrations
        .run_direct(None, connection, false)
        .await
        .map_err(|error| StoreError::from_migration(place, error, known))?;
    mark_old_rows(&mut scribe).await?;
    check_rows(&mut scribe.connection).await.map_err(failed)?;
    check_promised(&mut scribe, promised).await?;
    let mut ledger = scribe.begin().await?;
    ledger.complete_looks().await.map_err(failed)?;
    ledger.commit().await?;
    if let StorePlace::File(path) = place {
        // Whatever a failed sync has left in the system's memory only is written anew.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        scribe.connection.execute(checkpoint).await.map_err(failed)?;
        files::restrict(path).map_err(no_access)?;
    }
    Ok(scribe)
}

/// Makes sure that a SQLite file is ours, and whole as far as SQLite can tell.
async fn recognize(place: &StorePlace, connection: &mut AnyConnection) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_sql(place, error);
    let (id,): (i64,) = sqlx::query_as("SELECT application_id FROM pragma_application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let (tables,): (i64,) = sqlx::query_as("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if tables > 0 && id != APPLICATION_ID {
        return Err(StoreError::NotAStore { place: place.clone() });
    }
    check_schema_text(place, connection).await?;
    // The whole of it, indexes against tables: a name that an index hides would be given out again.
    let (verdict,): (String,) =
        sqlx::query_as("SELECT integrity_check FROM pragma_integrity_check LIMIT 1")
            .fetch_one(connection)
            .await
            .map_err(failed)?;
    match verdict == "ok" {
        true => Ok(()),
        false => Err(StoreError::Damaged { place: place.clone(), detail: verdict }),
    }
}

/// Makes sure that the schema is plain text. It is always ours, and sqlx's thread dies, leaving its
/// callers to wait for ever, where a name or a type in it is no text at all.
async fn check_schema_text(
    place: &StorePlace,
    connection: &mut AnyConnection,
) -> Result<(), StoreError> {
    let all: Vec<(String,)> = sqlx::query_as(
        "SELECT hex(name) || hex(tbl_name) || hex(coalesce(sql, '')) FROM sqlite_schema",
    )
    .fetch_all(connection)
    .await
    .map_err(|error| StoreError::from_sql(place, error))?;
    // The first digit of each byte says whether it is ASCII.
    let ascii = |(hex,): &(String,)| hex.bytes().step_by(2).all(|digit| digit < b'8');
    match all.iter().all(ascii) {
        true => Ok(()),
        false => {
            let detail = "its schema is not plain text".to_owned();
            Err(StoreError::Damaged { place: place.clone(), detail })
        }
    }
}

async fn make_schema(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(SCHEMA_LOCK)
        .execute(&mut *transaction)
        .await?;
    let (there,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM pg_namespace WHERE nspname = 'trellis'")
            .fetch_one(&mut *transaction)
            .await?;
    // Even "IF NOT EXISTS" would ask for the right to make one.
    if there == 0 {
        transaction.execute("CREATE SCHEMA trellis").await?;
    }
    transaction.commit().await
}

/// Gives those rows their checksums that were written before there were any.
async fn mark_old_rows(scribe: &mut Scribe) -> Result<(), StoreError> {
    let place = scribe.place.clone();
    let failed = |error| StoreError::from_sql(&place, error);
    let marked = meta(&mut scribe.connection, MARKED).await.map_err(failed)?;
    if marked.is_some_and(|marked| marked == [ALL_MARKED]) {
        return Ok(());
    }
    let mut ledger = scribe.begin().await?;
    mark_table::<NameRow>(&mut ledger, "UPDATE names SET mark = $2 WHERE serial = $1", |row| {
        row.serial
    })
    .await
    .map_err(failed)?;
    mark_table::<TicketRow>(&mut ledger, "UPDATE tickets SET mark = $2 WHERE serial = $1", |row| {
        row.serial
    })
    .await
    .map_err(failed)?;
    let lists: Vec<RevocationRow> =
        sqlx::query_as(RevocationRow::ALL).fetch_all(ledger.look()).await.map_err(failed)?;
    for list in lists.iter().filter(|list| list.carried() == 0) {
        sqlx::query("UPDATE revocations SET mark = $2 WHERE signer = $1")
            .bind(list.signer.clone())
            .bind(list.mark())
            .execute(ledger.write())
            .await
            .map_err(failed)?;
    }
    put_meta(ledger.write(), MARKED, vec![ALL_MARKED]).await.map_err(failed)?;
    ledger.commit().await
}

async fn mark_table<R: Row>(
    ledger: &mut Ledger<'_>,
    update: &'static str,
    key: impl Fn(&R) -> i64,
) -> Result<(), sqlx::Error> {
    let rows: Vec<R> = sqlx::query_as(R::ALL).fetch_all(ledger.look()).await?;
    for row in rows.iter().filter(|row| row.carried() == 0) {
        sqlx::query(update).bind(key(row)).bind(row.mark()).execute(ledger.write()).await?;
    }
    Ok(())
}

/// Checks every row of every table against its checksum.
async fn check_rows(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    check_table::<NameRow>(connection).await?;
    check_table::<TicketRow>(connection).await?;
    check_table::<CodeRow>(connection).await?;
    check_table::<RequestRow>(connection).await?;
    check_table::<RevocationRow>(connection).await
}

async fn check_table<R: Row>(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query_as::<_, R>(R::ALL).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        row.sound()?;
    }
    Ok(())
}

fn promised(scribe: &Scribe) -> Result<Option<u64>, StoreError> {
    let Some(witness) = &scribe.witness else { return Ok(None) };
    let place = scribe.place.clone();
    witness.promised().map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => {
            StoreError::Damaged { place, detail: "its count of promises cannot be read".to_owned() }
        }
        _ => StoreError::NoAccess { place, source },
    })
}

/// Checks that the store has every commit that was promised.
async fn check_promised(scribe: &mut Scribe, promised: Option<u64>) -> Result<(), StoreError> {
    let Some(witness) = scribe.witness.clone() else { return Ok(()) };
    let place = &scribe.place;
    let count = commits(&mut scribe.connection)
        .await
        .map_err(|error| StoreError::from_sql(place, error))?;
    let write = |source| StoreError::NoAccess { place: place.clone(), source };
    match promised {
        Some(promised) if promised > count => {
            let detail = format!(
                "it has {count} of the {promised} commits that were promised; it was cut short, or an old copy was put in its place"
            );
            Err(StoreError::Damaged { place: place.clone(), detail })
        }
        Some(_) => Ok(()),
        // New, from before there was a witness, or moved here without it.
        None => witness.promise(count).map_err(write),
    }
}

/// Ties the store to `realm` unless it is tied already; returns the one it is tied to.
pub(super) async fn bind(scribe: &mut Scribe, realm: RealmId) -> Result<RealmId, StoreError> {
    let place = scribe.place.clone();
    let failed = |error| StoreError::from_sql(&place, error);
    let mut ledger = scribe.begin().await?;
    if let Some(bound) = bound(ledger.look()).await.map_err(failed)? {
        return Ok(bound);
    }
    put_meta(ledger.write(), REALM, realm.0.to_vec()).await.map_err(failed)?;
    ledger.commit().await?;
    Ok(realm)
}

/// The realm to which the store is tied.
pub(super) async fn bound(connection: &mut AnyConnection) -> Result<Option<RealmId>, sqlx::Error> {
    let Some(bytes) = meta(connection, REALM).await? else { return Ok(None) };
    let bytes = <[u8; 32]>::try_from(bytes)
        .map_err(|_| sqlx::Error::Decode("its realm is not a key of 32 bytes".into()))?;
    Ok(Some(RealmId(bytes)))
}

/// A connection that reads, without a promise.
pub(super) async fn reader(place: &StorePlace) -> Result<AnyConnection, StoreError> {
    connect::connect(place).await
}
