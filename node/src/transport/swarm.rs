//! How the swarm is made: transports, handshakes, limits.

use super::address::keypair;
use super::closing::InTime;
use super::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_NODE_MAX, HANDSHAKE_PATIENCE, LINKLESS_PATIENCE,
    NEGOTIATING_MAX, OUTBOUND_PENDING_MAX, QUIC_CONNECTION_BYTES_MAX, QUIC_IDLE_MAX,
    QUIC_KEEP_ALIVE, QUIC_STREAM_BYTES_MAX, SUBSTREAMS_MAX,
};
use super::link_behaviour::LinkBehaviour;
use super::listen::ListenError;
use super::shares::Shares;
use super::turns::InTurns;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, Swarm, SwarmBuilder, Transport, noise, quic, tcp, yamux};
use overlay_proto::identity::SecretKey;
use std::error::Error;

/// What runs on every connection.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    /// These first, so that they refuse before the link is prepared.
    pub(crate) shares: Shares,
    limits: connection_limits::Behaviour,
    link: LinkBehaviour,
}

/// A swarm that neither listens nor dials yet.
///
/// # Errors
/// [`ListenError::Handshake`], if Noise cannot be set up.
pub(crate) fn build(device: &SecretKey) -> Result<Swarm<Behaviour>, ListenError> {
    let swarm = SwarmBuilder::with_existing_identity(keypair(device))
        .with_tokio()
        .with_quic_config(quic_config)
        .with_other_transport(tcp)
        .map_err(|error| ListenError::Handshake(error.to_string()))?
        .with_behaviour(|_| Behaviour {
            shares: Shares::default(),
            limits: connection_limits::Behaviour::new(limits()),
            link: LinkBehaviour::default(),
        })
        .map_err(|never| ListenError::Handshake(never.to_string()))?
        .with_swarm_config(|config| {
            config
                .with_idle_connection_timeout(LINKLESS_PATIENCE)
                .with_max_negotiating_inbound_streams(NEGOTIATING_MAX)
        })
        .with_connection_timeout(HANDSHAKE_PATIENCE)
        .build();
    Ok(swarm)
}

/// TCP with Noise and Yamux, as libp2p's builder makes it, but handshakes take turns, and connections are
/// closed in time.
fn tcp(keys: &Keypair) -> Result<InTurns<(PeerId, StreamMuxerBox)>, Box<dyn Error + Send + Sync>> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(keys)?)
        .multiplex(yamux_config())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(InTime::new(muxer))));
    Ok(InTurns::new(tcp.boxed()))
}

fn limits() -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_pending_outgoing(Some(OUTBOUND_PENDING_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_NODE_MAX))
        .with_max_established(Some(CONNECTIONS_MAX))
}

fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(SUBSTREAMS_MAX as usize);
    config
}

fn quic_config(mut config: quic::Config) -> quic::Config {
    config.handshake_timeout = HANDSHAKE_PATIENCE;
    config.max_idle_timeout = QUIC_IDLE_MAX.as_millis() as u32;
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_concurrent_stream_limit = SUBSTREAMS_MAX;
    config.max_stream_data = QUIC_STREAM_BYTES_MAX;
    config.max_connection_data = QUIC_CONNECTION_BYTES_MAX;
    config
}
