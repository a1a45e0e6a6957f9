//! A peer inside another program: everything that `peer run` does, as a library.

use crate::api::{ApiEvent, Feed, Offers, Peer, presence, pump};
use crate::contacts::{ContactError, Contacts, Standing};
use crate::data::{DataError, Folder, Loaded, Lock, OwnStore};
use crate::driver::{self, Capture, CaptureError, Handle, Listen, Options, StartError};
use crate::mail::{InboxLetter, KeeperError, LetterKeeper, Wrote};
use crate::session::{
    Access, AlreadyServed, EndpointError, Listener, Recipient, Service, SessionError, Sessions,
    Stream,
};
use overlay_proto::Config;
use overlay_proto::id::{MessageId, NodeId};
use overlay_proto::io::{Command, Reply};
use overlay_proto::mail::MessageView;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::time::Span;
use overlay_proto::wire::Class;
use overlay_proto::wire::message::Found;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;

/// How a client runs.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where it listens.
    pub listen: Listen,
    /// Whether it makes direct links to those with whom much is exchanged. They show them its
    /// address.
    pub direct: bool,
    /// A file to make, into which the frames of all links go, in clear. For looking at a wire only.
    pub capture: Option<PathBuf>,
}

/// Why a client did not start.
#[derive(Debug, thiserror::Error)]
pub enum ClientStartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The folder is a supernode's.
    #[error("this data folder is a supernode's: join as a peer in another folder")]
    Supernode,
    /// The letters cannot be used.
    #[error(transparent)]
    Letters(#[from] KeeperError),
    /// The frames cannot be captured.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The node did not start.
    #[error(transparent)]
    Node(#[from] StartError),
    /// Sessions cannot be set up.
    #[error(transparent)]
    Sessions(#[from] EndpointError),
    /// A service that every peer has is served already.
    #[error(transparent)]
    Served(#[from] AlreadyServed),
}

/// The network, or the other side, has said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {}", status.way_out())]
pub struct Refused {
    /// Why.
    pub status: Status,
}

impl Default for ClientOptions {
    /// At any free port of all interfaces, with direct links.
    fn default() -> ClientOptions {
        let listen = Listen { ip: Ipv4Addr::UNSPECIFIED.into(), port: 0, announce: Vec::new() };
        ClientOptions { listen, direct: true, capture: None }
    }
}

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Refused {
        match reply {
            Reply::Failed { status } => Refused { status },
            other => {
                tracing::error!(?other, "a reply that fits no command of this kind");
                Refused { status: Status::INTERNAL }
            }
        }
    }
}

/// Whether a contact is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Whether a device of theirs is on line.
    pub online: bool,
    /// Whether they have said to be away; `None` if they do not say.
    pub away: Option<bool>,
    /// How long ago that was said.
    pub seen_ago: Duration,
}

/// A peer that runs in this program, with the user of one data folder.
#[derive(Debug)]
pub struct Client {
    name: Name,
    folder: Folder,
    handle: Handle,
    letters: Arc<LetterKeeper>,
    feed: Feed,
    sessions: Sessions,
    contacts: Contacts,
    pumped: JoinHandle<()>,
    _lock: Lock,
}

impl Client {
    /// Starts the peer of a data folder that `peer join` has made; [`Client::login`] comes next. To be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// [`ClientStartError`]; among them that another program runs on the folder.
    pub async fn start(
        folder: &Folder,
        options: ClientOptions,
    ) -> Result<Client, ClientStartError> {
        let Loaded { identity, contacts: hosts, .. } = folder.load(driver::wall())?;
        let lock = folder.lock()?;
        let name = identity.chain().and_then(|chain| chain.claimed_name().cloned());
        let name = name.ok_or(ClientStartError::Supernode)?;
        let inbox = folder.inbox()?;
        let contacts = Contacts::open(folder)?;
        let device = identity.device.clone();
        let devices = folder.devices()?;
        let (letters, kept) = LetterKeeper::open(folder, identity.node()).await?;
        let letters = Arc::new(letters);
        let capture = options.capture.map(|path| Capture::create(&path)).transpose()?;
        let handle = driver::start(Options {
            identity: Arc::new(identity),
            config: Arc::new(Config { direct: options.direct, ..Config::default() }),
            hosts: folder.hosts(&hosts),
            listen: options.listen,
            store: Some(Arc::new(OwnStore::new(folder.clone()))),
            keeper: Some(letters.clone()),
            measure_logins: false,
            capture: capture.map(Arc::new),
        })
        .await?;
        handle.recall(folder.revocations(), devices).await;
        handle.recall_letters(kept).await;
        let sessions = Sessions::start(&handle, &device)?.unwrap_or_else(|| {
            unreachable!("the sessions of a node that has just started are nobody's yet")
        });
        contacts.serve(&sessions)?;
        let feed = Feed::default();
        let pumped = pump(&handle, feed.clone(), folder.clone(), Some(inbox));
        let folder = folder.clone();
        Ok(Client { name, folder, handle, letters, feed, sessions, contacts, pumped, _lock: lock })
    }

    /// The user.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The node beneath, for what is not here.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The address book.
    pub fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// Logs in, and from then on stays logged in as long as there is a supernode. Answers where.
    ///
    /// # Errors
    /// [`Refused`]. Unless the certificate is not taken it goes on trying.
    pub async fn login(&self) -> Result<NodeId, Refused> {
        match self.handle.command(Command::Login).await {
            Reply::LoggedIn { home, .. } => Ok(home),
            other => Err(other.into()),
        }
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<ApiEvent> {
        self.feed.listen()
    }

    /// Sends a text that is to arrive now or never. Returns when a device of the recipient has it,
    /// with the hops it took.
    ///
    /// # Errors
    /// [`Refused`]: nobody there, no such user, no way.
    pub async fn send(&self, to: &Name, text: String) -> Result<u8, Refused> {
        match self.handle.command(Command::Send { to: to.clone(), text }).await {
            Reply::Delivered { hops, .. } => Ok(hops),
            other => Err(other.into()),
        }
    }

    /// Writes a message that waits for its recipient, for `life` or thirty days. It is on the disk
    /// when this returns; [`ApiEvent::MailEnded`] tells its end.
    ///
    /// # Errors
    /// [`Refused`]: too large, or the outbox is full.
    pub async fn send_message(
        &self,
        to: &Name,
        text: &str,
        life: Option<Span>,
    ) -> Result<MessageId, Refused> {
        let body = text.as_bytes().to_vec();
        let sent_ms = driver::wall().0;
        match self.handle.command(Command::Write { to: to.clone(), body, life }).await {
            Reply::Written { id } => {
                let wrote = Wrote { id, to: to.clone(), sent_ms, text: text.to_owned() };
                self.letters.wrote(wrote).await;
                Ok(id)
            }
            other => Err(other.into()),
        }
    }

    /// The oldest messages that came with a number above `after`; a few hundred at most.
    pub async fn messages(&self, after: u64) -> Vec<InboxLetter> {
        self.letters.inbox(after).await
    }

    /// What has become of the messages written.
    pub async fn sent_messages(&self) -> Vec<MessageView> {
        self.handle.messages().await
    }

    /// Opens a stream to a service of a user; [`Stream::datagrams`] are beside it. Of several devices
    /// the newest on line is asked, then the others; a [`Recipient`] may name one.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open_stream(
        &self,
        to: impl Into<Recipient>,
        service: &Service,
        class: Class,
    ) -> Result<Stream, SessionError> {
        self.sessions.open(to, service, class).await
    }

    /// Asks a service of a user, as [`Client::open_stream`] does. Called off when the deadline has passed or the future is dropped.
    ///
    /// # Errors
    /// [`SessionError`], the service's own refusals among them.
    pub async fn request(
        &self,
        to: impl Into<Recipient>,
        service: &Service,
        body: &[u8],
        deadline: Duration,
    ) -> Result<Vec<u8>, SessionError> {
        self.sessions.request(to, service, body, deadline).await
    }

    /// Takes the streams of a service, for contacts only: [`Client::listen_to`] lets in others.
    ///
    /// # Errors
    /// [`AlreadyServed`].
    pub fn listen(&self, service: Service) -> Result<Listener, AlreadyServed> {
        self.listen_to(service, self.contacts.access())
    }

    /// Takes the streams that those may open whom `access` lets in.
    ///
    /// # Errors
    /// [`AlreadyServed`].
    pub fn listen_to(&self, service: Service, access: Access) -> Result<Listener, AlreadyServed> {
        self.sessions.listen(service, access)
    }

    /// Answers the requests of contacts until the returned task is aborted. The handler gets who asks
    /// and the body.
    ///
    /// # Errors
    /// [`AlreadyServed`].
    pub fn serve<H, F>(&self, service: Service, handler: H) -> Result<JoinHandle<()>, AlreadyServed>
    where
        H: Fn(Name, Vec<u8>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<u8>, SessionError>> + Send + 'static,
    {
        self.sessions.serve(service, self.contacts.access(), handler)
    }

    /// Where a user's devices are, the newest record first.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn lookup(&self, name: &Name) -> Result<Vec<Found>, Refused> {
        match self.handle.command(Command::Lookup { name: name.clone() }).await {
            Reply::Located { found, .. } => Ok(found),
            other => Err(other.into()),
        }
    }

    /// Whether a contact is there; `None` of others, and if nobody knows.
    pub async fn presence(&self, name: &Name) -> Option<Presence> {
        if self.contacts.book().standing(name) != Some(Standing::Contact) {
            return None;
        }
        let (online, age_ms) = presence(&self.handle, name).await?;
        let away = match online {
            true => self.contacts.is_contact_away(&self.sessions, name).await,
            false => None,
        };
        Some(Presence { online, away, seen_ago: Duration::from_millis(age_ms) })
    }

    /// Takes a user as a contact: accepts their request, or asks them, with a greeting. Answers
    /// whether they have been told; else they will be, when they are on line.
    ///
    /// # Errors
    /// [`ContactError`].
    pub async fn add_contact(&self, name: &Name, greeting: &str) -> Result<bool, ContactError> {
        self.contacts.add(&self.sessions, name, greeting).await
    }

    /// What the routes of the control socket work on.
    pub(crate) fn routed(&self, logged_out: Arc<Notify>) -> Peer {
        Peer {
            handle: self.handle.clone(),
            folder: self.folder.clone(),
            letters: Some(self.letters.clone()),
            feed: self.feed.clone(),
            sessions: self.sessions.clone(),
            contacts: self.contacts.clone(),
            offers: Offers::default(),
            logged_out,
        }
    }

    /// Ends the sessions and logs out. What has been promised is kept for the next start.
    pub async fn leave(&self) {
        self.sessions.close().await;
        self.handle.shutdown().await;
    }

    /// Leaves, and returns when all that came is on the disk.
    pub async fn shutdown(self) {
        self.leave().await;
        let Client { handle, letters, pumped, .. } = self;
        drop(handle);
        // What came last is in the inbox before this ends.
        let _ = pumped.await;
        if let Some(letters) = Arc::into_inner(letters) {
            letters.close().await;
        }
    }
}
