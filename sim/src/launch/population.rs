//! The nodes of a run: how they are born and how they end.

use super::invoke;
use super::plan::{Options, Plan};
use super::process::{Line, Nursery, Process, ProcessError, Role};
use super::progress::Show;
use futures::{StreamExt, TryStreamExt, stream};
use overlay_node::api::ApiEvent;
use overlay_node::api::Client;
use overlay_node::data::{Folder, InboxEntry};
use overlay_supernode::api::SupernodeStatus;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a node may take to listen, log in or find the others, on a machine under load.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may take to log out and end.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a supernode that has not met the others.
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum BirthError {
    /// A command failed, or a node ended.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A node lives and does not do what it should.
    #[error("{name} {what} in {} s", START_PATIENCE.as_secs())]
    Late {
        /// Which.
        name: String,
        /// What it has not done.
        what: &'static str,
    },
    /// `supernode invite` wrote no invitation.
    #[error("{name} made no invitation")]
    NoInvitation {
        /// Which.
        name: String,
    },
}

impl BirthError {
    /// The node whose log tells more.
    pub fn concerned(&self) -> &str {
        match self {
            BirthError::Process(
                ProcessError::Start { name, .. } | ProcessError::Failed { name, .. },
            )
            | BirthError::Late { name, .. }
            | BirthError::NoInvitation { name } => name,
        }
    }
}

/// A node of the network.
#[derive(Debug)]
pub struct Resident {
    /// The user's name, or `supernode-1` and so on.
    pub name: String,
    /// The node id in hex.
    pub node: String,
    /// Its data.
    pub folder: Folder,
    /// Its control socket.
    pub client: Client,
    /// Its process.
    pub process: Process,
    /// Milliseconds from the command to log in to the session; none for supernodes.
    pub login_ms: Option<f64>,
}

impl Resident {
    /// Its whole inbox: from itself while it lives, else from its folder.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn inbox(&self) -> Result<Vec<InboxEntry>, String> {
        let mut all: Vec<InboxEntry> = Vec::new();
        loop {
            let after = all.last().map_or(0, |entry| entry.number);
            let page = if self.process.exit().is_some() {
                self.folder.read_inbox(after).map_err(|error| error.to_string())?
            } else {
                let page = self.client.get(&format!("/v1/inbox?after={after}")).await;
                let page: overlay_node::api::InboxPage = page.map_err(|error| error.to_string())?;
                page.messages
            };
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Population {
    /// Supernodes; the first has the root and the registrar.
    pub supernodes: Vec<Resident>,
    /// Peers, by number.
    pub peers: Vec<Resident>,
    /// For users, naming the supernodes.
    pub invitation: String,
}

/// Where the data folder of the node `name` is.
pub fn folder(dir: &Path, role: Role, name: &str) -> PathBuf {
    match role {
        Role::Supernode => dir.join("supernodes").join(name),
        Role::Peer => dir.join("peers").join(name),
    }
}

/// The midwife of one run.
#[derive(Debug)]
pub struct Births<'a> {
    /// Where everything is.
    pub dir: &'a Path,
    /// Starts the processes.
    pub nursery: &'a Nursery,
    /// What was asked for.
    pub options: &'a Options,
}

impl Births<'_> {
    /// Brings all nodes to life.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn all(&self, plan: &Plan, show: &dyn Show) -> Result<Population, BirthError> {
        show.phase("supernodes", self.options.supernodes);
        let supernodes = self.scaffold(show).await?;
        let invitation = self.invitation(&supernodes[0], false).await?;
        show.phase("users log in", self.options.peers);
        let done = std::cell::Cell::new(0);
        let peers = stream::iter(&plan.names)
            .map(async |name| {
                let peer = self.peer(name, &invitation).await?;
                done.set(done.get() + 1);
                show.at(done.get(), name);
                Ok::<_, BirthError>(peer)
            })
            .buffered(self.options.parallel.max(1))
            .try_collect()
            .await?;
        Ok(Population { supernodes, peers, invitation })
    }

    async fn scaffold(&self, show: &dyn Show) -> Result<Vec<Resident>, BirthError> {
        let mut supernodes: Vec<Resident> = Vec::new();
        for number in 1..=self.options.supernodes {
            let name = format!("supernode-{number}");
            let data = folder(self.dir, Role::Supernode, &name);
            let first = match supernodes.first() {
                None => invoke::init(&data),
                Some(first) => invoke::join_scaffold(&data, &self.invitation(first, true).await?),
            };
            self.nursery.run(Role::Supernode, &name, &first).await?;
            let (process, mut feed) = self.nursery.start(
                Role::Supernode,
                &name,
                &invoke::run_supernode(&data, self.options, None),
            )?;
            let (_, node) = self.listening(&process, &mut feed).await?;
            supernodes.push(resident(name, node, &data, process));
            show.at(number, "");
        }
        // An invitation names the supernodes that the first one knows, so they must have met.
        for supernode in &supernodes {
            self.met(supernode).await?;
        }
        Ok(supernodes)
    }

    /// Starts supernodes again that have ended, each at its port of before, all at once.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn again(
        &self,
        supernodes: &mut [Resident],
        ports: &[u16],
    ) -> Result<(), BirthError> {
        let mut feeds = Vec::new();
        for (supernode, port) in supernodes.iter_mut().zip(ports) {
            let data = folder(self.dir, Role::Supernode, &supernode.name);
            let run = invoke::run_supernode(&data, self.options, Some(*port));
            let (process, feed) = self.nursery.start(Role::Supernode, &supernode.name, &run)?;
            supernode.process = process;
            feeds.push(feed);
        }
        for (supernode, feed) in supernodes.iter().zip(&mut feeds) {
            self.listening(&supernode.process, feed).await?;
        }
        Ok(())
    }

    async fn met(&self, supernode: &Resident) -> Result<(), BirthError> {
        let until = Instant::now() + START_PATIENCE;
        loop {
            let status: Result<SupernodeStatus, _> = supernode.client.get("/v1/status").await;
            let known = status.map_or(0, |status| {
                status.supernode.members.iter().filter(|member| member.alive).count()
            });
            if known + 1 >= self.options.supernodes {
                return Ok(());
            }
            if supernode.process.exit().is_some() {
                let status = supernode.process.ended().await;
                return Err(self.nursery.failed(&supernode.name, status).into());
            }
            if Instant::now() > until {
                let what = "has not met the other supernodes";
                return Err(BirthError::Late { name: supernode.name.clone(), what });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn invitation(&self, by: &Resident, to_scaffold: bool) -> Result<String, BirthError> {
        let arguments = invoke::invite(by.folder.path(), to_scaffold);
        let written = self.nursery.run(Role::Supernode, &by.name, &arguments).await?;
        invoke::invitation(&written).ok_or(BirthError::NoInvitation { name: by.name.clone() })
    }

    async fn peer(&self, name: &str, invitation: &str) -> Result<Resident, BirthError> {
        let data = folder(self.dir, Role::Peer, name);
        let join = invoke::join(&data, invitation, name);
        self.nursery.run(Role::Peer, name, &join).await?;
        let run = invoke::run_peer(&data);
        let (process, mut feed) = self.nursery.start(Role::Peer, name, &run)?;
        let (began, node) = self.listening(&process, &mut feed).await?;
        let logged_in = loop {
            match self.next(&process, &mut feed, "did not log in").await? {
                (at, ApiEvent::LoggedIn { .. }) => break at,
                _ => continue,
            }
        };
        let mut peer = resident(name.to_owned(), node, &data, process);
        peer.login_ms = Some(logged_in.saturating_duration_since(began).as_secs_f64() * 1e3);
        Ok(peer)
    }

    async fn listening(
        &self,
        process: &Process,
        feed: &mut mpsc::UnboundedReceiver<Line>,
    ) -> Result<(Instant, String), BirthError> {
        loop {
            match self.next(process, feed, "did not listen").await? {
                (at, ApiEvent::Listening { node, .. }) => return Ok((at, node)),
                _ => continue,
            }
        }
    }

    /// The next event of a node, with its time.
    async fn next(
        &self,
        process: &Process,
        feed: &mut mpsc::UnboundedReceiver<Line>,
        what: &'static str,
    ) -> Result<(Instant, ApiEvent), BirthError> {
        let next = async {
            loop {
                let Some(line) = feed.recv().await else {
                    let status = process.ended().await;
                    return Err(self.nursery.failed(&process.name, status).into());
                };
                if let Some(event) = invoke::event(&line.text) {
                    return Ok((line.at, event));
                }
            }
        };
        match tokio::time::timeout(START_PATIENCE, next).await {
            Ok(next) => next,
            Err(_) => Err(BirthError::Late { name: process.name.clone(), what }),
        }
    }
}

fn resident(name: String, node: String, data: &Path, process: Process) -> Resident {
    let folder = Folder::at(data);
    let client = Client::new(folder.socket());
    Resident { name, node, folder, client, process, login_ms: None }
}

/// Lets those that live log out and end, the peers first.
///
/// Returns those that did not end with success in time, with what is known.
pub async fn end(population: &Population) -> Vec<(String, String)> {
    let mut failed = Vec::new();
    for residents in [&population.peers, &population.supernodes] {
        let living: Vec<&Resident> =
            residents.iter().filter(|resident| resident.process.exit().is_none()).collect();
        for resident in &living {
            resident.process.end();
        }
        let until = tokio::time::Instant::now() + END_PATIENCE;
        for resident in living {
            let what = match tokio::time::timeout_at(until, resident.process.ended()).await {
                Ok(Some(status)) if status.success() => continue,
                Ok(Some(status)) => format!("ended with {status}"),
                Ok(None) => "ended nobody knows how".to_owned(),
                Err(_) => format!("did not end within {} s", END_PATIENCE.as_secs()),
            };
            failed.push((resident.name.clone(), what));
        }
    }
    failed
}
