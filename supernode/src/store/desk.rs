//! What the operator asks of a registrar, beside the core: who is there, who may come.

use super::backup::{self, Copied};
use super::codes::{Code, NewCode};
use super::error::StoreError;
use super::ledger::Scribe;
use super::open;
use super::place::StorePlace;
use super::rows::{NameRow, Row};
use futures::TryStreamExt;
use overlay_proto::name::Name;
use overlay_proto::time::Span;
use rand::TryRng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Users in one answer.
pub const USERS_PAGE: usize = 5_000;

/// What the operator wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeskRequest {
    /// The first [`USERS_PAGE`] registered users with a serial number above this one. Answer:
    /// [`DeskAnswer::Users`].
    Users {
        /// 0 to begin with.
        after: u64,
    },
    /// Who waits for the operator or was denied. Answer: [`DeskAnswer::Users`].
    Requests,
    /// Let a name's asker have it. Answer: [`DeskAnswer::Approved`].
    Approve {
        /// The name.
        name: Name,
    },
    /// Refuse it. Answer: [`DeskAnswer::Done`].
    Deny {
        /// The name.
        name: Name,
    },
    /// Make a code. Answer: [`DeskAnswer::Made`].
    NewCode {
        /// Names that can be registered with it.
        uses: u32,
        /// Days until it ends.
        days: u32,
    },
    /// All codes. Answer: [`DeskAnswer::Codes`].
    Codes,
    /// Take a code back. Answer: [`DeskAnswer::Done`].
    RevokeCode {
        /// Its number in the list.
        number: u64,
    },
    /// Copy the store to a new file on the registrar's machine. Answer: [`DeskAnswer::BackedUp`].
    Backup {
        /// The file.
        file: PathBuf,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeskAnswer {
    /// These.
    Users(Vec<User>),
    /// The name is given out.
    Approved {
        /// The serial number of the user's certificates.
        serial: u64,
    },
    /// Done, with nothing to tell.
    Done,
    /// The code.
    Made(NewCode),
    /// These.
    Codes(Vec<Code>),
    /// The file is whole and on the disk.
    BackedUp(Copied),
    /// There is no such request, or no such code.
    NotThere,
    /// There are [`CODES_MAX`](super::CODES_MAX) codes already.
    TooMany,
}

/// How a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// Given out.
    Registered,
    /// Waits for the operator.
    Waiting,
    /// The operator said no.
    Denied,
}

/// One user, or somebody who wants to be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The canonical name.
    pub name: Name,
    /// How it stands.
    pub state: UserState,
    /// Since when, in milliseconds since the Unix epoch; for a denied one, when it was asked for.
    pub since_ms: u64,
    /// The serial number of the user's certificates.
    pub serial: Option<u64>,
}

/// Does what the operator asks. What is answered is durable.
pub(super) async fn ask(
    place: &StorePlace,
    request: DeskRequest,
) -> Result<DeskAnswer, StoreError> {
    match request {
        // Both read beside the writer, which they do not hold up.
        DeskRequest::Users { after } => users(place, after).await.map(DeskAnswer::Users),
        DeskRequest::Backup { file } => {
            backup::backup(place, &file).await.map(DeskAnswer::BackedUp)
        }
        request => {
            let mut scribe = Scribe::connect(place).await?;
            let answer = decide(&mut scribe, request).await?;
            scribe.close().await;
            Ok(answer)
        }
    }
}

async fn decide(scribe: &mut Scribe, request: DeskRequest) -> Result<DeskAnswer, StoreError> {
    let place = scribe.place.clone();
    let failed = |error| StoreError::from_sql(&place, error);
    let mut ledger = scribe.begin().await?;
    let answer = match request {
        DeskRequest::Requests => {
            let rows = ledger.requests().await.map_err(failed)?;
            let user = |row: super::rows::RequestRow| {
                let state = if row.denied == 0 { UserState::Waiting } else { UserState::Denied };
                user(&row.name, state, row.asked_at, None)
            };
            rows.into_iter().map(user).collect::<Result<_, _>>().map(DeskAnswer::Users)
        }
        DeskRequest::Approve { name } => ledger.approve(&name).await.map(|serial| {
            serial.map_or(DeskAnswer::NotThere, |serial| DeskAnswer::Approved { serial })
        }),
        DeskRequest::Deny { name } => ledger.deny(&name).await.map(done),
        DeskRequest::NewCode { uses, days } => {
            let mut random = [0; 10];
            rand::rngs::SysRng.try_fill_bytes(&mut random).map_err(|error| StoreError::Failed {
                place: place.clone(),
                source: sqlx::Error::Io(std::io::Error::other(error.to_string())),
            })?;
            let life = Span::secs(u64::from(days) * 24 * 3_600);
            let made = ledger.new_code(random, uses, life).await;
            made.map(|made| made.map_or(DeskAnswer::TooMany, DeskAnswer::Made))
        }
        DeskRequest::Codes => ledger.codes().await.map(DeskAnswer::Codes),
        DeskRequest::RevokeCode { number } => ledger.revoke_code(number).await.map(done),
        DeskRequest::Users { .. } | DeskRequest::Backup { .. } => Ok(DeskAnswer::NotThere),
    };
    let answer = answer.map_err(failed)?;
    ledger.commit().await?;
    Ok(answer)
}

fn done(was_there: bool) -> DeskAnswer {
    if was_there { DeskAnswer::Done } else { DeskAnswer::NotThere }
}

async fn users(place: &StorePlace, after: u64) -> Result<Vec<User>, StoreError> {
    let mut connection = open::reader(place).await?;
    let rows = sqlx::query_as::<_, NameRow>(
        "SELECT serial, name, user_key, registered_at, mark FROM names
         WHERE serial > $1 ORDER BY serial LIMIT $2",
    )
    .bind(after.cast_signed())
    .bind(USERS_PAGE as i64)
    .fetch(&mut connection);
    let users = rows
        .and_then(async |row| {
            let row = row.sound()?;
            let serial = Some(row.serial.cast_unsigned());
            user(&row.name, UserState::Registered, row.registered_at, serial)
        })
        .try_collect()
        .await
        .map_err(|error| StoreError::from_sql(place, error))?;
    super::connect::close(connection).await;
    Ok(users)
}

fn user(
    name: &str,
    state: UserState,
    since: i64,
    serial: Option<u64>,
) -> Result<User, sqlx::Error> {
    let name = Name::new(name).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(User { name, state, since_ms: since.cast_unsigned(), serial })
}
