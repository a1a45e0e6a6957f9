//! How a node comes to life.

use super::capacity::Capacity;
use super::clock::{self, Clock};
use super::event_loop::{EventLoop, Owner};
use super::handle::Handle;
use super::port;
use super::{Options, Stores};
use crate::transport::{ListenError, Started, Tally, Transport};
use overlay_proto::Node;
use overlay_proto::node::Setup;
use rand::TryRng;
use rand::rngs::SysRng;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, watch};

/// Requests of handles waiting for the loop. More wait in their callers.
const REQUESTS_MAX: usize = 64;
/// Events kept for a receiver that is behind.
const EVENTS_MAX: usize = 1_024;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program, or this node a second time, listens on the port.
    #[error(
        "port {port} is in use: end the program that has it (`ss -tulpn | grep {port}` names it), \
         or choose another port"
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The machine does not let it listen there.
    #[error(
        "cannot listen on {ip} port {port}: {source}; give an address of this machine, or 0.0.0.0 \
         for all of them, and a port above 1023"
    )]
    Listen {
        /// Where.
        ip: IpAddr,
        /// The port that was asked for.
        port: u16,
        /// What the machine said.
        source: io::Error,
    },
    /// An address to announce is not one.
    #[error("{text:?} is not a multiaddr to announce: write it like /ip4/203.0.113.5/tcp/4001")]
    Announce {
        /// What was given.
        text: String,
    },
    /// The handshakes could not be set up.
    #[error("the transport cannot be set up: {reason}; this is a bug, please report it")]
    Transport {
        /// Why.
        reason: String,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {reason}; try again when it has started up")]
    Randomness {
        /// Why.
        reason: String,
    },
}

/// Starts a node: listens, and runs its tasks until [`Handle::shutdown`]. To be called within a
/// tokio runtime.
///
/// # Errors
/// [`StartError`].
pub async fn start(options: Options) -> Result<Handle, StartError> {
    let Options { identity, config, hosts, listen, store, keeper, measure_logins, capture } =
        options;
    let seed = seed()?;
    let tally = Arc::new(Tally::default());
    let started = Transport::start(
        &identity.device,
        listen.ip,
        listen.port,
        &listen.announce,
        Arc::clone(&tally),
        capture,
    )
    .await
    .map_err(|error| refused(error, listen.ip, listen.port))?;
    let Started { transport, arrivals, addresses } = started;

    let clock = Clock::start();
    let id = identity.node();
    let measures = measure_logins && identity.supernode.is_some();
    let node = Node::new(Setup { config, identity, hosts, seed, wall: clock::wall() }, clock.now());
    let (requests, requests_in) = mpsc::channel(REQUESTS_MAX);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let handle = {
        let (announced, addresses) = watch::channel(addresses);
        let events_weak = events.downgrade();
        let (port, inlet) = port::port();
        let owner = Owner { events, announced, tally, sessions: inlet.outlet };
        let capacity = measures.then(Capacity::guessed);
        let stores = Stores { store, keeper };
        let driver = EventLoop::new(node, clock, transport, stores, owner, capacity);
        tokio::spawn(driver.run(requests_in, arrivals, inlet.outbound));
        let port = Arc::new(Mutex::new(Some(port)));
        Handle { id, requests, events: events_weak, addresses, port }
    };
    tracing::info!(node = %id, addresses = ?handle.addresses(), "node started");
    Ok(handle)
}

fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    SysRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| StartError::Randomness { reason: error.to_string() })?;
    Ok(seed)
}

fn refused(error: ListenError, ip: IpAddr, port: u16) -> StartError {
    match error {
        ListenError::PortInUse(port) => StartError::PortInUse { port },
        ListenError::Io(source) => StartError::Listen { ip, port, source },
        ListenError::Announce(text) => StartError::Announce { text },
        ListenError::Handshake(reason) => StartError::Transport { reason },
    }
}
