//! Who becomes a peer of this supernode: what costs nothing to see first, then the proof.

mod budgets;
mod cookie;
pub(crate) mod elsewhere;
pub(crate) mod gate;
pub(crate) mod registrations;
mod sketch;
#[cfg(test)]
mod tests;

use super::Supernode;
use super::child::{Child, Phase, Seat, Slot};
use crate::config::{ADDRESSES_MAX, DEGREE_MAX};
use crate::context::Context;
use crate::coordinates::LinkCost;
use crate::fetching;
use crate::id::{LinkId, NodeId, UserKey};
use crate::identity::{Contact, Domain, Member};
use crate::io::Event;
use crate::location::index_key;
use crate::peer::survey::MEASURED_MAX;
use crate::remote::Remote;
use crate::status::Status;
use crate::time::Span;
use crate::wire::message::{Login, LoginReply, PeerContact};
use gate::{Asker, Later};

/// Supernodes named to a peer beside its standbys, to remember: should home and standbys all be
/// gone, one of these is left unless most of the realm is.
const OTHERS: usize = 5;
/// Seconds until a supernode without room may be asked again: within a lease some peer has left.
const FULL_AGAIN_SECS: u16 = 20;

impl Supernode {
    /// A peer wants a session here, or to keep a warm link.
    pub(super) fn on_login(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        login: Login,
    ) -> Result<(), Status> {
        let known = cx.links.get(link).ok_or(Status::MALFORMED)?;
        let (node, remote) = (known.node, Remote::of(&known.remote));
        if let Err((status, redirect)) = self.has_room(cx, node, &login) {
            self.refuse(cx, link, node, status, redirect);
            return Ok(());
        }
        let asker = self.asker(cx, link, node, &login);
        let shorter = |secs| self.elsewhere.has_shorter_line(secs);
        if let Err(later) = self.gate.pass(cx, node, remote, asker, shorter) {
            self.put_off(cx, link, node, later);
            return Ok(());
        }
        let member = match prove(cx, link, node, &login) {
            Ok(member) => member,
            Err(status) => {
                self.gate.blame(cx, node, remote);
                self.refuse(cx, link, node, status, Vec::new());
                return Ok(());
            }
        };
        self.bears(cx, link, &login.chain);
        if login.warm {
            self.warm.insert(link);
            self.counters.login_standby(node, cx.now);
            let answer = self.terms(cx, Status::ACCEPTED, node);
            cx.send(link, answer);
            fetching::tell(cx, &[link]);
            return Ok(());
        }
        let newcomer = login.coordinates.is_none() && !self.children.contains_key(&node);
        let nearer = if newcomer { self.nearer(cx, &login.rtts) } else { Vec::new() };
        if !nearer.is_empty() {
            self.counters.login_redirected(node, cx.now);
            // The link stays: this one may turn out to be the nearest after all.
            let answer = self.terms(cx, Status::ASK_THERE, node);
            cx.send(link, LoginReply { redirect: nearer, ..without_names(answer) });
            return Ok(());
        }
        self.admit(cx, link, member, login);
        Ok(())
    }

    /// The driver has measured what this machine can take.
    pub fn on_capacity(&mut self, logins_per_second: u32) {
        self.gate.set_capacity(logins_per_second);
    }

    fn asker(&self, cx: &Context, link: LinkId, node: NodeId, login: &Login) -> Asker {
        let is_ours = self.children.contains_key(&node) || self.gate.expects(cx, node);
        if login.warm {
            Asker::ForLater
        } else if is_ours || self.warm.contains(&link) {
            Asker::Known
        } else {
            Asker::Stranger(login.cookie)
        }
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
        self.counters.login_admitted(node, cx.now);
        let answer = self.terms(cx, Status::OK, node);
        cx.send(link, answer);
        fetching::tell(cx, &[link]);
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
            retry_after_secs: 0,
            cookie: None,
        }
    }

    /// Whether there is a place for this one, or where it should go instead.
    fn has_room(
        &mut self,
        cx: &Context,
        node: NodeId,
        login: &Login,
    ) -> Result<(), (Status, Vec<Contact>)> {
        let children = self.children.len();
        if login.warm || self.children.contains_key(&node) {
            return Ok(());
        }
        if self.drain.is_some() {
            let to_ask = self.elsewhere.with_room(usize::MAX);
            let status = if to_ask.is_empty() { Status::OVERLOADED } else { Status::ASK_THERE };
            return Err((status, to_ask));
        }
        if children >= cx.config.children_hard {
            return Err((Status::OVERLOADED, self.elsewhere.with_room(children)));
        }
        let full = children >= cx.config.children_soft && self.elsewhere.has_fewer(children);
        // Regions are as large as they are.
        let uneven = cx.config.near == 0 && self.elsewhere.is_uneven(children);
        if login.coordinates.is_none() && (full || uneven) {
            return Err((Status::ASK_THERE, self.elsewhere.with_room(children)));
        }
        Ok(())
    }

    /// Not now. Nothing is kept of it; unless it may ask again at once, its link ends, too.
    fn put_off(&mut self, cx: &mut Context, link: LinkId, node: NodeId, later: Later) {
        let Later { status, secs, cookie } = later;
        let at_once = secs == 0 && cookie.is_some();
        let redirect = match status.is_redirect() {
            true => self.elsewhere.with_shorter_line(secs),
            false => Vec::new(),
        };
        cx.send(link, LoginReply { redirect, retry_after_secs: secs, cookie, ..nothing(status) });
        if at_once {
            self.counters.login_challenged();
        } else {
            self.counters.login_refused(node, status, cx.now);
            cx.hang_up(link);
            cx.event(Event::Refused { node, status });
        }
    }

    fn refuse(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        node: NodeId,
        status: Status,
        redirect: Vec<Contact>,
    ) {
        self.counters.login_refused(node, status, cx.now);
        let retry_after_secs = if status == Status::OVERLOADED { FULL_AGAIN_SECS } else { 0 };
        cx.send(link, LoginReply { redirect, retry_after_secs, ..nothing(status) });
        cx.hang_up(link);
        cx.event(Event::Refused { node, status });
    }
}

/// The terms without standbys and others: for who gets no session.
fn without_names(terms: LoginReply) -> LoginReply {
    LoginReply { standbys: Vec::new(), others: Vec::new(), ..terms }
}

/// An answer without terms: for who gets no session. It costs no look at the members.
fn nothing(status: Status) -> LoginReply {
    LoginReply {
        status,
        lease_secs: 0,
        standbys: Vec::new(),
        redirect: Vec::new(),
        trees: 0,
        degree: 0,
        near: 0,
        others: Vec::new(),
        retry_after_secs: 0,
        cookie: None,
    }
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
    if seeded!(ChainUnchecked)
        && let Some(name) = login.chain.user.name.clone()
    {
        return Ok(Member { node, name, user: UserKey(login.chain.user.subject.0) });
    }
    let member = cx.prove(&login.chain, node)?;
    match Domain::Login.is_signed(cx.verifier(), &node.0, &greeted.transcript, &login.proof) {
        true => Ok(member),
        false => Err(Status::UNPROVEN),
    }
}
