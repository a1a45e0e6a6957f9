//! Direct links: beside the neighbours, to a correspondent with whom much is exchanged.
//!
//! They carry nothing but the datagrams between their two ends, so they change no topology. When one
//! breaks the datagrams go hop by hop again with the next one sent.

use super::Peer;
use crate::config::DIRECT_LINKS_MAX;
use crate::context::Context;
use crate::id::{DialId, LinkId, NodeId};
use crate::io::Event;
use crate::links;
use crate::status::Status;
use crate::time::{Span, Time};

/// Datagrams within [`WINDOW`] from which on a direct link is worth a handshake.
const WORTH: u32 = 32;
const WINDOW: Span = Span::secs(5);
/// A direct link on which nothing was exchanged for so long is given up.
const IDLE_MAX: Span = Span::secs(60);
/// The end with the larger node id lets the other one dial first.
const SECOND_DIALLER: Span = Span::secs(2);
/// The wait after the first failed dial; it doubles up to [`RETRY_MAX`]. Most failures are addresses
/// behind a NAT, which stay as they are.
const RETRY: Span = Span::secs(30);
const RETRY_MAX: Span = Span::secs(900);
/// Who has no direct link to us because it carried nothing gets none for so long.
const SHUNNED_FOR: Span = Span::secs(30);

/// How far the direct link to a correspondent is.
#[derive(Debug)]
pub(crate) struct Direct {
    state: State,
    /// Datagrams since the window began.
    window: (Time, u32),
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// None, and none to be made before.
    None { not_before: Time },
    /// We dial.
    Dialling { dial: DialId },
    /// It carries.
    Up { link: LinkId },
}

impl Direct {
    pub fn new(now: Time) -> Direct {
        Direct { state: State::None { not_before: now }, window: (now, 0), failures: 0 }
    }

    /// The link, if it is up.
    pub fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Up { link } => Some(link),
            State::None { .. } | State::Dialling { .. } => None,
        }
    }

    /// Counts a datagram. True if so many go that a direct link is worth it.
    fn count(&mut self, now: Time) -> bool {
        if now.since(self.window.0) >= WINDOW {
            self.window = (now, 0);
        }
        self.window.1 += 1;
        self.window.1 >= WORTH
    }
}

impl Peer {
    /// One more datagram has gone: perhaps a direct link is worth it by now.
    pub(super) fn consider_direct(&mut self, cx: &mut Context, to: NodeId) {
        let now = cx.now;
        let Some(known) = self.correspondents.known.get_mut(&to) else { return };
        if !cx.config.direct || !known.direct.count(now) {
            return;
        }
        let State::None { not_before } = known.direct.state else { return };
        let second = if cx.me < to { Span::ZERO } else { SECOND_DIALLER };
        let too_soon = now < not_before || now.since(known.direct.window.0) < second;
        let neighbour = self.neighbours.iter().any(|near| near.node == to);
        if too_soon || neighbour || self.direct_links() >= DIRECT_LINKS_MAX {
            return;
        }
        if let Some(link) = cx.links.ready_to(to) {
            return self.direct_ready(cx, link, to);
        }
        let Some(known) = self.correspondents.known.get_mut(&to) else { return };
        if let Some(contact) = known.contact.clone().filter(|contact| !contact.addresses.is_empty())
        {
            known.direct.state = State::Dialling { dial: cx.dial(&contact) };
        }
    }

    fn direct_links(&self) -> usize {
        let known = self.correspondents.known.values();
        known.filter(|known| !matches!(known.direct.state, State::None { .. })).count()
    }

    /// A greeted link to a node is there: if it is a correspondent, datagrams take it from now on.
    pub(super) fn direct_ready(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        let full = self.direct_links() >= DIRECT_LINKS_MAX;
        let Some(known) = self.correspondents.known.get_mut(&node) else { return };
        let dialled = matches!(known.direct.state, State::Dialling { .. });
        let shunned =
            matches!(known.direct.state, State::None { not_before } if cx.now < not_before);
        if !cx.config.direct || shunned || full && !dialled {
            return;
        }
        known.direct.state = State::Up { link };
        known.direct.failures = 0;
        let until = known.used + IDLE_MAX;
        cx.event(Event::PathChanged { node, name: known.name.clone(), direct: true });
        self.wake_by(until);
    }

    /// Whether a link serves as a direct one.
    pub(super) fn is_direct(&self, link: LinkId) -> bool {
        self.direct_end(link).is_some()
    }

    /// The correspondent at the other end of a direct link.
    fn direct_end(&self, link: LinkId) -> Option<NodeId> {
        let mut known = self.correspondents.known.iter();
        known.find(|(_, known)| known.direct.link() == Some(link)).map(|(node, _)| *node)
    }

    pub(super) fn direct_link_down(&mut self, cx: &mut Context, link: LinkId) {
        if let Some(node) = self.direct_end(link) {
            self.leave_direct(cx, node, Span::secs(1));
        }
    }

    pub(super) fn direct_dial_failed(&mut self, cx: &Context, dial: DialId) -> bool {
        let mut known = self.correspondents.known.values_mut();
        let state = State::Dialling { dial };
        let Some(known) = known.find(|known| known.direct.state == state) else { return false };
        let wait = Span(RETRY.0 << known.direct.failures.min(8)).min(RETRY_MAX);
        known.direct.failures += 1;
        known.direct.state = State::None { not_before: cx.now + wait };
        true
    }

    /// The direct link carries nothing, though it stands: hop by hop for a while.
    pub(super) fn shun_direct(&mut self, cx: &mut Context, node: NodeId) {
        self.give_up_direct(cx, node, SHUNNED_FOR);
    }

    /// A correspondent is forgotten.
    pub(super) fn end_direct(&mut self, cx: &mut Context, node: NodeId) {
        self.give_up_direct(cx, node, Span::ZERO);
    }

    fn give_up_direct(&mut self, cx: &mut Context, node: NodeId, wait: Span) {
        let known = self.correspondents.known.get(&node);
        let Some(link) = known.and_then(|known| known.direct.link()) else { return };
        self.leave_direct(cx, node, wait);
        // It may serve another purpose by now.
        if !self.serves(link) {
            links::dismiss(cx, link, Status::OK);
        }
    }

    fn leave_direct(&mut self, cx: &mut Context, node: NodeId, wait: Span) {
        if let Some(known) = self.correspondents.known.get_mut(&node) {
            known.direct.state = State::None { not_before: cx.now + wait };
            cx.event(Event::PathChanged { node, name: known.name.clone(), direct: false });
        }
    }

    pub(super) fn tick_direct(&mut self, cx: &mut Context) {
        let now = cx.now;
        let known = self.correspondents.known.iter();
        let up = known.filter(|(_, known)| known.direct.link().is_some());
        let up: Vec<(NodeId, Time)> =
            up.map(|(node, known)| (*node, known.used + IDLE_MAX)).collect();
        for (node, until) in up {
            if now >= until { self.end_direct(cx, node) } else { self.wake_by(until) }
        }
    }
}
