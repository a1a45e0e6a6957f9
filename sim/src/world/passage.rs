//! Packets as they pass a host: how they came, how they went.

use super::{Machine, Seen, World};
use overlay_proto::id::{LinkId, NodeId};
use overlay_proto::io::{Input, Output};
use overlay_proto::wire::Packet;
use overlay_proto::wire::packet::PACKET_MARK;

/// A packet that a host has put on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// As it came to the host; `None` if the host has set it on its way.
    pub came: Option<Packet>,
    /// As it went.
    pub went: Packet,
    /// Who is on the host.
    pub here: NodeId,
    /// Over which link of the host.
    pub link: LinkId,
    /// Who is at the link's other end.
    pub next: NodeId,
}

/// The packet in an input, if there is one.
pub(super) fn packet_in(input: &Input) -> Option<Packet> {
    match input {
        Input::Received { frame, .. } => packet_of(frame),
        _ => None,
    }
}

/// The packet that a frame carries, if it does.
pub(super) fn packet_of(frame: &[u8]) -> Option<Packet> {
    let is_packet = frame.first() == Some(&PACKET_MARK);
    is_packet.then(|| Packet::parse(frame.to_vec()).ok()).flatten()
}

impl<M: Machine> World<M> {
    /// Notes a packet among the outputs of a host. `came` is the one that it was just given.
    pub(super) fn note_passage(&mut self, host: u32, came: Option<&Packet>, output: &Output) {
        let Output::Send { link, frame, .. } = output else { return };
        let (Some(went), Some(at)) = (packet_of(frame), self.links.find(*link)) else { return };
        let same = |came: &&Packet| {
            (came.source(), came.destination(), came.payload())
                == (went.source(), went.destination(), went.payload())
        };
        let came = came.filter(same).cloned();
        let node = |host: u32| self.hosts[host as usize].node;
        let (here, next) = (node(host), node(self.links.host(at.other())));
        self.saw(host, Seen::Passed(Box::new(Passage { came, went, here, link: *link, next })));
    }
}
