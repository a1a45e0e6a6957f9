//! The routes of a peer.

use super::contacts::contact_routes;
use super::devices::device_routes;
use super::events::{Feed, events_stream};
use super::mail::mail_routes;
use super::problem::ApiError;
use super::streams::{Offers, stream_routes};
use super::types::{Done, InboxPage, Located, PeerStatus, Pong, SendRequest, Sent, Trace, millis};
use crate::contacts::Contacts;
use crate::data::Folder;
use crate::driver::Handle;
use crate::mail::LetterKeeper;
use crate::session::Sessions;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use overlay_proto::config::TEXT_BYTES_MAX;
use overlay_proto::io::{Command, Reply};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::view::{CorrespondentView, NeighbourView};
use std::sync::Arc;
use tokio::sync::Notify;

/// What the routes of a peer work on.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The node.
    pub handle: Handle,
    /// Its data.
    pub folder: Folder,
    /// Its letters, if it keeps any.
    pub letters: Option<Arc<LetterKeeper>>,
    /// Its events.
    pub feed: Feed,
    /// Its sessions with other users.
    pub sessions: Sessions,
    /// Its address book.
    pub contacts: Contacts,
    /// Streams that somebody on this machine has been told of.
    pub offers: Offers,
    /// Notified when a log-out has been asked for and done: the program may end.
    pub logged_out: Arc<Notify>,
}

pub(super) type Answer<T> = Result<Json<T>, ApiError>;

/// All routes of a peer.
pub fn peer_routes(peer: Peer) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/neighbours", get(neighbours))
        .route("/v1/correspondents", get(correspondents))
        .route("/v1/inbox", get(inbox))
        .route("/v1/messages", post(send))
        .route("/v1/users/{name}", get(lookup))
        .route("/v1/users/{name}/ping", post(ping))
        .route("/v1/users/{name}/trace", post(trace))
        .merge(device_routes())
        .merge(mail_routes())
        .merge(contact_routes())
        .merge(stream_routes())
        .route("/v1/logout", post(logout))
        .route("/v1/events", get(events))
        .with_state(peer)
}

async fn status(State(peer): State<Peer>) -> Answer<PeerStatus> {
    // Only a node that has just ended has no view.
    let view = peer.handle.peer_view().await.ok_or(Status::NOT_LOGGED_IN)?;
    Ok(Json(PeerStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        addresses: peer.handle.addresses().iter().map(ToString::to_string).collect(),
        inbox: peer.feed.texts(),
        away: peer.contacts.is_away(),
        peer: view,
    }))
}

async fn correspondents(State(peer): State<Peer>) -> Json<Vec<CorrespondentView>> {
    Json(peer.handle.correspondent_views().await)
}

async fn neighbours(State(peer): State<Peer>) -> Json<Vec<NeighbourView>> {
    Json(peer.handle.neighbour_views().await)
}

async fn inbox(State(peer): State<Peer>, RawQuery(query): RawQuery) -> Answer<InboxPage> {
    let after = match query.as_deref().unwrap_or_default().strip_prefix("after=") {
        Some(number) => number
            .parse()
            .map_err(|_| ApiError::new(Status::MALFORMED, "after= needs a message's number"))?,
        None => 0,
    };
    let read = tokio::task::spawn_blocking(move || peer.folder.read_inbox(after)).await;
    match read {
        Ok(Ok(messages)) => Ok(Json(InboxPage { messages })),
        Ok(Err(error)) => Err(ApiError::new(error.status(), error.to_string())),
        Err(_) => Err(Status::INTERNAL.into()),
    }
}

async fn send(
    State(peer): State<Peer>,
    request: Result<Json<SendRequest>, JsonRejection>,
) -> Answer<Sent> {
    let Json(request) = request.map_err(|rejection| match rejection.status().as_u16() {
        413 => Status::TOO_LARGE.into(),
        _ => ApiError::new(Status::MALFORMED, rejection.body_text()),
    })?;
    let to = name(&request.to)?;
    if request.text.len() > TEXT_BYTES_MAX {
        let text = format!("a text has at most {TEXT_BYTES_MAX} bytes");
        return Err(ApiError::new(Status::TOO_LARGE, text));
    }
    match peer.handle.command(Command::Send { to: to.clone(), text: request.text }).await {
        Reply::Delivered { id, hops, tries, escalated, elapsed } => Ok(Json(Sent {
            id: id.to_string(),
            to: to.to_string(),
            hops,
            tries,
            escalated,
            ms: millis(elapsed),
        })),
        other => Err(failure(&other, &to)),
    }
}

async fn lookup(State(peer): State<Peer>, Path(user): Path<String>) -> Answer<Located> {
    let name = name(&user)?;
    match peer.handle.command(Command::Lookup { name: name.clone() }).await {
        Reply::Located { found, elapsed } => Ok(Json(Located {
            name: name.to_string(),
            ms: millis(elapsed),
            devices: found.iter().map(Into::into).collect(),
        })),
        other => Err(failure(&other, &name)),
    }
}

async fn ping(State(peer): State<Peer>, Path(user): Path<String>) -> Answer<Pong> {
    let to = name(&user)?;
    match peer.handle.command(Command::Ping { to: to.clone() }).await {
        Reply::Pong { hops, hops_back, round_trip } => {
            Ok(Json(Pong { name: to.to_string(), hops, hops_back, ms: millis(round_trip) }))
        }
        other => Err(failure(&other, &to)),
    }
}

async fn trace(State(peer): State<Peer>, Path(user): Path<String>) -> Answer<Trace> {
    let to = name(&user)?;
    match peer.handle.command(Command::Trace { to: to.clone() }).await {
        Reply::Traced { hops, arrived } => Ok(Json(Trace {
            name: to.to_string(),
            arrived,
            hops: hops.iter().map(Into::into).collect(),
        })),
        other => Err(failure(&other, &to)),
    }
}

async fn logout(State(peer): State<Peer>) -> Answer<Done> {
    match peer.handle.command(Command::Logout).await {
        Reply::Failed { status } => Err(status.into()),
        _ => {
            peer.logged_out.notify_one();
            Ok(Json(Done { status: Status::OK }))
        }
    }
}

async fn events(State(peer): State<Peer>) -> Response {
    events_stream(&peer.feed)
}

pub(super) fn name(text: &str) -> Result<Name, ApiError> {
    Name::new(text).map_err(|error| ApiError::new(Status::INVALID_NAME, error.to_string()))
}

/// Why a command about `name` did not succeed.
fn failure(reply: &Reply, name: &Name) -> ApiError {
    match reply {
        Reply::Failed { status: Status::UNKNOWN_NAME } => {
            ApiError::new(Status::UNKNOWN_NAME, format!("there is no user \"{name}\""))
        }
        Reply::Failed { status: Status::OFFLINE } => {
            ApiError::new(Status::OFFLINE, format!("{name} is off line"))
        }
        Reply::Failed { status } => (*status).into(),
        other => {
            tracing::error!(?other, "a reply that fits no command of this kind");
            Status::INTERNAL.into()
        }
    }
}
