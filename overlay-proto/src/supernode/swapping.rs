//! Background improvement: two links swap ends, so that more peers have as many near links as the
//! realm wants.
//!
//! Joins, repairs and changes of home leave some peers with too few links within their region and
//! some with too many. Where one of ours, `p`, has too few, one of its far links, `p–q`, and another
//! link, `a–b`, become `p–a` and `b–q`:
//!
//! - `a–b` is near, and `b` has too many such: it gets a far one for it;
//! - or it is far as `p–q` is, and `a` has too few near ones as well.
//!
//! Either way two peers get nearer to what the realm wants and nobody farther from it, so what one
//! swap has done no other undoes. What must change at other homes they change by compare-and-swap,
//! as for a splice; what is lost half-way leaves free slots.
//!
//! For hops alone there is nothing to swap: over random links the shortest ways are within 0.1 % of
//! those of a random regular graph.

use super::Supernode;
use super::child::{Child, Phase};
use super::planner::REGION_MIN;
use super::splice::RequestKind;
use crate::config::REQUESTS_MAX;
use crate::context::Context;
use crate::id::{NodeId, ShortId};
use crate::status::Status;
use crate::time::Span;
use crate::wire::message::{PeerContact, Relink, RelinkReply};

/// Of so many peers one swaps in a heartbeat: those around carry on, and few labels change twice.
const PEERS_EACH_BEAT: usize = 200;
/// Peers looked at for each swap, on either side.
const SAMPLES: usize = 16;
/// A peer that has been here for less may still get its links.
const SETTLED: Span = Span::secs(10);

/// A swap under way: `p–q` and `a–b` become `p–a` and `b–q`. `p` and `a` are ours, `q` is not.
#[derive(Debug)]
pub(crate) struct Swap {
    p: NodeId,
    q: PeerContact,
    a: NodeId,
    b: PeerContact,
    asked: Asked,
}

/// Whose home has been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// That of `q`, to replace `p` by `b`.
    OfQ,
    /// That of `b`, after the other has done so, to replace `a` by `q`.
    OfB,
}

/// A peer's links, as near and far are counted here.
struct Balance {
    /// Near links it has less than wanted; negative if more.
    lack: isize,
    /// Whether all of its slots are taken and their links up.
    whole: bool,
}

impl Supernode {
    /// Sets off the swaps of one heartbeat.
    pub(super) fn improve(&mut self, cx: &mut Context) {
        let region = self.children.len() > REGION_MIN * cx.config.degree;
        if cx.config.near == 0 || !region || self.members.are_unsettled(cx) {
            return;
        }
        let nodes: Vec<NodeId> = self.children.keys().copied().collect();
        for _ in 0..nodes.len().div_ceil(PEERS_EACH_BEAT) {
            if let Some(swap) = self.find_swap(cx, &nodes) {
                self.ask_for_swap(cx, swap);
            }
        }
    }

    fn find_swap(&self, cx: &mut Context, nodes: &[NodeId]) -> Option<Swap> {
        let mut draw = || -> Vec<NodeId> {
            let sample = |_| nodes.get(cx.random_below(nodes.len())).copied();
            (0..SAMPLES).filter_map(sample).collect()
        };
        let (drawn, others) = (draw(), draw());
        let (near, now) = (cx.config.near, cx.now);
        let lacking = |node: &NodeId| {
            self.children.get(node).is_some_and(|child| {
                let balance = self.balance(near, child);
                now.since(child.since) >= SETTLED && balance.whole && balance.lack > 0
            })
        };
        let p = drawn.iter().copied().find(lacking)?;
        let child = self.children.get(&p)?;
        // The farthest of them goes.
        let up = child.seats().filter(|(_, seat)| seat.phase == Phase::Up);
        let far = up.filter(|(_, seat)| !self.children.contains_key(&seat.peer.contact.node));
        let q = far.max_by_key(|(_, seat)| seat.cost).map(|(_, seat)| seat.peer.clone())?;
        others.into_iter().chain(drawn).find_map(|a| {
            let b = self.other_link(near, p, &q, a)?;
            Some(Swap { p, q: q.clone(), a, b, asked: Asked::OfQ })
        })
    }

    /// The neighbour that `a` gives up for `p`, if there is one that can do with `q`.
    fn other_link(
        &self,
        near: usize,
        p: NodeId,
        q: &PeerContact,
        a: NodeId,
    ) -> Option<PeerContact> {
        let child = self.children.get(&a)?;
        if a == p || child.has(p.short()) || child.has(q.contact.node.short()) {
            return None;
        }
        let lacks = self.balance(near, child).lack > 0;
        let fits = |b: &PeerContact| match self.children.get(&b.contact.node) {
            Some(ours) => {
                let to_q = b.contact.node == p || ours.has(q.contact.node.short());
                !to_q && self.balance(near, ours).lack < 0 && ours.is_up(a.short())
            }
            // Of two homes: else the link between them would be near for those who may have enough.
            None => lacks && b.home != q.home && b.contact.node != q.contact.node,
        };
        let up = child.seats().filter(|(_, seat)| seat.phase == Phase::Up);
        up.map(|(_, seat)| &seat.peer).find(|b| fits(b)).cloned()
    }

    fn balance(&self, near: usize, child: &Child) -> Balance {
        let ours = child.seats().filter(|(_, s)| self.children.contains_key(&s.peer.contact.node));
        let up = child.seats().filter(|(_, seat)| seat.phase == Phase::Up).count();
        Balance { lack: near as isize - ours.count() as isize, whole: up == child.slots.len() }
    }

    /// Asks the home whose turn it is.
    fn ask_for_swap(&mut self, cx: &mut Context, swap: Swap) {
        let (whom, old, new) = match swap.asked {
            Asked::OfQ => (&swap.q, swap.p.short(), self.as_named(cx, &swap.b)),
            Asked::OfB => (&swap.b, swap.a.short(), swap.q.clone()),
        };
        let child = whom.contact.node;
        let has_room = self.requests.len() < REQUESTS_MAX;
        let Some(link) = self.members.link_to(whom.home).filter(|_| has_room) else {
            return self.go_on_swapping(cx, swap, None);
        };
        self.hold(&swap, Phase::Cutting);
        if let Some(id) = self.open_request(cx, RequestKind::Swap(Box::new(swap))) {
            cx.send(link, Relink { id, child, old, new });
        }
    }

    /// How others are told of a neighbour: as it is now, if it is ours.
    fn as_named(&self, cx: &Context, peer: &PeerContact) -> PeerContact {
        let ours = self.children.get(&peer.contact.node);
        ours.map_or_else(
            || peer.clone(),
            |child| PeerContact { contact: child.contact.clone(), home: cx.me },
        )
    }

    /// Keeps the links of a swap out of other plans, or gives them back.
    fn hold(&mut self, swap: &Swap, phase: Phase) {
        self.set_phase(swap.p, swap.q.contact.node, phase);
        self.set_phase(swap.a, swap.b.contact.node, phase);
        self.set_phase(swap.b.contact.node, swap.a, phase);
    }

    /// Another home has answered; `None` if it has not, in time.
    pub(super) fn go_on_swapping(
        &mut self,
        cx: &mut Context,
        swap: Swap,
        reply: Option<RelinkReply>,
    ) {
        self.hold(&swap, Phase::Up);
        let contact = reply.filter(|reply| reply.status == Status::OK).and_then(|r| r.child);
        match (swap.asked, contact) {
            (Asked::OfQ, None) => {}
            (Asked::OfQ, Some(contact)) => {
                let q = PeerContact { contact, home: swap.q.home };
                self.bring_to_q(cx, Swap { q, asked: Asked::OfB, ..swap });
            }
            (Asked::OfB, Some(_)) => self.end_swap(cx, &swap),
            (Asked::OfB, None) => self.break_off(cx, &swap),
        }
    }

    /// `q` expects `b` now: `b` shall take it for `a`.
    fn bring_to_q(&mut self, cx: &mut Context, swap: Swap) {
        let Some(b) = self.children.get_mut(&swap.b.contact.node) else {
            return self.ask_for_swap(cx, swap);
        };
        match b.replace(swap.a.short(), swap.q.clone(), cx.now) {
            true => self.end_swap(cx, &swap),
            false => self.break_off(cx, &swap),
        }
    }

    /// `b` and `q` expect each other: our two peers follow.
    fn end_swap(&mut self, cx: &mut Context, swap: &Swap) {
        self.counters.swapped += 1;
        let ends = [(swap.p, swap.q.contact.node, swap.a), (swap.a, swap.b.contact.node, swap.p)];
        for (node, old, new) in ends {
            let new = self.children.get(&new).map(|child| child.contact.clone());
            let new = new.map(|contact| PeerContact { contact, home: cx.me });
            let Some(child) = self.children.get_mut(&node) else { continue };
            if !new.is_some_and(|new| child.replace(old.short(), new, cx.now)) {
                child.unseat(old.short());
            }
        }
    }

    /// `q` has given up `p` for `b`, which does not come.
    fn break_off(&mut self, cx: &mut Context, swap: &Swap) {
        if let Some(child) = self.children.get_mut(&swap.p) {
            child.unseat(swap.q.contact.node.short());
        }
        self.release(cx, &swap.q, swap.b.contact.node);
    }
}

impl Child {
    /// Whether the link to `node` is up and nobody plans with it.
    fn is_up(&self, node: ShortId) -> bool {
        let mut seats = self.seats();
        seats.any(|(_, s)| s.phase == Phase::Up && s.peer.contact.node.short() == node)
    }
}
