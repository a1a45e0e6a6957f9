//! What a peer knows of its neighbours and tells them: labels, and neighbours' neighbours.

use super::Peer;
use crate::config::DEGREE_MAX;
use crate::context::Context;
use crate::coordinates::{Coordinates, Labels};
use crate::forward::{Far, Near};
use crate::id::{LinkId, NodeId, ShortId};
use crate::status::Status;
use crate::time::Time;
use crate::wire::Message;
use crate::wire::codec;
use crate::wire::message::{FarEntry, Neighbourhood, Placed, Report, SlotReport};
use std::collections::BTreeSet;

/// A live neighbour.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub link: LinkId,
    pub node: NodeId,
    pub slot: u8,
    /// Its place, as its home signed it.
    pub coordinates: Option<Coordinates>,
    /// Its own neighbours, as it says.
    pub far: Vec<Far>,
}

impl Neighbour {
    pub fn new(link: LinkId, node: NodeId, slot: u8) -> Neighbour {
        Neighbour { link, node, slot, coordinates: None, far: Vec::new() }
    }

    pub fn near(&self) -> Near<'_> {
        let labels = self.coordinates.as_ref().map_or(&[][..], |c| c.labels.as_slice());
        Near { link: self.link, node: self.node, labels, far: &self.far }
    }

    fn labels(&self) -> Labels {
        self.coordinates.as_ref().map(|c| c.labels.clone()).unwrap_or_default()
    }
}

/// Nodes whose news is kept before they are neighbours, and messages of each: a home names both
/// ends at about the same time, so a few are enough.
const EARLY_MAX: usize = DEGREE_MAX;

/// What a node told before our home named it a neighbour.
#[derive(Debug, Default)]
pub(crate) struct Early {
    coordinates: Option<Coordinates>,
    hood: Vec<Neighbourhood>,
}

/// News not yet told.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    /// When news was told last.
    told: Time,
    /// Our own place is new: tell the neighbours.
    pub placed: bool,
    /// Our slots whose neighbour or labels changed: tell the neighbours.
    entries: BTreeSet<u8>,
    /// Whether a neighbour was lost, which does not wait.
    urgent: bool,
    /// Slots that came up or went down: tell the home.
    pub slots: Vec<SlotReport>,
    /// Neighbours whose place is new: tell the home.
    around: BTreeSet<NodeId>,
}

impl Peer {
    /// Tells a new neighbour all it should know: our place and our neighbours.
    pub(super) fn introduce(&mut self, cx: &mut Context, link: LinkId) {
        if let Some(coordinates) = self.place.coordinates.clone() {
            cx.send(link, Placed { coordinates });
        }
        let entries = self.neighbours.iter().filter(|near| near.link != link).map(entry).collect();
        cx.send(link, Neighbourhood { whole: true, entries });
    }

    /// A neighbour has a new place. Believed only as its home signed it.
    pub(super) fn on_placed(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        coordinates: Coordinates,
    ) -> Result<(), Status> {
        let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) else {
            self.early(link).coordinates = Some(coordinates);
            return Ok(());
        };
        if near.node != coordinates.node {
            return Err(Status::UNPROVEN);
        }
        let newer = near.coordinates.as_ref().is_none_or(|held| coordinates.seq > held.seq);
        if !newer {
            return Ok(());
        }
        coordinates
            .check(cx.verifier(), cx.identity.realm, cx.wall())
            .map_err(|_| Status::UNPROVEN)?;
        let told = near.coordinates.as_ref().map(|held| &held.labels);
        if told != Some(&coordinates.labels) {
            self.gossip.entries.insert(near.slot);
        }
        near.coordinates = Some(coordinates);
        self.gossip.around.insert(near.node);
        self.wake_by(self.gossip_at(cx));
        Ok(())
    }

    /// A neighbour tells of its neighbours.
    pub(super) fn on_neighbourhood(
        &mut self,
        link: LinkId,
        news: Neighbourhood,
    ) -> Result<(), Status> {
        if news.entries.len() > DEGREE_MAX
            || news.entries.iter().any(|e| usize::from(e.slot) >= DEGREE_MAX)
        {
            return Err(Status::TOO_LARGE);
        }
        let Some(near) = self.neighbours.iter_mut().find(|near| near.link == link) else {
            self.early(link).hood.push(news);
            return Ok(());
        };
        if news.whole {
            near.far.clear();
        }
        for FarEntry { slot, node, labels } in news.entries {
            near.far.retain(|far| far.slot != slot);
            if node != ShortId::NONE {
                near.far.push(Far { slot, node, labels: labels.as_slice().into() });
            }
        }
        near.far.shrink_to_fit();
        Ok(())
    }

    /// A neighbour is lost: the others must not count on it.
    pub(super) fn tell_loss(&mut self, cx: &Context, slot: u8) {
        self.gossip.entries.insert(slot);
        self.gossip.urgent = true;
        self.wake_by(cx.now);
    }

    /// Where what a node tells is kept until our home names it a neighbour, too.
    fn early(&mut self, link: LinkId) -> &mut Early {
        if self.early.len() >= EARLY_MAX && !self.early.contains_key(&link) {
            self.early.pop_first();
        }
        let early = self.early.entry(link).or_default();
        if early.hood.len() >= EARLY_MAX {
            early.hood.clear();
        }
        early
    }

    /// Takes what a new neighbour told before we knew that it is one.
    pub(super) fn catch_up(&mut self, cx: &mut Context, link: LinkId) {
        let Some(Early { coordinates, hood }) = self.early.remove(&link) else { return };
        let placed =
            coordinates.map_or(Ok(()), |coordinates| self.on_placed(cx, link, coordinates));
        let told =
            placed.and_then(|()| hood.into_iter().try_for_each(|n| self.on_neighbourhood(link, n)));
        if let Err(status) = told {
            crate::links::dismiss(cx, link, status);
        }
    }

    /// A neighbour has another slot now.
    pub(super) fn tell_moved(&mut self, cx: &Context, from: u8, to: u8) {
        self.gossip.entries.extend([from, to]);
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
                rtt_micros: 0,
            })
            .collect();
        self.gossip.around = self.neighbours.iter().map(|near| near.node).collect();
        self.wake_by(cx.now);
    }

    pub(super) fn gossip_at(&self, cx: &Context) -> Time {
        (self.gossip.told + cx.config.gossip).max(cx.now)
    }

    /// Tells the news that is due.
    pub(super) fn tick_gossip(&mut self, cx: &mut Context) {
        let loss = self.gossip.urgent || self.gossip.slots.iter().any(|report| !report.up);
        let due = self.gossip_at(cx);
        if cx.now < due && !loss {
            if self.gossip.any() {
                self.wake_by(due);
            }
            return;
        }
        if !self.gossip.any() {
            return;
        }
        self.tell_neighbours(cx);
        self.tell_home(cx);
        self.gossip.told = cx.now;
    }

    fn tell_neighbours(&mut self, cx: &mut Context) {
        let slots = std::mem::take(&mut self.gossip.entries);
        self.gossip.urgent = false;
        let links: Vec<LinkId> = self.neighbours.iter().map(|near| near.link).collect();
        if std::mem::take(&mut self.gossip.placed)
            && let Some(coordinates) = self.place.coordinates.clone()
        {
            broadcast(cx, &links, Placed { coordinates }.into());
        }
        if slots.is_empty() {
            return;
        }
        let entries = slots
            .into_iter()
            .map(|slot| match self.neighbours.iter().find(|near| near.slot == slot) {
                Some(near) => entry(near),
                None => FarEntry { slot, node: ShortId::NONE, labels: Labels::default() },
            })
            .collect();
        broadcast(cx, &links, Neighbourhood { whole: false, entries }.into());
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
            let rtt = near.and_then(|near| cx.links.get(near.link)?.rtt);
            report.rtt_micros = rtt.map_or(0, |rtt| u32::try_from(rtt.0).unwrap_or(u32::MAX));
        }
        cx.send(home, Report { slots, neighbours });
    }
}

impl Gossip {
    fn any(&self) -> bool {
        self.placed || !self.entries.is_empty() || !self.slots.is_empty() || !self.around.is_empty()
    }
}

fn entry(near: &Neighbour) -> FarEntry {
    FarEntry { slot: near.slot, node: near.node.short(), labels: near.labels() }
}

/// The same message for all: encoded once.
fn broadcast(cx: &mut Context, links: &[LinkId], message: Message) {
    let Ok(frame) = codec::encode(&message) else { return };
    for link in links {
        cx.send_frame(*link, crate::wire::Class::Control, frame.clone());
    }
}
