//! Which supernodes there are: what this one knows of the others. (Full list: the realm's size is
//! bounded by [`MEMBERS_MAX`](crate::config::MEMBERS_MAX).)

use super::replicas::Turnover;
use super::swim::Verdict;
use super::trees::newest_by;
use crate::context::Context;
use crate::coordinates::Epoch;
use crate::id::{DialId, LinkId, NodeId};
use crate::identity::Contact;
use crate::time::{Span, Time};
use crate::view::MemberView;
use crate::wire::message::{Heartbeat, MemberRecord, RootClaim, Rtt};
use rand::Rng;
use std::collections::BTreeMap;

/// The other supernodes.
#[derive(Debug)]
pub(crate) struct Members {
    pub(super) known: BTreeMap<NodeId, Member>,
    /// Whom each dial that is under way is to reach.
    pub(super) dials: BTreeMap<DialId, NodeId>,
    /// Contacts from the start of which no certificate is known yet.
    pub(super) seeds: BTreeMap<NodeId, (Contact, Time)>,
    /// When this supernode started.
    started: Time,
    /// When the set of live members changed last.
    pub changed_at: Time,
    /// When one of them was lost, or came after the start, last.
    pub(super) unsettled_at: Option<Time>,
    /// What has changed about the set since the last round.
    pub(super) turnover: Turnover,
    /// Whether members or their addresses were learnt since the application was told.
    pub(super) learnt: bool,
}

#[derive(Debug)]
pub(super) struct Member {
    pub record: MemberRecord,
    pub reach: Reach,
    /// Whether it counts: it can be reached, and the membership protocol does not hold it for dead.
    pub alive: bool,
    /// Since when.
    pub up_since: Time,
    pub heard: Time,
    pub load: Heartbeat,
    /// How far it is from the others, as it said last.
    pub rtts: Vec<Rtt>,
    pub dial_at: Time,
    /// The dial that is under way.
    pub dial: Option<DialId>,
}

/// How a member can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Over this greeted link.
    Linked(LinkId),
    /// Its link broke a moment ago. Until then it may be linked again, and nothing has changed.
    Broken { until: Time },
    /// Not at all.
    Unlinked,
}

impl Member {
    pub fn link(&self) -> Option<LinkId> {
        match self.reach {
            Reach::Linked(link) => Some(link),
            Reach::Broken { .. } | Reach::Unlinked => None,
        }
    }

    /// Whether it counts, by what the membership protocol says of it. A link to who has said nothing
    /// of itself there yet is proof enough.
    pub fn lives(&self, verdict: Verdict, now: Time) -> bool {
        let reached = match self.reach {
            Reach::Linked(_) => true,
            Reach::Broken { until } => now < until,
            Reach::Unlinked => false,
        };
        reached && verdict != Verdict::Dead
    }
}

/// The contact of a member.
pub(crate) fn contact(record: &MemberRecord) -> Contact {
    Contact { node: NodeId(record.certificate.subject.0), addresses: record.addresses.clone() }
}

/// So long after a change of members locations are being published again: two renewals.
fn settling(cx: &Context) -> Span {
    Span(2 * cx.config.renew.0)
}

/// Who has spoken within this time lives: the membership protocol takes longer to find anybody dead.
fn just_now(cx: &Context) -> Span {
    Span(2 * cx.config.heartbeat.0)
}

impl Members {
    pub fn new(seeds: &[Contact], me: NodeId, now: Time) -> Members {
        let seeds = seeds.iter().filter(|contact| contact.node != me);
        Members {
            known: BTreeMap::new(),
            dials: BTreeMap::new(),
            seeds: seeds.map(|contact| (contact.node, (contact.clone(), now))).collect(),
            started: now,
            changed_at: now,
            unsettled_at: None,
            turnover: Turnover::default(),
            learnt: false,
        }
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = (&NodeId, &Member)> {
        self.known.iter().filter(|(_, member)| member.alive)
    }

    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.alive().map(|(node, _)| *node)
    }

    /// Those that are not about to stop.
    pub(super) fn staying(&self) -> impl Iterator<Item = (&NodeId, &Member)> {
        self.alive().filter(|(_, member)| !member.load.draining)
    }

    /// Whether a member was lost, or has come back, a while ago. Who has lost its home or its
    /// replicas with it has published its location again within two renewals.
    pub fn are_unsettled(&self, cx: &Context) -> bool {
        self.unsettled_at.is_some_and(|at| cx.now.since(at) < settling(cx))
    }

    /// A member counts from now on. After the start it is one that comes back from the other side of a
    /// partition, or a new one: what it keeps is on its way.
    pub(super) fn came(&mut self, cx: &Context, node: NodeId) {
        self.changed_at = cx.now;
        self.turnover.refresh(node);
        if cx.now.since(self.started) >= settling(cx) {
            self.unsettled_at = Some(cx.now);
        }
    }

    /// A member does not count any more.
    pub(super) fn went(&mut self, cx: &Context) {
        self.changed_at = cx.now;
        self.unsettled_at = Some(cx.now);
        self.turnover.moved = true;
    }

    /// For how long a live member, or this supernode itself, has been up as far as it knows.
    pub(super) fn up_for(&self, node: NodeId, now: Time) -> Span {
        now.since(self.known.get(&node).map_or(self.started, |member| member.up_since))
    }

    /// The link to a member, whether it counts or not.
    pub fn link_to(&self, node: NodeId) -> Option<LinkId> {
        self.known.get(&node)?.link()
    }

    /// The links to all members that have one.
    pub(super) fn links(&self) -> Vec<(NodeId, LinkId)> {
        self.known.iter().filter_map(|(node, member)| Some((*node, member.link()?))).collect()
    }

    /// Whether what the membership protocol says of `node` is taken in. Of who is no known member it
    /// is not. Nor is a death of who has spoken to us just now: one member gone mad buries nobody.
    pub(super) fn believes(&self, cx: &Context, node: NodeId, said: Verdict) -> bool {
        let buries_a_speaker = said == Verdict::Dead && self.speaks(cx, node);
        self.known.contains_key(&node) && (!buries_a_speaker || seeded!(SleeperBuries))
    }

    /// Whether anything valid has come over the link of `node` just now.
    pub(super) fn speaks(&self, cx: &Context, node: NodeId) -> bool {
        let heard = self.link_to(node).and_then(|link| cx.links.heard(link));
        heard.is_some_and(|at| cx.now.since(at) < just_now(cx))
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

    /// The live member that says to have the newest root of `tree`, and its epoch.
    pub fn newest_claim(&self, tree: usize) -> Option<(NodeId, LinkId, Epoch)> {
        let of_tree = |claim: &&RootClaim| usize::from(claim.tree) == tree;
        let claims = self.alive().filter_map(|(node, member)| {
            let claim = member.load.roots.iter().find(of_tree)?;
            Some((*node, member.link()?, claim.epoch))
        });
        newest_by(claims, |(.., epoch)| *epoch)
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
        let weighed = |(node, member): (&NodeId, &Member)| {
            Some((*node, member.link()?, figure(&member.load)))
        };
        self.alive().filter_map(weighed).collect()
    }

    /// The contacts of at most `count` of these, the least first, equals in any order: of thousands
    /// only some are written out.
    pub fn least<F: Ord>(
        &self,
        count: usize,
        of: impl Iterator<Item = (F, NodeId)>,
        dice: &mut impl Rng,
    ) -> Vec<(F, Contact)> {
        let mut all: Vec<(F, u32, NodeId)> =
            of.map(|(figure, node)| (figure, dice.next_u32(), node)).collect();
        if all.len() > count {
            all.select_nth_unstable(count);
            all.truncate(count);
        }
        all.sort_unstable();
        let known = |node| self.known.get(&node).map(|member| contact(&member.record));
        all.into_iter().filter_map(|(figure, _, node)| Some((figure, known(node)?))).collect()
    }

    /// Contacts of live registrars.
    pub fn registrars(&self) -> Vec<Contact> {
        self.alive().filter(|(_, m)| m.record.registrar).map(|(_, m)| contact(&m.record)).collect()
    }

    pub fn views(&self, cx: &Context) -> Vec<MemberView> {
        self.known
            .iter()
            .map(|(node, member)| MemberView {
                node: node.to_string(),
                alive: member.alive,
                children: member.load.children,
                addresses: member.record.addresses.iter().map(ToString::to_string).collect(),
                registrar: member.record.registrar,
                draining: member.load.draining,
                links: member.load.links,
                free_slots: member.load.free_slots,
                rtt_ms: member
                    .link()
                    .and_then(|link| {
                        let told = member.rtts.iter().find(|rtt| rtt.node == cx.me);
                        let told = told.map(|rtt| Span(rtt.micros.into()));
                        cx.links.get(link)?.rtt.or(told)
                    })
                    .map(Span::as_millis_f64),
                heard_secs: cx.now.since(member.heard).as_millis() / 1_000,
                up_secs: member.alive.then(|| cx.now.since(member.up_since).as_millis() / 1_000),
            })
            .collect()
    }

    pub(super) fn records(&self) -> Vec<MemberRecord> {
        self.alive().map(|(_, member)| member.record.clone()).collect()
    }

    pub(super) fn contacts(&self) -> Vec<Contact> {
        self.known.values().map(|member| contact(&member.record)).collect()
    }
}
