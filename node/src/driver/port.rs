//! Where datagrams enter and leave the loop: those of sessions, or of whatever else an application makes
//! of them.

use overlay_proto::id::NodeId;
use overlay_proto::io::Datagram;
use overlay_proto::wire::Class;
use tokio::sync::mpsc;

/// Datagrams on their way into the loop: a megabyte of the largest. Sessions wait for room.
const OUTBOUND_MAX: usize = 64;
/// Datagrams of one class on their way out of it: as many as a window of 16 MB has. The loop waits
/// for nobody, so what finds no room is lost, and counted.
const INBOUND_MAX: usize = 1_024;

/// One datagram to be sent.
#[derive(Debug)]
pub struct Outbound {
    /// To whom: a device that was met ([`overlay_proto::io::Command::Meet`]), or has sent something.
    pub to: NodeId,
    /// Which queues it takes on its way.
    pub class: Class,
    /// What. Forwarders can read it and change it.
    pub bytes: Vec<u8>,
}

/// The end of whoever makes something of bare datagrams, as [`crate::session::Sessions`] does. They may be
/// lost, doubled and reordered.
#[derive(Debug)]
pub struct Port {
    /// Into the loop, which takes them in order.
    pub outbound: mpsc::Sender<Outbound>,
    /// Out of it, by class, in the order of [`Class::ALL`].
    pub inbound: [mpsc::Receiver<Datagram>; Class::ALL.len()],
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
