//! The one task that writes: takes what has queued up, commits it together, then answers.

use super::decide::{Policy, decide};
use super::open;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::time::WallTime;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot};

/// Requests in one transaction. A sync costs as much as some hundred rows; beyond that a longer
/// batch only makes its first asker wait.
const BATCH_MAX: usize = 256;

/// A request and the place for its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: StoreRequest,
    pub(super) answer: oneshot::Sender<StoreAnswer>,
}

/// Serves `jobs` until the last sender is gone.
pub(super) async fn run(
    path: PathBuf,
    connection: SqliteConnection,
    policy: Policy,
    mut jobs: mpsc::Receiver<Job>,
) {
    let mut connection = Some(connection);
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
        connection = serve(&path, connection, &policy, &mut batch).await;
    }
    if let Some(connection) = connection {
        open::close(connection).await;
    }
}

/// Carries out one batch and gives the connection back unless it has failed.
///
/// After a failure the connection is thrown away: what it holds in memory may differ from what is
/// on the disk, and a fresh one reads the file.
async fn serve(
    path: &Path,
    connection: Option<SqliteConnection>,
    policy: &Policy,
    batch: &mut Vec<Job>,
) -> Option<SqliteConnection> {
    let connection = match connection {
        Some(connection) => Ok(connection),
        None => open::connect(path).await,
    };
    let mut connection = match connection {
        Ok(connection) => connection,
        Err(error) => {
            tracing::error!(%error, requests = batch.len(), "the store cannot be opened again");
            refuse(batch);
            return None;
        }
    };
    match commit(&mut connection, policy, batch).await {
        Ok(answers) => {
            for (job, answer) in batch.drain(..).zip(answers) {
                // Whoever asked may be gone; the record stands all the same.
                let _ = job.answer.send(answer);
            }
            Some(connection)
        }
        Err(error) => {
            tracing::error!(%error, path = %path.display(), requests = batch.len(), "the store failed");
            refuse(batch);
            None
        }
    }
}

/// Decides the whole batch in one transaction. The answers hold: the commit has returned.
async fn commit(
    connection: &mut SqliteConnection,
    policy: &Policy,
    batch: &[Job],
) -> Result<Vec<StoreAnswer>, sqlx::Error> {
    // The write lock is taken at the start, so nothing comes between a look and its insert.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let now = wall_clock();
    let mut answers = Vec::with_capacity(batch.len());
    for job in batch {
        answers.push(decide(&mut transaction, policy, &job.request, now).await?);
    }
    transaction.commit().await?;
    Ok(answers)
}

fn refuse(batch: &mut Vec<Job>) {
    for job in batch.drain(..) {
        let _ = job.answer.send(StoreAnswer::Failed);
    }
}

/// Milliseconds since the epoch, for the operator's list; decides nothing.
fn wall_clock() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
