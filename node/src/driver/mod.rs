//! The driver of a node: one loop that owns the core, and the handle its owner holds.
//!
//! It carries and decides nothing: what the core puts out is performed, what happens outside is
//! given to the core, with the time of day.

mod capacity;
mod clock;
mod event_log;
mod event_loop;
mod handle;
mod port;
mod start;
#[cfg(test)]
pub(crate) mod tests;

pub use crate::capture::{Capture, CaptureError};
pub use crate::transport::Counters;
pub use clock::wall;
pub use handle::Handle;
pub use port::{Outbound, Port};
pub use start::{StartError, start};

use overlay_proto::Config;
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::mail::{VaultAnswer, VaultRequest};
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Keys and certificates. A user makes it a peer, a supernode's certificate a supernode.
    pub identity: Arc<Identity>,
    /// Limits and intervals of the core.
    pub config: Arc<Config>,
    /// Supernodes to begin with: from an invitation or the host cache.
    pub hosts: Vec<Contact>,
    /// Where to listen.
    pub listen: Listen,
    /// The durable store of a registrar. Without one, every request of the store fails.
    pub store: Option<Arc<dyn Store>>,
    /// The keeper of letters. Without one, every request of the keeper fails, so that the node
    /// neither writes nor keeps messages that wait.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Whether the log-ins a second of a supernode are measured while it works. Else those of
    /// `config` stand.
    pub measure_logins: bool,
    /// Where the frames of all links are written, in clear. For looking at a wire only.
    pub capture: Option<Arc<Capture>>,
}

/// Where a node listens and what it tells others of it.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address of an interface, or `0.0.0.0` or `::` for all of them.
    pub ip: IpAddr,
    /// The port, the same for TCP and QUIC; 0 for any free one.
    pub port: u16,
    /// Multiaddrs to announce in place of those at which it listens, best first; at most
    /// [`ADDRESSES_MAX`](overlay_proto::config::ADDRESSES_MAX), further ones are left out.
    pub announce: Vec<String>,
}

/// A store that keeps what a registrar has promised.
pub trait Store: Send + Sync + Debug {
    /// Does what is asked. The answer comes once it is durable. Requests may overlap.
    fn submit(&self, request: StoreRequest) -> Pin<Box<dyn Future<Output = StoreAnswer> + Send>>;
}

/// Seals letters and keeps them on the disk.
pub trait Keeper: Send + Sync + Debug {
    /// Does what is asked, in the order of asking, and gives `answer` what came of it once that is
    /// durable.
    fn submit(&self, request: VaultRequest, answer: WhenKept);
}

/// Called with the answer of a [`Keeper`] once that is durable.
pub type WhenKept = Box<dyn FnOnce(VaultAnswer) + Send>;

/// What is on the disk.
pub(crate) struct Stores {
    store: Option<Arc<dyn Store>>,
    keeper: Option<Arc<dyn Keeper>>,
}
