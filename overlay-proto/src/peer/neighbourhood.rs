//! What a peer knows of its neighbours: labels, and neighbours' neighbours.

use super::Peer;
use crate::config::DEGREE_MAX;
use crate::context::Context;
use crate::coordinates::{Coordinates, Labels, LinkCost};
use crate::footprint::{Heap, flat};
use crate::forward::{DeadLinks, Hood, Near};
use crate::id::{LinkId, NodeId, ShortId};
use crate::status::Status;
use crate::wire::message::{FarEntry, Neighbourhood, Placed};

/// A live neighbour.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub link: LinkId,
    pub node: NodeId,
    pub slot: u8,
    /// What the link to it costs.
    pub cost: LinkCost,
    /// Its place, as its home signed it.
    pub coordinates: Option<Coordinates>,
    /// Its own neighbours, as it says.
    pub far: Hood,
    /// Which of its links have died since it was placed.
    pub dead: DeadLinks,
    /// The home whose certificate it has been shown by us.
    pub shown: Option<NodeId>,
    /// Whether it has said goodbye.
    pub leaving: bool,
}

impl Neighbour {
    pub fn new(link: LinkId, node: NodeId, slot: u8, cost: LinkCost) -> Neighbour {
        let (coordinates, far, dead) = (None, Hood::default(), DeadLinks::default());
        Neighbour { link, node, slot, cost, coordinates, far, dead, shown: None, leaving: false }
    }

    pub fn near(&self) -> Near<'_> {
        let labels = self.coordinates.as_ref().map(|c| c.labels.view()).unwrap_or_default();
        Near {
            link: self.link,
            node: self.node,
            cost: self.cost,
            labels,
            dead: self.dead,
            far: &self.far,
        }
    }

    fn place(&mut self, coordinates: Coordinates) -> u32 {
        let none = Labels::default();
        let held = self.coordinates.as_ref();
        let changed = held.map_or(&none, |c| &c.labels).differing(&coordinates.labels);
        let stays =
            |slot: &usize| held.and_then(|c| c.slots.get(*slot)) == coordinates.slots.get(*slot);
        self.dead.slots &= (0..DEGREE_MAX).filter(stays).fold(0, |mask, slot| mask | 1 << slot);
        self.dead.parents &= !changed;
        self.coordinates = Some(coordinates);
        changed
    }

    /// Takes one entry of its news. True if one of its links has died. What it says of `me` is
    /// nothing new: no packet goes there and back.
    fn learn(&mut self, me: ShortId, entry: FarEntry) -> bool {
        let FarEntry { slot, node, cost, labels: changes, dead_slots, dead_parents } = entry;
        let dead = DeadLinks { slots: dead_slots, parents: dead_parents };
        if node == ShortId::NONE || node == me {
            let Some(lost) = self.far.in_slot(slot) else { return false };
            let has_died = dead.slots != 0 && node != me;
            if has_died {
                let own = self.coordinates.as_ref().map(|c| c.labels.view()).unwrap_or_default();
                self.dead.lose(slot, own, lost.labels);
            }
            // Else its home has another for it.
            self.far.remove(slot);
            return has_died;
        }
        self.far.put(slot, node, cost, dead, changes.iter());
        self.dead.slots &= !(1 << slot);
        false
    }
}

/// Nodes whose news is kept before they are neighbours, and messages of each: a home names both
/// ends at about the same time, so a few are enough.
const EARLY_MAX: usize = DEGREE_MAX;

/// What a node told before our home named it a neighbour.
#[derive(Debug, Default)]
pub(crate) struct Early {
    placed: Option<Placed>,
    hood: Vec<Neighbourhood>,
}

impl Peer {
    /// A neighbour has a new place. Believed only as its home signed it.
    pub(super) fn on_placed(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        placed: Placed,
    ) -> Result<(), Status> {
        let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) else {
            self.early(cx, link).placed = Some(placed);
            return Ok(());
        };
        let Placed { coordinates, issuer } = placed;
        if near.node != coordinates.node {
            return Err(Status::UNPROVEN);
        }
        let newer = seeded!(OlderPlaceWins)
            || near.coordinates.as_ref().is_none_or(|held| coordinates.seq > held.seq);
        if !newer {
            return Ok(());
        }
        cx.learn_place(&coordinates, issuer.as_deref())?;
        let told = |held: &Coordinates| {
            held.home == coordinates.home && held.slot_of(cx.short) == coordinates.slot_of(cx.short)
        };
        let same_to_home = near.coordinates.as_ref().is_some_and(told);
        // A home that has just taken us over has not signed our place yet.
        let elsewhere = self.session.home() != Some(coordinates.home);
        let changed = near.place(coordinates);
        if changed != 0 {
            *self.gossip.entries.entry(near.slot).or_default() |= changed;
        }
        // Our own home knows its peers.
        if elsewhere && (changed != 0 || !same_to_home) {
            self.gossip.around.insert(near.node);
        }
        self.wake_by(self.gossip_at(cx));
        Ok(())
    }

    /// A neighbour tells of its neighbours.
    pub(super) fn on_neighbourhood(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        news: Neighbourhood,
    ) -> Result<(), Status> {
        if news.entries.len() > DEGREE_MAX
            || news.entries.iter().any(|e| usize::from(e.slot) >= DEGREE_MAX)
        {
            return Err(Status::TOO_LARGE);
        }
        let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) else {
            self.early(cx, link).hood.push(news);
            return Ok(());
        };
        if news.whole {
            near.far.clear();
        }
        let losses =
            news.entries.into_iter().filter(|entry| near.learn(cx.short, entry.clone())).count();
        if losses > 0 {
            let slot = near.slot;
            self.gossip.entries.entry(slot).or_default();
            self.gossip.urgent = true;
            self.wake_by(cx.now);
        }
        Ok(())
    }

    /// Where what a node tells is kept until our home names it a neighbour, too.
    fn early(&mut self, cx: &mut Context, link: LinkId) -> &mut Early {
        if self.early.len() >= EARLY_MAX
            && !self.early.contains_key(&link)
            && let Some((forgotten, _)) = self.early.pop_first()
        {
            crate::links::miss(cx, forgotten);
        }
        let early = self.early.entry(link).or_default();
        if early.hood.len() >= EARLY_MAX {
            early.hood.clear();
            crate::links::miss(cx, link);
        }
        early
    }

    /// Takes what a new neighbour told before we knew that it is one.
    pub(super) fn catch_up(&mut self, cx: &mut Context, link: LinkId) {
        let Some(Early { placed, hood }) = self.early.remove(&link) else { return };
        let placed = placed.map_or(Ok(()), |placed| self.on_placed(cx, link, placed));
        let told = placed
            .and_then(|()| hood.into_iter().try_for_each(|n| self.on_neighbourhood(cx, link, n)));
        if let Err(status) = told {
            crate::links::dismiss(cx, link, status);
        }
    }

    /// The link's round-trip time puts it into another class.
    pub(crate) fn on_link_cost(&mut self, cx: &mut Context, link: LinkId) {
        let Some(cost) = cx.links.get(link).map(|link| link.cost) else { return };
        let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) else { return };
        near.cost = cost;
        let (slot, node) = (near.slot, near.node);
        self.gossip.entries.entry(slot).or_default();
        self.report_slot(cx, slot, node, true);
    }
}

flat!(FarEntry);

impl Heap for Neighbour {
    fn heap(&self) -> usize {
        self.coordinates.heap() + self.far.heap()
    }
}

impl Heap for Neighbourhood {
    fn heap(&self) -> usize {
        self.entries.heap()
    }
}

impl Heap for Early {
    fn heap(&self) -> usize {
        self.hood.heap() + self.placed.as_ref().map_or(0, |placed| placed.coordinates.heap())
    }
}
