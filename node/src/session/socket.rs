//! The socket on which quinn runs: datagrams go to the core and come from it.

use super::address::Directory;
use crate::driver::Outbound;
use overlay_proto::config::DATAGRAM_BYTES_MAX;
use overlay_proto::id::NodeId;
use overlay_proto::io::Datagram;
use overlay_proto::wire::Class;
use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::{self, error::TrySendError};

/// The socket of one class.
pub(super) struct OverlaySocket {
    class: Class,
    own: SocketAddr,
    directory: Arc<Mutex<Directory>>,
    outbound: mpsc::Sender<Outbound>,
    inbound: Mutex<mpsc::Receiver<Datagram>>,
}

impl OverlaySocket {
    pub(super) fn new(
        class: Class,
        me: NodeId,
        directory: Arc<Mutex<Directory>>,
        outbound: mpsc::Sender<Outbound>,
        inbound: mpsc::Receiver<Datagram>,
    ) -> OverlaySocket {
        let own = super::address::address_of(me);
        OverlaySocket { class, own, directory, outbound, inbound: Mutex::new(inbound) }
    }
}

impl fmt::Debug for OverlaySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OverlaySocket({:?})", self.class)
    }
}

pub(super) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is never left half-changed.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncUdpSocket for OverlaySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room { outbound: self.outbound.clone(), waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        // Quinn may say goodbye to one that has been forgotten; that is lost, as on any network.
        let Some(to) = locked(&self.directory).node_of(transmit.destination) else { return Ok(()) };
        let outbound = Outbound { to, class: self.class, bytes: transmit.contents.to_vec() };
        self.outbound.try_send(outbound).map_err(|error| match error {
            TrySendError::Full(_) => ErrorKind::WouldBlock.into(),
            TrySendError::Closed(_) => io::Error::other("the node has ended"),
        })
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbound = locked(&self.inbound);
        let mut taken = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            let datagram = match inbound.poll_recv(cx) {
                Poll::Ready(Some(datagram)) => datagram,
                Poll::Ready(None) if taken == 0 => {
                    return Poll::Ready(Err(io::Error::other("the node has ended")));
                }
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            };
            let bytes = datagram.bytes();
            let len = bytes.len().min(buffer.len());
            buffer[..len].copy_from_slice(&bytes[..len]);
            let ecn = if datagram.congested { EcnCodepoint::Ce } else { EcnCodepoint::Ect0 };
            *meta = RecvMeta {
                addr: locked(&self.directory).remember(datagram.from),
                len,
                stride: len,
                ecn: Some(ecn),
                dst_ip: None,
            };
            taken += 1;
        }
        Poll::Ready(Ok(taken))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.own)
    }

    fn may_fragment(&self) -> bool {
        // So quinn probes how large packets may be; see `DATAGRAM_BYTES_MAX`.
        false
    }
}

const _: () = assert!(DATAGRAM_BYTES_MAX <= u16::MAX as usize);

type Reserving = dyn Future<Output = Result<mpsc::OwnedPermit<Outbound>, mpsc::error::SendError<()>>>
    + Send
    + Sync;

/// Waits for room in the loop's queue.
struct Room {
    outbound: mpsc::Sender<Outbound>,
    waiting: Option<Pin<Box<Reserving>>>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_none() {
            if self.outbound.capacity() > 0 {
                return Poll::Ready(Ok(()));
            }
            self.waiting = Some(Box::pin(self.outbound.clone().reserve_owned()));
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(Ok(())) };
        // The place is given back at once: whoever sends next takes it.
        let reserved = ready!(waiting.as_mut().poll(cx)).map(drop);
        self.waiting = None;
        Poll::Ready(reserved.map_err(|_| io::Error::other("the node has ended")))
    }
}
