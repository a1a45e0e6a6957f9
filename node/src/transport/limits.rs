//! Every limit of the transport, with its unit and its reason.

use overlay_proto::wire::Class;
use std::time::Duration;

/// The protocol of the one substream that makes a connection a link.
pub(crate) const LINK_PROTOCOL: &str = "/trellis/link/1";

/// Established connections at a time. Twice what a supernode needs (1,000 peers, 512 members),
/// and well below the usual limit of 20,000 file descriptors.
pub(crate) const CONNECTIONS_MAX: u32 = 4_096;
/// Established connections with one node. Both ends may dial at once over two transports, and the
/// core hangs up all but one.
pub(crate) const CONNECTIONS_PER_NODE_MAX: u32 = 4;
/// Inbound connections in their handshake. One that says nothing costs a socket for 2.5 s.
pub(crate) const INBOUND_PENDING_MAX: u32 = 1_024;
/// Of these, those of one address: what a large household or a small office needs at once. Sixteen
/// addresses would have to be silent together to keep others out.
pub(crate) const INBOUND_PENDING_PER_REMOTE_MAX: u32 = 64;
/// Outbound connections being dialled. The core dials tens at a time, never hundreds.
pub(crate) const OUTBOUND_PENDING_MAX: u32 = 256;
/// Substreams a remote may have in negotiation on one connection. It needs one.
pub(crate) const NEGOTIATING_MAX: usize = 4;
/// Substreams on one connection: ours, and room for those that are refused.
pub(crate) const SUBSTREAMS_MAX: u32 = 8;

/// Unacknowledged bytes a remote may send on one QUIC stream. Four of the largest frames; libp2p's
/// default of 10 MB would let each remote fill that much of our memory.
pub(crate) const QUIC_STREAM_BYTES_MAX: u32 = 256 * 1024;
/// Unacknowledged bytes a remote may send on one QUIC connection.
pub(crate) const QUIC_CONNECTION_BYTES_MAX: u32 = 1024 * 1024;
/// How often a quiet QUIC connection is kept alive: NATs forget a UDP mapping after 30 s.
pub(crate) const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A QUIC connection on which nothing came for this long is dead: three keep-alives.
pub(crate) const QUIC_IDLE_MAX: Duration = Duration::from_secs(45);

/// How long one address may take from the dial to the end of the handshake. Two addresses that
/// swallow packets fit into the core's patience of 5 s.
pub(crate) const HANDSHAKE_PATIENCE: Duration = Duration::from_millis(2_500);
/// How long the name of a host may take to be looked up. Later, its address is left out.
pub(crate) const LOOKUP_PATIENCE: Duration = Duration::from_millis(1_500);
/// Addresses dialled of one host's name.
pub(crate) const ADDRESSES_PER_NAME_MAX: usize = 2;
/// How long the one substream may take to be agreed on.
pub(crate) const SUBSTREAM_PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may stay without a substream. One with a substream is never idle.
pub(crate) const LINKLESS_PATIENCE: Duration = Duration::from_secs(15);
/// How long a link may take not one byte of what is to be sent. Longer than the patience of any
/// keep-alive, and short enough that its queues are soon given back.
pub(crate) const WRITE_STALL_MAX: Duration = Duration::from_secs(10);
/// How long a link that is hung up may take to send what is queued and to see the other end close.
pub(crate) const HANG_UP_PATIENCE: Duration = Duration::from_secs(1);
/// How long an end waits for its UDP port: QUIC drains for three probe timeouts.
pub(crate) const RELEASE_PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks meanwhile.
pub(crate) const RELEASE_PROBE: Duration = Duration::from_millis(10);
/// How long a start waits for the interfaces of a wildcard address to be told.
pub(crate) const INTERFACES_PATIENCE: Duration = Duration::from_millis(500);
/// Ports tried when any will do, until one is free for TCP and UDP alike.
pub(crate) const PORT_TRIES: usize = 16;

/// Frames of all links on their way from the readers to the loop. At the largest frame 64 MiB, at
/// usual ones 200 KiB.
pub(crate) const ARRIVALS_MAX: usize = 1_024;
/// Frames of one link on their way to the loop. Then its reader waits, and with it the sender:
/// one busy link takes no more than a thirty-second part of the loop's queue.
pub(crate) const ARRIVALS_PER_LINK_MAX: usize = 32;
/// Bytes gathered into one write. libp2p's connection task stays responsive at writes of up to
/// 64 KiB.
pub(crate) const WRITE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a link's read buffer: dozens of usual frames with one call.
pub(crate) const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Bytes waiting in one class's queue of one link, however few frames that is.
pub(crate) const QUEUED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Frames waiting in a class's queue of one link.
pub(crate) const fn queued_max(class: Class) -> usize {
    match class {
        // Never shed in normal work: a link whose control queue is full is hung up.
        Class::Control => 1_024,
        // Five seconds of a call at 50 packets a second: older ones are worthless.
        Class::RealTime => 256,
        // Senders try again, and the receipt tells them when to.
        Class::Message => 512,
        // 16 MiB of the largest frames, were it not for QUEUED_BYTES_MAX.
        Class::Bulk => 256,
    }
}
