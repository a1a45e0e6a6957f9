//! What each request comes to, inside the writer's transaction.

use super::{Registration, User, looks, revocations};
use overlay_proto::id::{NodeId, UserKey};
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use overlay_proto::time::WallTime;
use sqlx::sqlite::SqliteConnection;

/// Who may have a new name.
#[derive(Debug)]
pub(super) struct Policy {
    /// The hash of the code, if there is one. Hashes are compared in constant time and have one
    /// length, so the time of an answer tells nothing of the code.
    code: Option<blake3::Hash>,
}

impl Policy {
    pub(super) fn new(registration: &Registration) -> Policy {
        Policy { code: registration.code.as_ref().map(|code| blake3::hash(code.as_bytes())) }
    }

    fn admits(&self, shown: Option<&str>) -> bool {
        match &self.code {
            None => true,
            Some(code) => *code == blake3::hash(shown.unwrap_or_default().as_bytes()),
        }
    }
}

/// Carries out `request` on the open transaction. The answer is a promise only after the commit.
pub(super) async fn decide(
    connection: &mut SqliteConnection,
    policy: &Policy,
    request: &StoreRequest,
    now: WallTime,
) -> Result<StoreAnswer, sqlx::Error> {
    match request {
        StoreRequest::ClaimName { name, user, code } => {
            claim_name(connection, policy, name, *user, code.as_deref(), now).await
        }
        StoreRequest::RedeemTicket { serial, node } => {
            redeem_ticket(connection, *serial, *node, now).await
        }
        StoreRequest::FindUser { name } => revocations::find_user(connection, name).await,
        StoreRequest::KeepRevocations { list } => revocations::keep(connection, list).await,
        // A peer's own store keeps these.
        StoreRequest::KeepChain { .. } | StoreRequest::KeepDevices { .. } => {
            Ok(StoreAnswer::Failed)
        }
    }
}

async fn claim_name(
    connection: &mut SqliteConnection,
    policy: &Policy,
    name: &Name,
    user: UserKey,
    code: Option<&str>,
    now: WallTime,
) -> Result<StoreAnswer, sqlx::Error> {
    let owner: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT serial, user_key FROM names WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    match owner {
        // The owner has shown the code once: renewal and a lost answer need none.
        Some((serial, key)) if key == user.0 => {
            return Ok(StoreAnswer::Granted { serial: serial.cast_unsigned() });
        }
        Some(_) => return Ok(StoreAnswer::Taken),
        None if !policy.admits(code) => return Ok(StoreAnswer::WrongCode),
        None => {}
    }
    if !looks::take(connection, name).await? {
        return Ok(StoreAnswer::Taken);
    }
    let (serial,): (i64,) = sqlx::query_as(
        "INSERT INTO names (name, user_key, registered_at) VALUES (?, ?, ?) RETURNING serial",
    )
    .bind(name.as_str())
    .bind(user.0.as_slice())
    .bind(now.0.cast_signed())
    .fetch_one(connection)
    .await?;
    Ok(StoreAnswer::Granted { serial: serial.cast_unsigned() })
}

async fn redeem_ticket(
    connection: &mut SqliteConnection,
    serial: u64,
    node: NodeId,
    now: WallTime,
) -> Result<StoreAnswer, sqlx::Error> {
    sqlx::query(
        "INSERT INTO tickets (serial, node, redeemed_at) VALUES (?, ?, ?)
         ON CONFLICT (serial) DO NOTHING",
    )
    .bind(serial.cast_signed())
    .bind(node.0.as_slice())
    .bind(now.0.cast_signed())
    .execute(&mut *connection)
    .await?;
    let (holder,): (Vec<u8>,) = sqlx::query_as("SELECT node FROM tickets WHERE serial = ?")
        .bind(serial.cast_signed())
        .fetch_one(connection)
        .await?;
    // A ticket makes one certificate, so its number serves for both.
    Ok(if holder == node.0 { StoreAnswer::Granted { serial } } else { StoreAnswer::Taken })
}

/// All users, in the order of their serial numbers.
pub(super) async fn users(connection: &mut SqliteConnection) -> Result<Vec<User>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT name, serial, registered_at FROM names ORDER BY serial")
            .fetch_all(connection)
            .await?;
    let user = |(name, serial, at): (String, i64, i64)| {
        let name = Name::new(&name).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let registered_at = WallTime(at.cast_unsigned());
        Ok(User { name, serial: serial.cast_unsigned(), registered_at })
    };
    rows.into_iter().map(user).collect()
}
