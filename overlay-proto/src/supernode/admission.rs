//! Who becomes a peer of this supernode: proof first, then load; then what losing one means.

use super::Supernode;
use super::child::{Child, Phase, Seat, Slot};
use crate::config::{ADDRESSES_MAX, DEGREE_MAX};
use crate::context::Context;
use crate::coordinates::LinkCost;
use crate::id::{LinkId, NodeId};
use crate::identity::{Contact, Domain, Member};
use crate::io::Event;
use crate::location::index_key;
use crate::peer::survey::MEASURED_MAX;
use crate::status::Status;
use crate::time::Span;
use crate::wire::message::{Login, LoginReply, Logout, PeerContact};

/// A supernode with this many peers more than twice the least loaded one sends newcomers there.
const IMBALANCE: usize = 16;
/// Supernodes named to a peer beside its standbys, to remember: should home and standbys all be
/// gone, one of these is left unless most of the realm is.
const OTHERS: usize = 5;
/// Supernodes named to a peer that is sent elsewhere.
const REDIRECTS: usize = 3;

impl Supernode {
    /// A peer wants a session here, or to keep a warm link.
    pub(super) fn on_login(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        login: Login,
    ) -> Result<(), Status> {
        let node = cx.links.node_of(link).ok_or(Status::MALFORMED)?;
        self.counters.login_tried(node, cx.now);
        let member = match prove(cx, link, node, &login) {
            Ok(member) => member,
            Err(status) => {
                self.refuse(cx, link, node, status, Vec::new());
                return Ok(());
            }
        };
        self.bears(link, &login.chain);
        if login.warm {
            self.warm.insert(link);
            self.counters.standby += 1;
            let answer = self.terms(cx, Status::ACCEPTED, node);
            cx.send(link, answer);
            return Ok(());
        }
        let newcomer = login.coordinates.is_none() && !self.children.contains_key(&node);
        let nearer = if newcomer { self.nearer(cx, &login.rtts) } else { Vec::new() };
        if !nearer.is_empty() {
            self.counters.login_redirected();
            // The link stays: this one may turn out to be the nearest after all.
            let answer = self.terms(cx, Status::ASK_THERE, node);
            cx.send(link, LoginReply { redirect: nearer, ..without_names(answer) });
            return Ok(());
        }
        if let Err((status, redirect)) = self.has_room(cx, node, &login) {
            self.refuse(cx, link, node, status, redirect);
            return Ok(());
        }
        self.admit(cx, link, member, login);
        Ok(())
    }

    fn admit(&mut self, cx: &mut Context, link: LinkId, member: Member, login: Login) {
        let node = member.node;
        let key = index_key(cx.identity.realm, &member.name);
        let contact = Contact { node, addresses: login.addresses.clone() };
        let mut child = Child::new(member.name.clone(), key, link, contact, cx.now, &cx.config);
        self.adopt(cx, &mut child, login);
        self.warm.remove(&link);
        if let Some(old) = self.children.insert(node, Box::new(child))
            && old.link != link
        {
            crate::links::dismiss(cx, old.link, Status::STALE);
        }
        self.counters.admitted += 1;
        let answer = self.terms(cx, Status::OK, node);
        cx.send(link, answer);
        cx.event(Event::ChildIn { node, name: member.name });
        self.wake_by(cx.now);
    }

    /// A peer that comes from another home keeps its neighbours and labels.
    fn adopt(&mut self, cx: &mut Context, child: &mut Child, login: Login) {
        let Some(coordinates) = login.coordinates else { return };
        let known = login.issuer.is_none_or(|issuer| cx.learn_issuer(&issuer).is_ok());
        let genuine =
            known && coordinates.node == child.node() && cx.check_place(&coordinates).is_ok();
        if !genuine {
            return;
        }
        for named in login.neighbours {
            let i = usize::from(named.slot);
            let short = named.contact.node.short();
            if coordinates.slots.get(i) != Some(&short) || child.has(short) {
                continue;
            }
            if let Some(slot) = child.slots.get_mut(i) {
                let peer = PeerContact { contact: named.contact, home: named.home };
                let phase = Phase::Expected { since: cx.now };
                *slot = Slot::Taken(Seat { peer, phase, cost: LinkCost::HOP_ONLY });
            }
        }
        self.trees.inherit(&coordinates);
        child.labels = coordinates.labels.clone();
        child.coordinates = Some(coordinates);
        child.relabel_at = cx.now + Span(2 * cx.config.gossip.0);
    }

    fn terms(&self, cx: &Context, status: Status, node: NodeId) -> LoginReply {
        let small = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        let mut standbys = self.members.standbys(node, cx.config.standbys + OTHERS);
        let others = standbys.split_off(standbys.len().min(cx.config.standbys));
        LoginReply {
            status,
            lease_secs: u16::try_from(cx.config.lease.as_millis() / 1_000).unwrap_or(u16::MAX),
            standbys,
            redirect: Vec::new(),
            trees: small(self.tree_count(cx)),
            degree: small(cx.config.degree),
            near: small(cx.config.near),
            others,
        }
    }

    fn has_room(
        &self,
        cx: &Context,
        node: NodeId,
        login: &Login,
    ) -> Result<(), (Status, Vec<Contact>)> {
        let children = self.children.len();
        let elsewhere = self.members.least_loaded();
        let least = elsewhere.first().map_or(usize::MAX, |(children, _)| *children as usize);
        let contacts =
            || elsewhere.iter().take(REDIRECTS).map(|(_, contact)| contact.clone()).collect();
        let known = self.children.contains_key(&node) || login.coordinates.is_some();
        if children >= cx.config.children_hard && !self.children.contains_key(&node) {
            return Err((Status::OVERLOADED, contacts()));
        }
        let full = children >= cx.config.children_soft && least < children;
        // Regions are as large as they are.
        let uneven =
            cx.config.near == 0 && least.saturating_mul(2).saturating_add(IMBALANCE) < children;
        if !known && (full || uneven) {
            return Err((Status::ASK_THERE, contacts()));
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        node: NodeId,
        status: Status,
        redirect: Vec<Contact>,
    ) {
        self.counters.login_refused(status);
        let terms = self.terms(cx, status, node);
        let answer = LoginReply { redirect, lease_secs: 0, ..without_names(terms) };
        cx.send(link, answer);
        cx.hang_up(link);
        cx.event(Event::Refused { node, status });
    }

    pub(super) fn on_logout(&mut self, cx: &mut Context, node: NodeId, logout: Logout) {
        let Some(child) = self.children.get(&node) else { return };
        let (key, name) = (child.key, child.name.clone());
        if let Some(record) = logout.record {
            let member = record.check(cx.verifier(), cx.identity.realm, cx.wall());
            if member.is_ok_and(|member| member.node == node && member.name == name) {
                self.replicate(cx, key, record);
            }
        }
        self.child_gone(cx, node, Status::OK);
    }

    /// A peer has no session here any more.
    pub(super) fn child_gone(&mut self, cx: &mut Context, node: NodeId, status: Status) {
        let Some(child) = self.children.remove(&node) else { return };
        let around = child.seats().map(|(_, seat)| seat.peer.contact.node);
        self.stale.extend(around.filter(|other| self.children.contains_key(other)));
        if status != Status::OK {
            self.damping.lost(node, child.seats().count(), cx.config.degree, cx.now);
            self.withdraw(cx, child.key, node);
        }
        cx.event(Event::ChildOut { node, status });
    }

    /// Ends sessions whose lease has run out.
    pub(super) fn expire_children(&mut self, cx: &mut Context) {
        let expired: Vec<(NodeId, LinkId)> = self
            .children
            .iter()
            .filter(|(_, child)| cx.now >= child.lease_until)
            .map(|(node, child)| (*node, child.link))
            .collect();
        for (node, link) in expired {
            self.child_gone(cx, node, Status::TIMEOUT);
            crate::links::dismiss(cx, link, Status::TIMEOUT);
        }
    }
}

/// The terms without standbys and others: for who gets no session.
fn without_names(terms: LoginReply) -> LoginReply {
    LoginReply { standbys: Vec::new(), others: Vec::new(), ..terms }
}

/// Chain, then possession of the device key on this very link.
fn prove(cx: &Context, link: LinkId, node: NodeId, login: &Login) -> Result<Member, Status> {
    if login.addresses.len() > ADDRESSES_MAX
        || login.neighbours.len() > DEGREE_MAX
        || login.rtts.len() > MEASURED_MAX
    {
        return Err(Status::TOO_LARGE);
    }
    let greeted = cx.links.greeted(link).ok_or(Status::MALFORMED)?;
    let member = login
        .chain
        .check(cx.verifier(), cx.identity.realm, node, cx.wall())
        .map_err(|error| error.status())?;
    if cx.revoked.bars(&login.chain) {
        return Err(Status::REVOKED);
    }
    let tagged = Domain::Login.tagged(&greeted.transcript);
    match cx.verifier().verify(&node.0, &tagged, &login.proof) {
        true => Ok(member),
        false => Err(Status::UNPROVEN),
    }
}
