//! What a peer tells its neighbours and its home of what it knows, and when.

#[cfg(test)]
mod tests;

use super::Peer;
use super::neighbourhood::Neighbour;
use crate::context::Context;
use crate::coordinates::{Coordinates, LabelChanges, LinkCost};
use crate::footprint::{Heap, flat};
use crate::id::{LinkId, NodeId, ShortId};
use crate::pace::Pace;
use crate::time::{Span, Time};
use crate::wire::message::{FarEntry, Neighbourhood, Placed, Report, SlotReport};
use std::collections::{BTreeMap, BTreeSet};

/// Every tree's bit.
const ALL_TREES: u32 = u32::MAX;
/// News of losses is told this much apart: a crash that strikes many comes as one story.
const URGENT_GAP: Span = Span::millis(100);

/// Labels of neighbours are told less often than one's own: who lies two hops away changes often
/// and matters less.
const AROUND_GOSSIPS: u64 = 2;

/// News not yet told.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    /// When news was told last.
    told: Time,
    /// Our own place is new: tell the neighbours.
    pub placed: bool,
    /// Our slots whose neighbour changed, or its labels in these trees: tell the neighbours.
    pub entries: BTreeMap<u8, u32>,
    /// Slots whose neighbour was lost without a goodbye, one bit each.
    dead: u16,
    /// Whether there are such, here or at a neighbour: that does not wait.
    pub urgent: bool,
    /// When news of neighbours may be told.
    around_pace: Pace,
    /// Slots that came up or went down: tell the home.
    pub slots: Vec<SlotReport>,
    /// Neighbours whose place is new: tell the home.
    pub around: BTreeSet<NodeId>,
}

impl Peer {
    /// Tells a new neighbour all it should know: our place and our neighbours.
    pub(super) fn introduce(&mut self, cx: &mut Context, link: LinkId) {
        if let Some(coordinates) = self.place.coordinates.clone() {
            let issuer = self.place.issuer.clone();
            if let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) {
                near.shown = Some(coordinates.home);
            }
            cx.send(link, Placed { coordinates, issuer });
        }
        let others = self.neighbours.iter().filter(|near| near.link != link);
        let entries = others.map(|near| entry(near, ALL_TREES)).collect();
        cx.send(link, Neighbourhood { whole: true, entries });
    }

    /// Tells a node again all that it keeps of us.
    pub fn tell_all(&mut self, cx: &mut Context, link: LinkId) {
        if self.neighbours.iter().any(|near| near.link == link) {
            self.introduce(cx, link);
        }
        if self.session.online() == Some(link) {
            self.report_all(cx);
            self.publish_now(cx);
        }
    }

    /// A neighbour is gone: the others must not count on it. One that left in order is replaced at
    /// once, and its place tells so in time.
    pub(super) fn tell_loss(&mut self, cx: &Context, slot: u8, died: bool) {
        self.gossip.entries.insert(slot, ALL_TREES);
        if died {
            self.gossip.dead |= 1 << slot;
            self.gossip.urgent = true;
        }
        self.wake_by(if died { cx.now } else { self.gossip_at(cx) });
    }

    /// A neighbour has another slot now.
    pub(super) fn tell_moved(&mut self, cx: &Context, from: u8, to: u8) {
        self.gossip.entries.extend([(from, ALL_TREES), (to, ALL_TREES)]);
        self.wake_by(self.gossip_at(cx));
    }

    /// Everything the home must know when it is new.
    pub(super) fn report_all(&mut self, cx: &Context) {
        self.gossip.slots = self
            .neighbours
            .iter()
            .map(|near| SlotReport {
                slot: near.slot,
                node: near.node.short(),
                up: true,
                cost: near.cost,
            })
            .collect();
        self.gossip.around = self.neighbours.iter().map(|near| near.node).collect();
        // A home that is new has nothing of ours but what we say.
        self.wake_by(cx.now);
    }

    pub(super) fn gossip_at(&self, cx: &Context) -> Time {
        (self.gossip.told + cx.config.gossip).max(cx.now)
    }

    /// Tells the news that is due.
    pub(super) fn tick_gossip(&mut self, cx: &mut Context) {
        if !self.gossip.any() {
            return;
        }
        let loss = self.gossip.urgent || self.gossip.slots.iter().any(|report| !report.up);
        let due = if loss { self.gossip.told + URGENT_GAP } else { self.gossip_at(cx) };
        if cx.now < due {
            return self.wake_by(due);
        }
        self.tell_neighbours(cx);
        self.tell_home(cx);
        self.gossip.told = cx.now;
        if self.gossip.any() {
            self.wake_by(self.gossip.around_pace.due().max(self.gossip_at(cx)));
        }
    }

    fn tell_neighbours(&mut self, cx: &mut Context) {
        let links: Vec<LinkId> = self.neighbours.iter().map(|near| near.link).collect();
        if std::mem::take(&mut self.gossip.placed)
            && let Some(coordinates) = self.place.coordinates.clone()
        {
            self.tell_place(cx, coordinates);
        }
        let waits = !self.gossip.urgent && cx.now < self.gossip.around_pace.due();
        if waits || self.gossip.entries.is_empty() {
            return;
        }
        let slots = std::mem::take(&mut self.gossip.entries);
        let dead = std::mem::take(&mut self.gossip.dead);
        self.gossip.urgent = false;
        let (first, most) = (cx.config.gossip.0, cx.config.gossip_max.0);
        let times = |gap| Span(AROUND_GOSSIPS * gap);
        self.gossip.around_pace.told(cx.now, times(first), times(most));
        let entries = slots
            .into_iter()
            .map(|(slot, trees)| match self.neighbours.iter().find(|near| near.slot == slot) {
                Some(near) => entry(near, trees),
                None => vacant(slot, dead),
            })
            .collect();
        cx.broadcast(&links, &Neighbourhood { whole: false, entries }.into());
    }

    /// Our new place, to all neighbours; with our home's certificate to those that lack it.
    fn tell_place(&mut self, cx: &mut Context, coordinates: Coordinates) {
        let home = coordinates.home;
        let knows = |near: &&mut Neighbour| near.shown == Some(home);
        let (told, new): (Vec<_>, Vec<_>) = self.neighbours.iter_mut().partition(knows);
        let told: Vec<LinkId> = told.iter().map(|near| near.link).collect();
        let links = |near: &mut Neighbour| {
            near.shown = Some(home);
            near.link
        };
        let new: Vec<LinkId> = new.into_iter().map(links).collect();
        if !new.is_empty() {
            let issuer = self.place.issuer.clone();
            cx.broadcast(&new, &Placed { coordinates: coordinates.clone(), issuer }.into());
        }
        cx.broadcast(&told, &Placed { coordinates, issuer: None }.into());
    }

    fn tell_home(&mut self, cx: &mut Context) {
        let Some(home) = self.session.online() else { return };
        if self.gossip.slots.is_empty() && self.gossip.around.is_empty() {
            return;
        }
        let around = std::mem::take(&mut self.gossip.around);
        let known = self.neighbours.iter().filter(|near| around.contains(&near.node));
        let neighbours = known.filter_map(|near| near.coordinates.clone()).collect();
        let mut slots = std::mem::take(&mut self.gossip.slots);
        for report in &mut slots {
            let near = self.neighbours.iter().find(|near| near.slot == report.slot);
            report.cost = near.map_or(LinkCost::HOP_ONLY, |near| near.cost);
        }
        cx.send(home, Report { slots, neighbours });
    }
}

impl Gossip {
    fn any(&self) -> bool {
        self.placed || !self.entries.is_empty() || !self.slots.is_empty() || !self.around.is_empty()
    }
}

/// What we say of a slot that has nobody in it.
fn vacant(slot: u8, dead: u16) -> FarEntry {
    let labels = LabelChanges::default();
    let cost = LinkCost::HOP_ONLY;
    let dead_slots = dead & 1 << slot;
    FarEntry { slot, node: ShortId::NONE, cost, labels, dead_slots, dead_parents: 0 }
}

/// What we say of a neighbour: its labels in `trees`, and its dead links.
fn entry(near: &Neighbour, trees: u32) -> FarEntry {
    let labels = near.coordinates.as_ref().map(|c| LabelChanges::of(&c.labels, trees));
    FarEntry {
        slot: near.slot,
        node: near.node.short(),
        cost: near.cost,
        labels: labels.unwrap_or_default(),
        dead_slots: near.dead.slots,
        dead_parents: near.dead.parents,
    }
}

flat!(SlotReport);

impl Heap for Gossip {
    fn heap(&self) -> usize {
        self.entries.heap() + self.slots.heap() + self.around.heap()
    }
}
