//! One QUIC endpoint a class, and the sessions under way on them.

use super::address::Directory;
use super::error::SessionError;
use super::flow::Flows;
use super::settings::{self, CLASSES, HANDSHAKE_PATIENCE, UNUSED_MAX};
use super::socket::{OverlaySocket, locked};
use super::tls::{Tls, TlsError, node_of};
use crate::driver::Port;
use overlay_proto::id::NodeId;
use overlay_proto::identity::SecretKey;
use overlay_proto::status::Status;
use overlay_proto::wire::Class;
use quinn::rustls::pki_types::CertificateDer;
use quinn::{Connection, Endpoint, Incoming, TokioRuntime, VarInt};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::time::timeout;

/// What QUIC is told for a server's name. Nobody reads it: the key is checked.
const NO_NAME: &str = "node.invalid";
/// The code with which a session that is not needed any more is closed.
pub(super) const DONE: VarInt = VarInt::from_u32(0);

/// Why the endpoints could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// QUIC could not be set up.
    #[error("QUIC cannot be set up: {0}; this is a bug, please report it")]
    Quic(#[from] io::Error),
}

/// The endpoints of a node.
#[derive(Debug)]
pub(super) struct Endpoints {
    tls: Tls,
    directory: Arc<Mutex<Directory>>,
    endpoints: HashMap<Class, Endpoint>,
    sessions: Mutex<HashMap<(NodeId, Class), Session>>,
}

/// One QUIC connection with another device. Whoever holds a clone keeps it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) node: NodeId,
    pub(super) flows: Flows,
    used: Arc<Mutex<Instant>>,
}

impl Session {
    fn new(connection: Connection, node: NodeId) -> Session {
        let flows = Flows::default();
        tokio::spawn(flows.clone().carry(connection.clone()));
        Session { connection, node, flows, used: Arc::new(Mutex::new(Instant::now())) }
    }

    pub(super) fn touch(&self) {
        *locked(&self.used) = Instant::now();
    }

    fn is_unused(&self) -> bool {
        // One is held by the table and one by the task that takes the other end's streams.
        Arc::strong_count(&self.used) <= 2 && locked(&self.used).elapsed() >= UNUSED_MAX
    }
}

impl Endpoints {
    pub(super) fn new(
        me: NodeId,
        device: &SecretKey,
        port: Port,
    ) -> Result<Endpoints, EndpointError> {
        let tls = Tls::new(device)?;
        let directory = Arc::new(Mutex::new(Directory::default()));
        let Port { outbound, inbound } = port;
        let crypto: Arc<dyn quinn::crypto::ServerConfig> = Arc::new(tls.server()?);
        let mut endpoints = HashMap::new();
        for (class, inbound) in Class::ALL.into_iter().zip(inbound) {
            if !CLASSES.contains(&class) {
                continue;
            }
            let socket =
                OverlaySocket::new(class, me, Arc::clone(&directory), outbound.clone(), inbound);
            let mut server = quinn::ServerConfig::with_crypto(Arc::clone(&crypto));
            server.transport_config(settings::transport(class));
            // The core's binding has proven the address already, and it never changes.
            server.migration(false);
            let endpoint = Endpoint::new_with_abstract_socket(
                settings::endpoint(device),
                Some(server),
                Arc::new(socket),
                Arc::new(TokioRuntime),
            )?;
            endpoints.insert(class, endpoint);
        }
        Ok(Endpoints { tls, directory, endpoints, sessions: Mutex::default() })
    }

    /// The session with a device that the core has met, begun if there is none.
    pub(super) async fn connect(
        &self,
        node: NodeId,
        class: Class,
    ) -> Result<(Session, bool), SessionError> {
        if let Some(session) = self.living(node, class) {
            return Ok((session, false));
        }
        let endpoint =
            self.endpoints.get(&class).ok_or_else(|| SessionError::refused(Status::INTERNAL))?;
        let address = locked(&self.directory).remember(node);
        let crypto = self.tls.client(node).map_err(SessionError::broken)?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(settings::transport(class));
        let connecting =
            endpoint.connect_with(config, address, NO_NAME).map_err(SessionError::broken)?;
        let connection = match timeout(HANDSHAKE_PATIENCE, connecting).await {
            Ok(connected) => connected?,
            Err(_) => return Err(SessionError::refused(Status::TIMEOUT)),
        };
        let session = Session::new(connection, node);
        Ok((self.keep(session, class), true))
    }

    /// Completes a handshake that another device has begun, and sees who it is.
    pub(super) async fn take(
        &self,
        incoming: Incoming,
        class: Class,
    ) -> Result<Session, SessionError> {
        let address = incoming.remote_address();
        let connection = match timeout(HANDSHAKE_PATIENCE, incoming).await {
            Ok(connected) => connected?,
            Err(_) => return Err(SessionError::refused(Status::TIMEOUT)),
        };
        let node = proven(&connection);
        let claimed = locked(&self.directory).node_of(address);
        match node.filter(|node| claimed == Some(*node)) {
            Some(node) => {
                let session = Session::new(connection, node);
                Ok(self.keep(session, class))
            }
            None => {
                connection.close(VarInt::from_u32(Status::UNPROVEN.0.into()), b"not its key");
                Err(SessionError::refused(Status::UNPROVEN))
            }
        }
    }

    pub(super) fn endpoint(&self, class: Class) -> Option<Endpoint> {
        self.endpoints.get(&class).cloned()
    }

    /// The devices with which there are sessions.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        locked(&self.sessions).keys().map(|(node, _)| *node).collect()
    }

    fn living(&self, node: NodeId, class: Class) -> Option<Session> {
        let mut sessions = locked(&self.sessions);
        let session = sessions.get(&(node, class))?.clone();
        if session.connection.close_reason().is_some() {
            sessions.remove(&(node, class));
            return None;
        }
        session.touch();
        Some(session)
    }

    /// Keeps the newest session: if both ends have begun one, each goes on with its own.
    fn keep(&self, session: Session, class: Class) -> Session {
        locked(&self.sessions).insert((session.node, class), session.clone());
        session
    }

    /// Ends sessions that nobody has used for a while and forgets those that are over.
    pub(super) fn tidy(&self) {
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, session| {
            if session.is_unused() {
                session.connection.close(DONE, b"unused");
            }
            session.connection.close_reason().is_none()
        });
    }

    /// Ends all sessions, and waits until the other ends have been told.
    pub(super) async fn close(&self) {
        for endpoint in self.endpoints.values() {
            endpoint.close(DONE, b"the other side ends");
        }
        let idle = self.endpoints.values().map(Endpoint::wait_idle);
        futures::future::join_all(idle).await;
    }
}

/// The node whose key the other end has proven to have.
fn proven(connection: &Connection) -> Option<NodeId> {
    let identity = connection.peer_identity()?;
    let shown = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    shown.first().and_then(|key| node_of(key))
}
