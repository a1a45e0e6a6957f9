//! Lists of revocations that this realm's registrars have signed, and who owns a name.

use super::ledger::Ledger;
use super::rows::{RevocationRow, Row};
use overlay_proto::id::UserKey;
use overlay_proto::identity::RevocationList;
use overlay_proto::io::StoreAnswer;
use overlay_proto::name::Name;
use sqlx::AnyConnection;
use std::sync::Arc;

impl Ledger<'_> {
    /// Who owns `name`.
    pub(super) async fn find_user(&mut self, name: &Name) -> Result<StoreAnswer, sqlx::Error> {
        let Some(row) = self.owner(name).await? else { return Ok(StoreAnswer::Missing) };
        let key = <[u8; 32]>::try_from(row.user_key)
            .map_err(|_| sqlx::Error::Decode("a user's key does not have 32 bytes".into()))?;
        Ok(StoreAnswer::Found { serial: row.serial.cast_unsigned(), user: UserKey(key) })
    }

    /// Keeps `list` in place of the older one of its signer. A newer one that is there stays: the
    /// core writes one at a time, so that is somebody else's hand.
    pub(super) async fn keep_revocations(
        &mut self,
        list: &RevocationList,
    ) -> Result<StoreAnswer, sqlx::Error> {
        let mut bytes = Vec::new();
        ciborium::into_writer(list, &mut bytes)
            .map_err(|error| sqlx::Error::Encode(error.into()))?;
        let (signer, epoch) = (list.head.signer().0.to_vec(), list.head.epoch.cast_signed());
        let row = RevocationRow { signer, epoch, list: bytes, mark: 0 };
        Ok(match self.keep_newer(&row).await? {
            true => StoreAnswer::Granted { serial: list.head.epoch },
            false => StoreAnswer::Taken,
        })
    }

    /// Keeps `row` unless one as new is there; whether it was kept.
    pub(super) async fn keep_newer(&mut self, row: &RevocationRow) -> Result<bool, sqlx::Error> {
        let there: Option<RevocationRow> =
            sqlx::query_as("SELECT signer, epoch, list, mark FROM revocations WHERE signer = $1")
                .bind(row.signer.clone())
                .fetch_optional(self.look())
                .await?;
        let epoch = |row: &RevocationRow| row.epoch.cast_unsigned();
        if there.map(Row::sound).transpose()?.is_some_and(|there| epoch(&there) >= epoch(row)) {
            return Ok(false);
        }
        sqlx::query("DELETE FROM revocations WHERE signer = $1")
            .bind(row.signer.clone())
            .execute(self.write())
            .await?;
        row.put(self.write()).await?;
        Ok(true)
    }
}

/// All lists. One that cannot be read is an error: it was promised.
pub(super) async fn all(
    connection: &mut AnyConnection,
) -> Result<Vec<Arc<RevocationList>>, sqlx::Error> {
    let rows: Vec<RevocationRow> = sqlx::query_as(RevocationRow::ALL).fetch_all(connection).await?;
    let read = |row: RevocationRow| {
        ciborium::from_reader(row.sound()?.list.as_slice()).map_err(|error| {
            sqlx::Error::Decode(format!("a list of revocations is damaged: {error}").into())
        })
    };
    rows.into_iter().map(read).collect()
}
