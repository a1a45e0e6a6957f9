//! Correspondents: the devices with which this one exchanges datagrams, and where they are.
//!
//! Each end tells the other where it is by a *binding* (RFC 6275 calls both so): its signed location
//! record, sent unasked when it has moved or hears nothing. So a conversation asks the index once, at
//! its beginning, and goes on through every change of the topology.

use super::Peer;
use super::direct::Direct;
use super::hearing::Hearing;
use super::locate::lease_secs;
use super::location_cache::Whereabouts;
use super::routing::Arrival;
use super::session::reply;
use crate::config::CORRESPONDENTS_MAX;
use crate::context::Context;
use crate::coordinates::Labels;
use crate::footprint::Heap;
use crate::id::{CommandId, NodeId};
use crate::identity::{ChainKeys, Contact};
use crate::io::Reply;
use crate::location::{LocationRecord, index_key};
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::view::CorrespondentView;
use crate::wire::end_to_end::Binding;
use crate::wire::packet::Destination;
use crate::wire::{Class, Payload};
use std::collections::BTreeMap;

/// Who has been quiet for so long is forgotten. A session's own keep-alives come more often.
const FORGOTTEN_AFTER: Span = Span::secs(300);
/// Who has been quiet for so long makes room for somebody else.
const EVICTED_AFTER: Span = Span::secs(30);
/// A correspondent is told where we are at most this often.
const TOLD_GAP: Span = Span::millis(500);
/// Bindings of unknown nodes looked at in a second: each costs four signature checks, and anybody in
/// the realm may send them.
const STRANGERS_PER_SEC: u32 = 16;

/// The correspondents.
#[derive(Debug, Default)]
pub(crate) struct Correspondents {
    /// Boxed: a node of the map has room for eleven, and most peers have one or two.
    pub(super) known: BTreeMap<NodeId, Box<Correspondent>>,
    /// Bindings of unknown nodes looked at in the second that began then.
    strangers: (Time, u32),
}

/// One device with which this one exchanges datagrams.
#[derive(Debug)]
pub(super) struct Correspondent {
    pub name: Name,
    pub keys: ChainKeys,
    /// Of the newest record known.
    seq: u64,
    pub to: Destination,
    /// Where it can be dialled; none until its binding has come.
    pub contact: Option<Contact>,
    /// When the last datagram went or came.
    pub used: Time,
    told: Option<Told>,
    pub hearing: Hearing,
    /// Hops that its last datagram took.
    pub hops: u8,
    pub direct: Direct,
}

/// Where a device is, by a checked record, and whose it is.
struct Known {
    name: Name,
    keys: ChainKeys,
    seq: u64,
    to: Destination,
}

impl Known {
    fn of(cx: &Context, at: &Whereabouts) -> Known {
        let to = at.destination(cx.identity.realm);
        Known { name: at.name.clone(), keys: at.keys, seq: at.seq, to }
    }
}

/// What a correspondent was told last of where we are.
#[derive(Debug)]
struct Told {
    at: Time,
    /// The number of the place.
    place: u64,
    labels: Labels,
}

impl Correspondents {
    /// Makes room for one more. False if all are in use.
    fn make_room(&mut self, now: Time) -> bool {
        if self.known.len() < CORRESPONDENTS_MAX {
            return true;
        }
        let oldest = self.known.iter().min_by_key(|(_, known)| known.used);
        let quiet = oldest.filter(|(_, known)| now.since(known.used) >= EVICTED_AFTER);
        match quiet.map(|(node, _)| *node) {
            Some(node) => self.known.remove(&node).is_some(),
            None => false,
        }
    }

    /// Whether the binding of one more unknown node may be looked at now.
    fn may_look(&mut self, now: Time) -> bool {
        if now.since(self.strangers.0) >= Span::secs(1) {
            self.strangers = (now, 0);
        }
        self.strangers.1 += 1;
        self.strangers.1 <= STRANGERS_PER_SEC
    }

    /// The device is at this place; news of an older one is passed over. False if there is no room.
    fn learn(&mut self, now: Time, at: Known) -> bool {
        let Known { name, keys, seq, to } = at;
        let node = to.node;
        if let Some(known) = self.known.get_mut(&node) {
            if known.seq <= seq {
                (known.seq, known.to, known.name, known.keys) = (seq, to, name, keys);
            }
            return true;
        }
        if !self.make_room(now) {
            return false;
        }
        let fresh = Correspondent {
            name,
            keys,
            seq,
            to,
            contact: None,
            used: now,
            told: None,
            hearing: Hearing::default(),
            hops: 0,
            direct: Direct::new(now),
        };
        self.known.insert(node, Box::new(fresh));
        true
    }
}

impl Peer {
    /// A user's device has been found: from now on datagrams go there, and are taken from it.
    pub(super) fn meet(&mut self, cx: &mut Context, command: CommandId, at: &Whereabouts) {
        let (node, name) = (at.node, at.name.clone());
        if !self.correspondents.learn(cx.now, Known::of(cx, at)) {
            return reply(cx, command, Reply::Failed { status: Status::TOO_MANY });
        }
        self.tell_binding(cx, node);
        self.wake_by(cx.now + FORGOTTEN_AFTER);
        reply(cx, command, Reply::Met { node, name });
    }

    /// A correspondent from whom we hear nothing may be elsewhere by now.
    pub(super) fn rebind(&mut self, cx: &Context, to: NodeId, at: &Whereabouts) {
        // Another device of the same user may have the newest record.
        if at.node == to {
            self.correspondents.learn(cx.now, Known::of(cx, at));
        }
    }

    /// A correspondent, or who wants to be one, says where it is.
    pub(super) fn on_binding(&mut self, cx: &mut Context, arrival: Arrival, binding: Binding) {
        let Binding { record, asks } = binding;
        let node = record.node();
        if node != arrival.source || node == cx.me {
            return;
        }
        let known = self.correspondents.known.get(&node);
        let has_it = known.is_some_and(|known| known.seq >= record.seq && known.contact.is_some());
        if !has_it && !self.believe_binding(cx, record) {
            return;
        }
        if asks {
            self.tell_binding(cx, node);
        }
    }

    fn believe_binding(&mut self, cx: &Context, record: LocationRecord) -> bool {
        let node = record.node();
        let known = self.correspondents.known.contains_key(&node);
        if !known && !self.correspondents.may_look(cx.now) {
            return false;
        }
        let Ok(member) = cx.prove_record(&record) else { return false };
        let (key, keys) = (index_key(cx.identity.realm, &member.name), record.chain.keys());
        let to = Destination { node, key, labels: record.labels };
        let at = Known { name: member.name, keys, seq: record.seq, to };
        if !self.correspondents.learn(cx.now, at) {
            return false;
        }
        if let Some(known) = self.correspondents.known.get_mut(&node) {
            known.contact = Some(Contact { node, addresses: record.addresses });
        }
        true
    }

    /// Tells a correspondent where we are, unless it has just been told.
    pub(super) fn tell_binding(&mut self, cx: &mut Context, node: NodeId) {
        let now = cx.now;
        let Some(known) = self.correspondents.known.get(&node) else { return };
        if known.told.as_ref().is_some_and(|told| now.since(told.at) < TOLD_GAP) {
            return;
        }
        let Some(record) = self.location_record(cx, lease_secs(cx)) else { return };
        let place = self.place.coordinates.as_ref().map_or(0, |place| place.seq);
        let Some(known) = self.correspondents.known.get_mut(&node) else { return };
        known.told = Some(Told { at: now, place, labels: record.labels.clone() });
        let (to, asks) = (known.to.clone(), known.contact.is_none());
        let route = known.hearing.route(now);
        self.send_payload(
            cx,
            Class::Message,
            &to,
            &Payload::Binding(Binding { record, asks }),
            route,
        );
    }

    /// Whether a correspondent believes us where we are not any more: a good part of our labels are
    /// others than it was told.
    pub(super) fn has_moved_for(&mut self, node: NodeId) -> bool {
        let Some(place) = &self.place.coordinates else { return false };
        let known = self.correspondents.known.get_mut(&node);
        let Some(told) = known.and_then(|known| known.told.as_mut()) else { return true };
        if told.place == place.seq {
            return false;
        }
        let stale = told.labels.differing(&place.labels).count_ones() as usize;
        let moved = 4 * stale >= place.labels.len().max(1);
        if !moved {
            told.place = place.seq;
        }
        moved
    }

    pub(super) fn tick_correspondents(&mut self, cx: &mut Context) {
        let now = cx.now;
        let forgotten: Vec<NodeId> = self
            .correspondents
            .known
            .iter()
            .filter(|(_, known)| now.since(known.used) >= FORGOTTEN_AFTER)
            .map(|(node, _)| *node)
            .collect();
        for node in forgotten {
            self.end_direct(cx, node);
            self.correspondents.known.remove(&node);
        }
        self.tick_direct(cx);
        let next = self.correspondents.known.values().map(|known| known.used + FORGOTTEN_AFTER);
        self.wake_by(next.min().unwrap_or(Time::NEVER));
    }

    /// Whose device a correspondent is.
    pub fn correspondent(&self, node: NodeId) -> Option<Name> {
        self.correspondents.known.get(&node).map(|known| known.name.clone())
    }

    /// The correspondents, by node id.
    pub fn correspondent_views(&self, cx: &Context) -> Vec<CorrespondentView> {
        let view = |node: &NodeId, known: &Correspondent| CorrespondentView {
            node: node.to_string(),
            name: known.name.to_string(),
            hops: known.hops,
            direct: known.direct.link().is_some(),
            rtt_ms: known
                .direct
                .link()
                .and_then(|link| cx.links.get(link)?.rtt)
                .map(Span::as_millis_f64),
            quiet_secs: cx.now.since(known.used).as_millis() / 1_000,
        };
        self.correspondents.known.iter().map(|(node, known)| view(node, known)).collect()
    }
}

impl Heap for Correspondent {
    fn heap(&self) -> usize {
        let told = self.told.as_ref().map_or(0, |told| told.labels.heap());
        self.to.labels.heap() + self.contact.heap() + told
    }
}

impl Heap for Correspondents {
    fn heap(&self) -> usize {
        self.known.heap()
    }
}
