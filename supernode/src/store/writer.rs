//! The one task that writes: takes what has queued up, commits it together, then answers.

use super::error::StoreError;
use super::ledger::Scribe;
use super::place::StorePlace;
use super::policy::Policy;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Requests in one transaction. A sync costs as much as some hundred rows; beyond that a longer
/// batch only makes its first asker wait.
const BATCH_MAX: usize = 256;
/// How long a batch may take. A server that has gone away says nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request and the place for its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: StoreRequest,
    pub(super) answer: oneshot::Sender<StoreAnswer>,
}

/// What the writer works with.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) place: StorePlace,
    pub(super) policy: Policy,
    /// The connection, unless it has failed.
    pub(super) scribe: Option<Scribe>,
    /// Whether the disk has failed to take what was written, so that nothing is promised any more.
    pub(super) stopped: Arc<AtomicBool>,
}

impl Writer {
    /// Serves `jobs` until the last sender is gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let answers = self.serve(&batch).await;
            for (number, job) in batch.drain(..).enumerate() {
                let answer = answers.get(number).copied().unwrap_or(StoreAnswer::Failed);
                // Whoever asked may be gone; the record stands all the same.
                let _ = job.answer.send(answer);
            }
        }
        if let Some(scribe) = self.scribe {
            scribe.close().await;
        }
    }

    /// The answers to one batch, in order; none if it has failed.
    async fn serve(&mut self, batch: &[Job]) -> Vec<StoreAnswer> {
        if self.stopped.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let used_before = self.scribe.is_some();
        let answers = match self.attempt(batch).await {
            // A server that was started again has hung up on us meanwhile. Requests can be made
            // twice: who has a name gets it again.
            Err(StoreError::Unreachable { .. }) if used_before => self.attempt(batch).await,
            done => done,
        };
        answers.unwrap_or_else(|error| {
            let requests = batch.len();
            if matches!(error, StoreError::SyncFailed { .. }) {
                // The system takes what it could not write for written: a second try would seem to
                // succeed (Rebello et al. 2020).
                self.stopped.store(true, Ordering::Relaxed);
            }
            tracing::error!(%error, requests, "the store failed");
            Vec::new()
        })
    }

    /// Decides the whole batch in one transaction. The answers hold: the commit has returned.
    ///
    /// After a failure the connection is thrown away: what it holds in memory may differ from what
    /// is on the disk, and a fresh one reads the store.
    async fn attempt(&mut self, batch: &[Job]) -> Result<Vec<StoreAnswer>, StoreError> {
        let mut scribe = match self.scribe.take() {
            Some(scribe) => scribe,
            None => Scribe::connect(&self.place).await?,
        };
        let work = async {
            let mut ledger = scribe.begin().await?;
            let mut answers = Vec::with_capacity(batch.len());
            for job in batch {
                let answer = ledger.decide(&self.policy, &job.request).await;
                answers.push(answer.map_err(|error| StoreError::from_sql(&self.place, error))?);
            }
            ledger.commit().await?;
            Ok(answers)
        };
        let answers = tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            let detail = "no answer in time".to_owned();
            Err(StoreError::Unreachable { place: self.place.clone(), detail })
        })?;
        self.scribe = Some(scribe);
        Ok(answers)
    }
}
