//! The routes for streams: to other users, and from them to whoever on this machine serves them.
//!
//! A stream is an HTTP upgrade (RFC 9110, section 7.8): after the answer 101 the connection carries
//! the stream's bytes and nothing else.

use super::peer::{Answer, Peer, name};
use super::problem::ApiError;
use super::types::{Done, IncomingStream, RequestAnswered, ServiceRequest};
use crate::session::{
    Access, Incoming, Listener, NoRecipient, Recipient, Service, SessionError, Stream,
};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::rt::TokioIo;
use overlay_proto::status::Status;
use overlay_proto::wire::Class;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::time::{sleep, timeout};

/// What the upgraded connection speaks: nothing but the stream's bytes.
pub(super) const PROTOCOL: &str = "trellis-stream";
/// How long who serves has to take or refuse a stream that it was told of.
const CLAIM_PATIENCE: Duration = Duration::from_secs(30);
/// How long the client may take to switch after the answer.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes copied at a time: a few of the largest packets.
const COPY_BYTES: usize = 64 * 1024;
/// How long a request may wait for its answer at most.
const DEADLINE_MAX: Duration = Duration::from_secs(80);

/// Streams of which a server on this machine has been told and which it has not taken yet.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    waiting: Arc<Mutex<BTreeMap<u64, Incoming>>>,
    last: Arc<AtomicU64>,
}

impl Offers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Incoming>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, incoming: Incoming) -> u64 {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.lock().insert(id, incoming);
        let offers = self.clone();
        tokio::spawn(async move {
            sleep(CLAIM_PATIENCE).await;
            if let Some(incoming) = offers.take(id) {
                incoming.refuse(Status::TIMEOUT, "nobody took the stream in time").await;
            }
        });
        id
    }

    fn take(&self, id: u64) -> Option<Incoming> {
        self.lock().remove(&id)
    }
}

/// Routes below `/v1/users/{name}`, `/v1/services` and `/v1/incoming`.
pub(super) fn stream_routes() -> Router<Peer> {
    Router::new()
        .route("/v1/users/{name}/stream", post(open))
        .route("/v1/users/{name}/request", post(request))
        .route("/v1/services", get(serve))
        .route("/v1/incoming/{id}", post(accept).delete(refuse))
}

/// What the routes that name a service take in their query.
#[derive(Debug, Deserialize)]
struct Opening {
    service: String,
    /// `message` for what is small and wanted soon; else it is bulk.
    #[serde(default)]
    class: Option<String>,
    /// Milliseconds that a request may take.
    #[serde(default)]
    deadline: Option<u64>,
}

async fn open(
    State(peer): State<Peer>,
    Path(user): Path<String>,
    Query(opening): Query<Opening>,
    request: Request,
) -> Result<Response, ApiError> {
    let (to, service) = (recipient(&user)?, service(&opening.service)?);
    let class = match opening.class.as_deref() {
        None | Some("bulk") => Class::Bulk,
        Some("message") => Class::Message,
        Some("real-time") => Class::RealTime,
        Some(other) => {
            let text = format!("there is no class {other}: bulk, message or real-time");
            return Err(ApiError::new(Status::MALFORMED, text));
        }
    };
    let stream = peer.sessions.open(&to, &service, class).await?;
    Ok(upgrade(request, stream))
}

/// A user, or `user/digits` of one of their devices.
fn recipient(text: &str) -> Result<Recipient, ApiError> {
    if !text.contains('/') {
        return Ok(Recipient::from(&name(text)?));
    }
    text.parse()
        .map_err(|error: NoRecipient| ApiError::new(Status::INVALID_NAME, error.to_string()))
}

async fn request(
    State(peer): State<Peer>,
    Path(user): Path<String>,
    Query(opening): Query<Opening>,
    body: Bytes,
) -> Answer<RequestAnswered> {
    let (to, service) = (recipient(&user)?, service(&opening.service)?);
    let deadline = opening.deadline.map_or(DEADLINE_MAX, Duration::from_millis).min(DEADLINE_MAX);
    let answer = peer.sessions.request(&to, &service, &body, deadline).await?;
    Ok(Json(RequestAnswered { answer: String::from_utf8_lossy(&answer).into_owned() }))
}

/// Serves as long as the answer is read: a line of JSON for each stream that somebody wants.
async fn serve(
    State(peer): State<Peer>,
    Query(wanted): Query<ServiceRequest>,
) -> Result<Response, ApiError> {
    let access = access(&peer, &wanted)?;
    let listener = peer
        .sessions
        .listen(service(&wanted.service)?, access)
        .map_err(|error| ApiError::new(Status::NAME_TAKEN, error.to_string()))?;
    let lines = futures::stream::unfold((listener, peer.offers), next_line);
    // The first line says that it is served now.
    let begun = futures::stream::once(async { Ok::<_, Infallible>(b"{}\n".to_vec()) });
    let body = Body::from_stream(futures::StreamExt::chain(begun, lines));
    Ok(([(CONTENT_TYPE, "application/jsonl")], body).into_response())
}

async fn next_line(
    (mut listener, offers): (Listener, Offers),
) -> Option<(Result<Vec<u8>, Infallible>, (Listener, Offers))> {
    let incoming = listener.next().await?;
    let from = incoming.from()?.to_string();
    let told = IncomingStream { id: offers.offer(incoming), from };
    let mut line = serde_json::to_vec(&told).ok()?;
    line.push(b'\n');
    Some((Ok(line), (listener, offers)))
}

fn access(peer: &Peer, wanted: &ServiceRequest) -> Result<Access, ApiError> {
    match wanted.allow.as_deref() {
        None | Some("contacts") => Ok(peer.contacts.access()),
        Some("everyone") => Ok(Access::Everyone),
        Some(users) => {
            let users: Result<_, ApiError> = users.split(',').map(name).collect();
            Ok(Access::Users(users?))
        }
    }
}

async fn accept(
    State(peer): State<Peer>,
    Path(id): Path<u64>,
    request: Request,
) -> Result<Response, ApiError> {
    let incoming = peer.offers.take(id).ok_or(Status::UNKNOWN_NAME)?;
    let stream = incoming.accept().await?;
    Ok(upgrade(request, stream))
}

/// Why a stream is refused.
#[derive(Debug, Deserialize)]
struct Refused {
    status: u16,
    text: String,
}

async fn refuse(
    State(peer): State<Peer>,
    Path(id): Path<u64>,
    Json(why): Json<Refused>,
) -> Answer<Done> {
    let incoming = peer.offers.take(id).ok_or(Status::UNKNOWN_NAME)?;
    incoming.refuse(Status(why.status), &why.text).await;
    Ok(Json(Done { status: Status::OK }))
}

/// Answers 101 and ties the connection to the stream.
fn upgrade(request: Request, mut stream: Stream) -> Response {
    let with = HeaderValue::from_bytes(stream.with().as_str().as_bytes());
    let switching = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(Ok(connection)) = timeout(UPGRADE_PATIENCE, switching).await else {
            return stream.abort(Status::TIMEOUT);
        };
        let mut here = TokioIo::new(connection);
        match copy_bidirectional_with_sizes(&mut here, &mut stream, COPY_BYTES, COPY_BYTES).await {
            // What has been written must arrive before the stream is let go.
            Ok(_) => drop(stream.taken().await),
            Err(error) => {
                tracing::debug!(%error, "a stream broke");
                stream.abort(Status::TIMEOUT);
            }
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    if let Ok(with) = with {
        headers.insert("trellis-with", with);
    }
    response
}

fn service(text: &str) -> Result<Service, ApiError> {
    text.parse().map_err(|error: crate::session::NoService| {
        ApiError::new(Status::INVALID_NAME, error.to_string())
    })
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> ApiError {
        match error {
            SessionError::Refused { status, sentence } if !sentence.is_empty() => {
                let text = status.text().to_owned();
                ApiError(super::types::Problem { status, text, way_out: sentence })
            }
            other => ApiError::new(other.status(), other.to_string()),
        }
    }
}
