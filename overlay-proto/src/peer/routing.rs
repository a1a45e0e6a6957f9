//! A peer's part in carrying packets: its own, those for it, and those that pass.

use super::Peer;
use crate::config::TREES_MAX;
use crate::context::Context;
use crate::coordinates::Label;
use crate::forward::{self, Decision};
use crate::id::{IndexKey, LinkId, NodeId, ShortId};
use crate::io::Event;
use crate::status::Status;
use crate::wire::end_to_end::ReturnAddress;
use crate::wire::packet::Destination;
use crate::wire::{Class, Packet, Payload, datagram};

/// How a packet of our own sets out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Hop by hop.
    Hops,
    /// Hop by hop, but not over this neighbour, which led nowhere before.
    Avoiding(ShortId),
    /// Over the scaffold.
    Scaffold,
}

impl Peer {
    /// Sends a message of our own. Returns the first hop, if it went hop by hop.
    pub(super) fn send_payload(
        &mut self,
        cx: &mut Context,
        class: Class,
        to: &Destination,
        payload: &Payload,
        route: Route,
    ) -> Option<ShortId> {
        let Ok(bytes) = payload.encode() else { return None };
        self.set_out(cx, Packet::new(class, cx.me, to, &bytes), route)
    }

    /// Sends a packet of our own. Returns the first hop, if it went hop by hop.
    pub(super) fn set_out(
        &mut self,
        cx: &mut Context,
        mut packet: Packet,
        route: Route,
    ) -> Option<ShortId> {
        match route {
            Route::Hops => {}
            Route::Avoiding(node) => {
                if packet.visit(node) {
                    packet.step_back();
                }
            }
            Route::Scaffold => {
                self.escalate(cx, packet);
                return None;
            }
        }
        self.route(cx, None, packet)
    }

    /// Sends a packet on from here; to itself if it is the destination.
    pub(super) fn route(
        &mut self,
        cx: &mut Context,
        from: Option<ShortId>,
        mut packet: Packet,
    ) -> Option<ShortId> {
        if packet.destination() == cx.me {
            self.deliver(cx, packet);
            return None;
        }
        let near = self.neighbours.iter().map(|near| near.near());
        match forward::decide(cx.short, near, from, &mut packet) {
            Decision::Send(link) => {
                cx.send_packet(link, packet);
                let hop = self.neighbours.iter().find(|near| near.link == link)?;
                return Some(hop.node.short());
            }
            Decision::HopLimit if packet.is_probe() => self.report_hop(cx, &packet),
            Decision::DeadEnd if packet.is_probe() => {}
            Decision::HopLimit | Decision::DeadEnd => self.escalate(cx, packet),
        }
        None
    }

    /// Hands a packet to the scaffold: the exception, counted here and budgeted by the home.
    fn escalate(&mut self, cx: &mut Context, mut packet: Packet) {
        let Some(home) = self.session.online() else { return };
        // Files would fill the scaffold. What is lost of one is sent again, by another way perhaps.
        if packet.class() == Class::Bulk {
            return;
        }
        packet.set_escalated();
        self.counters.escalated += 1;
        cx.event(Event::Escalated { destination: packet.destination() });
        cx.send_packet(home, packet);
    }

    /// A packet came. Only neighbours and the home may bring one.
    pub(crate) fn on_packet(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        packet: Packet,
    ) -> Result<(), Status> {
        let from_home = self.session.online() == Some(link);
        let neighbour = self.neighbours.iter().find(|near| near.link == link);
        let from = neighbour.map(|near| near.node.short());
        if from.is_none() && !from_home && !self.is_from_end_to_end(cx, link, &packet) {
            // A neighbour that our home has not named yet, or has just taken away. It will learn.
            return Ok(());
        }
        if packet.destination() == cx.me {
            self.deliver(cx, packet);
        } else if !packet.is_escalated() {
            self.counters.forwarded += 1;
            self.route(cx, from, packet);
        }
        Ok(())
    }

    /// Whether a packet comes straight from a correspondent: over a direct link, which carries nothing
    /// else.
    fn is_from_end_to_end(&self, cx: &Context, link: LinkId, packet: &Packet) -> bool {
        packet.destination() == cx.me
            && self.correspondents.known.contains_key(&packet.source())
            && cx.links.greeted(link).is_some()
            && cx.links.node_of(link) == Some(packet.source())
    }

    /// A packet for this node. A payload that cannot be read is dropped: its sender will notice.
    fn deliver(&mut self, cx: &mut Context, packet: Packet) {
        if let Some(deaf) = datagram::read(packet.payload()) {
            return self.on_datagram(cx, packet, deaf);
        }
        let (source, hops, escalated) =
            (packet.source(), packet.hops_taken(), packet.is_escalated());
        let arrival = Arrival { source, hops, escalated, astray: self.is_astray(&packet) };
        match Payload::decode(packet.payload()) {
            Ok(Payload::Text(text)) => {
                self.counters.arrived += 1;
                self.counters.arrived_stale += u64::from(self.is_stale(&packet));
                self.on_text(cx, arrival, text);
            }
            Ok(Payload::Receipt(receipt)) => self.on_receipt(cx, arrival, &receipt),
            Ok(Payload::Echo(echo)) => self.on_echo(cx, arrival, &echo),
            Ok(Payload::EchoReply(answer)) => self.on_echo_reply(cx, arrival, answer),
            Ok(Payload::HopReport(report)) => self.on_hop_report(cx, arrival, report),
            Ok(Payload::Moved(moved)) => self.on_moved(cx, moved.record),
            Ok(Payload::DeviceRenewal(ask)) => self.on_device_renewal(cx, arrival, &ask),
            Ok(Payload::DeviceRenewed(answer)) => self.on_device_renewed(cx, answer),
            Ok(Payload::LetterFor(letter)) => self.on_letter(cx, letter),
            Ok(Payload::LettersGot(got)) => {
                self.on_letter_receipts(cx, arrival.source, &got.receipts);
            }
            Ok(Payload::Binding(binding)) => self.on_binding(cx, arrival, binding),
            Err(_) => {}
        }
    }

    /// Whether the packet's labels are not all our own.
    fn is_stale(&self, packet: &Packet) -> bool {
        let mut room = [Label::NONE; TREES_MAX];
        let own = self.place.coordinates.iter().flat_map(|c| c.labels.iter());
        !own.eq(packet.labels(&mut room).iter().copied())
    }

    /// Whether the packet's sender should learn where we are: a good part of its labels for us are
    /// not ours any more.
    pub(super) fn is_astray(&self, packet: &Packet) -> bool {
        let Some(coordinates) = &self.place.coordinates else { return false };
        let mut room = [Label::NONE; TREES_MAX];
        let labels = packet.labels(&mut room);
        let stale = (0..).zip(labels).filter(|(tree, l)| coordinates.labels.get(*tree) != **l);
        let own = coordinates.labels.len();
        2 * (stale.count() + own.saturating_sub(labels.len())) >= own.max(1)
    }

    /// Where answers to us go.
    pub(super) fn return_address(&self, cx: &Context) -> ReturnAddress {
        let labels = self.place.coordinates.as_ref().map(|c| c.labels.clone()).unwrap_or_default();
        ReturnAddress { key: self.own_key(cx), labels }
    }

    pub(super) fn own_key(&self, cx: &Context) -> IndexKey {
        let name = cx.identity.chain().and_then(|chain| chain.claimed_name());
        name.map_or(IndexKey(0), |name| crate::location::index_key(cx.identity.realm, name))
    }
}

/// How a payload came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Who the packet says has sent it.
    pub source: NodeId,
    pub hops: u8,
    pub escalated: bool,
    /// Whether the sender believes us elsewhere.
    pub astray: bool,
}

impl Arrival {
    /// Answers go the way the question came: over the scaffold if that was the only one.
    pub fn way_back(self) -> Route {
        if self.escalated { Route::Scaffold } else { Route::Hops }
    }

    pub fn destination(self, back: &ReturnAddress) -> Destination {
        Destination { node: self.source, key: back.key, labels: back.labels.clone() }
    }
}
