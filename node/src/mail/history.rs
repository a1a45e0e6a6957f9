//! What was said with whom, in both directions, to be shown again.

use super::database::{PAGE, SHOWN_MAX};
use overlay_proto::id::MessageId;
use overlay_proto::name::Name;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

/// A message that this user has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// Its id.
    pub id: MessageId,
    /// To whom.
    pub to: Name,
    /// Milliseconds since the epoch.
    pub sent_ms: u64,
    /// What is said.
    pub text: String,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its id in hex.
    pub id: String,
    /// Whether it is this user's.
    pub mine: bool,
    /// Milliseconds since the epoch when it was written or came, on this machine's clock.
    pub at_ms: u64,
    /// What is said.
    pub text: String,
    /// What is known of one's own: `waiting`, `kept`, `delivered`, `expired` or `returned`; none of
    /// one that ended long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

pub(super) async fn wrote(
    connection: &mut SqliteConnection,
    wrote: &Wrote,
) -> Result<(), sqlx::Error> {
    let kept = sqlx::query(
        "INSERT INTO written (id, name, sent_ms, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(wrote.id.0.as_slice())
    .bind(wrote.to.as_str())
    .bind(wrote.sent_ms.cast_signed())
    .bind(wrote.text.as_bytes())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM written WHERE number <= $1")
        .bind(kept.last_insert_rowid() - SHOWN_MAX)
        .execute(connection)
        .await
        .map(drop)
}

/// The newest messages from and to `name`, oldest first.
pub(super) async fn with(
    connection: &mut SqliteConnection,
    name: &Name,
) -> Result<Vec<Said>, sqlx::Error> {
    type Row = (Vec<u8>, bool, i64, Vec<u8>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, mine, at_ms, body FROM (
             SELECT id, 0 AS mine, received_ms AS at_ms, body, number FROM inbox WHERE name = $1
             UNION ALL
             SELECT id, 1 AS mine, sent_ms AS at_ms, body, number FROM written WHERE name = $1
         ) ORDER BY at_ms DESC, number DESC LIMIT $2",
    )
    .bind(name.as_str())
    .bind(PAGE)
    .fetch_all(connection)
    .await?;
    let said = |(id, mine, at, body): Row| Said {
        id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
        mine,
        at_ms: at.cast_unsigned(),
        text: String::from_utf8_lossy(&body).into_owned(),
        state: None,
    };
    Ok(rows.into_iter().rev().map(said).collect())
}

/// Everybody with whom something was exchanged, by name.
pub(super) async fn people(connection: &mut SqliteConnection) -> Result<Vec<Name>, sqlx::Error> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM inbox UNION SELECT name FROM written ORDER BY name LIMIT $1",
    )
    .bind(PAGE)
    .fetch_all(connection)
    .await?;
    // A name that is none is not ours to show.
    Ok(rows.iter().filter_map(|(name,)| Name::new(name).ok()).collect())
}
