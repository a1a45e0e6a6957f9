//! Links to a node without a node at this end: for thousands at a time, and for what no node does.

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, SubstreamBox};
use libp2p::core::transport::{DialOpts, PortUse};
use libp2p::core::{Endpoint, upgrade};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, Transport, noise, tcp, yamux};
use overlay_node::driver;
use overlay_proto::id::{CommandId, LinkId};
use overlay_proto::identity::{Contact, Identity, SecretKey};
use overlay_proto::io::{Command, Input, Output};
use overlay_proto::node::Setup;
use overlay_proto::status::Status;
use overlay_proto::time::Time;
use overlay_proto::wire::{Message, codec};
use overlay_proto::{Config, Node};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What the dialler of a link says first on its substream, and hears: multistream-select.
const NEGOTIATION: &[u8] = b"\x13/multistream/1.0.0\n\x10/trellis/link/1\n";

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}

/// A connection over TCP, secured and multiplexed, with nothing on it. It ends when it is dropped.
#[derive(Debug)]
pub struct Connection {
    muxer: StreamMuxerBox,
}

impl Connection {
    /// Dials with the transport that nodes have.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn dial(device: &SecretKey, address: &str) -> io::Result<Connection> {
        let mut secret = device.to_bytes();
        let keys = Keypair::ed25519_from_bytes(secret.as_mut_slice()).map_err(broken)?;
        let mut transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(upgrade::Version::V1Lazy)
            .authenticate(noise::Config::new(&keys).map_err(broken)?)
            .multiplex(yamux::Config::default());
        let address: Multiaddr = address.parse().map_err(broken)?;
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialled = transport.dial(address, options).map_err(broken)?;
        let (_, muxer) = dialled.await.map_err(broken)?;
        Ok(Connection { muxer: StreamMuxerBox::new(muxer) })
    }

    /// Says that it is over, and waits until that is written.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn close(mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.muxer).poll_close(cx)).await
    }

    /// Opens the substream that makes a link of it.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn link(self) -> io::Result<Link> {
        let frozen = Arc::new(AtomicBool::new(false));
        let (opened, stream) = oneshot::channel();
        let carrier = tokio::spawn(carry(self.muxer, opened, Arc::clone(&frozen)));
        let mut stream = stream.await.map_err(broken)?;
        stream.write_all(NEGOTIATION).await?;
        stream.flush().await?;
        let mut answer = [0; NEGOTIATION.len()];
        stream.read_exact(&mut answer).await?;
        match answer == *NEGOTIATION {
            true => Ok(Link { stream, carrier, frozen }),
            false => Err(broken("it does not speak our protocol")),
        }
    }
}

/// Carries what is on a connection, until it breaks. Once it is frozen nothing is read or written.
async fn carry(
    mut muxer: StreamMuxerBox,
    opened: oneshot::Sender<SubstreamBox>,
    frozen: Arc<AtomicBool>,
) {
    let mut opened = Some(opened);
    let ended = poll_fn(|cx| {
        if frozen.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        if opened.is_some()
            && let Poll::Ready(outcome) = Pin::new(&mut muxer).poll_outbound(cx)
        {
            match (outcome, opened.take()) {
                (Ok(stream), Some(opened)) => drop(opened.send(stream)),
                (Err(error), _) => return Poll::Ready(error),
                (Ok(_), None) => {}
            }
        }
        while let Poll::Ready(inbound) = Pin::new(&mut muxer).poll_inbound(cx) {
            if let Err(error) = inbound {
                return Poll::Ready(error);
            }
        }
        while let Poll::Ready(event) = Pin::new(&mut muxer).poll(cx) {
            if let Err(error) = event {
                return Poll::Ready(error);
            }
        }
        Poll::Pending
    });
    let _: io::Error = ended.await;
}

/// A link. It ends when it is dropped.
#[derive(Debug)]
pub struct Link {
    stream: SubstreamBox,
    carrier: JoinHandle<()>,
    frozen: Arc<AtomicBool>,
}

impl Link {
    /// Sends a frame.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(broken)?.to_be_bytes();
        self.stream.write_all(&[&length, frame].concat()).await?;
        self.stream.flush().await
    }

    /// Waits for a frame.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).await?;
        Ok(frame)
    }

    /// From now on not even the connection below is read or written.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    /// Whether the connection has ended.
    pub fn is_over(&self) -> bool {
        self.carrier.is_finished()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// A peer's core behind a link to its supernode, and no other link.
#[derive(Debug)]
pub struct Visitor {
    /// The link.
    pub link: Link,
    node: Node,
    began: Instant,
    login: Vec<u8>,
}

const LINK: LinkId = LinkId(1);

impl Visitor {
    /// Dials, greets and is greeted: what is left is to ask for a session.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn greet(identity: Identity, supernode: &Contact) -> io::Result<Visitor> {
        let address = supernode.addresses.first().ok_or_else(|| broken("no address"))?.clone();
        let connection = Connection::dial(&identity.device, address.as_str()).await?;
        let link = connection.link().await?;
        let setup = Setup {
            config: Arc::new(Config { direct: false, ..Config::default() }),
            identity: Arc::new(identity),
            hosts: vec![supernode.clone()],
            seed: [7; 32],
            wall: driver::wall(),
        };
        let node = Node::new(setup, Time(0));
        let mut visitor = Visitor { link, node, began: Instant::now(), login: Vec::new() };
        let command = Input::Command { id: CommandId(1), command: Command::Login };
        let dial = visitor.give(command).into_iter().find_map(|output| match output {
            Output::Dial { id, .. } => Some(id),
            _ => None,
        });
        let up = Input::LinkUp { link: LINK, node: supernode.node, remote: address, dial };
        let outputs = visitor.give(up);
        visitor.carry(outputs).await?;
        while visitor.login.is_empty() {
            let frame = visitor.link.receive().await?;
            visitor.take(frame).await?;
        }
        Ok(visitor)
    }

    /// Asks for a session. What the supernode says, in the end: a cookie to be shown at once is.
    ///
    /// # Errors
    /// What went wrong; the link may be over then.
    pub async fn log_in(&mut self) -> io::Result<Status> {
        loop {
            let login = std::mem::take(&mut self.login);
            if !login.is_empty() {
                self.link.send(&login).await?;
            }
            let frame = self.link.receive().await?;
            let status = match codec::decode_message(&frame) {
                Ok(Message::LoginReply(reply)) => Some(reply.status),
                Ok(Message::Goodbye(goodbye)) => Some(goodbye.status),
                _ => None,
            };
            self.take(frame).await?;
            if let Some(status) = status.filter(|_| self.login.is_empty()) {
                return Ok(status);
            }
        }
    }

    async fn take(&mut self, frame: Vec<u8>) -> io::Result<()> {
        let outputs = self.give(Input::Received { link: LINK, frame });
        self.carry(outputs).await
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        let now = Time(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX));
        self.node.handle_input(now, input);
        std::iter::from_fn(|| self.node.poll_output()).collect()
    }

    async fn carry(&mut self, outputs: Vec<Output>) -> io::Result<()> {
        for output in outputs {
            if let Output::Send { link: LINK, frame, .. } = output {
                match codec::decode_message(&frame) {
                    Ok(Message::Login(_)) => self.login = frame,
                    _ => self.link.send(&frame).await?,
                }
            }
        }
        Ok(())
    }
}
