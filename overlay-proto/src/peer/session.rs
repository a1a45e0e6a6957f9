//! A peer's session: from a list of supernodes to a home, and to the next one when it fails.

use super::Peer;
use super::goal::{COMMAND_PATIENCE, Goal};
use super::survey::Survey;
use crate::config::ADDRESSES_MAX;
use crate::context::Context;
use crate::id::{CommandId, DialId, LinkId, NodeId, UserKey};
use crate::identity::proof;
use crate::identity::{Domain, Subject};
use crate::io::{Event, Output, Reply};
use crate::links;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::message::{
    Enroll, JoinDevice, Login, LoginReply, Logout, Register, RegistrarClaim,
};

/// Seconds of waiting from which on it is worth asking another supernode meanwhile.
const WORTH_ASKING_ELSEWHERE: u16 = 5;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// Off line, and content with it.
    Idle,
    /// No supernode at hand; the next try is due then.
    Seeking { retry_at: Time },
    /// One is being dialled or greeted.
    Dialling { dial: DialId, node: NodeId, until: Time },
    /// Some are being measured, to ask the nearest.
    Surveying { until: Time },
    /// One has been asked.
    Asking { link: LinkId, until: Time, failover: bool },
    /// Logged in.
    Online { link: LinkId, home: NodeId, renew_at: Time, until: Time },
}

impl Session {
    /// The home's link, when logged in.
    pub fn online(&self) -> Option<LinkId> {
        match self {
            Session::Online { link, .. } => Some(*link),
            _ => None,
        }
    }

    /// The supernode that has given us a session.
    pub fn home(&self) -> Option<NodeId> {
        match self {
            Session::Online { home, .. } => Some(*home),
            _ => None,
        }
    }

    /// Whether the session itself needs `link`.
    pub fn uses(&self, link: LinkId) -> bool {
        match self {
            Session::Online { link: used, .. } | Session::Asking { link: used, .. } => {
                *used == link
            }
            _ => false,
        }
    }
}

impl Peer {
    pub(super) fn on_login(&mut self, cx: &mut Context, command: CommandId) {
        if cx.identity.chain().is_none() {
            return reply(cx, command, Reply::Failed { status: Status::UNPROVEN });
        }
        if let Some(home) = self.session.home() {
            return reply(cx, command, Reply::LoggedIn { home, elapsed: Span::ZERO });
        }
        let waiting = Some((command, cx.now + COMMAND_PATIENCE));
        self.pursue(cx, Goal::Online { since: cx.now, waiting });
    }

    /// Whether questions and texts are taken: on line, or between two homes. Then they wait for
    /// the next one, for a fail-over takes milliseconds and is nothing that a user should notice.
    pub(super) fn may_ask(&self) -> bool {
        let has_been_online = self.place.coordinates.is_some();
        let between_homes = matches!(self.goal, Goal::Online { .. }) && has_been_online;
        self.session.online().is_some() || between_homes
    }

    pub(super) fn on_logout(&mut self, cx: &mut Context, command: CommandId) {
        if let Some(link) = self.session.online() {
            let record = self.location_record(cx, 0);
            cx.send(link, Logout { record });
        }
        self.leave(cx, Status::OK);
        reply(cx, command, Reply::Done);
    }

    /// Off line, with every link ended.
    fn leave(&mut self, cx: &mut Context, status: Status) {
        let was_online = self.session.online().is_some();
        self.abandon(cx, status);
        self.session = Session::Idle;
        self.forget_place();
        let links: Vec<LinkId> = cx.links.iter().map(|(link, _)| link).collect();
        links.into_iter().for_each(|link| links::dismiss(cx, link, Status::OK));
        if was_online {
            cx.event(Event::LoggedOut { status });
        }
    }

    /// Tries the next supernode: over a warm link if there is one, else by dialling.
    pub(super) fn seek(&mut self, cx: &mut Context) {
        let Session::Seeking { retry_at } = self.session else { return };
        if matches!(self.goal, Goal::Rest) {
            self.session = Session::Idle;
            return;
        }
        if cx.now < retry_at {
            return self.wake_by(retry_at);
        }
        let warm = self.standbys.iter().find_map(|standby| cx.links.ready_to(standby.node));
        if let Some(link) = warm
            && self.attempts == 0
        {
            return self.ask(cx, link);
        }
        let Some(contact) = self.hosts.next(cx) else {
            self.session = Session::Idle;
            return self.abandon(cx, Status::NO_ROUTE);
        };
        // While there are others to try, a silent one does not get all of our patience.
        let share = if self.hosts.len() > 1 { 4 } else { 1 };
        let until = cx.now + Span(cx.config.patience.0 / share);
        self.wake_by(until);
        match cx.links.ready_to(contact.node) {
            Some(link) => self.ask(cx, link),
            None => {
                let dial = cx.dial(&contact);
                self.session = Session::Dialling { dial, node: contact.node, until };
            }
        }
    }

    /// The try led nowhere: the next one after a while, at once while there are untried hosts.
    pub(super) fn retry(&mut self, cx: &mut Context, failed: Option<NodeId>) {
        if let Some(node) = failed {
            self.hosts.failed(node);
        }
        let untried = (self.attempts as usize) + 1 < self.hosts.len();
        let wait = self.patience.after_failure(cx, untried);
        self.seek_after(cx, wait);
    }

    fn seek_after(&mut self, cx: &Context, wait: Span) {
        self.attempts += 1;
        self.survey = Survey::default();
        let retry_at = cx.now + wait;
        self.session = Session::Seeking { retry_at };
        self.wake_by(retry_at);
    }

    /// A supernode has no time now. It has said when it will; if it has no room either, we may ask
    /// one of those that it named meanwhile.
    fn put_off(&mut self, cx: &mut Context, node: NodeId, answer: &LoginReply) {
        let secs = answer.retry_after_secs;
        // Who has a place in a line keeps it: places at several are places that nobody takes.
        let placed = answer.cookie.is_some() || secs < WORTH_ASKING_ELSEWHERE;
        let elsewhere = !placed && !answer.redirect.is_empty();
        if elsewhere && self.patience.takes_quick_try(cx.now) {
            answer.redirect.iter().for_each(|contact| self.hosts.prefer(contact.node));
            let wait = self.patience.after_redirect(cx);
            return self.seek_after(cx, wait);
        }
        self.hosts.prefer(node);
        let wait = self.patience.after_put_off(cx, secs);
        self.seek_after(cx, wait);
    }

    /// A greeted link to a supernode is there.
    pub(super) fn session_link_ready(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        match self.session {
            // Whichever answers first will do, also one that was given up as too slow.
            Session::Dialling { .. } | Session::Seeking { .. } => {
                if self.wants_survey(cx, link) {
                    self.start_survey(cx, node);
                } else {
                    self.ask(cx, link);
                }
            }
            Session::Online { .. } if self.standbys.iter().any(|s| s.node == node) => {
                self.ask_to_stand_by(cx, link);
            }
            _ => {}
        }
    }

    pub(super) fn ask(&mut self, cx: &mut Context, link: LinkId) {
        let Some(greeted) = cx.links.greeted(link) else { return };
        let transcript = greeted.transcript;
        let failover = self.place.coordinates.is_some();
        match self.goal.clone() {
            Goal::Rest => return,
            Goal::Register { name, code, .. } => {
                let Some(key) = cx.identity.user.as_ref().and_then(|user| user.secret()) else {
                    return;
                };
                let user = UserKey(key.public());
                let text = proof::registration(&transcript, &name, &user.0);
                let proof = key.sign(Domain::Register, &text);
                cx.send(link, Register { name, user, code, proof });
            }
            Goal::Enroll { ticket, registrar, .. } => {
                let registrar = registrar.map(|key| {
                    let public = key.public();
                    let text = proof::enrolment(&transcript, ticket.serial, &public);
                    let proof = key.sign(Domain::Enroll, &text);
                    RegistrarClaim { key: Subject(public), proof }
                });
                cx.send(link, Enroll { ticket, registrar });
            }
            Goal::JoinDevice { code, label, .. } => {
                let (to, device) = (code.device, cx.me);
                let seal = code.secret.seal(cx.identity.realm, to, device, &label);
                cx.send(link, JoinDevice { id: 0, to, device, label, seal });
            }
            Goal::Online { .. } => {
                self.warm.remove(&link);
                let Some(mut login) = self.login(cx, &transcript, false) else { return };
                let asked = cx.links.node_of(link);
                login.cookie = self.cookie.filter(|(by, _)| Some(*by) == asked).map(|(_, c)| c);
                cx.send(link, login);
            }
        }
        let until = cx.now + cx.config.patience;
        self.session = Session::Asking { link, until, failover };
        self.wake_by(until);
    }

    pub(super) fn login(&self, cx: &Context, transcript: &[u8; 32], warm: bool) -> Option<Login> {
        let chain = cx.identity.chain()?.clone();
        let keep = !warm;
        Some(Login {
            chain,
            issuer: self.place.issuer.clone().filter(|_| keep),
            coordinates: self.place.coordinates.clone().filter(|_| keep),
            neighbours: if keep { self.place.contacts() } else { Vec::new() },
            addresses: cx.listening.iter().take(ADDRESSES_MAX).cloned().collect(),
            warm,
            rtts: if keep { self.measured(cx) } else { Vec::new() },
            proof: cx.identity.device.sign_before(cx.verifier(), Domain::Login, transcript),
            cookie: None,
        })
    }

    pub(super) fn on_login_reply(&mut self, cx: &mut Context, link: LinkId, answer: LoginReply) {
        let asked = matches!(self.session, Session::Asking { link: l, .. } if l == link);
        // What a standby says to our wish that it expects us may come after we have asked for more.
        if !asked || answer.status == Status::ACCEPTED {
            return;
        }
        let Some(node) = cx.links.node_of(link) else { return };
        if answer.status == Status::OK {
            return self.logged_in(cx, link, node, answer);
        }
        if let Some(cookie) = answer.cookie {
            let shown = self.cookie.replace((node, cookie)).is_some_and(|(by, _)| by == node);
            if answer.retry_after_secs == 0 && !shown {
                return self.ask(cx, link);
            }
        }
        answer.redirect.iter().for_each(|contact| {
            self.hosts.learn(contact, answer.status.is_redirect());
        });
        if answer.status.is_redirect() && self.survey.knows(node) {
            if answer.redirect.iter().any(|contact| self.survey.knows(contact.node)) {
                self.survey.refused_by(node);
            }
            return self.measure(cx, &answer.redirect);
        }
        links::dismiss(cx, link, Status::OK);
        let try_elsewhere = answer.status.is_redirect()
            || answer.status.0 / 100 == 5
            || answer.status == Status::TOO_MANY;
        if try_elsewhere {
            self.refused = (!answer.status.is_redirect()).then_some(answer.status);
            if answer.status.is_redirect() {
                let wait = self.patience.after_redirect(cx);
                self.seek_after(cx, wait);
            } else if answer.retry_after_secs > 0 || answer.cookie.is_some() {
                self.put_off(cx, node, &answer);
            } else {
                self.retry(cx, Some(node));
            }
        } else {
            self.leave(cx, answer.status);
            cx.event(Event::LoggedOut { status: answer.status });
        }
    }

    fn logged_in(&mut self, cx: &mut Context, link: LinkId, home: NodeId, answer: LoginReply) {
        let failover = matches!(self.session, Session::Asking { failover: true, .. });
        let lease = Span::secs(u64::from(answer.lease_secs));
        self.session = Session::Online {
            link,
            home,
            renew_at: cx.now + cx.config.renew,
            until: cx.now + lease,
        };
        self.attempts = 0;
        self.patience.succeeded();
        self.cookie = None;
        if self.hosts.succeeded(home) {
            cx.event(Event::HostsChanged(self.hosts.contacts()));
        }
        cx.trees = usize::from(answer.trees).min(crate::config::TREES_MAX);
        cx.degree = usize::from(answer.degree).min(crate::config::DEGREE_MAX);
        cx.near = usize::from(answer.near);
        self.survey = Survey::default();
        cx.event(Event::LoggedIn { home, failover });
        self.learn_hosts(cx, &answer.others);
        self.take_standbys(cx, answer.standbys);
        self.report_all(cx);
        self.publish_now(cx);
        self.resume_lookups(cx);
        self.look_for_ourselves(cx);
        self.resume_post(cx);
    }

    /// The other end says why it ends the link: what a command hears that waits for it in vain.
    pub(crate) fn on_goodbye(&mut self, node: NodeId, status: Status) {
        if let Some(near) = self.neighbours.iter_mut().find(|near| near.node == node) {
            near.leaving = status.is_success();
        }
        let awaited =
            matches!(self.session, Session::Dialling { node: dialled, .. } if dialled == node);
        if awaited && status.0 / 100 >= 4 {
            self.refused = Some(status);
        }
    }

    pub(super) fn session_dial_failed(&mut self, cx: &mut Context, dial: DialId) {
        if let Session::Dialling { dial: ours, node, .. } = self.session
            && ours == dial
        {
            self.retry(cx, Some(node));
            self.seek(cx);
        }
    }

    /// A link is gone; if the session stood on it, the next supernode takes over.
    pub(super) fn session_link_down(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        match self.session {
            Session::Online { link: used, .. } if used == link => {
                self.hosts.failed(node);
                self.attempts = 0;
                self.session = Session::Seeking { retry_at: cx.now };
                cx.event(Event::HomeLost { home: node });
                self.seek(cx);
            }
            Session::Asking { link: used, .. } if used == link => self.retry(cx, Some(node)),
            Session::Dialling { node: dialled, .. } if dialled == node => {
                self.retry(cx, Some(node))
            }
            _ => {}
        }
    }

    pub(super) fn tick_session(&mut self, cx: &mut Context) {
        match self.session {
            Session::Idle => {}
            Session::Seeking { .. } => self.seek(cx),
            Session::Surveying { .. } => self.survey_goes_on(cx),
            Session::Dialling { until, node, .. } if cx.now >= until => self.retry(cx, Some(node)),
            Session::Asking { until, link, .. } if cx.now >= until => {
                let node = cx.links.node_of(link);
                self.retry(cx, node);
            }
            Session::Dialling { until, .. } | Session::Asking { until, .. } => self.wake_by(until),
            Session::Online { renew_at, .. } => {
                if cx.now >= renew_at {
                    self.publish_now(cx);
                }
                if cx.now >= self.warm_at {
                    self.warm_up(cx);
                }
            }
        }
        self.tick_goal(cx);
    }
}

pub(super) fn reply(cx: &mut Context, id: CommandId, reply: Reply) {
    cx.emit(Output::Reply { id, reply });
}
