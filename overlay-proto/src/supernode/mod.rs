//! The supernode role: admission, registry, directory, topology, membership.

mod admission;
mod asking;
mod beating;
mod bucket;
#[cfg(any(test, feature = "fuzzing"))]
mod census;
mod certificate;
mod child;
mod children;
mod counters;
mod damping;
mod departure;
mod directory;
mod drain;
mod enrolment;
mod escalation;
mod finding;
mod guests;
mod labels;
mod liveness;
mod mailboxes;
pub(crate) mod members;
mod mixing;
mod nearest;
mod place;
mod planner;
mod registry;
pub(crate) mod relay;
mod replicas;
mod revocation;
mod revoker;
mod same_list;
mod scaffold;
#[cfg(test)]
mod scaffold_tests;
mod splice;
mod swapping;
mod swim;
mod trees;

use crate::context::Context;
use crate::fetching;
use crate::id::{LinkId, NodeId, StoreId};
use crate::identity::Contact;
use crate::links;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::view::{ChildView, HeldView, SupernodeView};
use crate::wire::message::Standbys;
use crate::wire::{Message, TransportAddress};
use admission::elsewhere::Elsewhere;
use admission::gate::Gate;
use admission::registrations::Registrations;
use beating::Beat;
use bucket::Bucket;
use children::Children;
use counters::Counters;
use damping::Damping;
use directory::Directory;
use drain::Drain;
use finding::Find;
use mailboxes::Mailboxes;
use members::Members;
use mixing::Mixing;
use rand_chacha::ChaCha8Rng;
use registry::Pending;
use relay::Relays;
use revocation::Spread;
use revoker::Desk;
use splice::Request;
use std::collections::{BTreeMap, BTreeSet};
use swim::Swim;
use trees::Trees;

/// Links that ask for nothing are ended after this many times the patience.
const STRANGER_PATIENCE: u64 = 4;

/// The role that a certificate of the realm's root gives.
#[derive(Debug)]
pub(crate) struct Supernode {
    gate: Gate,
    registrations: Registrations,
    elsewhere: Elsewhere,
    children: Children,
    drain: Option<Drain>,
    damping: Damping,
    mixing: Mixing,
    /// Peers around which something has changed since their labels were chosen.
    stale: BTreeSet<NodeId>,
    /// Peers whose place may differ from the one issued to them.
    unissued: BTreeSet<NodeId>,
    /// Peers that would log in here if their home failed.
    warm: BTreeSet<LinkId>,
    /// Links that have greeted; those that are somebody's by now are forgotten now and then, those that
    /// are gone at once.
    guests: BTreeSet<LinkId>,
    members: Members,
    swim: Swim,
    beat: Beat,
    /// Entries of member lists that may still be told.
    pages: Bucket,
    own_addresses: Vec<TransportAddress>,
    /// The number of our own record.
    own_seq: u64,
    trees: Trees,
    directory: Directory,
    finds: BTreeMap<u64, Find>,
    requests: BTreeMap<u64, Request>,
    pending: BTreeMap<StoreId, Pending>,
    spread: Spread,
    desk: Desk,
    relays: Relays,
    mailboxes: Mailboxes,
    counters: Counters,
    plan_at: Time,
    heartbeat_at: Time,
    /// When its own certificate is looked at next.
    certificate_at: Time,
    wake_at: Time,
}

/// Streams of dice beside the node's own: drawing from one changes none of the others.
const SWIM_DICE: u64 = 1;
const BEAT_DICE: u64 = 2;

fn dice(cx: &Context, stream: u64) -> ChaCha8Rng {
    let mut dice = cx.rng.clone();
    dice.set_stream(stream);
    dice
}

impl Supernode {
    pub fn new(cx: &mut Context, seeds: &[Contact]) -> Supernode {
        if let Some(keys) = cx.identity.supernode.clone() {
            // One that has expired vouches for nothing, and nobody will greet us anyway.
            let _ = cx.learn_issuer(&keys.certificate);
        }
        let plan_at = cx.now + cx.jitter(cx.config.plan);
        let heartbeat_at = cx.now + cx.jitter(cx.config.heartbeat);
        Supernode {
            gate: Gate::new(cx),
            registrations: Registrations::new(cx),
            elsewhere: Elsewhere::default(),
            children: Children::default(),
            drain: None,
            damping: Damping::default(),
            mixing: Mixing::default(),
            stale: BTreeSet::new(),
            unissued: BTreeSet::new(),
            warm: BTreeSet::new(),
            guests: BTreeSet::new(),
            members: Members::new(seeds, cx.me, cx.now),
            beat: Beat::new(dice(cx, BEAT_DICE)),
            pages: Bucket::full(same_list::ENTRIES, cx.now),
            own_addresses: Vec::new(),
            own_seq: cx.wall().0,
            swim: Swim::new(cx.me, cx.wall().0, dice(cx, SWIM_DICE), &cx.config),
            trees: Trees::default(),
            directory: Directory::default(),
            finds: BTreeMap::new(),
            requests: BTreeMap::new(),
            pending: BTreeMap::new(),
            spread: Spread::default(),
            desk: Desk::default(),
            relays: Relays::default(),
            mailboxes: Mailboxes::default(),
            counters: Counters::default(),
            plan_at,
            heartbeat_at,
            certificate_at: Time(0),
            wake_at: plan_at,
        }
    }

    /// A link has been greeted.
    pub fn on_ready(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        let certificate = cx.links.greeted(link).and_then(|greeted| greeted.supernode.clone());
        if let Some(certificate) = certificate {
            self.member_ready(cx, link, node, certificate);
        }
        self.take_guest(cx, link);
    }

    pub fn on_link_down(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        self.warm.remove(&link);
        self.guests.remove(&link);
        self.forget_bearer(link);
        self.member_link_down(cx, link, node);
        if self.children.get(&node).is_some_and(|child| child.link == link) {
            self.child_gone(cx, node, Status::TIMEOUT);
        }
    }

    /// Takes a message that is meant for a supernode.
    pub fn on_message(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        message: Message,
    ) -> Result<(), Status> {
        match message {
            Message::Login(login) => return self.on_login(cx, link, login),
            Message::Register(register) => self.on_register(cx, link, register),
            Message::Enroll(enroll) => self.on_enroll(cx, link, &enroll),
            Message::JoinDevice(ask) => self.on_join_device(cx, link, ask),
            Message::JoinDeviceReply(reply) => self.on_join_device_reply(cx, link, reply),
            Message::RevocationsWanted(wanted) if self.is_borne(link) => {
                self.on_wanted_by_peer(cx, link, &wanted);
            }
            message => {
                if let Some(node) = self.member_of(cx, link) {
                    return self.on_member_message(cx, link, node, message);
                }
                if let Some(node) = self.child_of(cx, link) {
                    return self.on_child_message(cx, link, node, message);
                }
                // It believes in a session that there is none of: it shall log in again.
                if matches!(message, Message::Report(_) | Message::Publish(_)) {
                    links::dismiss(cx, link, Status::STALE);
                }
            }
        }
        Ok(())
    }

    /// Tells a node again all that it keeps of us.
    pub fn tell_all(&mut self, cx: &mut Context, link: LinkId) {
        if self.member_of(cx, link).is_some() {
            self.greet_member(cx, link);
        } else if let Some(node) = self.child_of(cx, link) {
            let standbys = self.members.standbys(node, cx.config.standbys);
            cx.send(link, Standbys { standbys });
            if let Some(child) = self.children.get_mut(&node) {
                child.tell_all();
                self.wake_by(cx.now);
            }
        }
    }

    fn on_child_message(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        node: NodeId,
        message: Message,
    ) -> Result<(), Status> {
        match message {
            Message::Report(report) => return self.on_report(cx, node, report),
            Message::Publish(publish) => return self.on_publish(cx, node, publish),
            Message::Lookup(lookup) => self.on_lookup(cx, link, &lookup),
            Message::Logout(logout) => self.on_logout(cx, node, logout),
            Message::Revoke(ask) => self.on_revoke_asked(cx, link, ask),
            Message::Renew(ask) => self.on_renew_asked(cx, link, ask),
            message => return self.on_mail_of_child(cx, link, node, message),
        }
        Ok(())
    }

    fn on_member_message(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        node: NodeId,
        message: Message,
    ) -> Result<(), Status> {
        match message {
            Message::Heartbeat(load) => return self.on_heartbeat(cx, node, load),
            Message::Members(members) => return self.on_members(cx, node, members),
            Message::Swim(word) => return self.on_swim(cx, node, &word),
            Message::Life(life) => self.on_life(cx, link, node, &life),
            Message::MembersKnown(known) => self.on_members_known(cx, link, &known),
            Message::MembersHeld(held) => return self.on_members_held(cx, link, &held),
            Message::StoreLocation(store) => return self.on_store_location(cx, store),
            Message::Withdraw(withdraw) => self.on_withdraw(cx, node, &withdraw),
            Message::Locate(locate) => self.on_locate(cx, link, &locate),
            Message::LookupReply(reply) => self.on_locate_reply(cx, node, reply),
            Message::Splice(splice) => return self.on_splice(cx, link, node, splice),
            Message::SpliceReply(reply) => self.on_splice_reply(cx, reply),
            Message::Pair(pair) => return self.on_pair(cx, link, node, pair),
            Message::PairReply(reply) => self.on_pair_reply(cx, reply),
            Message::Relink(relink) => self.on_relink(cx, link, relink),
            Message::RelinkReply(reply) => self.on_relink_reply(cx, reply),
            Message::Release(release) => self.on_release(&release),
            Message::Expel(expel) => self.on_expel(cx, &expel),
            message => return self.on_word_of_revocations(cx, link, message),
        }
        Ok(())
    }

    /// What supernodes tell each other of who is out, and ask a registrar.
    fn on_word_of_revocations(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        message: Message,
    ) -> Result<(), Status> {
        match message {
            Message::RevocationsKnown(known) => {
                return self.spread.fetching.on_known(cx, link, &known);
            }
            Message::RevocationsWanted(wanted) => fetching::answer(cx, link, &wanted),
            Message::Revocations(part) => return self.on_revocations(cx, link, part),
            Message::Revoke(ask) => self.on_revoke_asked(cx, link, ask),
            Message::Renew(ask) => self.on_renew_asked(cx, link, ask),
            Message::RegistrarReply(reply) => self.on_registrar_reply(cx, link, reply),
            message => return self.on_mail_of_member(cx, link, message),
        }
        Ok(())
    }

    pub fn tick(&mut self, cx: &mut Context) {
        if cx.now < self.wake_at {
            return;
        }
        self.tick_swim(cx);
        if cx.now >= self.heartbeat_at {
            self.heartbeat_at = cx.now + cx.config.heartbeat;
            self.tend_members(cx);
            self.tell_hosts(cx);
            self.elsewhere.look(cx, &self.members, self.children.len());
            self.gate.tend(cx);
            self.free_slots_of_expelled(cx);
            self.tell_peers_what_is_due(cx);
            self.watch_certificate(cx);
            self.expire_children(cx);
            self.damping.forget(cx.config.degree, cx.now);
            self.tend_trees(cx);
            self.mix(cx);
            self.improve(cx);
            self.expire_directory(cx);
            self.tend_mailboxes(cx);
            self.drop_strangers(cx);
            self.forget_guests(cx);
        }
        self.dial_members(cx);
        if cx.now >= self.plan_at {
            self.plan_at = cx.now + cx.config.plan;
            self.expire_requests(cx);
            self.follow_members(cx);
            self.tick_finds(cx);
            self.tick_mailboxes(cx);
            self.tick_drain(cx);
            self.fill_slots(cx);
            self.relabel(cx);
            self.issue_places(cx);
            self.children.settle();
        }
        self.wake_at = self.plan_at.min(self.heartbeat_at).min(self.swim.next_at());
    }

    /// When [`Supernode::tick`] has something to do.
    pub fn wake_at(&self) -> Time {
        self.wake_at
    }

    fn wake_by(&mut self, at: Time) {
        self.wake_at = self.wake_at.min(at.max(Time(1)));
    }

    /// The live member at the other end of `link`.
    fn member_of(&self, cx: &Context, link: LinkId) -> Option<NodeId> {
        let node = cx.links.node_of(link)?;
        (self.members.link_to(node) == Some(link)).then_some(node)
    }

    /// The peer whose session stands on `link`.
    fn child_of(&self, cx: &Context, link: LinkId) -> Option<NodeId> {
        let node = cx.links.node_of(link)?;
        (self.children.get(&node)?.link == link).then_some(node)
    }

    /// Ends links that have asked for nothing.
    fn drop_strangers(&mut self, cx: &mut Context) {
        let grace = Span(STRANGER_PATIENCE * cx.config.patience.0);
        let useless: Vec<LinkId> = cx
            .links
            .iter()
            .filter(|(id, _)| {
                let idle = cx.links.greeted(*id).is_some_and(|g| cx.now.since(g.since) >= grace);
                idle && self.is_nobodys(cx, *id)
            })
            .map(|(id, _)| id)
            .collect();
        useless.into_iter().for_each(|link| links::dismiss(cx, link, Status::TIMEOUT));
    }

    /// Log-ins admitted since the start.
    pub fn logins(&self) -> u64 {
        self.counters.admitted
    }

    /// The members that count, and the number of each one's record.
    pub fn counted(&self) -> impl Iterator<Item = (NodeId, u64)> {
        self.members.alive().map(|(node, member)| (*node, member.record.seq))
    }

    pub fn view(&self, cx: &Context) -> SupernodeView {
        SupernodeView {
            node: cx.me.to_string(),
            realm: cx.identity.realm.to_string(),
            registrar: cx.identity.is_registrar(),
            children: self.children.len(),
            locations: self.directory.len(),
            links: self.children.values().map(|child| child.up()).sum(),
            free_slots: self.children.values().map(|child| self.offered(child)).sum(),
            trees_owned: self.trees.owned(),
            escalated: self.counters.escalated,
            logins: self.counters.admitted,
            refused: self.counters.refused,
            members: self.members.views(cx),
            certificate_secs: Supernode::certificate_secs(cx),
            uptime_secs: self.members.up_for(cx.me, cx.now).as_millis() / 1_000,
            draining: self.drain.is_some(),
            peers_soft: cx.config.children_soft,
            peers_hard: cx.config.children_hard,
            degree: cx.config.degree,
            standby_links: self.warm.len(),
            strangers: cx.links.strangers().count(),
            line_secs: self.gate.line_secs(cx),
            logins_per_second: self.gate.capacity(),
            requests_open: self.requests.len(),
            finds_open: self.finds.len(),
            store_open: self.pending.len(),
            counters: self.counters.view(cx.now),
        }
    }

    pub fn held(&self, cx: &Context) -> HeldView {
        let roots = self.trees.claims().into_iter();
        HeldView {
            node: cx.me,
            members: self.members.nodes().collect(),
            roots: roots.map(|claim| (usize::from(claim.tree), claim.epoch)).collect(),
            sessions: self.children.keys().copied().collect(),
            records: self.directory.views(cx.now),
        }
    }

    pub fn child_views(&self, cx: &Context) -> Vec<ChildView> {
        self.children
            .values()
            .map(|child| ChildView {
                node: child.node().to_string(),
                name: child.name.to_string(),
                links: child.up(),
                labels: child.labels.placed(),
                online_secs: cx.now.since(child.since).as_millis() / 1_000,
                address: cx.links.get(child.link).map(|l| l.remote.to_string()).unwrap_or_default(),
                degree: child.slots.len(),
                lease_secs: child.lease_until.since(cx.now).as_millis() / 1_000,
            })
            .collect()
    }
}
