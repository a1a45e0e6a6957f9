//! The registrar's durable store: who owns which name, and which tickets are used up.
//!
//! One SQLite file in WAL mode with full synchronisation. All writes go through one task with one
//! connection, which commits what has queued up in one transaction: a burst of registrations
//! costs a few syncs, not one each. An answer leaves only after its commit has returned.

mod decide;
mod error;
mod looks;
mod open;
mod revocations;
mod writer;

pub use error::StoreError;

use overlay_node::driver::Store;
use overlay_proto::id::RealmId;
use overlay_proto::identity::RevocationList;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use overlay_proto::time::WallTime;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use writer::Job;

/// Requests waiting for the writer, at most; more wait at the asker. The core has no more than
/// [`REQUESTS_MAX`](overlay_proto::config::REQUESTS_MAX) open, so nobody waits there in practice.
const QUEUE_MAX: usize = overlay_proto::config::REQUESTS_MAX;

/// Who may register a new name.
#[derive(Clone, Default)]
pub struct Registration {
    /// The code that a newcomer must show; `None` lets everybody in.
    pub code: Option<String>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The code is a secret and has no place in a log.
        f.write_str(if self.code.is_some() { "by code" } else { "open" })
    }
}

/// One registered user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The canonical name.
    pub name: Name,
    /// The serial number of the user's certificates.
    pub serial: u64,
    /// When the name was given out.
    pub registered_at: WallTime,
}

/// The embedded store of one registrar.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    queue: mpsc::Sender<Job>,
    writer: JoinHandle<()>,
}

impl SqliteStore {
    /// Opens the store at `path`; makes it, with its folder, if it is not there. To be called
    /// within a Tokio runtime.
    ///
    /// # Errors
    /// [`StoreError`], when the file cannot be had, is damaged, or is not a store of this version.
    pub async fn open(path: &Path, registration: Registration) -> Result<SqliteStore, StoreError> {
        let connection = open::open(path).await?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let policy = decide::Policy::new(&registration);
        let writer = tokio::spawn(writer::run(path.to_owned(), connection, policy, jobs));
        Ok(SqliteStore { path: path.to_owned(), queue, writer })
    }

    /// Ties the store to `realm`, for good; does nothing if it is tied to it already. To be called
    /// once after opening, so that one realm's names never get into another's.
    ///
    /// # Errors
    /// [`StoreError::ForeignRealm`] if the store is tied to another realm.
    pub async fn bind(&self, realm: RealmId) -> Result<(), StoreError> {
        let mut connection = open::connect(&self.path).await?;
        let bound = open::bind(&mut connection, realm)
            .await
            .map_err(|error| StoreError::from_sql(&self.path, error))?;
        open::close(connection).await;
        match bound == realm {
            true => Ok(()),
            false => Err(StoreError::ForeignRealm { path: self.path.clone(), found: bound }),
        }
    }

    /// All users, in the order of their registration. Read beside the writer, which it does not
    /// hold up.
    ///
    /// # Errors
    /// [`StoreError`], when the file cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut connection = open::connect(&self.path).await?;
        let users = decide::users(&mut connection)
            .await
            .map_err(|error| StoreError::from_sql(&self.path, error))?;
        open::close(connection).await;
        Ok(users)
    }

    /// The lists of revocations that this machine has signed.
    ///
    /// # Errors
    /// [`StoreError`], when the file cannot be read.
    pub async fn revocations(&self) -> Result<Vec<Arc<RevocationList>>, StoreError> {
        let mut connection = open::connect(&self.path).await?;
        let lists = revocations::all(&mut connection)
            .await
            .map_err(|error| StoreError::from_sql(&self.path, error))?;
        open::close(connection).await;
        Ok(lists)
    }

    /// Finishes what has been submitted and closes the file. Dropping the store does the same
    /// without waiting for it.
    pub async fn close(self) {
        drop(self.queue);
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the store's writer did not end well");
        }
    }
}

impl Store for SqliteStore {
    fn submit(&self, request: StoreRequest) -> Pin<Box<dyn Future<Output = StoreAnswer> + Send>> {
        let queue = self.queue.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            // Without a writer nothing can be promised.
            match queue.send(Job { request, answer }).await {
                Ok(()) => answered.await.unwrap_or(StoreAnswer::Failed),
                Err(_) => StoreAnswer::Failed,
            }
        })
    }
}

#[cfg(test)]
mod tests;
