//! Questions that a supernode passes on: of its peers to a registrar, of a new device to its
//! user's first one. It keeps who asked, for a while, and nothing of what was asked.

use super::Supernode;
use super::revoker::{Asker, settle};
use crate::config::REQUESTS_MAX;
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::status::Status;
use crate::time::Time;
use crate::wire::Message;
use crate::wire::message::{JoinDevice, JoinDeviceReply, RegistrarReply, Renew, Revoke};
use std::collections::BTreeMap;

/// Questions that may be open over one link.
const OPEN_EACH: usize = 4;
/// Longest name of a device, in bytes.
pub(crate) const LABEL_BYTES_MAX: usize = 64;

/// Questions under way, by the number under which they were passed on.
#[derive(Debug, Default)]
pub(crate) struct Relays(BTreeMap<u64, Relay>);

#[derive(Debug)]
struct Relay {
    /// Who has asked, and under which number.
    asker: LinkId,
    id: u64,
    /// Who is to answer.
    answerer: LinkId,
    until: Time,
}

impl Supernode {
    pub(super) fn on_revoke_asked(&mut self, cx: &mut Context, link: LinkId, ask: Revoke) {
        let asker = Asker::Link { link, id: ask.id };
        match self.registrar_link(cx, link) {
            Way::Here => self.on_revoke(cx, asker, &ask.word),
            Way::There(registrar) => {
                self.pass(cx, link, ask.id, registrar, |id| Revoke { id, ..ask });
            }
            Way::None => settle(cx, asker, Status::NOT_SERVED, None),
        }
    }

    pub(super) fn on_renew_asked(&mut self, cx: &mut Context, link: LinkId, ask: Renew) {
        let asker = Asker::Link { link, id: ask.id };
        match self.registrar_link(cx, link) {
            Way::Here => self.on_renew(cx, asker, ask),
            Way::There(registrar) => {
                self.pass(cx, link, ask.id, registrar, |id| Renew { id, ..ask });
            }
            Way::None => settle(cx, asker, Status::NOT_SERVED, None),
        }
    }

    /// A registrar has answered what was passed on to it.
    pub(super) fn on_registrar_reply(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        reply: RegistrarReply,
    ) {
        if let Some((asker, id)) = self.relays.answered(reply.id, link)
            && cx.links.greeted(asker).is_some()
        {
            cx.send(asker, RegistrarReply { id, ..reply });
        }
    }

    /// A new device looks for a device that is logged in here, or keeps a warm link.
    pub(super) fn on_join_device(&mut self, cx: &mut Context, link: LinkId, ask: JoinDevice) {
        if ask.to == cx.me {
            // This node's own user is meant, and answers.
            return;
        }
        let (id, device) = (ask.id, ask.device);
        // The link proves the key; the seal will prove that it belongs to the code.
        let fits = cx.links.node_of(link) == Some(device) && ask.label.len() <= LABEL_BYTES_MAX;
        let status = match self.link_of_peer(cx, ask.to) {
            _ if !fits => Status::MALFORMED,
            None => Status::OFFLINE,
            Some(there) => {
                if self.pass(cx, link, id, there, |id| JoinDevice { id, ..ask }) {
                    return;
                }
                Status::OVERLOADED
            }
        };
        cx.send(link, JoinDeviceReply { id, device, status, chain: None });
    }

    pub(super) fn on_join_device_reply(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        reply: JoinDeviceReply,
    ) {
        if let Some((asker, id)) = self.relays.answered(reply.id, link)
            && cx.links.greeted(asker).is_some()
        {
            cx.send(asker, JoinDeviceReply { id, ..reply });
        }
    }

    /// The link of a peer that has a session here or stands by to have one.
    fn link_of_peer(&self, cx: &Context, node: NodeId) -> Option<LinkId> {
        let child = self.children.get(&node).map(|child| child.link);
        let warm = || cx.links.ready_to(node).filter(|link| self.warm.contains(link));
        child.or_else(warm)
    }

    /// Where a question for a registrar goes. One that another supernode has passed on goes no
    /// further.
    fn registrar_link(&self, cx: &mut Context, from: LinkId) -> Way {
        if cx.identity.is_registrar() {
            return Way::Here;
        }
        let known: Vec<LinkId> = self
            .members
            .alive()
            .filter(|(_, member)| member.record.registrar)
            .filter_map(|(_, member)| member.link())
            .collect();
        let drawn = cx.random_below(known.len());
        match known.get(drawn) {
            Some(link) if self.member_of(cx, from).is_none() => Way::There(*link),
            _ => Way::None,
        }
    }

    fn pass<M: Into<Message>>(
        &mut self,
        cx: &mut Context,
        asker: LinkId,
        id: u64,
        answerer: LinkId,
        message: impl FnOnce(u64) -> M,
    ) -> bool {
        let now = cx.now;
        self.relays.0.retain(|_, relay| now < relay.until);
        let open = self.relays.0.values().filter(|relay| relay.asker == asker).count();
        if open >= OPEN_EACH || self.relays.0.len() >= REQUESTS_MAX {
            return false;
        }
        let number = cx.fresh_id();
        let until = now + cx.config.patience;
        self.relays.0.insert(number, Relay { asker, id, answerer, until });
        cx.send(answerer, message(number));
        true
    }
}

/// The way to a registrar.
enum Way {
    Here,
    There(LinkId),
    None,
}

impl Relays {
    /// Who asked, and under which number, if `link` is where the answer was to come from.
    fn answered(&mut self, number: u64, link: LinkId) -> Option<(LinkId, u64)> {
        if self.0.get(&number)?.answerer != link {
            return None;
        }
        self.0.remove(&number).map(|relay| (relay.asker, relay.id))
    }
}
