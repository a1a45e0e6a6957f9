//! The routes of a supernode, for its operator.

use crate::cli::invitation::{self, Permission, Wish};
use crate::revocations_api;
pub use crate::revocations_api::{RevocationView, RevocationWish, RevocationsView};
use crate::store::{DeskAnswer, DeskRequest, RegistrarStore};
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use overlay_node::api::{ApiError, Done, Feed, events_stream};
use overlay_node::driver::{Counters, Handle};
use overlay_proto::id::NodeId;
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::{Command, Reply};
use overlay_proto::status::Status;
use overlay_proto::view::{ChildView, SupernodeView};
use overlay_proto::wire::TransportAddress;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

/// What the routes work on.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The node.
    pub handle: Handle,
    /// Its keys and certificates.
    pub identity: Arc<Identity>,
    /// The registration code that invitations carry unless another is asked for.
    pub code: Option<Arc<str>>,
    /// Its events.
    pub feed: Feed,
    /// The registrar's store, if it is one and has not ended.
    pub store: Option<Weak<RegistrarStore>>,
    /// Where its metrics are served.
    pub metrics: Option<SocketAddr>,
}

/// A running supernode: `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupernodeStatus {
    /// The program's version.
    pub version: String,
    /// The number of its process.
    pub process: u32,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served, if they are.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Its links, and what they have carried.
    #[serde(default)]
    pub transport: Counters,
    /// The role.
    #[serde(flatten)]
    pub supernode: SupernodeView,
}

/// `POST /v1/invitations`, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// The one string.
    pub invitation: String,
}

/// All routes of a supernode.
pub fn admin_routes(admin: Admin) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/drain", post(drain))
        .route("/v1/counters", get(counters))
        .route("/v1/invitations", post(invite))
        .route("/v1/revocations", get(revocations_api::list).post(revocations_api::revoke))
        .route("/v1/events", get(events))
        .route("/v1/registrar", post(registrar))
        .with_state(admin)
}

async fn status(State(admin): State<Admin>) -> Result<Json<SupernodeStatus>, ApiError> {
    let view = admin.handle.supernode_view().await.ok_or(Status::WRONG_ROLE)?;
    Ok(Json(SupernodeStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        addresses: admin.handle.addresses().iter().map(ToString::to_string).collect(),
        metrics: admin.metrics,
        transport: admin.handle.counters().await,
        supernode: view,
    }))
}

async fn peers(State(admin): State<Admin>) -> Json<Vec<ChildView>> {
    Json(admin.handle.child_views().await)
}

async fn drain(State(admin): State<Admin>) -> Result<Json<Done>, ApiError> {
    match admin.handle.command(Command::Drain).await {
        Reply::Failed { status } => Err(status.into()),
        _ => Ok(Json(Done { status: Status::OK })),
    }
}

async fn counters(State(admin): State<Admin>) -> Json<Counters> {
    Json(admin.handle.counters().await)
}

async fn invite(
    State(admin): State<Admin>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<Json<Invited>, ApiError> {
    let Json(wish) =
        wish.map_err(|rejection| ApiError::new(Status::MALFORMED, rejection.body_text()))?;
    let permission = permitted(&admin, wish).await?;
    let mut contacts =
        vec![Contact { node: admin.handle.id(), addresses: admin.handle.addresses() }];
    let members = admin.handle.supernode_view().await.map(|view| view.members).unwrap_or_default();
    contacts.extend(members.iter().filter(|member| member.alive).filter_map(|member| {
        let node: NodeId = member.node.parse().ok()?;
        let addresses = member.addresses.iter().map(|text| TransportAddress::new(text.as_str()));
        let addresses = addresses.collect::<Result<Vec<_>, _>>().ok()?;
        (node != admin.handle.id() && !addresses.is_empty()).then_some(Contact { node, addresses })
    }));
    let invitation = invitation::make(&admin.identity, contacts, permission)
        .map_err(|failure| ApiError(failure.problem))?;
    Ok(Json(Invited { invitation }))
}

async fn permitted(admin: &Admin, wish: Wish) -> Result<Permission, ApiError> {
    match wish {
        Wish { registrar: true, .. } => {
            invitation::root(&admin.identity).map_err(|failure| ApiError(failure.problem))?;
            let store = admin.store.as_ref().and_then(Weak::upgrade).ok_or(Status::NOT_SERVED)?;
            let registry = store.shared_registry().await;
            let registry =
                registry.map_err(|error| ApiError(crate::cli::of_store(&error).problem))?;
            Ok(Permission::Registrar { registry })
        }
        Wish { supernode: true, .. } => Ok(Permission::Supernode),
        Wish { code, .. } => {
            let code = code.or_else(|| admin.code.as_deref().map(str::to_owned));
            Ok(Permission::User { code })
        }
    }
}

async fn events(State(admin): State<Admin>) -> Response {
    events_stream(&admin.feed)
}

async fn registrar(
    State(admin): State<Admin>,
    request: Result<Json<DeskRequest>, JsonRejection>,
) -> Result<Json<DeskAnswer>, ApiError> {
    let Json(request) =
        request.map_err(|rejection| ApiError::new(Status::MALFORMED, rejection.body_text()))?;
    let store = admin.store.as_ref().and_then(Weak::upgrade).ok_or(Status::NOT_SERVED)?;
    let answer = store.ask(request).await;
    Ok(Json(answer.map_err(|error| ApiError(crate::cli::of_store(&error).problem))?))
}
