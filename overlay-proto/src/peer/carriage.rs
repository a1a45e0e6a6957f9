//! Carrying the datagrams of sessions: over a direct link if there is one, else hop by hop.
//!
//! Transient on purpose: what is lost is lost, and the session above sends it again. Files never go
//! over the scaffold, which is small; everything else may, when hops lead nowhere.

use super::Peer;
use super::locate::{Errand, Waiter};
use crate::config::DATAGRAM_BYTES_MAX;
use crate::context::Context;
use crate::id::NodeId;
use crate::io::{Datagram, Output};
use crate::time::Span;
use crate::wire::datagram;
use crate::wire::{Class, Packet};

/// After so much silence a correspondent is told again where we are.
const TOLD_AGAIN_AFTER: Span = Span::millis(500);
/// After so much silence the index is asked where it is.
const SOUGHT_AFTER: Span = Span::secs(2);

impl Peer {
    /// Sends a datagram to a correspondent. One that is too large, or for somebody whom we have not
    /// met, is dropped: the session will notice.
    pub fn send_datagram(&mut self, cx: &mut Context, to: NodeId, class: Class, bytes: &[u8]) {
        let now = cx.now;
        let Some(known) = self.correspondents.known.get(&to) else { return };
        if bytes.len() > DATAGRAM_BYTES_MAX {
            return;
        }
        let (silence, deaf) = (known.hearing.silence(now), known.hearing.is_deaf(now));
        if silence >= TOLD_AGAIN_AFTER || self.has_moved_for(to) {
            self.tell_binding(cx, to);
        }
        if deaf {
            self.seek_another_way(cx, to, silence);
        }
        let Some(known) = self.correspondents.known.get(&to) else { return };
        let head = datagram::head(deaf);
        let packet = Packet::with_head(class, cx.me, &known.to, &head, bytes);
        let first_hop = match known.direct.link() {
            Some(link) => {
                cx.send_packet(link, packet);
                None
            }
            None => {
                let route = known.hearing.route(now);
                self.set_out(cx, packet, route)
            }
        };
        if let Some(known) = self.correspondents.known.get_mut(&to) {
            known.used = now;
            known.hearing.sent(now, first_hop);
        }
        self.consider_direct(cx, to);
    }

    /// Nothing comes back: by another way, and perhaps to another place.
    fn seek_another_way(&mut self, cx: &mut Context, to: NodeId, silence: Span) {
        let Some(known) = self.correspondents.known.get_mut(&to) else { return };
        if known.direct.link().is_some() {
            return self.shun_direct(cx, to);
        }
        if known.hearing.turn(cx.now) && silence >= SOUGHT_AFTER {
            let name = known.name.clone();
            self.ask_for(cx, name, Waiter::Errand(Errand::Rebind(to)));
        }
    }

    /// A datagram for this node. Only correspondents are listened to.
    pub(super) fn on_datagram(&mut self, cx: &mut Context, packet: Packet, deaf: bool) {
        let (from, class, hops) = (packet.source(), packet.class(), packet.hops_taken());
        let astray = self.is_astray(&packet);
        let Some(known) = self.correspondents.known.get_mut(&from) else { return };
        known.used = cx.now;
        known.hops = hops;
        known.hearing.heard(cx.now);
        let in_vain = deaf && known.direct.link().is_some();
        if deaf && !in_vain {
            known.hearing.turn(cx.now);
        }
        if deaf || astray {
            self.tell_binding(cx, from);
        }
        if in_vain {
            // It hears nothing of us, so our link to it, which still stands, carries nothing.
            self.shun_direct(cx, from);
        }
        let congested = packet.is_congested();
        let (frame, payload) = packet.into_parts();
        let payload = payload.start + datagram::DATAGRAM_HEAD..payload.end;
        cx.emit(Output::Datagram(Datagram { from, class, congested, frame, payload }));
    }
}

#[cfg(test)]
mod tests;
