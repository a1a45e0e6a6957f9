//! The routes about who is out: `GET` and `POST /v1/revocations`.

use crate::api::Admin;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use overlay_node::api::{ApiError, Done};
use overlay_proto::id::NodeId;
use overlay_proto::identity::{Revocation, RevocationList};
use overlay_proto::io::{Command, Outcast, Reply};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use serde::{Deserialize, Serialize};

/// Whom to shut out: one of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationWish {
    /// A user with all devices.
    #[serde(default)]
    pub name: Option<String>,
    /// One device or supernode, by its node id in hex.
    #[serde(default)]
    pub node: Option<String>,
}

/// One signer's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsView {
    /// The signer's key in hex: the realm's root or a registrar.
    pub signer: String,
    /// The number of the list.
    pub epoch: u64,
    /// Seconds since the epoch when it was signed.
    pub issued_secs: u64,
    /// The entries, oldest first.
    pub entries: Vec<RevocationView>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationView {
    /// Its number in the list.
    pub number: u64,
    /// `user`, `device`, `supernode` or `registrar`.
    pub role: String,
    /// The certificate's serial number; zero where any is meant.
    pub serial: u64,
    /// The key that is out, in hex.
    pub subject: String,
    /// Of a device that a user has shut out: that user's key.
    pub issuer: Option<String>,
    /// Seconds since the epoch when it was revoked.
    pub since_secs: u64,
    /// Seconds since the epoch at which the entry ends.
    pub until_secs: u64,
}

pub(crate) async fn list(State(admin): State<Admin>) -> Json<Vec<RevocationsView>> {
    Json(admin.handle.revocations().await.iter().map(|list| view(list)).collect())
}

pub(crate) async fn revoke(
    State(admin): State<Admin>,
    wish: Result<Json<RevocationWish>, JsonRejection>,
) -> Result<Json<Done>, ApiError> {
    let Json(wish) =
        wish.map_err(|rejection| ApiError::new(Status::MALFORMED, rejection.body_text()))?;
    let outcast = match (&wish.name, &wish.node) {
        (Some(name), None) => Outcast::User(
            Name::new(name)
                .map_err(|error| ApiError::new(Status::INVALID_NAME, error.to_string()))?,
        ),
        (None, Some(node)) => Outcast::Node(node.parse().map_err(|_| {
            ApiError::new(Status::MALFORMED, "a node id has 64 hexadecimal digits")
        })?),
        _ => return Err(ApiError::new(Status::MALFORMED, "give a name or a node id")),
    };
    match admin.handle.command(Command::Revoke { outcast }).await {
        Reply::Done => Ok(Json(Done { status: Status::OK })),
        Reply::Failed { status: Status::NOT_SERVED } => Err(ApiError::new(
            Status::NOT_SERVED,
            "this supernode has no key to shut that out: users and devices are the registrar's, \
             supernodes the root's",
        )),
        Reply::Failed { status } => Err(status.into()),
        other => {
            tracing::error!(?other, "a reply that fits no command of this kind");
            Err(Status::INTERNAL.into())
        }
    }
}

fn view(list: &RevocationList) -> RevocationsView {
    let hex = |key: [u8; 32]| NodeId(key).to_string();
    let entry = |entry: &Revocation| RevocationView {
        number: entry.number,
        role: format!("{:?}", entry.role).to_lowercase(),
        serial: entry.serial,
        subject: hex(entry.subject.0),
        issuer: entry.issuer.map(|issuer| hex(issuer.0)),
        since_secs: entry.since,
        until_secs: entry.until,
    };
    RevocationsView {
        signer: hex(list.head.signer().0),
        epoch: list.head.epoch,
        issued_secs: list.head.issued,
        entries: list.entries.iter().map(entry).collect(),
    }
}
