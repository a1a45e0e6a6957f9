//! What an application asks for: streams and requests to users by name, and those of others.

use super::endpoint::{EndpointError, Endpoints, Session};
use super::error::SessionError;
use super::listener::{Access, AlreadyServed, Listener, Registry};
use super::opening::{Opening, Service, receive_answer, send_answer};
use super::recipient::Recipient;
use super::settings::{CLASSES, OPENING_PATIENCE, SESSIONS_MAX};
use super::stream::{Incoming, Stream, refuse, status_of};
use super::turns::Turns;
use crate::driver::Handle;
use crate::driver::Port;
use overlay_proto::id::NodeId;
use overlay_proto::identity::SecretKey;
use overlay_proto::io::Event;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::wire::Class;
use quinn::VarInt;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::{interval, timeout};
use tracing::debug;

/// Largest body of a request or of its answer, in bytes. What is larger is a stream.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// How often sessions that nobody needs are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// The sessions of a node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    handle: Handle,
    endpoints: Endpoints,
    registry: Registry,
    /// Sessions that others have begun.
    taken: AtomicUsize,
    /// Devices that were shut out while there was a session.
    out: watch::Sender<BTreeSet<NodeId>>,
}

impl Sessions {
    /// Begins to take sessions. `None` if that has been done for this node before.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn start(handle: &Handle, device: &SecretKey) -> Result<Option<Sessions>, EndpointError> {
        let Some(port) = handle.take_port() else { return Ok(None) };
        Sessions::over(handle, device, port).map(Some)
    }

    /// Takes sessions whose datagrams go by this port.
    pub(super) fn over(
        handle: &Handle,
        device: &SecretKey,
        port: Port,
    ) -> Result<Sessions, EndpointError> {
        let endpoints = Endpoints::new(handle.id(), device, port)?;
        let shared = Shared {
            handle: handle.clone(),
            endpoints,
            registry: Registry::default(),
            taken: AtomicUsize::new(0),
            out: watch::Sender::default(),
        };
        let sessions = Sessions(Arc::new(shared));
        for class in CLASSES {
            tokio::spawn(take_sessions(sessions.clone(), class));
        }
        tokio::spawn(tidy(Arc::downgrade(&sessions.0)));
        tokio::spawn(watch_outcasts(Arc::downgrade(&sessions.0), handle.events()));
        Ok(sessions)
    }

    /// Opens a stream to a user: to the newest device on line, and if that does not serve it, to the
    /// others in turn; or to the one device that is named. `class` says which traffic it competes
    /// with.
    ///
    /// # Errors
    /// [`SessionError`]: the user is off line, does not serve that, or the session broke.
    pub async fn open(
        &self,
        to: impl Into<Recipient>,
        service: &Service,
        class: Class,
    ) -> Result<Stream, SessionError> {
        let to = to.into();
        let mut turns = Turns::new(&self.0.handle, &to);
        let mut node = turns.first().await?;
        loop {
            let refusal = match self.open_at(node, to.name(), service, class).await {
                Err(error) if error.status() == Status::NOT_SERVED => error,
                opened => return opened,
            };
            node = turns.next().await.ok_or(refusal)?;
        }
    }

    async fn open_at(
        &self,
        node: NodeId,
        to: &Name,
        service: &Service,
        class: Class,
    ) -> Result<Stream, SessionError> {
        let opening = Opening { service: service.clone(), deadline: None };
        let mut stream = self.begin(node, to, &opening, class).await?;
        stream.take_datagrams();
        let answered = timeout(OPENING_PATIENCE, receive_answer(&mut stream.recv)).await;
        let answered = answered.map_err(|_| SessionError::refused(Status::TIMEOUT))?;
        let (status, sentence) = answered.map_err(|error| self.why(stream.node(), error.into()))?;
        match status.is_success() {
            true => Ok(stream),
            false => Err(SessionError::Refused { status, sentence }),
        }
    }

    /// Sends `body` to a service and returns its answer; the device is chosen as by
    /// [`Sessions::open`]. Cancelled when the deadline has passed or the future is dropped.
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
        if body.len() > REQUEST_BYTES_MAX {
            return Err(SessionError::refused(Status::TOO_LARGE));
        }
        let opening = Opening { service: service.clone(), deadline: Some(deadline) };
        let to = to.into();
        let asked = async {
            let mut turns = Turns::new(&self.0.handle, &to);
            let mut node = turns.first().await?;
            loop {
                let mut stream = self.begin(node, to.name(), &opening, Class::Message).await?;
                let refusal = match exchange(&mut stream, body).await {
                    Err(error) if error.status() == Status::NOT_SERVED => error,
                    answered => return answered.map_err(|error| self.why(node, error)),
                };
                node = turns.next().await.ok_or(refusal)?;
            }
        };
        timeout(deadline, asked).await.map_err(|_| SessionError::refused(Status::TIMEOUT))?
    }

    /// Serves streams.
    ///
    /// # Errors
    /// [`AlreadyServed`].
    pub fn listen(&self, service: Service, access: Access) -> Result<Listener, AlreadyServed> {
        self.0.registry.listen(service, access)
    }

    /// Answers requests until the returned task is aborted. The handler gets who asks and the body.
    ///
    /// # Errors
    /// [`AlreadyServed`].
    pub fn serve<H, F>(
        &self,
        service: Service,
        access: Access,
        handler: H,
    ) -> Result<tokio::task::JoinHandle<()>, AlreadyServed>
    where
        H: Fn(Name, Vec<u8>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<u8>, SessionError>> + Send + 'static,
    {
        let mut listener = self.listen(service, access)?;
        let handler = Arc::new(handler);
        Ok(tokio::spawn(async move {
            // Dropped with the task, and every request under way with it.
            let mut under_way = tokio::task::JoinSet::new();
            while let Some(incoming) = listener.next().await {
                while under_way.try_join_next().is_some() {}
                under_way.spawn(answer(incoming, Arc::clone(&handler)));
            }
        }))
    }

    /// Ends all sessions in good order.
    pub async fn close(&self) {
        self.0.endpoints.close().await;
    }

    /// Why something broke: perhaps because the other end was shut out meanwhile.
    fn why(&self, node: NodeId, error: SessionError) -> SessionError {
        match error {
            SessionError::Broken { .. } if self.0.out.borrow().contains(&node) => {
                SessionError::refused(Status::REVOKED)
            }
            error => error,
        }
    }

    /// A stream on which the opening has been sent.
    pub(super) async fn begin(
        &self,
        node: NodeId,
        to: &Name,
        opening: &Opening,
        class: Class,
    ) -> Result<Stream, SessionError> {
        let session = self.session(node, class).await?;
        let (mut send, recv) = session.connection.open_bi().await?;
        opening.send(&mut send).await?;
        Ok(Stream::new(send, recv, to.clone(), session))
    }

    async fn session(&self, node: NodeId, class: Class) -> Result<Session, SessionError> {
        let (session, fresh) = self.0.endpoints.connect(node, class).await?;
        if fresh {
            tokio::spawn(take_streams(self.clone(), session.clone()));
        }
        Ok(session)
    }
}

/// Takes the sessions of one class that others begin.
async fn take_sessions(sessions: Sessions, class: Class) {
    let Some(endpoint) = sessions.0.endpoints.endpoint(class) else { return };
    while let Some(incoming) = endpoint.accept().await {
        if sessions.0.taken.load(Ordering::Relaxed) >= SESSIONS_MAX {
            incoming.refuse();
            continue;
        }
        sessions.0.taken.fetch_add(1, Ordering::Relaxed);
        let sessions = sessions.clone();
        tokio::spawn(async move {
            match sessions.0.endpoints.take(incoming, class).await {
                Ok(session) => take_streams(sessions.clone(), session).await,
                Err(error) => debug!(%error, "a session was not taken"),
            }
            sessions.0.taken.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Takes the streams of one session until it ends.
async fn take_streams(sessions: Sessions, session: Session) {
    let Some(user) = sessions.0.handle.correspondent(session.node).await else {
        session.connection.close(VarInt::from_u32(Status::UNPROVEN.0.into()), b"who are you?");
        return;
    };
    let mut out = sessions.0.out.subscribe();
    tokio::select! {
        () = take_streams_of(&sessions, &session, user) => {}
        Ok(_) = out.wait_for(|out| out.contains(&session.node)) => {
            session.connection.close(VarInt::from_u32(Status::REVOKED.0.into()), b"shut out");
        }
    }
}

async fn take_streams_of(sessions: &Sessions, session: &Session, user: Name) {
    loop {
        match session.connection.accept_bi().await {
            Ok((send, recv)) => {
                session.touch();
                let stream = Stream::new(send, recv, user.clone(), session.clone());
                tokio::spawn(take_stream(sessions.clone(), stream));
            }
            Err(error) => return debug!(node = ?session.node, %error, "session over"),
        }
    }
}

async fn take_stream(sessions: Sessions, mut stream: Stream) {
    match timeout(OPENING_PATIENCE, Opening::receive(&mut stream.recv)).await {
        Ok(Ok(Opening { service, deadline })) => {
            sessions.0.registry.offer(Incoming::new(stream, service, deadline)).await;
        }
        Ok(Err(_)) => {
            refuse(stream, Status::MALFORMED, "the stream's opening could not be read").await;
        }
        Err(_) => stream.abort(Status::TIMEOUT),
    }
}

/// Asks on a stream and reads the answer.
pub(super) async fn exchange(stream: &mut Stream, body: &[u8]) -> Result<Vec<u8>, SessionError> {
    let written = async {
        stream.write_all(body).await?;
        stream.shutdown().await
    }
    .await;
    // Who refuses reads no more, and says why all the same.
    match receive_answer(&mut stream.recv).await {
        Ok((status, sentence)) if !status.is_success() => {
            return Err(SessionError::Refused { status, sentence });
        }
        answered => {
            written.map_err(SessionError::broken)?;
            answered?;
        }
    }
    read_body(stream).await
}

async fn answer<H, F>(incoming: Incoming, handler: Arc<H>)
where
    H: Fn(Name, Vec<u8>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<u8>, SessionError>> + Send + 'static,
{
    let deadline = incoming.deadline().unwrap_or(OPENING_PATIENCE);
    let Some(mut stream) = incoming.take() else { return };
    let user = stream.with().clone();
    let answered = timeout(deadline, async {
        let body = read_body(&mut stream).await?;
        handler(user, body).await
    });
    let answered = answered.await.unwrap_or_else(|_| Err(SessionError::refused(Status::TIMEOUT)));
    match answered {
        Ok(body) if body.len() <= REQUEST_BYTES_MAX => {
            // Whoever has gone needs no answer.
            let _ = send_answer(&mut stream.send, Status::OK, "").await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
            let _ = stream.taken().await;
        }
        Ok(_) => refuse(stream, Status::INTERNAL, "the service's answer is too large").await,
        Err(error) => refuse(stream, error.status(), &error.to_string()).await,
    }
}

async fn read_body(stream: &mut Stream) -> Result<Vec<u8>, SessionError> {
    stream.recv.read_to_end(REQUEST_BYTES_MAX).await.map_err(|error| match error {
        quinn::ReadToEndError::TooLong => SessionError::refused(Status::TOO_LARGE),
        quinn::ReadToEndError::Read(quinn::ReadError::Reset(code)) => {
            SessionError::refused(status_of(code))
        }
        quinn::ReadToEndError::Read(error) => SessionError::broken(error),
    })
}

async fn tidy(shared: std::sync::Weak<Shared>) {
    let mut every = interval(TIDY_EVERY);
    loop {
        every.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.endpoints.tidy();
    }
}

/// Ends the sessions with who is out.
async fn watch_outcasts(shared: std::sync::Weak<Shared>, mut events: broadcast::Receiver<Event>) {
    loop {
        let happened = events.recv().await;
        let Some(shared) = shared.upgrade() else { return };
        let out = match happened {
            Ok(Event::ShutOut { node, .. }) => vec![node],
            Ok(_) => continue,
            // It may have been among those that were missed: the core knows none of them any more.
            Err(RecvError::Lagged(_)) => {
                let mut unknown = Vec::new();
                for node in shared.endpoints.nodes() {
                    if shared.handle.correspondent(node).await.is_none() {
                        unknown.push(node);
                    }
                }
                unknown
            }
            Err(RecvError::Closed) => return,
        };
        shared.out.send_modify(|all| all.extend(out));
    }
}
