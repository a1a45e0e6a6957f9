//! What both roles of a node share: its clock, dice, keys, links and outbox.

use crate::config::Config;
use crate::coordinates::{Coordinates, Issuer, Issuers};
use crate::footprint::Heap;
use crate::id::{DialId, LinkId, NodeId, ShortId};
use crate::identity::verify::Verify;
use crate::identity::{
    Certificate, Contact, DeviceChain, Identity, Member, RevocationError, RevocationList, Revoked,
};
use crate::io::{Event, Output};
use crate::links::{self, Links};
use crate::location::LocationRecord;
use crate::status::Status;
use crate::time::{Span, Time, WallTime};
use crate::wire::message::is_news;
use crate::wire::{Class, Message, Packet, TransportAddress, codec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::sync::Arc;

/// Outputs for which a drained outbox keeps room: a packet passes without an allocation, and the
/// room that a burst needed is given back.
const OUTPUTS_KEPT: usize = 4;

/// Handed to every handler of a role; the only way to the outside.
#[derive(Debug)]
pub(crate) struct Context {
    pub config: Arc<Config>,
    pub identity: Arc<Identity>,
    pub me: NodeId,
    pub short: ShortId,
    pub now: Time,
    pub rng: ChaCha8Rng,
    pub links: Links,
    /// Supernodes whose certificates have been checked: who may issue places.
    pub issuers: Issuers,
    /// Who is out, as far as this node has heard.
    pub revoked: Revoked,
    pub listening: Vec<TransportAddress>,
    /// Trees and slots of this realm: the configured ones at a supernode, else as the home says.
    pub trees: usize,
    pub degree: usize,
    /// Slots for near neighbours in this realm. None: links cost a hop each, whatever their time.
    pub near: usize,
    out: VecDeque<Output>,
    wall_origin: (Time, WallTime),
    next_id: u64,
}

impl Context {
    pub fn new(
        config: Arc<Config>,
        identity: Arc<Identity>,
        seed: [u8; 32],
        now: Time,
        wall: WallTime,
    ) -> Context {
        let me = identity.node();
        Context {
            me,
            short: me.short(),
            trees: config.trees,
            degree: config.degree,
            near: config.near,
            config,
            identity,
            now,
            rng: ChaCha8Rng::from_seed(seed),
            links: Links::default(),
            issuers: Issuers::default(),
            revoked: Revoked::default(),
            listening: Vec::new(),
            out: VecDeque::new(),
            wall_origin: (now, wall),
            next_id: 0,
        }
    }

    /// Bytes on the heap of links, certificates and the queue to the driver, without the frames
    /// that wait in it.
    pub fn heap(&self) -> usize {
        let outbox = self.out.capacity() * size_of::<Output>();
        let known = self.issuers.heap() + self.revoked.heap();
        outbox + self.links.heap() + known + self.listening.heap()
    }

    /// The wall clock: what the driver last read, and the time since.
    pub fn wall(&self) -> WallTime {
        let (at, wall) = self.wall_origin;
        wall.plus(self.now.since(at))
    }

    pub fn set_wall(&mut self, wall: WallTime) {
        self.wall_origin = (self.now, wall);
    }

    pub fn verifier(&self) -> &dyn Verify {
        &*self.config.verifier
    }

    /// Checks and keeps a supernode's certificate.
    ///
    /// # Errors
    /// The status to refuse its bearer with.
    pub fn learn_issuer(&mut self, certificate: &Certificate) -> Result<(), Status> {
        self.issuers.admit(self.check_issuer(certificate)?);
        Ok(())
    }

    /// Checks a supernode's certificate and keeps nothing of it.
    ///
    /// # Errors
    /// The status to refuse its bearer with.
    pub fn check_issuer(&self, certificate: &Certificate) -> Result<Issuer, Status> {
        if self.revoked.bars_supernode(NodeId(certificate.subject.0)) {
            return Err(Status::REVOKED);
        }
        let now = self.wall();
        Issuer::proven(certificate, self.verifier(), self.identity.realm, now)
            .map_err(|error| error.status())
    }

    /// Takes a list of revocations, if it is signed and newer than the one held.
    ///
    /// # Errors
    /// [`RevocationError`]: nothing has changed.
    pub fn adopt_revocations(&mut self, list: Arc<RevocationList>) -> Result<(), RevocationError> {
        let (verifier, realm, now) = (&*self.config.verifier, self.identity.realm, self.wall());
        self.revoked.adopt(list, verifier, realm, now)?;
        let revoked = &self.revoked;
        self.issuers.retain(|node| !revoked.bars_supernode(node));
        Ok(())
    }

    /// Checks the certificates down to `node`, and that nobody among them is out.
    ///
    /// # Errors
    /// The status to refuse their bearer with.
    pub fn prove(&self, chain: &DeviceChain, node: NodeId) -> Result<Member, Status> {
        let member = chain
            .check(self.verifier(), self.identity.realm, node, self.wall())
            .map_err(|error| error.status())?;
        if self.revoked.bars(chain) { Err(Status::REVOKED) } else { Ok(member) }
    }

    /// Checks a location record, and that nobody among its certificates is out.
    ///
    /// # Errors
    /// The status to refuse its bearer with.
    pub fn prove_record(&self, record: &LocationRecord) -> Result<Member, Status> {
        let member = record
            .check(self.verifier(), self.identity.realm, self.wall())
            .map_err(|error| error.status())?;
        if self.revoked.bars(&record.chain) { Err(Status::REVOKED) } else { Ok(member) }
    }

    /// Checks that a supernode of the realm issued this place.
    ///
    /// # Errors
    /// The status to refuse its bearer with.
    pub fn check_place(&self, coordinates: &Coordinates) -> Result<(), Status> {
        coordinates.check(&self.issuers, self.verifier(), self.wall()).map_err(|_| Status::UNPROVEN)
    }

    /// The same of a place that came with its issuer's certificate, which is kept only if the place
    /// is believed.
    ///
    /// # Errors
    /// The status to refuse its bearer with; nothing has changed then.
    pub fn learn_place(
        &mut self,
        coordinates: &Coordinates,
        issuer: Option<&Certificate>,
    ) -> Result<(), Status> {
        let Some(issuer) = issuer else { return self.check_place(coordinates) };
        let issuer = self.check_issuer(issuer)?;
        if issuer.vouches_for(coordinates.home, self.wall()) {
            coordinates.check_form(self.verifier()).map_err(|_| Status::UNPROVEN)?;
        } else {
            self.check_place(coordinates)?;
        }
        self.issuers.admit(issuer);
        Ok(())
    }

    /// A number that this node has not used before.
    pub fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn emit(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub fn event(&mut self, event: Event) {
        self.emit(Output::Event(event));
    }

    pub fn pop_output(&mut self) -> Option<Output> {
        let output = self.out.pop_front();
        if output.is_none() && self.out.capacity() > OUTPUTS_KEPT {
            self.out.shrink_to(OUTPUTS_KEPT);
        }
        output
    }

    /// Sends a message. One that fits no frame is a bug of ours, found by the tests of its limits.
    pub fn send(&mut self, link: LinkId, message: impl Into<Message>) {
        let message = message.into();
        self.broadcast(&[link], &message);
    }

    /// Sends the same message over several links. It is encoded once.
    pub fn broadcast(&mut self, links: &[LinkId], message: &Message) {
        let Some((last, others)) = links.split_last() else { return };
        let frame = match codec::encode(message) {
            Ok(frame) => frame,
            Err(error) => return debug_assert!(false, "{}: {error}", message.name()),
        };
        for link in others {
            self.send_encoded(*link, message, frame.clone());
        }
        self.send_encoded(*last, message, frame);
    }

    fn send_encoded(&mut self, link: LinkId, message: &Message, frame: Vec<u8>) {
        if is_news(message.number()) {
            links::note_told(self, link, &frame);
        }
        self.send_frame(link, Class::Control, frame);
    }

    pub fn send_packet(&mut self, link: LinkId, packet: Packet) {
        let class = match packet.class() {
            // A link whose control queue is full is hung up: others have no say in that.
            Class::Control if packet.source() != self.me => Class::Message,
            class => class,
        };
        self.send_frame(link, class, packet.into_frame());
    }

    pub fn send_frame(&mut self, link: LinkId, class: Class, frame: Vec<u8>) {
        self.emit(Output::Send { link, class, frame });
    }

    pub fn hang_up(&mut self, link: LinkId) {
        self.emit(Output::HangUp { link });
    }

    pub fn dial(&mut self, contact: &Contact) -> DialId {
        let id = DialId(self.fresh_id());
        self.emit(Output::Dial { id, node: contact.node, addresses: contact.addresses.clone() });
        id
    }

    /// A span drawn evenly from zero up to `most`: full jitter.
    pub fn jitter(&mut self, most: Span) -> Span {
        Span(self.rng.random_range(0..=most.0))
    }

    pub fn random_below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.rng.random_range(0..bound) }
    }
}
