//! Filling free slots: the one mechanism behind joins, leaves, crashes and bootstrap.
//!
//! A newcomer is spliced into existing links, two slots at a time, so it joins the one graph that
//! there is. A peer that has lost neighbours is paired with another that has a free slot. While
//! the realm is so small that everyone can be everyone's neighbour, all are paired.

use super::Supernode;
use super::child::{Child, Phase, Seat};
use super::splice::{Origin, Request, RequestKind};
use crate::config::REQUESTS_MAX;
use crate::context::Context;
use crate::id::{LinkId, NodeId, ShortId};
use crate::time::Span;
use crate::wire::message::{Pair, PeerContact, Splice};

/// Peers served in one round; the rest wait for the next.
const ROUND_MAX: usize = 256;
/// After a failure a peer is left alone for up to this long.
const BACKOFF: Span = Span::secs(1);
/// Failures in a row after which it does not matter where a link leads.
const INDIFFERENT_AFTER: u32 = 2;
/// A region of fewer peers than this many times the degree is no region: all links are alike.
pub(super) const REGION_MIN: usize = 4;
/// Failures in a row after which a peer with a single free slot is content with it for long.
const PATIENT_AFTER: u32 = 4;
const BACKOFF_LONG: Span = Span::secs(8);

/// How a peer's free slots are to be filled.
enum Plan {
    /// Into a link that is cut, taking two slots.
    Splice,
    /// With another free slot.
    Pair,
    /// Not now.
    Nothing,
}

/// Where a link is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To another peer of the same home.
    Near,
    /// To a peer of another home.
    Far,
    /// It does not matter.
    Anywhere,
}

impl Reach {
    /// Whether a link will do that leads to a peer of ours, or not.
    fn covers(self, ours: bool) -> bool {
        self == Reach::Anywhere || ours == (self == Reach::Near)
    }

    /// Draws in proportion to the weights of what is in reach: `None` for here, else a member's link.
    fn draw(self, cx: &mut Context, here: u64, there: &[(NodeId, LinkId, u32)]) -> Option<LinkId> {
        match self {
            Reach::Near => None,
            Reach::Far => draw(cx, 0, there),
            Reach::Anywhere => draw(cx, here, there),
        }
    }
}

/// What the realm has to fill slots with, as of the last heartbeats.
struct Supply {
    peers: usize,
    links_here: u64,
    links_there: Vec<(NodeId, LinkId, u32)>,
    free_here: u64,
    free_there: Vec<(NodeId, LinkId, u32)>,
}

fn sum(weights: &[(NodeId, LinkId, u32)]) -> u64 {
    weights.iter().map(|(_, _, weight)| u64::from(*weight)).sum()
}

impl Supernode {
    /// One round over the peers with free slots.
    pub(super) fn fill_slots(&mut self, cx: &mut Context) {
        let patience = cx.config.slot_patience;
        self.children.for_each_restless(|_, child| child.expire_slots(cx.now, patience));
        let mut needy: Vec<(usize, NodeId)> = self
            .children
            .restless()
            .filter(|(_, child)| cx.now >= child.plan_at && self.offered(child) > 0)
            .map(|(node, child)| (child.free(), *node))
            .collect();
        if needy.is_empty() {
            return;
        }
        needy.sort_unstable_by(|a, b| b.cmp(a));
        let supply = self.supply();
        for (_, node) in needy.into_iter().take(ROUND_MAX) {
            match self.plan(cx, node, &supply) {
                Plan::Splice => self.splice_in(cx, node, &supply),
                Plan::Pair => self.pair_up(cx, node, &supply),
                Plan::Nothing => self.planned(cx, node, false),
            }
        }
    }

    /// Free slots of a peer that may be filled now.
    pub(super) fn offered(&self, child: &Child) -> usize {
        let waits = self.damping.holds(&child.contact.node, child.seats().count());
        if waits { 0 } else { child.free() }
    }

    fn supply(&self) -> Supply {
        Supply {
            peers: self.children.len() + self.members.peers(),
            links_here: self.children.values().map(|child| child.up() as u64).sum(),
            links_there: self.members.weights(|load| load.links),
            free_here: self.children.restless().map(|(_, child)| self.offered(child) as u64).sum(),
            free_there: self.members.weights(|load| load.free_slots),
        }
    }

    fn plan(&self, cx: &Context, node: NodeId, supply: &Supply) -> Plan {
        let Some(child) = self.children.get(&node) else { return Plan::Nothing };
        let links = supply.links_here + sum(&supply.links_there);
        let free = (supply.free_here + sum(&supply.free_there)).saturating_sub(child.free() as u64);
        let small = supply.peers <= cx.config.degree + 1;
        // Half of a newcomer's links must come from splices, or a crowd of newcomers would only
        // know each other.
        let settled = child.linked().len() >= cx.config.degree / 2;
        let can_splice = child.free() >= 2 && links > 0 && !small;
        match (free > 0, can_splice) {
            (true, _) if small || settled && child.failures < 2 => Plan::Pair,
            (_, true) => Plan::Splice,
            (true, false) => Plan::Pair,
            (false, false) => Plan::Nothing,
        }
    }

    /// Notes a round's outcome for a peer.
    pub(super) fn planned(&mut self, cx: &mut Context, node: NodeId, success: bool) {
        let Some(child) = self.children.get_mut(&node) else { return };
        if success {
            child.failures = 0;
            child.plan_at = cx.now;
            return;
        }
        child.failures = child.failures.saturating_add(1);
        let patient = child.failures >= PATIENT_AFTER && child.free() < 2;
        let most = if patient { BACKOFF_LONG } else { BACKOFF };
        child.plan_at = cx.now + Span(most.0 / 4) + cx.jitter(most);
    }

    /// Where a peer's next links should lead: it gets as many within its region as the realm wants,
    /// if the region is large enough, and the rest beyond it.
    fn reach(&self, cx: &Context, child: &Child) -> Reach {
        let region = self.children.len() > REGION_MIN * cx.config.degree;
        if cx.config.near == 0 || !region || self.members.nodes().next().is_none() {
            return Reach::Anywhere;
        }
        let ours = |seat: &Seat| self.children.contains_key(&seat.peer.contact.node);
        let near = child.seats().filter(|(_, seat)| ours(seat)).count();
        let far = child.seats().count() - near;
        let (near_lack, far_lack) = (
            cx.config.near.saturating_sub(near),
            (cx.config.degree - cx.config.near).saturating_sub(far),
        );
        match (child.failures >= INDIFFERENT_AFTER, near_lack >= far_lack) {
            (true, _) => Reach::Anywhere,
            (false, true) => Reach::Near,
            (false, false) => Reach::Far,
        }
    }

    /// Puts a peer into a link: one of ours, or one that another supernode is to cut, in proportion
    /// to the links each has.
    fn splice_in(&mut self, cx: &mut Context, node: NodeId, supply: &Supply) {
        let Some(child) = self.children.get(&node) else { return };
        let (exclude, reach) = (child.linked(), self.reach(cx, child));
        let there = reach.draw(cx, supply.links_here, &supply.links_there);
        self.splice_at(cx, node, there, exclude, reach);
    }

    /// Puts a peer into a link that this supernode cuts, or the one at the other end of `there`.
    pub(super) fn splice_at(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        there: Option<LinkId>,
        exclude: Vec<ShortId>,
        reach: Reach,
    ) {
        let Some(child) = self.children.get(&node) else { return };
        let joiner = PeerContact { contact: child.contact.clone(), home: cx.me };
        let Some(there) = there else {
            self.reserve(cx, node, 2);
            return self.cut(cx, joiner, &exclude, reach, Origin::Here { child: node });
        };
        let Some(id) = self.open_request(cx, RequestKind::Splice { child: node }) else { return };
        self.reserve(cx, node, 2);
        cx.send(there, Splice { id, joiner: joiner.contact, exclude });
    }

    /// Links a peer with another that has a free slot, here or elsewhere.
    fn pair_up(&mut self, cx: &mut Context, node: NodeId, supply: &Supply) {
        let Some(child) = self.children.get(&node) else { return };
        let (peer, exclude) = (child.contact.clone(), child.linked());
        let here = self.partners(node, &exclude);
        let reach = self.reach(cx, child);
        let Some(there) = reach.draw(cx, here.len() as u64, &supply.free_there) else {
            let Some(partner) = here.get(cx.random_below(here.len())).copied() else {
                return self.planned(cx, node, false);
            };
            let seated = self.seat_pair(cx, node, partner);
            return self.planned(cx, node, seated);
        };
        let Some(id) = self.open_request(cx, RequestKind::Pair { child: node }) else { return };
        self.reserve(cx, node, 1);
        cx.send(there, Pair { id, peer, exclude });
    }

    /// Our peers that could be `node`'s new neighbour.
    pub(super) fn partners(&self, node: NodeId, exclude: &[ShortId]) -> Vec<NodeId> {
        let fits = |other: &NodeId, child: &Child| {
            *other != node
                && self.offered(child) > 0
                && !child.has(node.short())
                && !exclude.contains(&other.short())
        };
        let fitting = self.children.iter().filter(|(other, child)| fits(other, child));
        fitting.map(|(other, _)| *other).collect()
    }

    fn seat_pair(&mut self, cx: &Context, a: NodeId, b: NodeId) -> bool {
        let contact = |node: &NodeId| {
            let child = self.children.get(node)?;
            Some(PeerContact { contact: child.contact.clone(), home: cx.me })
        };
        let (Some(contact_a), Some(contact_b)) = (contact(&a), contact(&b)) else { return false };
        let seated = self.children.get_mut(&a).is_some_and(|child| child.seat(contact_b, cx.now));
        let both =
            seated && self.children.get_mut(&b).is_some_and(|child| child.seat(contact_a, cx.now));
        self.counters.paired += u64::from(seated) + u64::from(both);
        both
    }

    pub(super) fn reserve(&mut self, cx: &Context, node: NodeId, count: usize) {
        let until = cx.now + cx.config.patience;
        if let Some(child) = self.children.get_mut(&node) {
            child.reserve(count, until);
        }
    }

    pub(super) fn open_request(&mut self, cx: &mut Context, kind: RequestKind) -> Option<u64> {
        if self.requests.len() >= REQUESTS_MAX {
            return None;
        }
        let id = cx.fresh_id();
        self.requests.insert(id, Request { until: cx.now + cx.config.patience, kind });
        Some(id)
    }

    /// One of our live links that `joiner` could be put into: our peer and the other end.
    pub(super) fn cuttable(
        &self,
        cx: &mut Context,
        joiner: ShortId,
        exclude: &[ShortId],
        reach: Reach,
    ) -> Option<(NodeId, PeerContact)> {
        const SAMPLES: usize = 16;
        let nodes: Vec<NodeId> = self.children.keys().copied().collect();
        for _ in 0..SAMPLES {
            let node = *nodes.get(cx.random_below(nodes.len()))?;
            let Some(child) = self.children.get(&node) else { continue };
            if node.short() == joiner || exclude.contains(&node.short()) || child.has(joiner) {
                continue;
            }
            let fits = |peer: &PeerContact| {
                let short = peer.contact.node.short();
                let ours = self.children.contains_key(&peer.contact.node);
                short != joiner && !exclude.contains(&short) && reach.covers(ours)
            };
            let seats: Vec<PeerContact> = child
                .seats()
                .filter(|(_, seat)| seat.phase == Phase::Up && fits(&seat.peer))
                .map(|(_, seat)| seat.peer.clone())
                .collect();
            if let Some(peer) = seats.get(cx.random_below(seats.len())) {
                return Some((node, peer.clone()));
            }
        }
        None
    }
}

/// Draws in proportion to the weights: `None` for here, else the member's link.
fn draw(cx: &mut Context, here: u64, there: &[(NodeId, LinkId, u32)]) -> Option<LinkId> {
    let total = here + sum(there);
    let mut ticket = cx.random_below(usize::try_from(total).unwrap_or(usize::MAX)) as u64;
    for (_, link, weight) in there {
        if ticket < u64::from(*weight) {
            return Some(*link);
        }
        ticket -= u64::from(*weight);
    }
    None
}
