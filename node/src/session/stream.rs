//! One stream of a session: bytes both ways, in order, to a user who is proven.

use super::endpoint::Session;
use super::error::SessionError;
use super::flow::Datagrams;
use super::opening::{Service, send_answer};
use overlay_proto::id::NodeId;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use quinn::{RecvStream, SendStream, VarInt};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that both sides want. To be read and written as any other; shutting it down says that
/// nothing more follows, dropping it before breaks it off.
#[derive(Debug)]
pub struct Stream {
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
    with: Name,
    session: Session,
    datagrams: Option<Datagrams>,
}

impl Stream {
    pub(super) fn new(send: SendStream, recv: RecvStream, with: Name, session: Session) -> Stream {
        Stream { send, recv, with, session, datagrams: None }
    }

    /// From now on datagrams are taken, though nobody has asked for them yet: the other end may
    /// send some as soon as it has its answer.
    pub(super) fn take_datagrams(&mut self) {
        self.datagrams = Some(Datagrams::of(self.send.id(), self.session.clone()));
    }

    /// The datagrams beside this stream; `None` if they have been taken. Those that come before are
    /// kept, up to a limit.
    pub fn datagrams(&mut self) -> Option<Datagrams> {
        self.datagrams.take()
    }

    /// The user at the other end, by certificate.
    pub fn with(&self) -> &Name {
        &self.with
    }

    /// The device at the other end, by its key.
    pub fn node(&self) -> NodeId {
        self.session.node
    }

    /// The round-trip time of late.
    pub fn rtt(&self) -> Duration {
        self.session.connection.rtt()
    }

    /// Waits until the other end has all that was written, once it has been shut down.
    ///
    /// # Errors
    /// [`SessionError::Broken`], if the other end has stopped reading or the session broke.
    pub async fn taken(&mut self) -> Result<(), SessionError> {
        match self.send.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(SessionError::refused(status_of(code))),
            Err(error) => Err(SessionError::broken(error)),
        }
    }

    /// Breaks the stream off, both ways, and says why.
    pub fn abort(mut self, status: Status) {
        let code = VarInt::from_u32(status.0.into());
        // Both may be over already.
        let _ = self.send.reset(code);
        let _ = self.recv.stop(code);
    }
}

/// The status that a stream was broken off with.
pub(super) fn status_of(code: VarInt) -> Status {
    u16::try_from(code.into_inner()).map_or(Status::INTERNAL, |code| match code {
        0 => Status::TIMEOUT,
        code => Status(code),
    })
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.session.touch();
        AsyncRead::poll_read(Pin::new(&mut self.recv), cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.session.touch();
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.send), cx)
    }
}

/// A stream that another user wants. Dropped, it is refused.
#[derive(Debug)]
pub struct Incoming {
    stream: Option<Stream>,
    service: Service,
    deadline: Option<Duration>,
}

impl Incoming {
    pub(super) fn new(stream: Stream, service: Service, deadline: Option<Duration>) -> Incoming {
        Incoming { stream: Some(stream), service, deadline }
    }

    /// Who wants it, by certificate. `None` once it is answered.
    pub fn from(&self) -> Option<&Name> {
        self.stream.as_ref().map(Stream::with)
    }

    /// What it is for.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// How long the other end waits, if it says so.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Takes it.
    ///
    /// # Errors
    /// [`SessionError::Broken`].
    pub async fn accept(mut self) -> Result<Stream, SessionError> {
        let Some(mut stream) = self.stream.take() else {
            return Err(SessionError::refused(Status::INTERNAL));
        };
        stream.take_datagrams();
        send_answer(&mut stream.send, Status::OK, "").await?;
        Ok(stream)
    }

    /// Takes it without an answer yet: that of a request comes with its result.
    pub(super) fn take(mut self) -> Option<Stream> {
        self.stream.take()
    }

    /// Refuses it and says why.
    pub async fn refuse(mut self, status: Status, sentence: &str) {
        if let Some(stream) = self.stream.take() {
            refuse(stream, status, sentence).await;
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.abort(Status::NOT_SERVED);
        }
    }
}

/// Answers with no, and reads nothing more.
pub(super) async fn refuse(mut stream: Stream, status: Status, sentence: &str) {
    // Whoever has gone needs no answer.
    let _ = send_answer(&mut stream.send, status, sentence).await;
    let _ = stream.send.finish();
    let _ = stream.recv.stop(VarInt::from_u32(status.0.into()));
    let _ = stream.send.stopped().await;
}
