//! How QUIC is set for each class of traffic, and every limit of sessions.

use super::reset::{RandomIds, ResetKey};
use overlay_proto::config::DATAGRAM_BYTES_MAX;
use overlay_proto::identity::SecretKey;
use overlay_proto::wire::Class;
use quinn::{EndpointConfig, MtuDiscoveryConfig, TransportConfig, VarInt};
use std::sync::Arc;
use std::time::Duration;

/// How long a handshake may take: a way of ten hops, lost once or twice.
pub(super) const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the first bytes of a stream may take.
pub(super) const OPENING_PATIENCE: Duration = Duration::from_secs(10);
/// A session on which nothing came for so long is over: a home has been lost and found by then.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// A quiet session is kept alive so often, while somebody holds it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A session that nobody has used for so long is ended.
pub(super) const UNUSED_MAX: Duration = Duration::from_secs(120);
/// Streams that the other end may have open at a time.
const STREAMS_MAX: u32 = 128;
/// Sessions that others may have begun and that are not over.
pub(super) const SESSIONS_MAX: usize = 128;
/// Streams that wait for a listener to take them.
pub(super) const WAITING_MAX: usize = 64;
/// Unread bytes of one stream: 20 MB/s at a round trip of 100 ms.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// Unread bytes of one session.
const SESSION_WINDOW: u32 = 8 * 1024 * 1024;
/// Largest packet of a call, in bytes: what fits everywhere, so that none waits behind a larger one.
const REAL_TIME_BYTES_MAX: u16 = 1_400;

/// The classes in which there are sessions. What keeps the network alive has none.
pub(super) const CLASSES: [Class; 3] = [Class::RealTime, Class::Message, Class::Bulk];

/// What an endpoint takes.
pub(super) fn endpoint(device: &SecretKey) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(ResetKey::of(device)));
    // Those that hold a check of themselves would keep a restarted node from answering with a reset.
    config.cid_generator(|| Box::new(RandomIds));
    let largest = u16::try_from(DATAGRAM_BYTES_MAX).unwrap_or(u16::MAX);
    config.max_udp_payload_size(largest).unwrap_or_else(|_| unreachable!("above QUIC's minimum"));
    config
}

/// How a session of this class runs.
pub(super) fn transport(class: Class) -> Arc<TransportConfig> {
    let mut mtu = MtuDiscoveryConfig::default();
    // Every hop is a stream, on which large packets cost least; one that is not shows here.
    mtu.upper_bound(match class {
        Class::RealTime => REAL_TIME_BYTES_MAX,
        _ => u16::try_from(DATAGRAM_BYTES_MAX).unwrap_or(u16::MAX),
    });
    let mut config = TransportConfig::default();
    config
        .mtu_discovery_config(Some(mtu))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(IDLE_MAX.try_into().ok())
        .max_concurrent_bidi_streams(STREAMS_MAX.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(SESSION_WINDOW.into())
        .send_window(SESSION_WINDOW.into())
        .enable_segmentation_offload(false);
    Arc::new(config)
}
