//! What the links have carried so far.

use super::outbox::Outbox;
use overlay_proto::wire::Class;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a node's links have carried since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Frames that came.
    pub frames_in: u64,
    /// Frames that were written.
    pub frames_out: u64,
    /// Bytes that came, with the lengths before the frames, without the transport's own.
    pub bytes_in: u64,
    /// Bytes that were written, counted likewise.
    pub bytes_out: u64,
    /// Frames dropped because their queue was full, by [`Class`] in the order of [`Class::ALL`].
    pub dropped: [u64; Class::ALL.len()],
    /// Links up now.
    pub links: u64,
    /// Connections that are up now, links or on the way to be some.
    #[serde(default)]
    pub connections: u64,
    /// Dials that led to nothing.
    pub dials_failed: u64,
    /// Handshakes that were completed, of either direction: connections that proved their keys.
    #[serde(default)]
    pub handshakes: u64,
    /// Inbound connections that failed in their handshake.
    #[serde(default)]
    pub handshakes_failed: u64,
    /// Inbound connections for which there was no place.
    #[serde(default)]
    pub connections_refused: u64,
    /// Connections that did not become links in time.
    #[serde(default)]
    pub connections_idle: u64,
    /// Links that were ended because the other end did not take what was sent.
    #[serde(default)]
    pub links_stalled: u64,
    /// Frames that wait now to be written, on all links.
    #[serde(default)]
    pub queued_frames: u64,
    /// Bytes of those frames.
    #[serde(default)]
    pub queued_bytes: u64,
}

/// The counters while they count, shared by the links' tasks and the loop.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) frames_in: AtomicU64,
    pub(crate) frames_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) dropped: [AtomicU64; Class::ALL.len()],
    pub(crate) connections: AtomicU64,
    pub(crate) dials_failed: AtomicU64,
    pub(crate) handshakes: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) connections_idle: AtomicU64,
    pub(crate) links_stalled: AtomicU64,
}

impl Tally {
    /// Adds `n` to one of the counters.
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        // Each counter stands for itself, so no order between them is needed.
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes one off a counter of what there is now.
    pub(crate) fn less(counter: &AtomicU64) {
        counter.fetch_sub(1, Ordering::Relaxed);
    }

    /// The counters now, with the links that are up, and what waits on them.
    pub(crate) fn read<'a>(&self, up: impl Iterator<Item = &'a Outbox>) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (mut links, mut queued_frames, mut queued_bytes) = (0, 0, 0);
        for (frames, bytes) in up.map(Outbox::waiting) {
            links += 1;
            queued_frames += frames as u64;
            queued_bytes += bytes as u64;
        }
        Counters {
            frames_in: read(&self.frames_in),
            frames_out: read(&self.frames_out),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            dropped: [0, 1, 2, 3].map(|class| read(&self.dropped[class])),
            links,
            connections: read(&self.connections),
            dials_failed: read(&self.dials_failed),
            handshakes: read(&self.handshakes),
            handshakes_failed: read(&self.handshakes_failed),
            connections_refused: read(&self.connections_refused),
            connections_idle: read(&self.connections_idle),
            links_stalled: read(&self.links_stalled),
            queued_frames,
            queued_bytes,
        }
    }
}
