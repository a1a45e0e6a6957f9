//! What it means that a peer has no session here any more.

use super::Supernode;
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::io::Event;
use crate::status::Status;
use crate::wire::message::Logout;

impl Supernode {
    pub(super) fn on_logout(&mut self, cx: &mut Context, node: NodeId, logout: Logout) {
        let Some(child) = self.children.get(&node) else { return };
        let (key, name) = (child.key, child.name.clone());
        if let Some(record) = logout.record {
            let member = record.check(cx.verifier(), cx.identity.realm, cx.wall());
            if member.is_ok_and(|member| member.node == node && member.name == name) {
                self.replicate(cx, key, record);
            }
        }
        self.child_gone(cx, node, Status::OK);
    }

    /// A peer has no session here any more.
    pub(super) fn child_gone(&mut self, cx: &mut Context, node: NodeId, status: Status) {
        let Some(child) = self.children.remove(&node) else { return };
        let around = child.seats().map(|(_, seat)| seat.peer.contact.node);
        self.stale.extend(around.filter(|other| self.children.contains_key(other)));
        let goes_on_elsewhere = status.is_redirect();
        if status != Status::OK && !goes_on_elsewhere {
            self.gate.expect(cx, node);
            self.damping.lost(node, child.seats().count(), cx.config.degree, cx.now);
            self.withdraw(cx, child.key, node);
        }
        cx.event(Event::ChildOut { node, status });
    }

    /// Ends sessions whose lease has run out.
    pub(super) fn expire_children(&mut self, cx: &mut Context) {
        let expired: Vec<(NodeId, LinkId)> = self
            .children
            .iter()
            .filter(|(_, child)| cx.now >= child.lease_until)
            .map(|(node, child)| (*node, child.link))
            .collect();
        for (node, link) in expired {
            self.child_gone(cx, node, Status::TIMEOUT);
            crate::links::dismiss(cx, link, Status::TIMEOUT);
        }
    }
}
