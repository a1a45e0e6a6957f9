//! Carries the membership protocol: its messages over the links that there are, its verdicts to the
//! list of members.

use super::Supernode;
use super::swim::Verdict;
use crate::context::Context;
use crate::encoding::Blob;
use crate::id::{LinkId, NodeId};
use crate::status::Status;
use crate::wire::message::{Life, Swim as SwimMessage};

impl Supernode {
    /// Tells a member which life we live, and whether we hold its own for ended.
    pub(super) fn tell_life(&self, cx: &mut Context, link: LinkId, node: NodeId) {
        cx.send(link, Life { life: self.swim.life(), buried: self.swim.buried(node) });
    }

    pub(super) fn on_life(&mut self, cx: &mut Context, link: LinkId, node: NodeId, life: &Life) {
        self.swim.met(cx.now, node, life.life);
        if self.swim.verdict(node) == Verdict::Dead {
            // It shall begin another one.
            self.tell_life(cx, link, node);
        }
        self.swim.rise(cx.now, life.buried);
        self.follow_swim(cx);
    }

    /// A member speaks of who lives.
    ///
    /// # Errors
    /// The status to end its link with; nothing has changed.
    pub(super) fn on_swim(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        message: &SwimMessage,
    ) -> Result<(), Status> {
        let members = &self.members;
        let believed = |of: NodeId, said: Verdict| members.believes(cx, of, said);
        let heard = self.swim.hear(cx.now, node, &message.data.0, believed);
        heard.map_err(|_| Status::MALFORMED)?;
        self.follow_swim(cx);
        Ok(())
    }

    pub(super) fn tick_swim(&mut self, cx: &mut Context) {
        if cx.now >= self.swim.next_at() {
            let members = &self.members;
            self.swim.tick(cx.now, |node| members.speaks(cx, node));
            self.follow_swim(cx);
        }
    }

    /// Sends what the protocol has to say, and does what it has found out.
    fn follow_swim(&mut self, cx: &mut Context) {
        if self.swim.take_reborn() {
            for (node, link) in self.members.links() {
                self.tell_life(cx, link, node);
            }
        }
        while let Some((to, data)) = self.swim.pop_word() {
            // As with datagrams, what cannot be sent is lost: the protocol reckons with that.
            if let Some(link) = self.members.link_to(to) {
                cx.send(link, SwimMessage { data: Blob(data) });
            }
        }
        while let Some(node) = self.swim.pop_turn() {
            self.member_turned(cx, node);
        }
        self.wake_by(self.swim.next_at());
    }
}
