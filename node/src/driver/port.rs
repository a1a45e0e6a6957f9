//! Where the datagrams of sessions enter and leave the loop.

use overlay_proto::id::NodeId;
use overlay_proto::io::Datagram;
use overlay_proto::wire::Class;
use tokio::sync::mpsc;

/// Datagrams on their way into the loop: a megabyte of the largest. Sessions wait for room.
const OUTBOUND_MAX: usize = 64;
/// Datagrams of one class on their way out of it: as many as a window of 16 MB has. The loop waits
/// for nobody, so what finds no room is lost, and counted.
const INBOUND_MAX: usize = 1_024;

/// One datagram that a session sends.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// To whom.
    pub(crate) to: NodeId,
    /// Which queues.
    pub(crate) class: Class,
    /// What.
    pub(crate) bytes: Vec<u8>,
}

/// The sessions' end.
#[derive(Debug)]
pub(crate) struct Port {
    /// Into the loop.
    pub(crate) outbound: mpsc::Sender<Outbound>,
    /// Out of it, by class.
    pub(crate) inbound: [mpsc::Receiver<Datagram>; Class::ALL.len()],
}

/// The loop's end.
#[derive(Debug)]
pub(super) struct Inlet {
    pub(super) outbound: mpsc::Receiver<Outbound>,
    pub(super) outlet: Outlet,
}

/// Where the loop hands datagrams out.
#[derive(Debug)]
pub(super) struct Outlet([mpsc::Sender<Datagram>; Class::ALL.len()]);

/// Both ends.
pub(super) fn port() -> (Port, Inlet) {
    let (outbound, outbound_in) = mpsc::channel(OUTBOUND_MAX);
    let channels = Class::ALL.map(|_| mpsc::channel(INBOUND_MAX));
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    for (sender, receiver) in channels {
        senders.push(sender);
        receivers.push(receiver);
    }
    let same = "as many as classes";
    let port = Port { outbound, inbound: receivers.try_into().expect(same) };
    let outlet = Outlet(senders.try_into().expect(same));
    (port, Inlet { outbound: outbound_in, outlet })
}

impl Outlet {
    /// Hands a datagram out. False if nobody takes them as fast as they come.
    pub(super) fn hand_out(&self, datagram: Datagram) -> bool {
        self.0[datagram.class as usize].try_send(datagram).is_ok()
    }
}
