//! The one task that has the letters: takes what has queued up, commits it together, then answers.

use super::FILE;
use super::database::{self, InboxLetter, KeeperError, Record};
use super::history::{self, Said, Wrote};
use super::ratchets::{PREFIX, Ratchets};
use crate::data::Folder;
use crate::driver::{self, Keeper, WhenKept};
use overlay_proto::id::NodeId;
use overlay_proto::mail::{VaultAnswer, VaultRequest};
use overlay_proto::name::Name;
use sqlx::{Connection, SqliteConnection};
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Requests in one transaction: a sync costs as much as some hundred rows.
const BATCH_MAX: usize = 256;

/// The keeper of one node's letters. The folder must be locked by this process.
#[derive(Debug)]
pub struct LetterKeeper {
    // Unbounded, but the core asks for so much only as it has room for.
    queue: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
}

enum Job {
    Ask(VaultRequest, WhenKept),
    Inbox(u64, oneshot::Sender<Vec<InboxLetter>>),
    Wrote(Wrote, oneshot::Sender<()>),
    With(Name, oneshot::Sender<Vec<Said>>),
    People(oneshot::Sender<Vec<Name>>),
    End,
}

/// What the task works with.
struct Desk {
    path: PathBuf,
    own: NodeId,
    connection: SqliteConnection,
    /// As the disk has them; none after a failure, to be read again.
    ratchets: Option<Ratchets>,
    /// Whether the disk has failed to take what was written: nothing is promised any more until a
    /// new start has checked the file.
    stopped: bool,
}

impl LetterKeeper {
    /// Opens the letters of device `own` in `folder`, with all records that the core has kept. To be
    /// called within a Tokio runtime.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn open(
        folder: &Folder,
        own: NodeId,
    ) -> Result<(LetterKeeper, Vec<Record>), KeeperError> {
        let path = folder.file(FILE);
        let mut connection = database::open(&path).await?;
        let damaged = |detail: String| KeeperError::Damaged { path: path.clone(), detail };
        let kept = database::records(&mut connection, PREFIX, false)
            .await
            .map_err(|error| damaged(error.to_string()))?;
        let mut desk = Desk { path: path.clone(), own, connection, ratchets: None, stopped: false };
        desk.read_ratchets().await.map_err(damaged)?;
        let (queue, jobs) = mpsc::unbounded_channel();
        Ok((LetterKeeper { queue, task: tokio::spawn(desk.run(jobs)) }, kept))
    }

    /// The oldest messages that came with a number above `after`; a few hundred at most.
    pub async fn inbox(&self, after: u64) -> Vec<InboxLetter> {
        let (answer, answered) = oneshot::channel();
        let _ = self.queue.send(Job::Inbox(after, answer));
        answered.await.unwrap_or_default()
    }

    /// Remembers what this user has written, for [`LetterKeeper::conversation`]. The message itself
    /// is in the outbox already.
    pub async fn wrote(&self, wrote: Wrote) {
        let (answer, answered) = oneshot::channel();
        let _ = self.queue.send(Job::Wrote(wrote, answer));
        let _ = answered.await;
    }

    /// The newest messages from and to a user, oldest first; a few hundred at most.
    pub async fn conversation(&self, with: Name) -> Vec<Said> {
        let (answer, answered) = oneshot::channel();
        let _ = self.queue.send(Job::With(with, answer));
        answered.await.unwrap_or_default()
    }

    /// Everybody with whom messages were exchanged.
    pub async fn people(&self) -> Vec<Name> {
        let (answer, answered) = oneshot::channel();
        let _ = self.queue.send(Job::People(answer));
        answered.await.unwrap_or_default()
    }

    /// Finishes what has been submitted and closes the file.
    pub async fn close(self) {
        let _ = self.queue.send(Job::End);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the keeper of letters did not end well");
        }
    }
}

impl Keeper for LetterKeeper {
    fn submit(&self, request: VaultRequest, answer: WhenKept) {
        if let Err(unsent) = self.queue.send(Job::Ask(request, answer))
            && let Job::Ask(_, answer) = unsent.0
        {
            answer(VaultAnswer::Failed);
        }
    }
}

impl Desk {
    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut ends = false;
        while !ends && jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let mut asked = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Ask(request, answer) => asked.push((request, answer)),
                    Job::Inbox(after, answer) => {
                        let page = database::inbox(&mut self.connection, after).await;
                        let _ = answer.send(page.unwrap_or_default());
                    }
                    Job::Wrote(wrote, answer) => {
                        self.remember(&wrote).await;
                        let _ = answer.send(());
                    }
                    Job::With(name, answer) => {
                        let said = history::with(&mut self.connection, &name).await;
                        let _ = answer.send(said.unwrap_or_default());
                    }
                    Job::People(answer) => {
                        let people = history::people(&mut self.connection).await;
                        let _ = answer.send(people.unwrap_or_default());
                    }
                    Job::End => ends = true,
                }
            }
            self.serve(asked).await;
        }
        database::close(self.connection).await;
    }

    /// For the chat screen only: nobody waits for it, but a disk that fails here has failed.
    async fn remember(&mut self, wrote: &Wrote) {
        if self.stopped {
            return;
        }
        if let Err(error) = history::wrote(&mut self.connection, wrote).await {
            tracing::warn!("what was written will not be shown again");
            self.note_failure(&error);
            self.reconnect().await;
        }
    }

    async fn serve(&mut self, asked: Vec<(VaultRequest, WhenKept)>) {
        if asked.is_empty() {
            return;
        }
        let (requests, answers): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let done = match self.stopped {
            true => Vec::new(),
            false => match self.attempt(&requests).await {
                Ok(done) => done,
                Err(error) => {
                    self.note_failure(&error);
                    self.reconnect().await;
                    Vec::new()
                }
            },
        };
        if done.is_empty() {
            // What is in memory may differ from what is on the disk.
            self.ratchets = None;
            return answers.into_iter().for_each(|answer| answer(VaultAnswer::Failed));
        }
        done.into_iter().zip(answers).for_each(|(done, answer)| answer(done));
    }

    fn note_failure(&mut self, error: &sqlx::Error) {
        tracing::error!(%error, file = %self.path.display(), "letters could not be written");
        // What the system could not write it takes for written, and a second try would seem to
        // succeed (Rebello et al. 2020). A full disk is another matter.
        self.stopped |= database::kind(error) == Some(database::IO_FAILED);
    }

    /// After a failure nobody knows where the connection stands: SQLite may have ended the
    /// transaction by itself, and sqlx then begins no other for ever.
    async fn reconnect(&mut self) {
        match database::connect(&self.path).await {
            Ok(anew) => database::close(std::mem::replace(&mut self.connection, anew)).await,
            Err(error) => self.note_failure(&error),
        }
    }

    async fn read_ratchets(&mut self) -> Result<(), String> {
        let records = database::records(&mut self.connection, PREFIX, true).await;
        let records = records.map_err(|error| error.to_string())?;
        let ratchets = Ratchets::read(self.own, records).map_err(|error| error.to_string())?;
        self.ratchets = Some(ratchets);
        Ok(())
    }

    /// Does all in one transaction. The answers hold: the commit has returned.
    async fn attempt(
        &mut self,
        requests: &[VaultRequest],
    ) -> Result<Vec<VaultAnswer>, sqlx::Error> {
        if self.ratchets.is_none() {
            self.read_ratchets().await.map_err(|error| sqlx::Error::Decode(error.into()))?;
        }
        let Some(ratchets) = &mut self.ratchets else { return Ok(Vec::new()) };
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut answers = Vec::with_capacity(requests.len());
        let now_ms = driver::wall().0;
        for request in requests {
            answers.push(carry_out(&mut transaction, ratchets, request, now_ms).await?);
        }
        for (key, value) in ratchets.take_changes() {
            match value {
                Some(value) => database::put(&mut transaction, &key, &value).await?,
                None => database::forget(&mut transaction, &key).await?,
            }
        }
        transaction.commit().await?;
        Ok(answers)
    }
}

async fn carry_out(
    connection: &mut SqliteConnection,
    ratchets: &mut Ratchets,
    request: &VaultRequest,
    now_ms: u64,
) -> Result<VaultAnswer, sqlx::Error> {
    Ok(match request {
        VaultRequest::Keep(batch) => {
            database::keep(connection, batch, now_ms).await?;
            batch.trust.iter().for_each(|(node, session)| ratchets.trust(*node, *session));
            VaultAnswer::Kept
        }
        VaultRequest::Publish { one_time } => VaultAnswer::Published(ratchets.publish(*one_time)),
        VaultRequest::Seal { to, keys, anew, plain, label, under } => {
            match ratchets.seal(*to, keys.as_deref(), *anew, plain, label.clone()) {
                Some(sealed) => {
                    if !under.is_empty() {
                        database::put(connection, under, &sealed).await?;
                    }
                    VaultAnswer::Sealed(sealed)
                }
                None => VaultAnswer::NoSession,
            }
        }
        VaultRequest::Open { sealed, under } => match ratchets.open(sealed) {
            Ok(opened) => {
                database::put(connection, under, &opened.plain).await?;
                VaultAnswer::Opened(opened)
            }
            Err(from) => VaultAnswer::Broken { from },
        },
    })
}
