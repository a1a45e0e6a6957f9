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
/// Inbound connections that are no links yet: in their handshake, or before their substream. One
/// that says nothing costs a socket for 2.5 s.
pub(crate) const INBOUND_UNLINKED_MAX: usize = 1_024;
/// Of these, one address may hold one for so many that are still free: 60 if nobody else comes, which
/// a large household or a small office needs at once; 6 each of 150 addresses.
pub(crate) const INBOUND_PART_OF_FREE: usize = 16;
/// Connections a second that one address may open on average: five hundred people behind one router
/// are back within a quarter of a minute, and a handshake each takes a hundredth of a core.
pub(crate) const INBOUND_PER_SECOND: u32 = 32;
/// And so many at once, when they have been quiet.
pub(crate) const INBOUND_BURST: u32 = 256;
/// Steps of handshakes between two turns of the loop, each up to a quarter of a millisecond: nobody who is
/// served already waits longer for one who comes. Without other work it is one turn after the other.
pub(crate) const HANDSHAKE_STEPS_PER_TURN: usize = 4;
/// Addresses of which that is reckoned up, 40 bytes each.
pub(crate) const REMOTES_MAX: usize = 4_096;
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
/// How long a connection may stay without a substream, whatever is said on it. Its dialler opens one
/// at once, and the core has given up on the dial by then.
pub(crate) const LINKLESS_PATIENCE: Duration = Duration::from_secs(5);
/// How long a link may take for one write of at most [`WRITE_BYTES_MAX`] bytes: who takes less than
/// 6 KiB a second while more waits does not read. Longer than the patience of any keep-alive, and
/// short enough that its queues are soon given back.
pub(crate) const WRITE_STALL_MAX: Duration = Duration::from_secs(10);
/// How long a link that is hung up may take to send what is queued and to see the other end close.
pub(crate) const HANG_UP_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection may take to be closed. One whose other end does not read never would be.
pub(crate) const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// How long an end waits for its UDP port: QUIC drains for three probe timeouts.
pub(crate) const RELEASE_PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks meanwhile.
pub(crate) const RELEASE_PROBE: Duration = Duration::from_millis(10);
/// How long a start waits for the interfaces of a wildcard address to be told.
pub(crate) const INTERFACES_PATIENCE: Duration = Duration::from_millis(500);
/// Ports tried when any will do, until one is free for TCP and UDP alike.
pub(crate) const PORT_TRIES: usize = 16;

/// Reads of all links on their way to the loop, each of one frame and as many more as [`READ_BUFFER_BYTES`]
/// hold. At the largest frame 72 MiB, at usual ones 200 KiB.
pub(crate) const ARRIVALS_MAX: usize = 1_024;
/// Reads of one link on their way to the loop. Then its reader waits, and with it the sender: one
/// busy link takes no more than a thirty-second part of the loop's queue.
pub(crate) const ARRIVALS_PER_LINK_MAX: usize = 32;
/// Bytes gathered into one write. libp2p's connection task stays responsive at writes of up to
/// 64 KiB.
pub(crate) const WRITE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a link's read buffer: dozens of usual frames with one call.
pub(crate) const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Bytes waiting in one class's queue of one link, however few frames that is.
pub(crate) const QUEUED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes waiting on all links of the node together, with [`FRAME_COST_BYTES`] for each frame. Links
/// that carry what they get have next to none; this is for those that do not.
pub(crate) const QUEUED_BYTES_OF_ALL_MAX: usize = 64 * 1024 * 1024;
/// Of these, one link may hold a part of what is still free: 12 MiB if only one stalls, 60 KiB each
/// if a thousand do. So there is always room on a link that carries.
pub(crate) const QUEUED_PART_OF_FREE: usize = 4;
/// What a frame costs in a queue beside its bytes: its entry there, and the allocation.
pub(crate) const FRAME_COST_BYTES: usize = 64;

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
