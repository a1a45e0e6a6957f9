//! The socket and its server.

use super::problem::ApiError;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use overlay_proto::config::TEXT_BYTES_MAX;
use overlay_proto::status::Status;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Largest body of a request, in bytes: the longest text with every character escaped in JSON.
pub const BODY_BYTES_MAX: usize = 6 * TEXT_BYTES_MAX + 4_096;
/// Longest path of a socket, in bytes, on every Unix (`sun_path`, 104 on macOS with its end).
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// How long a server that ends waits for answers under way. A stream of events never ends.
const ANSWER_PATIENCE: Duration = Duration::from_millis(300);

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody answers there.
    #[error("{} is served by another process: stop that one first", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The system allows no socket of this name.
    #[error(
        "the path {} is too long for a socket ({SOCKET_PATH_BYTES_MAX} bytes): choose a shorter data folder with --data DIR",
        path.display()
    )]
    TooLong {
        /// The socket.
        path: PathBuf,
    },
    /// The system says no.
    #[error("the socket {} cannot be made ({source}): check the data folder", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A server of a socket. It ends, and the socket is gone, when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Serves `router` on a socket at `path`, which only its owner may use. The socket of a process
/// that is dead is replaced.
///
/// # Errors
/// [`ServeError`].
pub fn serve(path: &Path, router: Router) -> Result<Server, ServeError> {
    let listener = bind(path)?;
    let router = router
        .fallback(async || ApiError::new(Status::NOT_SERVED, "there is no such route"))
        .method_not_allowed_fallback(async || {
            ApiError::new(Status::NOT_SERVED, "the route is there, but not with this method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let (end, ended) = oneshot::channel();
    let ended = async {
        let _ = ended.await;
    };
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(ended).await;
        if let Err(error) = served {
            tracing::error!(%error, "the control socket is not served any more");
        }
    });
    Ok(Server { path: path.to_owned(), end: Some(end), task })
}

fn bind(path: &Path) -> Result<UnixListener, ServeError> {
    let failed = |source| ServeError::Io { path: path.to_owned(), source };
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(ServeError::TooLong { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Ok(_) => return Err(ServeError::InUse { path: path.to_owned() }),
        // Nobody listens there: left behind by a process that was killed.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // The folder lets nobody else in, so nobody is faster than the next line.
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

impl Server {
    /// Ends the server: no new request is taken, those under way are answered.
    pub async fn end(mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        let _ = tokio::time::timeout(ANSWER_PATIENCE, &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}
