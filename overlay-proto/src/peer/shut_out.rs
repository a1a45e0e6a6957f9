//! Who is out: a peer hears it from its home or a standby, and has nothing to do with them any more.
//!
//! The lists are those of supernodes, signed and fetched as among them. So a session between two
//! peers ends though it runs over a direct link or over accomplices, and none begins, whatever a
//! supernode says of who is out. A neighbour's user a peer does not know: of neighbours it hears from
//! its home, or when the node itself is named.

use super::Peer;
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::identity::RevocationList;
use crate::io::Event;
use crate::links;
use crate::status::Status;
use crate::time::Time;
use crate::wire::message::{Revocations, RevocationsKnown};
use std::sync::Arc;

impl Peer {
    /// A supernode says which lists it has.
    pub(super) fn on_revocations_known(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        known: &RevocationsKnown,
    ) -> Result<(), Status> {
        if !self.is_told_by(link) {
            return Ok(());
        }
        self.fetching.on_known(cx, link, known)?;
        self.wake_by(self.fetching.due());
        Ok(())
    }

    /// A part of a list that was asked for.
    pub(super) fn on_revocations(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        part: Revocations,
    ) -> Result<(), Status> {
        if self.fetching.on_part(cx, link, part)?.is_some() {
            self.revocations_changed(cx);
        }
        Ok(())
    }

    /// Home and standbys: one of them that hides something does so in vain while another tells it.
    fn is_told_by(&self, link: LinkId) -> bool {
        self.session.online() == Some(link) || self.warm.contains(&link)
    }

    /// What the driver has kept since the last start.
    pub(crate) fn recall_revocations(&mut self, cx: &mut Context, lists: Vec<Arc<RevocationList>>) {
        let adopted = lists.into_iter().filter(|list| cx.adopt_revocations(list.clone()).is_ok());
        if adopted.count() > 0 {
            self.shun_all(cx);
        }
    }

    fn revocations_changed(&mut self, cx: &mut Context) {
        cx.event(Event::RevocationsChanged(cx.revoked.lists().cloned().collect()));
        self.shun_all(cx);
    }

    /// Ends all that there is with anybody who is out.
    fn shun_all(&mut self, cx: &mut Context) {
        let known = self.correspondents.known.iter();
        let out =
            known.filter(|(_, known)| !seeded!(OutcastKept) && cx.revoked.bars_keys(&known.keys));
        let out: Vec<NodeId> = out.map(|(node, _)| *node).collect();
        out.into_iter().for_each(|node| self.shun(cx, node));
        self.lookups.forget_barred(&cx.revoked);
        self.post.forget_barred(&cx.revoked);
        self.hosts.retain(|node| !cx.revoked.bars_supernode(node));
        self.standbys.retain(|standby| !cx.revoked.bars_supernode(standby.node));
        let barred = cx.links.iter().filter(|(_, link)| cx.revoked.bars_node(link.node));
        let barred: Vec<LinkId> = barred.map(|(id, _)| id).collect();
        barred.into_iter().for_each(|link| links::dismiss(cx, link, Status::REVOKED));
    }

    /// A correspondent is out: nothing comes from it any more, and nothing goes there.
    fn shun(&mut self, cx: &mut Context, node: NodeId) {
        let Some(known) = self.correspondents.known.remove(&node) else { return };
        cx.event(Event::ShutOut { node, name: known.name });
        // The direct link, or one of the topology: our home is about to hear of it, too.
        if let Some(link) = cx.links.ready_to(node) {
            links::dismiss(cx, link, Status::REVOKED);
        }
    }

    /// A link is gone, perhaps one over which a list was to come.
    pub(super) fn fetching_link_down(&mut self, link: LinkId) {
        self.fetching.link_down(link);
        self.wake_by(self.fetching.due());
    }

    /// Asks again for lists that have not come.
    pub(super) fn tick_fetching(&mut self, cx: &mut Context) {
        if cx.now >= self.fetching.due() {
            let links = self.session.online().into_iter().chain(self.warm.iter().copied());
            let links: Vec<LinkId> = links.collect();
            if links.is_empty() {
                // The next home says what there is.
                return;
            }
            self.fetching.ask_again(cx, &links);
        }
        match self.fetching.due() {
            Time::NEVER => {}
            due => self.wake_by(due),
        }
    }
}

#[cfg(test)]
mod tests;
