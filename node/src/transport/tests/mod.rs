//! Real swarms on loopback, without the core.

mod endings;
mod frames;
mod listening;

use super::outbox::Refused;
use super::{Arrival, ListenError, Outbox, Started, Tally, Transport};
use overlay_proto::id::{DialId, LinkId, NodeId};
use overlay_proto::identity::SecretKey;
use overlay_proto::wire::{Class, TransportAddress};
use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Tcp,
    Quic,
}

const KINDS: [Kind; 2] = [Kind::Tcp, Kind::Quic];

/// A transport with an owner that does nothing by itself.
struct End {
    node: NodeId,
    transport: Transport,
    arrivals: mpsc::Receiver<Arrival>,
    addresses: Vec<TransportAddress>,
    tally: Arc<Tally>,
    /// Frames that came with one that was asked for.
    came: VecDeque<(LinkId, Vec<u8>)>,
}

struct Up {
    link: LinkId,
    node: NodeId,
    dial: Option<DialId>,
    remote: TransportAddress,
    outbox: Arc<Outbox>,
}

/// Against tests that hang; never near in one that works.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("hangs")
}

async fn start_at(seed: u8, ip: IpAddr, port: u16) -> Result<End, ListenError> {
    let device = SecretKey::from_bytes([seed; 32]);
    let tally = Arc::new(Tally::default());
    let started =
        within(Transport::start(&device, ip, port, &[], Arc::clone(&tally), None)).await?;
    let Started { transport, arrivals, addresses } = started;
    let (node, came) = (NodeId(device.public()), VecDeque::new());
    Ok(End { node, transport, arrivals, addresses, tally, came })
}

async fn start(seed: u8) -> End {
    start_at(seed, LOOPBACK, 0).await.expect("free ports")
}

/// Two ends and the link between them, dialled by the first.
async fn linked(kind: Kind) -> ((End, Up), (End, Up)) {
    let (mut one, mut other) = (start(1).await, start(2).await);
    one.dial(7, &other, kind);
    let (up, up_there) = (one.up().await, other.up().await);
    ((one, up), (other, up_there))
}

impl End {
    fn address(&self, kind: Kind) -> TransportAddress {
        self.addresses[if kind == Kind::Tcp { 0 } else { 1 }].clone()
    }

    fn dial(&self, dial: u64, other: &End, kind: Kind) {
        self.transport.dial(DialId(dial), other.node, vec![other.address(kind)]);
    }

    async fn next(&mut self) -> Arrival {
        assert!(self.came.is_empty(), "frames came: {:?}", self.came);
        within(self.arrivals.recv()).await.expect("the transport runs")
    }

    async fn up(&mut self) -> Up {
        match self.next().await {
            Arrival::Up { link, node, remote, dial, outbox } => {
                Up { link, node, dial, remote, outbox }
            }
            other => panic!("not a link up: {other:?}"),
        }
    }

    async fn frame(&mut self) -> (LinkId, Vec<u8>) {
        while self.came.is_empty() {
            match self.next().await {
                Arrival::Frames { link, frames, .. } => {
                    self.came.extend(frames.into_iter().map(|frame| (link, frame)));
                }
                other => panic!("not a frame: {other:?}"),
            }
        }
        self.came.pop_front().expect("one came")
    }

    async fn down(&mut self) -> LinkId {
        match self.next().await {
            Arrival::Down { link } => link,
            other => panic!("not a link down: {other:?}"),
        }
    }

    async fn failed(&mut self) -> DialId {
        match self.next().await {
            Arrival::DialFailed { dial } => dial,
            other => panic!("not a failed dial: {other:?}"),
        }
    }
}

impl Up {
    fn send(&self, class: Class, frame: Vec<u8>) {
        self.outbox.push(class, frame).expect("room");
    }
}
