//! What waits on all links of a node together: bounded, and shared out among them.
//!
//! A link may hold a part of what is free, not a part of all (dynamic thresholds, Choudhury and Hahne
//! 1998): the more links stall, the less each may hold, and a link that carries always finds room.

use super::limits::{QUEUED_BYTES_OF_ALL_MAX, QUEUED_PART_OF_FREE};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that wait on all links. Only the loop adds to them, so the bound holds.
#[derive(Debug, Default)]
pub(crate) struct Queued(AtomicUsize);

impl Queued {
    /// Whether a link may hold so many bytes.
    pub(super) fn has_room(&self, held: usize) -> bool {
        let free = QUEUED_BYTES_OF_ALL_MAX.saturating_sub(self.bytes());
        held.saturating_mul(QUEUED_PART_OF_FREE) <= free
    }

    pub(super) fn add(&self, bytes: usize) {
        // A number that stands for itself: no order with anything else is needed.
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// All of them.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
