//! Lists of revocations that this registrar has signed, and who owns a name.

use overlay_proto::id::UserKey;
use overlay_proto::identity::RevocationList;
use overlay_proto::io::StoreAnswer;
use overlay_proto::name::Name;
use sqlx::sqlite::SqliteConnection;
use std::sync::Arc;

/// Who owns `name`.
pub(super) async fn find_user(
    connection: &mut SqliteConnection,
    name: &Name,
) -> Result<StoreAnswer, sqlx::Error> {
    let owner: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT serial, user_key FROM names WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(connection)
            .await?;
    let Some((serial, key)) = owner else { return Ok(StoreAnswer::Missing) };
    let key = <[u8; 32]>::try_from(key)
        .map_err(|_| sqlx::Error::Decode("a user's key does not have 32 bytes".into()))?;
    Ok(StoreAnswer::Found { serial: serial.cast_unsigned(), user: UserKey(key) })
}

/// Keeps `list` in place of the older one of its signer. A newer one that is there stays: the core
/// writes one at a time, so that is somebody else's hand.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    list: &RevocationList,
) -> Result<StoreAnswer, sqlx::Error> {
    let mut bytes = Vec::new();
    ciborium::into_writer(list, &mut bytes).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let (signer, epoch) = (list.head.signer(), list.head.epoch.cast_signed());
    let done = sqlx::query(
        "INSERT INTO revocations (signer, epoch, list) VALUES (?1, ?2, ?3)
         ON CONFLICT (signer) DO UPDATE SET epoch = ?2, list = ?3 WHERE epoch < ?2",
    )
    .bind(signer.0.as_slice())
    .bind(epoch)
    .bind(bytes)
    .execute(connection)
    .await?;
    Ok(match done.rows_affected() {
        0 => StoreAnswer::Taken,
        _ => StoreAnswer::Granted { serial: list.head.epoch },
    })
}

/// All lists. One that cannot be read is an error: it was promised.
pub(super) async fn all(
    connection: &mut SqliteConnection,
) -> Result<Vec<Arc<RevocationList>>, sqlx::Error> {
    let rows: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT list FROM revocations ORDER BY signer")
        .fetch_all(connection)
        .await?;
    let read = |(bytes,): (Vec<u8>,)| {
        ciborium::from_reader(bytes.as_slice()).map_err(|error| {
            sqlx::Error::Decode(format!("a list of revocations is damaged: {error}").into())
        })
    };
    rows.into_iter().map(read).collect()
}
