//! The scaffold: every supernode linked to every other, by heartbeats; members tell each other of
//! members.

use super::Supernode;
use super::members::{Member, Reach, contact};
use super::swim::Verdict;
use crate::config::{
    ADDRESSES_MAX, MEMBERS_MAX, MEMBERS_PER_MESSAGE, RTTS_PER_HEARTBEAT, TREES_MAX,
};
use crate::context::Context;
use crate::id::{DialId, LinkId, NodeId};
use crate::identity::{Certificate, Contact};
use crate::io::Event;
use crate::status::Status;
use crate::time::Span;
use crate::wire::message::{Heartbeat, MemberRecord, Members as MembersMessage};
use std::sync::Arc;

/// A member that cannot be reached is dialled again after this long, with jitter.
const REDIAL: Span = Span::secs(2);
/// A link that breaks is dialled anew at once. For this long its member still counts, unless the dial
/// fails: a connection that was reset is no death, and a dead process refuses the next within a round
/// trip.
const RELINK: Span = Span::secs(2);
/// The end that does not dial waits this long for the one that does.
const DIAL_GRACE: Span = Span::secs(1);

impl Supernode {
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
        let record = MemberRecord { certificate, addresses, registrar: false, seq: 0 };
        if !self.members.known.contains_key(&node) {
            // Its own word follows on this link.
            self.learn_member(cx, node, node, record);
        }
        if let Some(member) = self.members.known.get_mut(&node) {
            member.reach = Reach::Linked(link);
            if let Some(dial) = member.dial.take() {
                self.members.dials.remove(&dial);
            }
            member.heard = cx.now;
            if member.alive {
                // What it should have been sent while the link was broken is on its way from now on.
                self.members.turnover.refresh(node);
            }
            self.judge_member(cx, node);
        }
        self.tell_life(cx, link, node);
        self.greet_member(cx, link);
        let load = self.load(cx);
        cx.send(link, load);
        crate::fetching::tell(cx, &[link]);
    }

    /// Members for an enrolling supernode to begin with, this one first.
    pub(super) fn member_records(&mut self, cx: &Context) -> Vec<MemberRecord> {
        let own = self.own_record(cx).into_iter();
        own.chain(self.members.records()).take(MEMBERS_PER_MESSAGE).collect()
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
        // All of them, before anything is taken.
        // A signature that was checked is not checked again.
        let vouched = |record: &&MemberRecord| {
            let node = NodeId(record.certificate.subject.0);
            let known = self.members.known.get(&node).map(|member| &member.record.certificate);
            node == cx.me
                || known == Some(&record.certificate) && cx.issuers.vouch_for(node, cx.wall())
        };
        let others = message.members.iter().filter(|record| !vouched(record));
        let issuers: Vec<_> =
            others.map(|member| cx.check_issuer(&member.certificate)).collect::<Result<_, _>>()?;
        issuers.into_iter().for_each(|issuer| cx.issuers.admit(issuer));
        for record in message.members {
            let node = NodeId(record.certificate.subject.0);
            if node == cx.me || record.addresses.len() > ADDRESSES_MAX {
                continue;
            }
            self.members.learnt |= self.learn_member(cx, by, node, record);
        }
        Ok(())
    }

    /// Tells the application of all supernodes that are known, if there are new ones: once a second at
    /// most, since in a large realm that starts each link brings one.
    pub(super) fn tell_hosts(&mut self, cx: &mut Context) {
        if std::mem::take(&mut self.members.learnt) {
            cx.event(Event::HostsChanged(self.members.contacts()));
        }
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
            let newer = by == node || (member.link().is_none() && record.seq > member.record.seq);
            let news = newer && !record.addresses.is_empty() && member.record != record;
            if news {
                if member.alive && member.record.addresses != record.addresses {
                    self.members.turnover.refresh(node);
                }
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
            line_secs: 0,
        };
        let rtts = Vec::new();
        let (up_since, heard) = (cx.now, cx.now);
        let (reach, alive, dial) = (Reach::Unlinked, false, None);
        let member = Member { record, reach, alive, up_since, heard, load, rtts, dial_at, dial };
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
        if load.roots.len() > TREES_MAX || load.rtts.len() > RTTS_PER_HEARTBEAT {
            return Err(Status::TOO_LARGE);
        }
        if let Some(member) = self.members.known.get_mut(&node) {
            member.heard = cx.now;
            let told = std::mem::take(&mut load.rtts);
            if !told.is_empty() {
                member.rtts = told;
            }
            self.members.turnover.moved |= member.load.draining != load.draining;
            member.load = load;
        }
        Ok(())
    }

    /// The link to a member is gone; whether the member is, a new dial will show.
    pub(super) fn member_link_down(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        if self.members.link_to(node) == Some(link) {
            self.unlink_member(cx, node, Reach::Broken { until: cx.now + RELINK });
        }
    }

    /// A member can be reached only so from now on.
    pub(super) fn unlink_member(&mut self, cx: &mut Context, node: NodeId, reach: Reach) {
        let Some(member) = self.members.known.get_mut(&node) else { return };
        member.reach = reach;
        // Both ends dial: of two links that meet, both keep the same.
        member.dial_at = cx.now;
        self.wake_by(cx.now);
        self.judge_member(cx, node);
    }

    /// Nobody answered a dial. If that was to mend a link, it is beyond mending.
    pub(crate) fn on_dial_failed(&mut self, cx: &mut Context, dial: DialId) {
        let Some(node) = self.members.dials.remove(&dial) else { return };
        let Some(member) = self.members.known.get_mut(&node) else { return };
        member.dial = None;
        if matches!(member.reach, Reach::Broken { .. }) {
            member.reach = Reach::Unlinked;
        }
        self.judge_member(cx, node);
    }

    /// The membership protocol holds a member for alive, or for dead.
    pub(super) fn member_turned(&mut self, cx: &mut Context, node: NodeId) {
        let dead = self.swim.verdict(node) == Verdict::Dead;
        if let Some(link) = self.members.link_to(node).filter(|_| dead) {
            crate::links::dismiss(cx, link, Status::TIMEOUT);
            self.unlink_member(cx, node, Reach::Unlinked);
        }
        self.judge_member(cx, node);
    }

    /// Decides whether a member counts, after something has happened to it.
    pub(super) fn judge_member(&mut self, cx: &mut Context, node: NodeId) {
        let verdict = self.swim.verdict(node);
        let Some(member) = self.members.known.get_mut(&node) else { return };
        let lives = member.lives(verdict, cx.now);
        match (std::mem::replace(&mut member.alive, lives), lives) {
            (false, true) => {
                member.up_since = cx.now;
                self.members.came(cx, node);
                cx.event(Event::MemberUp { node });
            }
            (true, false) => {
                self.members.went(cx);
                cx.event(Event::MemberDown { node });
            }
            _ => {}
        }
    }

    /// Those whose broken links have not been mended in time are gone.
    fn judge_broken(&mut self, cx: &mut Context) {
        let late =
            |member: &Member| matches!(member.reach, Reach::Broken { until } if cx.now >= until);
        let known = self.members.known.iter_mut().filter(|(_, member)| late(member));
        let late: Vec<NodeId> = known
            .map(|(node, member)| {
                member.reach = Reach::Unlinked;
                *node
            })
            .collect();
        late.into_iter().for_each(|node| self.judge_member(cx, node));
    }

    pub(super) fn dial_members(&mut self, cx: &mut Context) {
        self.judge_broken(cx);
        for (node, member) in &mut self.members.known {
            if member.link().is_none() && cx.now >= member.dial_at && !cx.links.has(*node) {
                member.dial_at = cx.now + REDIAL + cx.jitter(REDIAL);
                let contact = contact(&member.record);
                let dial = (!contact.addresses.is_empty()).then(|| cx.dial(&contact));
                if let Some(before) = std::mem::replace(&mut member.dial, dial) {
                    self.members.dials.remove(&before);
                }
                self.members.dials.extend(dial.map(|dial| (dial, *node)));
            }
        }
        let mut due: Vec<Contact> = Vec::new();
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
}
