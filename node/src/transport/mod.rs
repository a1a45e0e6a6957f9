//! The only place with libp2p in it: it dials, secures and multiplexes, and decides nothing.
//!
//! ```text
//! loop ──orders──► swarm task (owns the Swarm and nothing else)
//!  │  ▲                │ spawns
//!  │  └──arrivals── link tasks (one each: a reader and a writer)
//!  └──── outbox ───────►
//! ```
//!
//! The loop never waits for any of them. Frames do not pass the swarm task.

mod address;
mod closing;
mod fair_queue;
mod knocks;
mod limits;
mod link;
mod link_behaviour;
mod listen;
mod outbox;
mod queued;
mod resolve;
mod shares;
mod swarm;
mod swarm_task;
mod tally;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use listen::ListenError;
pub(crate) use outbox::{Outbox, Refused};
pub use tally::Counters;
pub(crate) use tally::Tally;

use crate::capture::Capture;
pub(crate) use limits::{ARRIVALS_MAX, HANG_UP_PATIENCE};
use overlay_proto::id::{DialId, LinkId, NodeId};
use overlay_proto::identity::SecretKey;
use overlay_proto::wire::TransportAddress;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What the transport tells the loop.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A link is up. Comes before all else of that link.
    Up {
        /// Its number, never used before.
        link: LinkId,
        /// The other end.
        node: NodeId,
        /// Where the other end is seen.
        remote: TransportAddress,
        /// The dial that led to it.
        dial: Option<DialId>,
        /// Where to put what shall be sent. Closing it hangs up.
        outbox: Arc<Outbox>,
    },
    /// Frames came, with one read.
    Frames {
        /// Over which link.
        link: LinkId,
        /// Their bytes, in order; at least one.
        frames: Vec<Vec<u8>>,
        /// Their place among the link's reads on their way; free when this is dropped.
        _room: tokio::sync::OwnedSemaphorePermit,
    },
    /// A link is gone. Comes after all else of that link, and once.
    Down {
        /// Which.
        link: LinkId,
    },
    /// A dial led to nothing.
    DialFailed {
        /// Which.
        dial: DialId,
    },
    /// The addresses at which this node can be dialled have changed.
    Addresses(Vec<TransportAddress>),
}

/// Where arrivals go.
pub(crate) type Arrivals = mpsc::Sender<Arrival>;

/// What the loop asks of the swarm.
#[derive(Debug)]
enum Order {
    /// Dial a node.
    Dial { dial: DialId, node: NodeId, addresses: Vec<TransportAddress> },
    /// Close everything.
    End(oneshot::Sender<()>),
}

/// The loop's end of the transport. The swarm ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Transport {
    // Unbounded: the core bounds its dials, and closes are bounded by links.
    orders: mpsc::UnboundedSender<Order>,
}

/// A transport that has been started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) transport: Transport,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    /// The addresses to announce.
    pub(crate) addresses: Vec<TransportAddress>,
}

impl Transport {
    /// Listens on `ip` and `port` (0: any free one) over TCP and QUIC, and starts the swarm task. The
    /// frames of all links go into `capture`, if there is one.
    ///
    /// # Errors
    /// [`ListenError`].
    pub(crate) async fn start(
        device: &SecretKey,
        ip: IpAddr,
        port: u16,
        announce: &[String],
        tally: Arc<Tally>,
        capture: Option<Arc<Capture>>,
    ) -> Result<Started, ListenError> {
        let mut swarm = swarm::build(device)?;
        let mut announced = listen::Announced::new(ip, announce)?;
        listen::listen(&mut swarm, ip, port)?;
        let early = announced.settle(&mut swarm).await;
        let (orders, orders_in) = mpsc::unbounded_channel();
        let (arrivals_out, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let addresses = announced.addresses().to_vec();
        let task = swarm_task::SwarmTask::new(swarm, announced, arrivals_out, tally, capture);
        tokio::spawn(task.run(early, orders_in));
        Ok(Started { transport: Transport { orders }, arrivals, addresses })
    }

    /// Dials `node` at `addresses`, in this order. An [`Arrival::Up`] or [`Arrival::DialFailed`]
    /// with the same number follows.
    pub(crate) fn dial(&self, dial: DialId, node: NodeId, addresses: Vec<TransportAddress>) {
        // The swarm task ends only when this end is dropped or has asked it to.
        let _ = self.orders.send(Order::Dial { dial, node, addresses });
    }

    /// Closes all connections and listeners, and returns when it is done.
    pub(crate) async fn end(self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::End(done)).is_ok() {
            let _ = ended.await;
        }
    }
}
