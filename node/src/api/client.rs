//! The other end of the socket.

use super::serve::BODY_BYTES_MAX;
use super::types::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// Largest answer read, in bytes: a page of the inbox with the longest texts.
const ANSWER_BYTES_MAX: usize = crate::data::INBOX_PAGE * BODY_BYTES_MAX;
/// How long an answer may take. The core gives up on every command well before.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody serves the socket.
    #[error("nothing runs on {}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The node said no.
    #[error("{} {}: {}", .0.status.0, .0.text, .0.way_out)]
    Problem(Problem),
    /// The socket was there, the answer was not.
    #[error("the node on {} did not answer ({reason}): see its log, or start it again", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

/// A client of one socket. Each request takes a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// A client of the socket at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Client {
        Client { path: path.into() }
    }

    /// Asks for `route`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<A: DeserializeOwned>(&self, route: &str) -> Result<A, ClientError> {
        self.ask(Method::GET, route, Bytes::new()).await
    }

    /// Sends `body` to `route`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post<A: DeserializeOwned>(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.broken(error))?;
        self.ask(Method::POST, route, body.into()).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        body: Bytes,
    ) -> Result<A, ClientError> {
        let asked = async {
            let response = self.open(method, route, body).await?;
            let failed = !response.status().is_success();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let bytes = body.collect().await.map_err(|error| self.broken(error))?.to_bytes();
            if failed {
                let problem = serde_json::from_slice(&bytes).map_err(|error| self.broken(error))?;
                return Err(ClientError::Problem(problem));
            }
            serde_json::from_slice(&bytes).map_err(|error| self.broken(error))
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.broken("no answer in time")),
        }
    }

    /// Sends a request and returns the answer with its body still to come.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open(
        &self,
        method: Method,
        route: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the control connection ended");
            }
        });
        let request = Request::builder()
            .method(method)
            .uri(route)
            .header("host", "node")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| self.broken(error))?;
        sender.send_request(request).await.map_err(|error| self.broken(error))
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.path).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { path: self.path.clone() }
            }
            _ => self.broken(error),
        })
    }

    fn broken(&self, reason: impl ToString) -> ClientError {
        ClientError::Broken { path: self.path.clone(), reason: reason.to_string() }
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
