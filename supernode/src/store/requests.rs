//! Requests for names that wait for the operator, under the policy `approve`.

use super::ledger::Ledger;
use super::rows::{RequestRow, Row};
use overlay_proto::config::{REGISTRATIONS_WAITING_MAX, REGISTRATIONS_WAITING_PER_ADDRESS};
use overlay_proto::id::UserKey;
use overlay_proto::io::{Remote, StoreAnswer};
use overlay_proto::name::Name;
use overlay_proto::time::Span;

/// After so long a request may be dropped for a newer one, if there are too many.
const WAITING_LIFE: Span = Span::secs(30 * 24 * 3_600);

impl Ledger<'_> {
    /// Notes that `user` wants `name`, and answers how the matter stands. One key has one request
    /// at a time, and a name that somebody waits for is kept for them until the operator says no.
    pub(super) async fn ask_operator(
        &mut self,
        name: &Name,
        user: UserKey,
        origin: Option<Remote>,
    ) -> Result<StoreAnswer, sqlx::Error> {
        match self.request(name).await? {
            Some(row) if row.user_key == user.0 && row.denied == 0 => {
                return Ok(StoreAnswer::Waiting);
            }
            Some(row) if row.user_key == user.0 => return Ok(StoreAnswer::Denied),
            Some(row) if row.denied == 0 => return Ok(StoreAnswer::Taken),
            _ => {}
        }
        let origin = origin.map(Remote::bytes).map(Vec::from).unwrap_or_default();
        if !self.room_at_origin(&origin, user).await? || !self.room_for_request().await? {
            return Ok(StoreAnswer::Full);
        }
        self.forget_request(user).await?;
        self.drop_request(name).await?;
        let (name, user_key) = (name.to_string(), user.0.to_vec());
        let asked_at = self.now();
        let row = RequestRow { name, user_key, asked_at, denied: 0, origin, mark: 0 };
        row.put(self.write()).await?;
        Ok(StoreAnswer::Waiting)
    }

    /// All requests, oldest first.
    pub(super) async fn requests(&mut self) -> Result<Vec<RequestRow>, sqlx::Error> {
        let rows: Vec<RequestRow> = sqlx::query_as(RequestRow::ALL).fetch_all(self.look()).await?;
        rows.into_iter().map(Row::sound).collect()
    }

    /// Gives `name` to the key that asked for it, even after a no; its serial number, or none if
    /// nobody asked.
    pub(super) async fn approve(&mut self, name: &Name) -> Result<Option<u64>, sqlx::Error> {
        if let Some(owner) = self.owner(name).await? {
            return Ok(Some(owner.serial.cast_unsigned()));
        }
        let Some(row) = self.request(name).await? else { return Ok(None) };
        self.drop_request(name).await?;
        // Another name that looks like it was approved first.
        if self.looks_taken(name).await? {
            return Ok(None);
        }
        let serial = self.give(name, &row.user_key).await?;
        Ok(Some(serial.cast_unsigned()))
    }

    /// Tells the key that asked for `name` no; whether one did. Others may ask for the name then.
    pub(super) async fn deny(&mut self, name: &Name) -> Result<bool, sqlx::Error> {
        let Some(row) = self.request(name).await? else { return Ok(false) };
        if row.denied == 0 {
            self.drop_request(name).await?;
            RequestRow { denied: 1, ..row }.put(self.write()).await?;
        }
        Ok(true)
    }

    /// Forgets what `user` asked for.
    pub(super) async fn forget_request(&mut self, user: UserKey) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM requests WHERE user_key = $1")
            .bind(user.0.to_vec())
            .execute(self.write())
            .await
            .map(drop)
    }

    async fn request(&mut self, name: &Name) -> Result<Option<RequestRow>, sqlx::Error> {
        let row: Option<RequestRow> = sqlx::query_as(
            "SELECT name, user_key, asked_at, denied, origin, mark FROM requests WHERE name = $1",
        )
        .bind(name.as_str().to_owned())
        .fetch_optional(self.look())
        .await?;
        row.map(Row::sound).transpose()
    }

    async fn drop_request(&mut self, name: &Name) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM requests WHERE name = $1")
            .bind(name.as_str().to_owned())
            .execute(self.write())
            .await
            .map(drop)
    }

    /// Whether one more key may wait that asks from there. A key that waits for another name makes
    /// room for itself; those who were denied wait for nothing.
    async fn room_at_origin(&mut self, origin: &[u8], user: UserKey) -> Result<bool, sqlx::Error> {
        if origin.is_empty() {
            return Ok(true);
        }
        let (waiting,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM requests WHERE origin = $1 AND denied = 0 AND user_key <> $2",
        )
        .bind(origin.to_vec())
        .bind(user.0.to_vec())
        .fetch_one(self.look())
        .await?;
        Ok(usize::try_from(waiting).is_ok_and(|n| n < REGISTRATIONS_WAITING_PER_ADDRESS))
    }

    /// Whether one more request may be kept; makes room if that hurts nobody who still waits.
    async fn room_for_request(&mut self) -> Result<bool, sqlx::Error> {
        let most = i64::try_from(REGISTRATIONS_WAITING_MAX).unwrap_or(i64::MAX);
        if self.count_requests().await? < most {
            return Ok(true);
        }
        let old = self.now() - i64::try_from(WAITING_LIFE.as_millis()).unwrap_or(i64::MAX);
        sqlx::query("DELETE FROM requests WHERE denied = 1 OR asked_at < $1")
            .bind(old)
            .execute(self.write())
            .await?;
        Ok(self.count_requests().await? < most)
    }

    async fn count_requests(&mut self) -> Result<i64, sqlx::Error> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM requests").fetch_one(self.look()).await?;
        Ok(count)
    }
}
