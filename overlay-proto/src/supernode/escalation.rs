//! Packets that could not find their way hop by hop: carried to the destination's home.

use super::Supernode;
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::status::Status;
use crate::wire::end_to_end::Moved;
use crate::wire::message::Found;
use crate::wire::packet::Destination;
use crate::wire::{Class, Packet, Payload};

impl Supernode {
    /// A packet came: from one of our peers, which cannot send it on, or over the scaffold.
    pub(crate) fn on_packet(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        packet: Packet,
    ) -> Result<(), Status> {
        if !packet.is_escalated() {
            return Err(Status::FORBIDDEN);
        }
        if self.member_of(cx, link).is_some() {
            self.hand_down(cx, packet);
            return Ok(());
        }
        let Some(node) = self.child_of(cx, link) else { return Err(Status::NOT_LOGGED_IN) };
        let per_second = cx.config.escalations_per_second;
        let now = cx.now;
        let allowed =
            self.children.get_mut(&node).is_some_and(|child| child.may_escalate(now, per_second));
        if !allowed {
            self.counters.refused += 1;
            return Ok(());
        }
        self.counters.escalated += 1;
        if let Some(packet) = self.hand_down(cx, packet) {
            self.find_home(cx, packet);
        }
        Ok(())
    }

    /// Gives the packet to our peer, if it is for one; else gives it back.
    fn hand_down(&mut self, cx: &mut Context, packet: Packet) -> Option<Packet> {
        match self.children.get(&packet.destination()) {
            Some(child) => {
                cx.send_packet(child.link, packet);
                None
            }
            None => Some(packet),
        }
    }

    /// The destination's records are there: to its home, and its new place to the sender.
    pub(super) fn carry_to(&mut self, cx: &mut Context, packet: Packet, found: &[Found]) {
        let destination = packet.destination();
        let Some(found) = found.iter().find(|f| f.record.node() == destination && f.lease_ms > 0)
        else {
            return;
        };
        self.tell_moved(cx, packet.source(), found);
        if let Some(link) = self.members.link_to(found.record.home) {
            cx.send_packet(link, packet);
        }
    }

    fn tell_moved(&mut self, cx: &mut Context, sender: NodeId, found: &Found) {
        let Some(child) = self.children.get(&sender) else { return };
        let moved = Payload::Moved(Moved { record: found.record.clone() });
        let Ok(payload) = moved.encode() else { return };
        let to = Destination { node: sender, key: child.key, labels: child.labels.clone() };
        let mut packet = Packet::new(Class::Control, cx.me, &to, &payload);
        packet.set_escalated();
        cx.send_packet(child.link, packet);
    }
}
