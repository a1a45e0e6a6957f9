//! Whether this supernode lives, and whether it can do its work.

use super::metrics::Seen;
use std::time::Duration;

/// A loop that does not answer for this long is stuck. At full load it answers within a batch of
/// frames, a few milliseconds.
pub const ANSWER_MAX: Duration = Duration::from_secs(2);
/// So long after its last failure the store counts as failed, unless something works before. Who is
/// not ready may be asked nothing, and could not show otherwise that the disk is there again.
pub const STORE_FAILED_FOR: Duration = Duration::from_secs(60);

/// A newcomer that would wait so many seconds is better off elsewhere: half of the longest wait
/// that anybody is told.
pub const LINE_SECS_MAX: u16 = 30;

/// Why a supernode can do no work, or takes no more of it. Each is a line of `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The loop is stuck, or the node has ended.
    #[error("the event loop does not answer: look at the log, then restart")]
    Stuck,
    /// Names cannot be given out.
    #[error("the store has failed {0} s ago: look at the log; the disk may be full")]
    Store(u64),
    /// Nobody can dial it.
    #[error("there is no address to listen on: look at --listen and --announce")]
    NotListening,
    /// It is about to stop.
    #[error("it is draining: its peers are being sent to other supernodes")]
    Draining,
    /// It takes in no more peers.
    #[error("it is overloaded: {peers} peers of at most {most}; add a supernode")]
    Overloaded {
        /// Peers logged in.
        peers: usize,
        /// The hard limit.
        most: usize,
    },
    /// More want to log in than it can look at.
    #[error("it is overloaded: a newcomer waits {0} s for its log-in; let it run, add a supernode")]
    LongLine(u16),
}

/// Everything that stands against work; empty for one that is ready.
pub(crate) fn unready(seen: &Seen, store_failed: Option<Duration>) -> Vec<Unready> {
    let node = &seen.supernode;
    let failed = store_failed.filter(|ago| *ago < STORE_FAILED_FOR);
    let overloaded = node.children >= node.peers_hard;
    let all = [
        failed.map(|ago| Unready::Store(ago.as_secs())),
        (seen.addresses == 0).then_some(Unready::NotListening),
        node.draining.then_some(Unready::Draining),
        overloaded.then_some(Unready::Overloaded { peers: node.children, most: node.peers_hard }),
        (node.line_secs >= LINE_SECS_MAX).then_some(Unready::LongLine(node.line_secs)),
    ];
    all.into_iter().flatten().collect()
}
