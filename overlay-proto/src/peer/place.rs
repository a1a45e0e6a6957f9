//! A peer's place: the slots its home gave it, and the links that fill them.

use super::Peer;
use super::neighbourhood::Neighbour;
use crate::config::DEGREE_MAX;
use crate::context::Context;
use crate::coordinates::{Coordinates, Labels, LinkCost};
use crate::footprint::Heap;
use crate::id::{DialId, LinkId, NodeId, ShortId};
use crate::identity::{Certificate, Contact};
use crate::io::Event;
use crate::links;
use crate::status::Status;
use crate::time::Time;
use crate::wire::message::{Assign, SlotContact, SlotReport};
use std::sync::Arc;

/// One slot that the home has filled.
#[derive(Debug)]
pub(crate) struct Slot {
    pub contact: Contact,
    pub home: NodeId,
    dial: bool,
    pub state: SlotState,
}

/// How far the slot's link has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// The other end is to dial, or our dial has failed.
    Waiting { since: Time },
    /// We dial.
    Dialling { dial: DialId, since: Time },
    /// Linked.
    Up { link: LinkId },
}

/// The slots, and the record that names them.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub coordinates: Option<Coordinates>,
    /// The certificate of the home that issued them.
    pub issuer: Option<Arc<Certificate>>,
    pub slots: Vec<Option<Slot>>,
}

impl Place {
    /// The slot that belongs to `node`.
    pub fn slot_of(&self, node: NodeId) -> Option<(u8, &Slot)> {
        self.filled().find(|(_, slot)| slot.contact.node == node)
    }

    /// The slots that are filled.
    pub fn filled(&self) -> impl Iterator<Item = (u8, &Slot)> {
        (0..).zip(&self.slots).filter_map(|(i, slot)| Some((i, slot.as_ref()?)))
    }

    fn slot_mut(&mut self, slot: u8) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(slot))?.as_mut()
    }

    /// All filled slots with their contacts, for a new home.
    pub fn contacts(&self) -> Vec<SlotContact> {
        self.filled()
            .map(|(slot, s)| SlotContact {
                slot,
                contact: s.contact.clone(),
                home: s.home,
                dial: s.dial,
            })
            .collect()
    }
}

impl Peer {
    /// The home has given this peer a new place. Believed only if a supernode of the realm signed
    /// it for this node, and only if it is newer than the one held.
    pub(super) fn on_assign(&mut self, cx: &mut Context, assign: Assign) -> Result<(), Status> {
        let Assign { coordinates, contacts } = assign;
        if coordinates.node != cx.me || coordinates.slots.len() > DEGREE_MAX {
            return Err(Status::MALFORMED);
        }
        cx.check_place(&coordinates)?;
        if self.place.coordinates.as_ref().is_some_and(|held| held.seq >= coordinates.seq) {
            return Ok(());
        }
        // Neighbours that stay know their slot; only new ones, which are introduced, must learn it.
        let changed = self.place.coordinates.as_ref().is_none_or(|held| {
            held.labels != coordinates.labels
                || held.home != coordinates.home
                || has_moved(&held.slots, &coordinates.slots)
        });
        let none = Labels::default();
        let held = self.place.coordinates.as_ref().map_or(&none, |held| &held.labels);
        cx.event(Event::Placed {
            changed: held.differing(&coordinates.labels).count_ones(),
            labels: coordinates.labels.placed(),
            neighbours: coordinates.slots.iter().filter(|s| **s != ShortId::NONE).count(),
        });
        let slots = coordinates.slots.clone();
        let home = self.session.online().and_then(|link| cx.links.greeted(link));
        self.place.issuer = home.and_then(|greeted| greeted.supernode.clone());
        self.place.coordinates = Some(coordinates);
        self.settle_slots(cx, &slots, &contacts);
        if changed {
            self.gossip.placed = true;
            self.wake_by(cx.now);
            self.location_changed(cx);
        }
        Ok(())
    }

    /// Makes the slots as the home names them. A neighbour that has only moved keeps its link.
    fn settle_slots(&mut self, cx: &mut Context, named: &[ShortId], contacts: &[SlotContact]) {
        let mut held: Vec<(u8, Slot)> = (0..)
            .zip(std::mem::take(&mut self.place.slots))
            .filter_map(|(i, slot)| Some((i, slot?)))
            .collect();
        self.place.slots.resize_with(named.len(), || None);
        let (mut kept, mut fresh) = (Vec::new(), Vec::new());
        for (i, node) in (0..).zip(named).filter(|(_, node)| **node != ShortId::NONE) {
            let known = held.iter().position(|(_, slot)| slot.contact.node.short() == *node);
            match known.map(|at| held.swap_remove(at)) {
                Some((old, slot)) => kept.push((old, i, slot)),
                None => fresh.push((i, *node)),
            }
        }
        held.into_iter().for_each(|(i, slot)| self.let_go(cx, i, slot));
        for (old, i, slot) in &kept {
            if old != i && matches!(slot.state, SlotState::Up { .. }) {
                cx.event(Event::NeighbourDown { node: slot.contact.node, slot: *old });
            }
        }
        for (old, i, slot) in kept {
            let named = contacts.iter().any(|contact| contact.slot == i);
            self.keep_slot(cx, old, i, slot, named);
        }
        fresh.into_iter().for_each(|(i, node)| self.take_slot(cx, i, node, contacts));
    }

    /// A neighbour that stays. If the home has `named` it anew, it waits for it.
    fn keep_slot(&mut self, cx: &mut Context, old: u8, i: u8, slot: Slot, named: bool) {
        if let SlotState::Up { link } = slot.state {
            if old != i || named {
                self.report_slot(cx, i, slot.contact.node, true);
                // With the slot the home has forgotten where that one is.
                self.gossip.around.insert(slot.contact.node);
            }
            if old != i {
                if let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) {
                    near.slot = i;
                }
                self.tell_moved(cx, old, i);
                cx.event(Event::NeighbourUp { node: slot.contact.node, slot: i });
            }
        }
        if let Some(place) = self.place.slots.get_mut(usize::from(i)) {
            *place = Some(slot);
        }
    }

    /// A neighbour that our home has just named.
    fn take_slot(&mut self, cx: &mut Context, i: u8, node: ShortId, contacts: &[SlotContact]) {
        let named = contacts.iter().find(|c| c.slot == i && c.contact.node.short() == node);
        let Some(SlotContact { contact, home, dial, .. }) = named.cloned() else { return };
        let state = SlotState::Waiting { since: cx.now };
        let fresh = Slot { contact: contact.clone(), home, dial, state };
        if let Some(place) = self.place.slots.get_mut(usize::from(i)) {
            *place = Some(fresh);
        }
        match cx.links.ready_to(contact.node) {
            Some(link) => self.fill_slot(cx, i, link),
            None if dial && !cx.links.has(contact.node) => self.dial_slot(cx, i),
            None => {}
        }
        self.wake_by(cx.now + cx.config.slot_patience);
    }

    fn dial_slot(&mut self, cx: &mut Context, i: u8) {
        let Some(contact) = self.place.slot_mut(i).map(|slot| slot.contact.clone()) else { return };
        let dial = cx.dial(&contact);
        if let Some(slot) = self.place.slot_mut(i) {
            slot.state = SlotState::Dialling { dial, since: cx.now };
        }
    }

    /// A neighbour that our home does not name any more; its link goes unless it serves another
    /// purpose.
    fn let_go(&mut self, cx: &mut Context, i: u8, slot: Slot) {
        if let SlotState::Up { link } = slot.state {
            self.lose_neighbour(cx, link, i, false);
            if !self.session.uses(link) && !self.is_direct(link) {
                links::dismiss(cx, link, Status::OK);
            }
        }
    }

    /// A greeted link to the slot's node is there.
    pub(super) fn fill_slot(&mut self, cx: &mut Context, i: u8, link: LinkId) {
        let Some(slot) = self.place.slot_mut(i) else { return };
        if let SlotState::Up { link: old } = slot.state {
            self.neighbours.retain(|near| near.link != old);
        }
        let Some(slot) = self.place.slot_mut(i) else { return };
        slot.state = SlotState::Up { link };
        let node = slot.contact.node;
        let cost = cx.links.get(link).map_or(LinkCost::HOP_ONLY, |link| link.cost);
        self.neighbours.push(Neighbour::new(link, node, i, cost));
        self.introduce(cx, link);
        self.catch_up(cx, link);
        self.report_slot(cx, i, node, true);
        cx.event(Event::NeighbourUp { node, slot: i });
    }

    /// A link is gone: so is the neighbour behind it.
    pub(super) fn slot_link_down(&mut self, cx: &mut Context, link: LinkId) {
        let up = self.place.filled().find(|(_, slot)| slot.state == SlotState::Up { link });
        let Some((i, _)) = up else { return };
        if let Some(slot) = self.place.slot_mut(i) {
            slot.state = SlotState::Waiting { since: cx.now };
        }
        self.lose_neighbour(cx, link, i, true);
    }

    fn lose_neighbour(&mut self, cx: &mut Context, link: LinkId, slot: u8, by_surprise: bool) {
        let Some(at) = self.neighbours.iter().position(|near| near.link == link) else { return };
        let gone = self.neighbours.remove(at);
        self.report_slot(cx, slot, gone.node, false);
        self.tell_loss(cx, slot, by_surprise && !gone.leaving);
        cx.event(Event::NeighbourDown { node: gone.node, slot });
    }

    pub(super) fn slot_dial_failed(&mut self, cx: &mut Context, dial: DialId) -> bool {
        let dialling = self.place.filled().find_map(|(i, slot)| match slot.state {
            SlotState::Dialling { dial: d, since } if d == dial => Some((i, since)),
            _ => None,
        });
        let Some((i, since)) = dialling else { return false };
        if let Some(slot) = self.place.slot_mut(i) {
            slot.state = SlotState::Waiting { since };
            // Nobody there: the home need not wait for what will not come.
            let node = slot.contact.node;
            self.report_slot(cx, i, node, false);
        }
        true
    }

    /// Slots that have stayed without a link for too long are reported, and dialled from this side
    /// for once: the home may know why nobody comes.
    pub(super) fn tick_slots(&mut self, cx: &mut Context) {
        let late: Vec<(u8, NodeId)> = self
            .place
            .filled()
            .filter(|(_, slot)| match slot.state {
                SlotState::Waiting { since } | SlotState::Dialling { since, .. } => {
                    cx.now.since(since) >= cx.config.slot_patience
                }
                SlotState::Up { .. } => false,
            })
            .map(|(i, slot)| (i, slot.contact.node))
            .collect();
        for (i, node) in late {
            self.report_slot(cx, i, node, false);
            if let Some(slot) = self.place.slot_mut(i) {
                slot.state = SlotState::Waiting { since: cx.now };
            }
        }
        let waiting = self.place.filled().any(|(_, s)| !matches!(s.state, SlotState::Up { .. }));
        if waiting {
            self.wake_by(cx.now + cx.config.slot_patience);
        }
    }

    pub(super) fn report_slot(&mut self, cx: &Context, slot: u8, node: NodeId, up: bool) {
        if !up && seeded!(LossUnreported) {
            return;
        }
        self.gossip.slots.retain(|report| report.slot != slot);
        self.gossip.slots.push(SlotReport {
            slot,
            node: node.short(),
            up,
            cost: LinkCost::HOP_ONLY,
        });
        // News of a loss must not wait: repair begins with it.
        self.wake_by(if up { cx.now + cx.config.gossip } else { cx.now });
    }
}

/// Whether somebody that stays has another slot now.
fn has_moved(held: &[ShortId], now: &[ShortId]) -> bool {
    let stays = |node: &ShortId| *node != ShortId::NONE && now.contains(node);
    held.iter().enumerate().any(|(i, node)| stays(node) && now.get(i) != Some(node))
}

impl Heap for Slot {
    fn heap(&self) -> usize {
        self.contact.heap()
    }
}

impl Heap for Place {
    /// Without the issuer's certificate, which the home's link holds.
    fn heap(&self) -> usize {
        self.coordinates.heap() + self.slots.heap()
    }
}
