//! The other end of the socket.

use super::serve::BODY_BYTES_MAX;
use super::streams::PROTOCOL;
use super::types::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

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

/// A stream by way of the node.
#[derive(Debug)]
pub struct Upgraded {
    /// Its bytes.
    pub stream: TokioIo<hyper::upgrade::Upgraded>,
    /// The user at the other end.
    pub with: String,
}

/// Lines of JSON that come one after the other.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    waiting: Vec<u8>,
}

impl Lines {
    /// The next one; `None` at the end, and after a line that cannot be read.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            if self.waiting.len() > BODY_BYTES_MAX {
                return None;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.waiting.extend_from_slice(&data);
            }
        }
    }
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

    /// Sends `body` to `route` as it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_bytes<A: DeserializeOwned>(
        &self,
        route: &str,
        body: Vec<u8>,
    ) -> Result<A, ClientError> {
        self.ask(Method::POST, route, body.into()).await
    }

    /// Has `route` removed, for the reason in `body`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete<A: DeserializeOwned>(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.broken(error))?;
        self.ask(Method::DELETE, route, body.into()).await
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
        match timeout(PATIENCE, asked).await {
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
        let request = Request::builder()
            .method(method)
            .uri(route)
            .header("host", "node")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| self.broken(error))?;
        self.exchange(request).await
    }

    /// Sends a request on a connection of its own.
    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "the control connection ended");
            }
        });
        sender.send_request(request).await.map_err(|error| self.broken(error))
    }

    /// Sends a request whose answer is a stream: after it the connection carries that and nothing
    /// else.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn upgrade(&self, method: Method, route: &str) -> Result<Upgraded, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(route)
            .header("host", "node")
            .header("connection", "upgrade")
            .header("upgrade", PROTOCOL)
            .body(Full::new(Bytes::new()))
            .map_err(|error| self.broken(error))?;
        let response = timeout(PATIENCE, self.exchange(request)).await;
        let response = response.map_err(|_| self.broken("no answer in time"))??;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refusal(response).await);
        }
        let with = response.headers().get("trellis-with").map(|with| with.as_bytes().to_vec());
        let with = String::from_utf8(with.unwrap_or_default()).unwrap_or_default();
        let switched = hyper::upgrade::on(response).await.map_err(|error| self.broken(error))?;
        Ok(Upgraded { stream: TokioIo::new(switched), with })
    }

    /// Sends a request whose answer is lines of JSON that come while it lasts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn lines(&self, route: &str) -> Result<Lines, ClientError> {
        let response = timeout(PATIENCE, self.open(Method::GET, route, Bytes::new())).await;
        let response = response.map_err(|_| self.broken("no answer in time"))??;
        match response.status().is_success() {
            true => Ok(Lines { body: response.into_body(), waiting: Vec::new() }),
            false => Err(self.refusal(response).await),
        }
    }

    /// What a route says that does not do as asked.
    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let problem = match body {
            Ok(body) => serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        problem.map_or_else(|reason| self.broken(reason), ClientError::Problem)
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
