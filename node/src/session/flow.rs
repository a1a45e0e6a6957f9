//! Datagrams beside a stream: for what is worth nothing when it comes late, as sound and pictures.
//!
//! Each begins with the number of the stream that it belongs to, as HTTP datagrams do (RFC 9297): so
//! the stream's opening has already said what they are for, and who may send them.

use super::endpoint::Session;
use super::error::SessionError;
use super::socket::locked;
use overlay_proto::status::Status;
use quinn::{Connection, SendDatagramError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// The stream's number before each datagram, in bytes, big-endian.
const HEAD: usize = 8;
/// Datagrams of one stream that nobody has read yet; more are dropped, as on any network.
const UNREAD_MAX: usize = 256;

/// Who takes the datagrams of each stream of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Flows(Arc<Mutex<HashMap<u64, mpsc::Sender<Vec<u8>>>>>);

impl Flows {
    /// Hands datagrams out until the session is over.
    pub(super) async fn carry(self, connection: Connection) {
        while let Ok(datagram) = connection.read_datagram().await {
            let Some((head, bytes)) = datagram.split_first_chunk::<HEAD>() else { continue };
            if let Some(taker) = locked(&self.0).get(&u64::from_be_bytes(*head)) {
                // Whoever is too slow misses it.
                let _ = taker.try_send(bytes.to_vec());
            }
        }
        locked(&self.0).clear();
    }
}

/// Datagrams between the two ends of a stream, for as long as this is held: unordered, each there
/// once or not at all.
#[derive(Debug)]
pub struct Datagrams {
    stream: u64,
    session: Session,
    came: mpsc::Receiver<Vec<u8>>,
}

impl Datagrams {
    /// Those of the stream with this number, from now on.
    pub(super) fn of(stream: quinn::StreamId, session: Session) -> Datagrams {
        let stream = quinn::VarInt::from(stream).into_inner();
        let (taker, came) = mpsc::channel(UNREAD_MAX);
        locked(&session.flows.0).insert(stream, taker);
        Datagrams { stream, session, came }
    }

    /// Bytes that one may have now; none if the other end takes no datagrams. It changes with the
    /// way.
    pub fn bytes_max(&self) -> usize {
        self.session.connection.max_datagram_size().unwrap_or_default().saturating_sub(HEAD)
    }

    /// Sends one. If more are waiting than the way carries, the oldest are dropped.
    ///
    /// # Errors
    /// [`SessionError`]: it is too large for the way as it is now (413), or the session is over.
    pub fn send(&self, bytes: &[u8]) -> Result<(), SessionError> {
        self.session.touch();
        let whole = [self.stream.to_be_bytes().as_slice(), bytes].concat();
        self.session.connection.send_datagram(whole.into()).map_err(|error| match error {
            SendDatagramError::TooLarge => SessionError::refused(Status::TOO_LARGE),
            error => SessionError::broken(error),
        })
    }

    /// The next that comes; `None` when the session is over.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        self.came.recv().await
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        locked(&self.session.flows.0).remove(&self.stream);
    }
}
