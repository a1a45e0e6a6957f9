//! The routes for the devices of a peer's own user.

use super::peer::{Answer, Peer};
use super::problem::ApiError;
use super::types::{DeviceCodeMade, Devices, Done, OwnDevice};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use overlay_proto::id::NodeId;
use overlay_proto::io::{CODE_LIFE, Command, DeviceEntry, Reply};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::wire::message::Found;

/// Routes below `/v1/devices`.
pub(super) fn device_routes() -> Router<Peer> {
    Router::new()
        .route("/v1/devices", get(list).post(add))
        .route("/v1/devices/{node}/revoke", post(revoke))
}

async fn add(State(peer): State<Peer>) -> Answer<DeviceCodeMade> {
    match peer.handle.command(Command::AddDevice).await {
        Reply::DeviceCode { code } => Ok(Json(DeviceCodeMade {
            code: code.to_string(),
            valid_secs: CODE_LIFE.as_millis() / 1_000,
        })),
        reply => Err(refusal(&reply)),
    }
}

async fn list(State(peer): State<Peer>) -> Answer<Devices> {
    let view = peer.handle.peer_view().await.ok_or(Status::NOT_LOGGED_IN)?;
    let name = view.name.as_deref().and_then(|name| Name::new(name).ok());
    let found = match name {
        Some(name) => peer.handle.command(Command::Lookup { name }).await,
        None => Reply::Done,
    };
    // Without an answer the list says less, but is there.
    let found = match found {
        Reply::Located { found, .. } => found,
        _ => Vec::new(),
    };
    Ok(Json(Devices { devices: merged(peer.handle.id(), &peer.handle.devices().await, &found) }))
}

/// This device, those it has let in, and those of which only the index knows.
fn merged(me: NodeId, let_in: &[DeviceEntry], found: &[Found]) -> Vec<OwnDevice> {
    let device = |node: NodeId| {
        let entry = let_in.iter().find(|entry| entry.node == node);
        let seen = found.iter().find(|found| found.record.node() == node);
        OwnDevice {
            label: entry.map(|entry| entry.label.clone()),
            node: node.to_string(),
            this: node == me,
            added_ms: entry.map(|entry| entry.added_ms),
            revoked_ms: entry.and_then(|entry| entry.revoked_ms),
            online: seen.is_some_and(|found| found.lease_ms > 0),
            seen_ms_ago: seen.map(|found| found.age_ms),
        }
    };
    let mut nodes = vec![me];
    let others = let_in.iter().map(|entry| entry.node);
    for node in others.chain(found.iter().map(|found| found.record.node())) {
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    nodes.into_iter().map(device).collect()
}

async fn revoke(State(peer): State<Peer>, Path(node): Path<String>) -> Answer<Done> {
    let node = node
        .parse()
        .map_err(|_| ApiError::new(Status::MALFORMED, "a node id has 64 hexadecimal digits"))?;
    match peer.handle.command(Command::RevokeDevice { node }).await {
        Reply::Done => Ok(Json(Done { status: Status::OK })),
        reply => Err(refusal(&reply)),
    }
}

fn refusal(reply: &Reply) -> ApiError {
    match reply {
        Reply::Failed { status: Status::FORBIDDEN } => ApiError::new(
            Status::FORBIDDEN,
            "only the device with the user's key lets others in and shuts them out",
        ),
        Reply::Failed { status: Status::UNKNOWN_NAME } => {
            ApiError::new(Status::UNKNOWN_NAME, "this device has let in no such device")
        }
        Reply::Failed { status } => (*status).into(),
        other => {
            tracing::error!(?other, "a reply that fits no command of this kind");
            Status::INTERNAL.into()
        }
    }
}
