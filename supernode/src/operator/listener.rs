//! The operator's HTTP listener: `/metrics`, `/healthz`, `/readyz`.
//!
//! It says nothing secret and changes nothing, but it tells how busy the supernode is, and it is not
//! encrypted: it is meant for this machine or a network of the operator's own.

use super::health::{ANSWER_MAX, Unready, unready};
use super::metrics::{CONTENT_TYPE as OPEN_METRICS, Seen, render};
use super::watched_store::StoreHealth;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use overlay_node::driver::Handle;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The node.
    pub handle: Handle,
    /// Its store.
    pub store: StoreHealth,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error(
    "metrics cannot be served at {address} ({source}): choose another address with --metrics IP:PORT"
)]
pub struct ListenerError {
    /// Where it should have been.
    address: SocketAddr,
    /// What the system said.
    source: io::Error,
}

/// A listener that serves until it is dropped.
#[derive(Debug)]
pub struct OperatorListener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl OperatorListener {
    /// Serves `watch` at `address`; port 0 is any free one.
    ///
    /// # Errors
    /// [`ListenerError`].
    pub async fn start(
        address: SocketAddr,
        watch: Watch,
    ) -> Result<OperatorListener, ListenerError> {
        let failed = |source| ListenerError { address, source };
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "metrics are served beyond this machine, to everybody who gets there: \
                keep the port behind a firewall");
        }
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = routes(watch);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
        Ok(OperatorListener { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for OperatorListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn routes(watch: Watch) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(async || (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n"))
        .with_state(watch)
}

impl Watch {
    /// The supernode now, and what stands against its work.
    async fn look(&self) -> Result<(Seen, Vec<Unready>), Unready> {
        let both = async {
            let supernode = self.handle.supernode_view().await?;
            Some((supernode, self.handle.counters().await))
        };
        let answer = timeout(ANSWER_MAX, both).await.ok().flatten();
        let (supernode, counters) = answer.ok_or(Unready::Stuck)?;
        let addresses = self.handle.addresses().len();
        let mut seen = Seen { supernode, counters, addresses, ready: true };
        let reasons = unready(&seen, self.store.failed_for());
        seen.ready = reasons.is_empty();
        Ok((seen, reasons))
    }
}

async fn metrics(State(watch): State<Watch>) -> Response {
    match watch.look().await.map(|(seen, _)| render(&seen)) {
        Ok(Ok(text)) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(reason) => unavailable(&[reason]),
    }
}

async fn healthz(State(watch): State<Watch>) -> Response {
    match watch.look().await {
        Ok(_) => "ok\n".into_response(),
        Err(reason) => unavailable(&[reason]),
    }
}

async fn readyz(State(watch): State<Watch>) -> Response {
    match watch.look().await {
        Ok((_, reasons)) if reasons.is_empty() => "ok\n".into_response(),
        Ok((_, reasons)) => unavailable(&reasons),
        Err(reason) => unavailable(&[reason]),
    }
}

fn unavailable(reasons: &[Unready]) -> Response {
    let lines: String = reasons.iter().map(|reason| format!("{reason}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}
