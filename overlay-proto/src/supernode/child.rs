//! One peer of a supernode: its session, its slots, its labels.

use crate::config::Config;
use crate::coordinates::{Coordinates, Labels, LinkCost};
use crate::id::{IndexKey, LinkId, NodeId, ShortId};
use crate::identity::Contact;
use crate::location::LocationRecord;
use crate::name::Name;
use crate::pace::Pace;
use crate::time::{Span, Time};
use crate::wire::message::{PeerContact, SlotContact};
use std::collections::{BTreeMap, BTreeSet};

/// A peer that is logged in here.
#[derive(Debug)]
pub(crate) struct Child {
    pub name: Name,
    pub key: IndexKey,
    pub link: LinkId,
    pub contact: Contact,
    pub since: Time,
    pub lease_until: Time,
    pub record: Option<LocationRecord>,
    pub slots: Vec<Slot>,
    /// Its labels as they are chosen now.
    pub labels: Labels,
    /// What was issued last, here or by the former home.
    pub coordinates: Option<Coordinates>,
    /// Places of neighbours under other homes, as those signed them and the child reported them.
    pub border: BTreeMap<ShortId, Border>,
    /// Whether slots have changed: to be relabelled, and told at once.
    pub touched: bool,
    /// Who has left a slot since: it is nobody's parent there any more.
    pub parted: Vec<NodeId>,
    /// When labels alone may be issued. Slots do not wait.
    pub pace: Pace,
    /// Slots whose contact the child has not been told.
    pub untold: BTreeSet<u8>,
    /// Labels are left alone until then: a peer that has just changed its home is about to report.
    pub relabel_at: Time,
    /// The planner leaves it alone until then.
    pub plan_at: Time,
    /// The planner's failures for it in a row.
    pub failures: u32,
    /// When its escalation budget is full again (GCRA, the leaky bucket of ITU-T I.371).
    escalation_full: Time,
}

/// What is kept of the place of a neighbour that has another home.
#[derive(Debug)]
pub(crate) struct Border {
    pub seq: u64,
    /// The slot in which it has our peer.
    pub slot: Option<u8>,
    pub labels: Labels,
}

/// One place for a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nobody.
    Free,
    /// Kept for the answer to a request.
    Reserved {
        /// Free again then.
        until: Time,
    },
    /// Somebody.
    Taken(Seat),
}

/// A neighbour in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub peer: PeerContact,
    pub phase: Phase,
    /// What the link costs, as the child reports it.
    pub cost: LinkCost,
}

/// How far the link of a seat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The child has yet to report it up.
    Expected { since: Time },
    /// Up.
    Up,
    /// Up, and offered for a splice.
    Cutting,
}

impl Child {
    pub fn new(
        name: Name,
        key: IndexKey,
        link: LinkId,
        contact: Contact,
        now: Time,
        config: &Config,
    ) -> Child {
        Child {
            name,
            key,
            link,
            contact,
            since: now,
            lease_until: now + config.lease,
            record: None,
            slots: vec![Slot::Free; config.degree + usize::from(seeded!(DegreeOffByOne))],
            labels: Labels::default(),
            coordinates: None,
            border: BTreeMap::new(),
            touched: true,
            parted: Vec::new(),
            pace: Pace::default(),
            untold: BTreeSet::new(),
            relabel_at: now,
            plan_at: now,
            failures: 0,
            escalation_full: now,
        }
    }

    /// The slots with somebody in them.
    pub fn seats(&self) -> impl Iterator<Item = (u8, &Seat)> {
        (0..).zip(&self.slots).filter_map(|(i, slot)| match slot {
            Slot::Taken(seat) => Some((i, seat)),
            _ => None,
        })
    }

    pub fn seat_of(&mut self, node: ShortId) -> Option<(u8, &mut Seat)> {
        (0..).zip(&mut self.slots).find_map(|(i, slot)| match slot {
            Slot::Taken(seat) if seat.peer.contact.node.short() == node => Some((i, seat)),
            _ => None,
        })
    }

    /// Whether this is the place of one of its neighbours, and newer than the one known.
    pub fn is_news(&self, told: &Coordinates) -> bool {
        let short = told.node.short();
        let newer = self.border.get(&short).is_none_or(|held| told.seq > held.seq);
        newer && self.has(short)
    }

    pub fn has(&self, node: ShortId) -> bool {
        self.seats().any(|(_, seat)| seat.peer.contact.node.short() == node)
    }

    pub fn free(&self) -> usize {
        self.slots.iter().filter(|slot| **slot == Slot::Free).count()
    }

    pub fn up(&self) -> usize {
        self.seats().filter(|(_, seat)| !matches!(seat.phase, Phase::Expected { .. })).count()
    }

    /// Everyone it has or is about to have a link to.
    pub fn linked(&self) -> Vec<ShortId> {
        self.seats().map(|(_, seat)| seat.peer.contact.node.short()).collect()
    }

    /// Puts `peer` into a free slot. False if there is none, or it is there already.
    pub fn seat(&mut self, peer: PeerContact, now: Time) -> bool {
        if self.has(peer.contact.node.short()) || peer.contact.node == self.contact.node {
            return false;
        }
        let Some(i) = self.slots.iter().position(|slot| *slot == Slot::Free) else { return false };
        self.set_slot(
            i,
            Slot::Taken(Seat {
                peer,
                phase: Phase::Expected { since: now },
                cost: LinkCost::HOP_ONLY,
            }),
        );
        true
    }

    /// Puts `new` where `old` is, unless the link is being offered elsewhere.
    pub fn replace(&mut self, old: ShortId, new: PeerContact, now: Time) -> bool {
        if self.has(new.contact.node.short()) || new.contact.node == self.contact.node {
            return false;
        }
        let Some((i, seat)) = self.seat_of(old) else { return false };
        if seat.phase == Phase::Cutting {
            return false;
        }
        self.set_slot(
            usize::from(i),
            Slot::Taken(Seat {
                peer: new,
                phase: Phase::Expected { since: now },
                cost: LinkCost::HOP_ONLY,
            }),
        );
        true
    }

    /// Empties the slot of `node`.
    pub fn unseat(&mut self, node: ShortId) {
        if let Some((i, _)) = self.seat_of(node) {
            self.set_slot(usize::from(i), Slot::Free);
        }
    }

    pub fn reserve(&mut self, count: usize, until: Time) {
        let free = self.slots.iter_mut().filter(|slot| **slot == Slot::Free);
        free.take(count).for_each(|slot| *slot = Slot::Reserved { until });
    }

    pub fn unreserve(&mut self, count: usize) {
        let reserved = self.slots.iter_mut().filter(|slot| matches!(slot, Slot::Reserved { .. }));
        reserved.take(count).for_each(|slot| *slot = Slot::Free);
    }

    /// Frees what was reserved or expected for too long.
    pub fn expire_slots(&mut self, now: Time, patience: Span) {
        for i in 0..self.slots.len() {
            let late = match &self.slots[i] {
                Slot::Reserved { until } => now >= *until,
                Slot::Taken(Seat { phase: Phase::Expected { since }, .. }) => {
                    now.since(*since) >= Span(2 * patience.0)
                }
                _ => false,
            };
            if late {
                self.set_slot(i, Slot::Free);
            }
        }
    }

    fn set_slot(&mut self, i: usize, slot: Slot) {
        self.touched = true;
        if let Ok(number) = u8::try_from(i) {
            match slot {
                Slot::Taken(_) => self.untold.insert(number),
                _ => self.untold.remove(&number),
            };
        }
        if let Some(place) = self.slots.get_mut(i) {
            let before = std::mem::replace(place, slot);
            if let Slot::Taken(seat) = before {
                let node = seat.peer.contact.node;
                // Should it come back, its place is told again.
                self.border.remove(&node.short());
                self.parted.push(node);
            }
        }
    }

    /// The slots as coordinates name them.
    pub fn slot_ids(&self) -> Vec<ShortId> {
        let id = |slot: &Slot| match slot {
            Slot::Taken(seat) => seat.peer.contact.node.short(),
            _ => ShortId::NONE,
        };
        self.slots.iter().map(id).collect()
    }

    /// The slot in which it has `node`, linked.
    pub fn linked_slot(&self, node: ShortId) -> Option<u8> {
        let linked = |seat: &Seat| !matches!(seat.phase, Phase::Expected { .. });
        self.seats()
            .find(|(_, seat)| linked(seat) && seat.peer.contact.node.short() == node)
            .map(|(slot, _)| slot)
    }

    /// The child has missed what it was told: its place is issued again, with all its neighbours.
    pub fn tell_all(&mut self) {
        self.touched = true;
        self.untold = self.seats().map(|(i, _)| i).collect();
    }

    /// How to reach those neighbours that the child has not been told of.
    pub fn take_untold(&mut self) -> Vec<SlotContact> {
        let untold = std::mem::take(&mut self.untold);
        let me = self.contact.node;
        self.seats()
            .filter(|(i, _)| untold.contains(i))
            .map(|(slot, seat)| SlotContact {
                slot,
                contact: seat.peer.contact.clone(),
                home: seat.peer.home,
                dial: me < seat.peer.contact.node,
            })
            .collect()
    }

    /// Counts one escalation. False if the child's budget is used up.
    pub fn may_escalate(&mut self, now: Time, per_second: u32) -> bool {
        let interval = 1_000_000 / u64::from(per_second.max(1));
        let burst = Span(10 * 1_000_000);
        let full = self.escalation_full.max(now);
        if full.since(now) > burst {
            return false;
        }
        self.escalation_full = full + Span(interval);
        true
    }

    pub fn node(&self) -> NodeId {
        self.contact.node
    }
}
