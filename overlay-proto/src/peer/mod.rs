//! The peer role: a session with a home, a place in the topology, packets.

mod carriage;
#[cfg(any(test, feature = "fuzzing"))]
mod census;
mod correspondents;
mod delivery;
pub(crate) mod devices;
mod direct;
mod enrolment;
mod goal;
mod gossip;
mod hearing;
mod hosts;
mod locate;
mod location_cache;
mod neighbourhood;
mod patience;
mod place;
pub(crate) mod post;
mod probe;
pub(crate) mod renewal;
mod routing;
mod session;
mod shut_out;
mod standby;
pub(crate) mod survey;

use crate::context::Context;
use crate::coordinates::{Coordinates, Labels};
use crate::fetching::Fetching;
use crate::footprint::Heap;
use crate::forward::Near;
use crate::id::{CommandId, Cookie, DialId, LinkId, NodeId};
use crate::identity::Contact;
use crate::io::{Command, Reply};
use crate::links;
use crate::status::Status;
use crate::time::Time;
use crate::view::{BeliefView, IssuedView, NeighbourView, PeerView, PlaceView};
use crate::wire::Message;
use correspondents::Correspondents;
use delivery::Delivery;
use devices::Devices;
use goal::Goal;
use gossip::Gossip;
use hosts::Hosts;
use locate::{Errand, Lookups, Waiter};
use neighbourhood::{Early, Neighbour};
use patience::Patience;
use place::{Place, SlotState};
use post::Post;
use probe::Probes;
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use survey::Survey;

/// The role every user's node has.
#[derive(Debug)]
pub(crate) struct Peer {
    goal: Goal,
    session: Session,
    /// Tries since the last success.
    attempts: u32,
    patience: Patience,
    /// What the supernode that put us off last has given us to show.
    cookie: Option<(NodeId, Cookie)>,
    /// The last refusal that another try may mend: what a command hears that waits in vain.
    refused: Option<Status>,
    survey: Survey,
    hosts: Hosts,
    standbys: Vec<Contact>,
    /// The links on which a standby expects us.
    warm: BTreeSet<LinkId>,
    /// When the links to the standbys are looked after next.
    warm_at: Time,
    place: Place,
    neighbours: Vec<Neighbour>,
    early: BTreeMap<LinkId, Early>,
    gossip: Gossip,
    lookups: Lookups,
    delivery: Delivery,
    correspondents: Correspondents,
    probes: Probes,
    devices: Devices,
    post: Post,
    fetching: Fetching,
    counters: Counters,
    wake_at: Time,
}

#[derive(Debug, Default)]
struct Counters {
    forwarded: u64,
    escalated: u64,
    received: u64,
    arrived: u64,
    arrived_stale: u64,
}

impl Peer {
    pub fn new(known: &[Contact]) -> Peer {
        Peer {
            goal: Goal::Rest,
            survey: Survey::default(),
            session: Session::Idle,
            attempts: 0,
            patience: Patience::new(),
            cookie: None,
            refused: None,
            hosts: Hosts::recall(known),
            standbys: Vec::new(),
            warm: BTreeSet::new(),
            warm_at: Time::NEVER,
            place: Place::default(),
            neighbours: Vec::new(),
            early: BTreeMap::new(),
            gossip: Gossip::default(),
            lookups: Lookups::default(),
            delivery: Delivery::default(),
            correspondents: Correspondents::default(),
            probes: Probes::default(),
            devices: Devices::default(),
            post: Post::default(),
            fetching: Fetching::default(),
            counters: Counters::default(),
            wake_at: Time::NEVER,
        }
    }

    pub fn on_command(&mut self, cx: &mut Context, id: CommandId, command: Command) {
        match command {
            Command::Register { name, code } => self.on_register(cx, id, name, code),
            Command::Enroll { ticket, registrar } => self.on_enroll(cx, id, ticket, registrar),
            Command::Login => self.on_login(cx, id),
            Command::Logout => self.on_logout(cx, id),
            Command::Send { to, text } => self.on_send(cx, id, to, text),
            Command::Write { to, body, life } => self.on_write(cx, id, to, body, life),
            Command::Ping { to } => self.locate(cx, to, Errand::Ping(id)),
            Command::Trace { to } => self.locate(cx, to, Errand::Trace(id)),
            Command::Meet { to, node } => self.locate(cx, to, Errand::Meet(id, node)),
            Command::Lookup { name } => self.ask_for(cx, name, Waiter::Lookup(id)),
            Command::AddDevice => self.on_add_device(cx, id),
            Command::JoinDevice { code, label } => self.on_join_command(cx, id, code, label),
            Command::RevokeDevice { node } => self.on_revoke_device(cx, id, node),
            Command::Revoke { .. } | Command::Drain => {
                session::reply(cx, id, Reply::Failed { status: Status::WRONG_ROLE });
            }
        }
    }

    /// A link has been greeted.
    pub fn on_ready(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        if cx.links.greeted(link).is_some_and(|greeted| greeted.supernode.is_some()) {
            self.session_link_ready(cx, link, node);
        }
        if let Some((slot, _)) = self.place.slot_of(node) {
            self.fill_slot(cx, slot, link);
        } else {
            self.direct_ready(cx, link, node);
        }
        // A node that our home never names is given up once it has had time to.
        self.wake_by(cx.now + cx.config.slot_patience);
    }

    pub fn on_link_down(&mut self, cx: &mut Context, link: LinkId, node: NodeId) {
        self.early.remove(&link);
        self.warm.remove(&link);
        self.slot_link_down(cx, link);
        self.direct_link_down(cx, link);
        self.session_link_down(cx, link, node);
        self.fetching_link_down(link);
    }

    pub fn on_dial_failed(&mut self, cx: &mut Context, dial: DialId) {
        if !self.slot_dial_failed(cx, dial) && !self.direct_dial_failed(cx, dial) {
            self.session_dial_failed(cx, dial);
        }
    }

    /// Takes a message that is meant for a peer.
    pub fn on_message(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        message: Message,
    ) -> Result<(), Status> {
        let from_home = self.session.online() == Some(link);
        match message {
            Message::Assign(assign) if from_home => return self.on_assign(cx, assign),
            Message::Standbys(told) if from_home => self.take_standbys(cx, told.standbys),
            Message::Placed(placed) => return self.on_placed(cx, link, placed),
            Message::Neighbourhood(news) => return self.on_neighbourhood(cx, link, news),
            Message::LoginReply(answer) => self.on_login_reply(cx, link, answer),
            Message::RegisterReply(answer) => self.on_register_reply(cx, link, answer),
            Message::EnrollReply(answer) => self.on_enroll_reply(cx, link, answer),
            Message::LookupReply(answer) => self.on_lookup_reply(cx, link, answer),
            Message::RegistrarReply(answer) => self.on_registrar_reply(cx, link, answer),
            Message::MailKeysReply(answer) => self.on_mail_keys(cx, link, answer),
            Message::DepositReply(answer) => self.on_deposit_reply(cx, link, answer),
            Message::Letters(page) => self.on_letters(cx, link, page),
            Message::LettersWait(_) if from_home => self.letters_wait(cx),
            Message::JoinDevice(ask) if ask.to == cx.me => self.on_join_device(cx, link, ask),
            Message::JoinDeviceReply(answer) => self.on_join_reply(cx, link, answer),
            Message::RevocationsKnown(known) => return self.on_revocations_known(cx, link, &known),
            Message::Revocations(part) => return self.on_revocations(cx, link, part),
            // From a former home, or a role that we do not have: late, not wrong.
            _ => {}
        }
        Ok(())
    }

    pub fn tick(&mut self, cx: &mut Context) {
        if cx.now < self.wake_at {
            return;
        }
        self.wake_at = Time::NEVER;
        self.tick_session(cx);
        self.tick_slots(cx);
        self.tick_gossip(cx);
        self.tick_lookups(cx);
        self.tick_delivery(cx);
        self.tick_correspondents(cx);
        self.tick_probes(cx);
        self.tick_devices(cx);
        self.tick_post(cx);
        self.tick_fetching(cx);
        self.drop_strangers(cx);
        if let Session::Online { renew_at, .. } = self.session {
            self.wake_by(renew_at.min(self.warm_at));
        }
    }

    /// When [`Peer::tick`] has something to do.
    pub fn wake_at(&self) -> Time {
        self.wake_at
    }

    fn wake_by(&mut self, at: Time) {
        self.wake_at = self.wake_at.min(at);
    }

    /// Ends links that serve no purpose.
    fn drop_strangers(&mut self, cx: &mut Context) {
        let grace = cx.config.slot_patience;
        let mut useless = Vec::new();
        let mut wake = Time::NEVER;
        for (id, link) in cx.links.iter() {
            let Some(greeted) = cx.links.greeted(id) else { continue };
            let used = self.serves(id)
                || self.is_direct(id)
                || self.survey.knows(link.node) && self.session.online().is_none()
                || self.standbys.iter().any(|standby| standby.node == link.node);
            if used {
                continue;
            }
            let until = greeted.since + grace;
            if cx.now >= until { useless.push(id) } else { wake = wake.min(until) }
        }
        self.wake_by(wake);
        useless.into_iter().for_each(|link| links::dismiss(cx, link, Status::STALE));
    }

    /// Whether the topology or the session with the home needs a link.
    fn serves(&self, link: LinkId) -> bool {
        self.session.uses(link) || self.neighbours.iter().any(|near| near.link == link)
    }

    fn forget_place(&mut self) {
        self.place = Place::default();
        self.neighbours.clear();
        self.standbys.clear();
        self.warm.clear();
        self.gossip = Gossip::default();
    }

    pub fn view(&self, cx: &Context) -> PeerView {
        let (state, home, lease) = match &self.session {
            Session::Idle => ("offline", None, 0),
            Session::Seeking { .. } | Session::Dialling { .. } | Session::Surveying { .. } => {
                ("connecting", None, 0)
            }
            Session::Asking { .. } => ("proving", None, 0),
            Session::Online { home, until, .. } => {
                ("online", Some(home.to_string()), until.since(cx.now).as_millis() / 1_000)
            }
        };
        let linked = |standby: &&Contact| cx.links.ready_to(standby.node).is_some();
        PeerView {
            node: cx.me.to_string(),
            name: cx.identity.chain().and_then(|c| c.claimed_name()).map(ToString::to_string),
            state: state.to_string(),
            home,
            standbys: self.standbys.iter().filter(linked).map(|s| s.node.to_string()).collect(),
            lease_secs: lease,
            neighbours: self.neighbours.len(),
            degree: cx.degree,
            labels: self.place.coordinates.as_ref().map_or(0, |c| c.labels.placed()),
            trees: self.place.coordinates.as_ref().map_or(0, |c| c.labels.len()).max(cx.trees),
            forwarded: self.counters.forwarded,
            escalated: self.counters.escalated,
            received: self.counters.received,
            arrived: self.counters.arrived,
            arrived_stale: self.counters.arrived_stale,
        }
    }

    /// The live neighbours, as the forwarding rule sees them.
    pub fn routes(&self) -> impl Iterator<Item = Near<'_>> + Clone {
        self.neighbours.iter().map(Neighbour::near)
    }

    /// The labels that the home issued last.
    pub fn labels(&self) -> Option<&Labels> {
        self.place.coordinates.as_ref().map(|coordinates| &coordinates.labels)
    }

    pub fn neighbour_views(&self, cx: &Context) -> Vec<NeighbourView> {
        self.place
            .filled()
            .map(|(slot, s)| {
                let up = match s.state {
                    SlotState::Up { link } => Some(link),
                    _ => None,
                };
                let link = up.and_then(|link| cx.links.get(link));
                let address = link.map(|l| l.remote.to_string());
                let far =
                    self.neighbours.iter().find(|n| n.slot == slot).map_or(0, |n| n.far.len());
                NeighbourView {
                    slot,
                    node: s.contact.node.to_string(),
                    up: up.is_some(),
                    rtt_ms: link.and_then(|l| l.rtt).map(|rtt| rtt.as_millis_f64()),
                    address: address
                        .or_else(|| s.contact.addresses.first().map(ToString::to_string))
                        .unwrap_or_default(),
                    neighbours: far,
                }
            })
            .collect()
    }

    /// What the home issued last.
    pub fn issued(&self) -> Option<IssuedView> {
        self.place.coordinates.as_ref().map(issued)
    }

    pub fn place_view(&self, cx: &Context) -> PlaceView {
        let belief = |near: &Neighbour| BeliefView {
            slot: near.slot,
            node: near.node,
            issued: near.coordinates.as_ref().map(issued),
            far: near
                .far
                .iter()
                .map(|far| (far.slot, far.node, far.labels.iter().collect()))
                .collect(),
        };
        PlaceView {
            node: cx.me,
            issued: self.issued(),
            neighbours: self.neighbours.iter().map(belief).collect(),
        }
    }
}

fn issued(coordinates: &Coordinates) -> IssuedView {
    IssuedView {
        seq: coordinates.seq,
        slots: coordinates.slots.clone(),
        labels: coordinates.labels.iter().collect(),
    }
}

impl Heap for Peer {
    fn heap(&self) -> usize {
        self.survey.heap()
            + self.hosts.heap()
            + self.standbys.heap()
            + self.warm.heap()
            + self.place.heap()
            + self.neighbours.heap()
            + self.early.heap()
            + self.gossip.heap()
            + self.lookups.heap()
            + self.delivery.heap()
            + self.correspondents.heap()
            + self.probes.heap()
            + self.devices.heap()
            + self.post.heap()
            + self.fetching.heap()
    }
}
