//! The scaffold: every supernode linked to every other, by heartbeats. (Full list: the realm's
//! size is bounded by [`MEMBERS_MAX`].)

use super::{Supernode, nearest};
use crate::config::{
    ADDRESSES_MAX, LOCATION_REPLICAS, MEMBERS_MAX, MEMBERS_PER_MESSAGE, TREES_MAX,
};
use crate::context::Context;
use crate::id::{IndexKey, LinkId, NodeId};
use crate::identity::{Certificate, Contact};
use crate::io::Event;
use crate::rendezvous;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::view::MemberView;
use crate::wire::message::{
    Heartbeat, MemberRecord, Members as MembersMessage, RootClaim, Rtt, Standbys,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A member that cannot be reached is dialled again after this long, with jitter.
const REDIAL: Span = Span::secs(2);
/// The end that does not dial waits this long for the one that does.
const DIAL_GRACE: Span = Span::secs(1);

/// Supernodes asked for one record at most: a realm half of which has just started finds what is
/// there, and a stranger's question costs no more than this.
const ASKED_MAX: usize = 3 * LOCATION_REPLICAS;

/// The other supernodes.
#[derive(Debug)]
pub(crate) struct Members {
    known: BTreeMap<NodeId, Member>,
    /// Contacts from the start of which no certificate is known yet.
    seeds: BTreeMap<NodeId, (Contact, Time)>,
    /// When this supernode started.
    started: Time,
    /// When the set of live members changed last.
    pub changed_at: Time,
    /// When one of them was lost last.
    lost_at: Option<Time>,
    /// Whether the set has changed since the last round.
    moved: bool,
}

#[derive(Debug)]
pub(super) struct Member {
    pub record: MemberRecord,
    /// The greeted link, while it is alive.
    link: Option<LinkId>,
    /// Since when.
    up_since: Time,
    heard: Time,
    pub load: Heartbeat,
    /// How far it is from the others, as it said last.
    pub rtts: Vec<Rtt>,
    dial_at: Time,
}

/// The contact of a member.
pub(crate) fn contact(record: &MemberRecord) -> Contact {
    Contact { node: NodeId(record.certificate.subject.0), addresses: record.addresses.clone() }
}

impl Members {
    pub fn new(seeds: &[Contact], me: NodeId, now: Time) -> Members {
        let seeds = seeds.iter().filter(|contact| contact.node != me);
        Members {
            known: BTreeMap::new(),
            seeds: seeds.map(|contact| (contact.node, (contact.clone(), now))).collect(),
            started: now,
            changed_at: now,
            lost_at: None,
            moved: false,
        }
    }

    fn alive(&self) -> impl Iterator<Item = (&NodeId, &Member)> {
        self.known.iter().filter(|(_, member)| member.link.is_some())
    }

    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.alive().map(|(node, _)| *node)
    }

    /// Whether a member was lost a while ago. Who has lost its home or its replicas with it has
    /// published its location again within two renewals.
    pub fn have_shrunk(&self, cx: &Context) -> bool {
        self.lost_at.is_some_and(|lost| cx.now.since(lost) < Span(2 * cx.config.renew.0))
    }

    /// For how long a live member, or this supernode itself, has been up as far as it knows.
    fn up_for(&self, node: NodeId, now: Time) -> Span {
        now.since(self.known.get(&node).map_or(self.started, |member| member.up_since))
    }

    /// The link to a live member.
    pub fn link_to(&self, node: NodeId) -> Option<LinkId> {
        self.known.get(&node)?.link
    }

    /// Live members that have peers, and so can have a tree's root among them.
    pub fn with_children(&self) -> impl Iterator<Item = NodeId> {
        self.alive().filter(|(_, member)| member.load.children > 0).map(|(node, _)| *node)
    }

    /// The live members.
    pub(super) fn with_distances(&self) -> impl Iterator<Item = (NodeId, &Member)> {
        self.alive().map(|(node, member)| (*node, member))
    }

    /// What the live members say of their roots of `tree`.
    pub fn claims(&self, tree: usize) -> impl Iterator<Item = &RootClaim> {
        let claims = self.alive().flat_map(|(_, member)| &member.load.roots);
        claims.filter(move |claim| usize::from(claim.tree) == tree)
    }

    /// The number of the last tree that a live member has a root of, and one.
    pub fn trees_claimed(&self) -> usize {
        let claims = self.alive().flat_map(|(_, member)| &member.load.roots);
        claims.map(|claim| usize::from(claim.tree) + 1).max().unwrap_or(0)
    }

    pub fn peers(&self) -> usize {
        self.alive().map(|(_, member)| member.load.children as usize).sum()
    }

    /// The live members and a figure of their load, for a weighted choice.
    pub fn weights(&self, figure: impl Fn(&Heartbeat) -> u32) -> Vec<(NodeId, LinkId, u32)> {
        let weighed =
            |(node, member): (&NodeId, &Member)| Some((*node, member.link?, figure(&member.load)));
        self.alive().filter_map(weighed).collect()
    }

    /// Contacts of live members, those with the fewest peers first.
    pub fn least_loaded(&self) -> Vec<(u32, Contact)> {
        let mut all: Vec<_> =
            self.alive().map(|(_, m)| (m.load.children, contact(&m.record))).collect();
        all.sort_by_key(|(children, contact)| (*children, contact.node));
        all
    }

    /// Contacts of live registrars.
    pub fn registrars(&self) -> Vec<Contact> {
        self.alive().filter(|(_, m)| m.record.registrar).map(|(_, m)| contact(&m.record)).collect()
    }

    /// Where a peer goes if its home fails: members in an order of the peer's own, so that the load
    /// of a failed home spreads.
    pub fn standbys(&self, peer: NodeId, count: usize) -> Vec<Contact> {
        let mut key = [0; 8];
        key.copy_from_slice(&peer.0[..8]);
        let order = rendezvous::order(b"standby", u64::from_be_bytes(key), self.nodes());
        let records = order.iter().take(count).filter_map(|node| self.known.get(node));
        records.map(|member| contact(&member.record)).collect()
    }

    pub fn views(&self) -> Vec<MemberView> {
        self.known
            .iter()
            .map(|(node, member)| MemberView {
                node: node.to_string(),
                alive: member.link.is_some(),
                children: member.load.children,
                addresses: member.record.addresses.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }

    fn records(&self) -> Vec<MemberRecord> {
        self.alive().map(|(_, member)| member.record.clone()).collect()
    }

    fn contacts(&self) -> Vec<Contact> {
        self.known.values().map(|member| contact(&member.record)).collect()
    }
}

impl Supernode {
    /// The supernodes that keep the records of `key`, this one perhaps among them.
    pub(super) fn replicas(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let all = self.members.nodes().chain(std::iter::once(cx.me));
        let mut order = rendezvous::order(b"index", key.0, all);
        order.truncate(LOCATION_REPLICAS);
        order
    }

    /// Where to look for the records of `key`, best first. Others may not know yet of members that
    /// have come only just now, and store elsewhere: these are asked beside the replicas that there
    /// would be without them.
    pub(super) fn replicas_to_ask(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let long = cx.config.renew;
        let all = self.members.nodes().chain(std::iter::once(cx.me));
        let order = rendezvous::order(b"index", key.0, all);
        let mut settled = 0;
        let wanted = |node: &NodeId| {
            let asked = settled < LOCATION_REPLICAS;
            settled += usize::from(self.members.up_for(*node, cx.now) >= long);
            asked
        };
        order.into_iter().take(ASKED_MAX).take_while(wanted).collect()
    }

    /// A link to another supernode has been greeted.
    pub(super) fn member_ready(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        node: NodeId,
        certificate: Arc<Certificate>,
    ) {
        let seed = self.members.seeds.remove(&node);
        let addresses = seed.map(|(contact, _)| contact.addresses).unwrap_or_default();
        let record = MemberRecord { certificate, addresses, registrar: false };
        if !self.members.known.contains_key(&node) {
            // Its own word follows on this link.
            self.learn_member(cx, node, node, record);
        }
        if let Some(member) = self.members.known.get_mut(&node) {
            let was_down = member.link.is_none();
            member.link = Some(link);
            member.heard = cx.now;
            if was_down {
                member.up_since = cx.now;
                self.members.changed_at = cx.now;
                cx.event(Event::MemberUp { node });
                self.members.moved = true;
            }
        }
        self.send_members(cx, link);
        let load = self.load();
        cx.send(link, load);
    }

    /// The live members have changed: records move to their new replicas, peers hear of their new
    /// standbys.
    pub(super) fn follow_members(&mut self, cx: &mut Context) {
        if !std::mem::take(&mut self.members.moved) {
            return;
        }
        self.move_index(cx);
        for (node, child) in &self.children {
            let standbys = self.members.standbys(*node, cx.config.standbys);
            cx.send(child.link, Standbys { standbys });
        }
    }

    pub(super) fn send_members(&mut self, cx: &mut Context, link: LinkId) {
        let mut members = self.members.records();
        members.extend(self.own_record(cx));
        for part in members.chunks(MEMBERS_PER_MESSAGE) {
            cx.send(link, MembersMessage { members: part.to_vec() });
        }
    }

    /// Members for an enrolling supernode to begin with, this one first.
    pub(super) fn member_records(&self, cx: &Context) -> Vec<MemberRecord> {
        self.own_record(cx)
            .into_iter()
            .chain(self.members.records())
            .take(MEMBERS_PER_MESSAGE)
            .collect()
    }

    fn own_record(&self, cx: &Context) -> Option<MemberRecord> {
        let keys = cx.identity.supernode.as_ref()?;
        Some(MemberRecord {
            certificate: keys.certificate.clone(),
            addresses: cx.listening.iter().take(ADDRESSES_MAX).cloned().collect(),
            registrar: keys.registrar.is_some(),
        })
    }

    pub(super) fn on_members(
        &mut self,
        cx: &mut Context,
        by: NodeId,
        message: MembersMessage,
    ) -> Result<(), Status> {
        if message.members.len() > MEMBERS_PER_MESSAGE {
            return Err(Status::TOO_LARGE);
        }
        let mut learnt = false;
        for record in message.members {
            let node = NodeId(record.certificate.subject.0);
            if node == cx.me || record.addresses.len() > ADDRESSES_MAX {
                continue;
            }
            cx.learn_issuer(&record.certificate)?;
            learnt |= self.learn_member(cx, by, node, record);
        }
        if learnt {
            cx.event(Event::HostsChanged(self.members.contacts()));
        }
        Ok(())
    }

    /// Learns of a member or its addresses, as supernode `by` tells. True if that is news.
    fn learn_member(
        &mut self,
        cx: &Context,
        by: NodeId,
        node: NodeId,
        record: MemberRecord,
    ) -> bool {
        if let Some(member) = self.members.known.get_mut(&node) {
            // Who is linked speaks for itself: others may know less, and tell it later.
            let hearsay = member.link.is_some() && by != node;
            let news = !hearsay && !record.addresses.is_empty() && member.record != record;
            if news {
                member.record = record;
            }
            return news;
        }
        if self.members.known.len() >= MEMBERS_MAX {
            return false;
        }
        let dial_at = if cx.me < node { cx.now } else { cx.now + DIAL_GRACE };
        let load = Heartbeat {
            children: 0,
            free_slots: 0,
            links: 0,
            draining: false,
            rtts: Vec::new(),
            roots: Vec::new(),
        };
        let rtts = Vec::new();
        let (up_since, heard) = (cx.now, cx.now);
        let member = Member { record, link: None, up_since, heard, load, rtts, dial_at };
        self.members.known.insert(node, member);
        self.wake_by(dial_at);
        true
    }

    pub(super) fn on_heartbeat(
        &mut self,
        cx: &Context,
        node: NodeId,
        mut load: Heartbeat,
    ) -> Result<(), Status> {
        if load.roots.len() > TREES_MAX || load.rtts.len() > MEMBERS_MAX {
            return Err(Status::TOO_LARGE);
        }
        if let Some(member) = self.members.known.get_mut(&node) {
            member.heard = cx.now;
            let told = std::mem::take(&mut load.rtts);
            if !told.is_empty() {
                member.rtts = told;
            }
            member.load = load;
        }
        Ok(())
    }

    /// The link to a member is gone; whether the member is, a new dial will show.
    pub(super) fn member_link_down(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        let Some(member) = self.members.known.get_mut(&node) else { return };
        if member.link != Some(link) {
            return;
        }
        member.link = None;
        member.dial_at = if cx.me < node { cx.now } else { cx.now + DIAL_GRACE };
        let dial_at = member.dial_at;
        self.members.changed_at = cx.now;
        self.members.lost_at = Some(cx.now);
        self.members.moved = true;
        cx.event(Event::MemberDown { node });
        self.wake_by(dial_at);
    }

    /// Tells the members that we live; gives up those that do not; dials those we lack.
    pub(super) fn tend_members(&mut self, cx: &mut Context) {
        let mut load = self.load();
        if cx.config.near > 0 && self.heartbeats.is_multiple_of(nearest::RTTS_EVERY) {
            load.rtts = self.member_rtts(cx);
        }
        self.heartbeats += 1;
        for (_, link, _) in self.members.weights(|_| 0) {
            cx.send(link, load.clone());
        }
        let silent: Vec<LinkId> = self
            .members
            .alive()
            .filter(|(_, member)| cx.now.since(member.heard) >= cx.config.member_dead_after)
            .filter_map(|(_, member)| member.link)
            .collect();
        silent.into_iter().for_each(|link| crate::links::dismiss(cx, link, Status::TIMEOUT));
    }

    pub(super) fn dial_members(&mut self, cx: &mut Context) {
        let mut due: Vec<Contact> = Vec::new();
        for (node, member) in &mut self.members.known {
            if member.link.is_none() && cx.now >= member.dial_at && !cx.links.has(*node) {
                member.dial_at = cx.now + REDIAL + cx.jitter(REDIAL);
                due.push(contact(&member.record));
            }
        }
        for (node, (contact, dial_at)) in &mut self.members.seeds {
            if cx.now >= *dial_at && !cx.links.has(*node) {
                *dial_at = cx.now + REDIAL + cx.jitter(REDIAL);
                due.push(contact.clone());
            }
        }
        due.iter().filter(|contact| !contact.addresses.is_empty()).for_each(|contact| {
            cx.dial(contact);
        });
    }

    fn load(&self) -> Heartbeat {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Heartbeat {
            children: count(self.children.len()),
            free_slots: count(self.children.values().map(|child| self.offered(child)).sum()),
            links: count(self.children.values().map(|child| child.up()).sum()),
            draining: false,
            rtts: Vec::new(),
            roots: self.trees.claims(),
        }
    }
}
