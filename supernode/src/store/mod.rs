//! The registrar's durable store: who owns which name, who waits for one, and which tickets and
//! codes are used up.
//!
//! It is one SQLite file in WAL mode with full synchronisation, or a PostgreSQL database where
//! several registrars share a realm; every statement and decision is the same text for both. All
//! claims of a process go through one task with one connection, which commits what has queued up in
//! one transaction: a burst of registrations costs a few syncs, not one each. An answer leaves only
//! after its commit has returned. Between processes a write lock, taken before the first look,
//! keeps one name from two keys.

mod backup;
mod codes;
mod connect;
mod decide;
mod desk;
mod error;
mod files;
mod ledger;
mod looks;
mod open;
mod place;
mod policy;
mod registry;
mod requests;
mod revocations;
mod rows;
mod witness;
mod writer;

pub use backup::{Copied, restore};
pub use codes::{CODES_MAX, Code, NewCode};
pub use desk::{DeskAnswer, DeskRequest, USERS_PAGE, User, UserState};
pub use error::StoreError;
pub use place::{PostgresUrl, StorePlace, StorePlaceError};
pub use policy::{Registration, RegistrationPolicy};
pub use registry::confirm;

use overlay_node::driver::Store;
use overlay_proto::id::RealmId;
use overlay_proto::identity::RevocationList;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use policy::Policy;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use writer::{Job, Writer};

/// Requests waiting for the writer, at most; more wait at the asker. The core has no more than
/// [`REQUESTS_MAX`](overlay_proto::config::REQUESTS_MAX) open, so nobody waits there in practice.
const QUEUE_MAX: usize = overlay_proto::config::REQUESTS_MAX;

/// The store of one registrar.
#[derive(Debug)]
pub struct RegistrarStore {
    place: StorePlace,
    queue: mpsc::Sender<Job>,
    stopped: Arc<AtomicBool>,
    writer: JoinHandle<()>,
}

impl RegistrarStore {
    /// Opens the store at `place`; makes it if it is not there. To be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`StoreError`], when it cannot be had, is damaged, or is not a store of this version.
    pub async fn open(
        place: StorePlace,
        registration: Registration,
    ) -> Result<RegistrarStore, StoreError> {
        let scribe = open::open(&place).await?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let stopped = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            place: place.clone(),
            policy: Policy::new(&registration),
            scribe: Some(scribe),
            stopped: stopped.clone(),
        };
        Ok(RegistrarStore { place, queue, stopped, writer: tokio::spawn(writer.run(jobs)) })
    }

    /// Ties the store to `realm`, for good; does nothing if it is tied to it already. To be called
    /// once after opening, so that one realm's names never get into another's.
    ///
    /// # Errors
    /// [`StoreError::ForeignRealm`] if the store is tied to another realm.
    pub async fn bind(&self, realm: RealmId) -> Result<(), StoreError> {
        let mut scribe = ledger::Scribe::connect(&self.place).await?;
        let found = open::bind(&mut scribe, realm).await?;
        scribe.close().await;
        match found == realm {
            true => Ok(()),
            false => Err(StoreError::ForeignRealm { place: self.place.clone(), found }),
        }
    }

    /// Does what the operator asks. What is answered is durable.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ask(&self, request: DeskRequest) -> Result<DeskAnswer, StoreError> {
        if self.has_stopped() {
            let detail = "seen at an earlier write".to_owned();
            return Err(StoreError::SyncFailed { place: self.place.clone(), detail });
        }
        let answer = desk::ask(&self.place, request).await;
        if matches!(answer, Err(StoreError::SyncFailed { .. })) {
            self.stopped.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Whether the disk has failed to take what was written, so that this process promises nothing
    /// any more. Only a new start, which checks the whole store, mends that.
    pub fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Where it is.
    pub fn place(&self) -> &StorePlace {
        &self.place
    }

    /// The lists of revocations that the registrars of this store have signed.
    ///
    /// # Errors
    /// [`StoreError`], when the store cannot be read.
    pub async fn revocations(&self) -> Result<Vec<Arc<RevocationList>>, StoreError> {
        let mut connection = open::reader(&self.place).await?;
        let lists = revocations::all(&mut connection)
            .await
            .map_err(|error| StoreError::from_sql(&self.place, error))?;
        connect::close(connection).await;
        Ok(lists)
    }

    /// Finishes what has been submitted and closes the store. Dropping it does the same without
    /// waiting for it.
    pub async fn close(self) {
        drop(self.queue);
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the store's writer did not end well");
        }
    }
}

impl Store for RegistrarStore {
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
