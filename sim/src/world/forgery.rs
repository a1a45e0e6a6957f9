//! What strangers say: messages of every kind that a certificate of the realm would be needed for.

use overlay_proto::coordinates::{Coordinates, Epoch, Label, LabelChanges, Labels, LinkCost};
use overlay_proto::encoding::Blob;
use overlay_proto::id::{IndexKey, LinkId, NodeId, Nonce, RealmId, ShortId};
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{
    Certificate, Contact, DeviceChain, Domain, Role, SecretKey, Signature, Validity,
};
use overlay_proto::io::Output;
use overlay_proto::location::LocationRecord;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::wire::message::{
    Assign, Expel, FarEntry, Found, Heartbeat, Hello, Locate, Login, Lookup, LookupReply,
    MemberRecord, Members, Neighbourhood, Pair, PeerContact, Placed, Publish, Relink, Report,
    RootClaim, SlotContact, Splice, Standbys, StoreLocation, Swim, Withdraw,
};
use overlay_proto::wire::packet::Destination;
use overlay_proto::wire::{Class, Message, Packet, TransportAddress, codec};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Kinds of what is said to a supernode, and to a peer.
const TO_SUPERNODE: u32 = 15;
const TO_PEER: u32 = 8;
/// Trees in what is claimed of one's own place.
const TREES: usize = 8;
/// Certificates that strangers make outlive the run.
const LIFE: overlay_proto::time::Span = overlay_proto::time::Span::secs(365 * 24 * 3_600);

/// What all strangers know: what anybody can see of the realm, and keys that nobody has signed.
#[derive(Debug)]
pub struct Forgery {
    /// The realm that they say they belong to.
    pub realm: RealmId,
    /// Supernodes, and peers, that they know of.
    pub supernodes: Vec<Contact>,
    /// See `supernodes`.
    pub peers: Vec<(Contact, Name)>,
    /// Certificates of users, which are no secret.
    pub stolen: Vec<Arc<DeviceChain>>,
    /// A key that they use where the root's or a registrar's would be needed.
    pub forger: SecretKey,
}

/// Who speaks.
pub(super) struct Speaker<'a> {
    pub forgery: &'a Forgery,
    pub key: &'a SecretKey,
    pub node: NodeId,
    pub address: &'a TransportAddress,
}

fn send(link: LinkId, message: &Message) -> Option<Output> {
    let frame = codec::encode(message).ok()?;
    Some(Output::Send { link, class: Class::Control, frame })
}

fn validity() -> Validity {
    Validity::starting(super::realm::WALL_AT_START, LIFE)
}

impl Speaker<'_> {
    /// A greeting, with the certificate of a supernode that is none now and then.
    pub fn greet(&self, link: LinkId, dice: &mut ChaCha8Rng) -> Option<Output> {
        let as_supernode = dice.random_bool(0.1);
        let certificate = || self.certify(Role::Supernode, self.node.0, None);
        let hello = Hello {
            version_min: overlay_proto::config::PROTOCOL_VERSION_MIN,
            version_max: overlay_proto::config::PROTOCOL_VERSION,
            capabilities: 0,
            realm: self.forgery.realm,
            nonce: Nonce(dice.random()),
            observed: None,
            supernode: as_supernode.then(|| certificate().into()),
        };
        send(link, &hello.into())
    }

    /// One of all that may be said.
    pub fn lie(&self, link: LinkId, to_supernode: bool, dice: &mut ChaCha8Rng) -> Option<Output> {
        let about = dice.random_range(0..self.forgery.peers.len());
        let (victim, name) = self.forgery.peers.get(about)?;
        if !to_supernode {
            return self.tell_peer(link, victim, name, dice);
        }
        // Log-ins are what everything hangs on: every third is one.
        let kind = dice.random_range(0..TO_SUPERNODE + TO_SUPERNODE / 2);
        let message = match kind {
            0 => Lookup { id: dice.random(), name: name.clone(), nonce: 7, careful: false }.into(),
            1 => Publish { record: self.record(dice)? }.into(),
            2 => StoreLocation { record: self.record(dice)? }.into(),
            3 => Withdraw { key: IndexKey(dice.random()), node: victim.node }.into(),
            4 => Locate { id: dice.random(), key: IndexKey(dice.random()), nonce: 7 }.into(),
            5 => self.heartbeat().into(),
            6 => Members { members: vec![self.member()] }.into(),
            7 => Splice { id: dice.random(), joiner: self.contact(), exclude: vec![] }.into(),
            8 => Pair { id: dice.random(), peer: self.contact(), exclude: vec![] }.into(),
            9 => self.relink(victim, dice).into(),
            10 => Expel { node: victim.node.short() }.into(),
            11 => Report { slots: vec![], neighbours: vec![self.place(self.node)] }.into(),
            12 => Swim { data: Blob(dice.random::<[u8; 32]>().to_vec()) }.into(),
            13 => return self.packet(link, victim, dice),
            14 => self.found(dice)?.into(),
            _ => self.login(dice)?.into(),
        };
        send(link, &message)
    }

    fn tell_peer(
        &self,
        link: LinkId,
        victim: &Contact,
        name: &Name,
        dice: &mut ChaCha8Rng,
    ) -> Option<Output> {
        let message = match dice.random_range(0..TO_PEER) {
            0 => Assign {
                coordinates: self.place(victim.node),
                contacts: vec![SlotContact {
                    slot: dice.random_range(0..4),
                    contact: self.contact(),
                    home: self.node,
                    dial: true,
                }],
            }
            .into(),
            1 => Placed { coordinates: self.place(self.node), issuer: None }.into(),
            2 => {
                let certificate = self.certify(Role::Supernode, self.node.0, None);
                let issuer = Some(certificate.into());
                Placed { coordinates: self.place(self.node), issuer }.into()
            }
            3 => Neighbourhood { whole: true, entries: vec![self.far()] }.into(),
            4 => Standbys { standbys: vec![self.contact()] }.into(),
            5 => self.found(dice)?.into(),
            6 => Lookup { id: dice.random(), name: name.clone(), nonce: 7, careful: true }.into(),
            _ => return self.packet(link, victim, dice),
        };
        send(link, &message)
    }

    fn certify(&self, role: Role, subject: [u8; 32], name: Option<Name>) -> Certificate {
        let Forgery { forger, realm, .. } = self.forgery;
        Certificate::issue(forger, *realm, role, subject, name, 7, validity())
    }

    /// A chain down to this node: under a user's own certificates, under a registrar that the root
    /// does not know, or somebody's chain as it is.
    fn chain(&self, dice: &mut ChaCha8Rng) -> Option<Arc<DeviceChain>> {
        let stolen = self.forgery.stolen.get(dice.random_range(0..self.forgery.stolen.len()))?;
        let mut chain = (**stolen).clone();
        match dice.random_range(0..3) {
            0 => return Some(stolen.clone()),
            1 => {}
            _ => {
                let forger = self.forgery.forger.public();
                chain.registrar = self.certify(Role::Registrar, forger, None);
                chain.user = self.certify(Role::User, forger, chain.user.name.clone());
            }
        }
        chain.device = self.certify(Role::Device, self.node.0, None);
        Some(chain.into())
    }

    fn login(&self, dice: &mut ChaCha8Rng) -> Option<Login> {
        Some(Login {
            chain: self.chain(dice)?,
            issuer: None,
            coordinates: dice.random_bool(0.3).then(|| self.place(self.node)),
            neighbours: Vec::new(),
            addresses: vec![self.address.clone()],
            warm: dice.random_bool(0.2),
            rtts: Vec::new(),
            proof: self.key.sign(Domain::Login, &dice.random::<[u8; 32]>()),
            cookie: None,
        })
    }

    fn record(&self, dice: &mut ChaCha8Rng) -> Option<LocationRecord> {
        let record = LocationRecord {
            chain: self.chain(dice)?,
            seq: u64::MAX / 2,
            home: self.node,
            standbys: Vec::new(),
            addresses: vec![self.address.clone()],
            labels: self.labels(),
            lease_secs: 60,
            signature: Signature([0; 64]),
        };
        Some(record.signed(self.key, &StrictVerifier))
    }

    fn found(&self, dice: &mut ChaCha8Rng) -> Option<LookupReply> {
        let found = vec![Found { record: self.record(dice)?, age_ms: 1, lease_ms: 50_000 }];
        let id = dice.random();
        Some(LookupReply { id, status: Status::OK, found, denials: Vec::new() })
    }

    fn packet(&self, link: LinkId, to: &Contact, dice: &mut ChaCha8Rng) -> Option<Output> {
        let key = IndexKey(dice.random());
        let destination = Destination { node: to.node, key, labels: self.labels() };
        let packet = Packet::new(Class::Message, self.node, &destination, b"from a stranger");
        Some(Output::Send { link, class: Class::Message, frame: packet.into_frame() })
    }

    fn relink(&self, victim: &Contact, dice: &mut ChaCha8Rng) -> Relink {
        let new = PeerContact { contact: self.contact(), home: self.node };
        Relink { id: dice.random(), child: victim.node, old: ShortId::NONE, new }
    }

    fn heartbeat(&self) -> Heartbeat {
        let claim = |tree| RootClaim { tree, epoch: Epoch(200), root: self.node.short() };
        Heartbeat {
            children: 1,
            free_slots: 1_000,
            links: 0,
            draining: false,
            rtts: Vec::new(),
            roots: (0..TREES as u8).map(claim).collect(),
            line_secs: 0,
        }
    }

    fn member(&self) -> MemberRecord {
        let certificate = self.certify(Role::Supernode, self.node.0, None).into();
        MemberRecord {
            certificate,
            addresses: vec![self.address.clone()],
            registrar: true,
            seq: u64::MAX / 2,
        }
    }

    fn contact(&self) -> Contact {
        Contact { node: self.node, addresses: vec![self.address.clone()] }
    }

    /// The best there are: the root's of every tree, of an epoch that nobody has reached.
    fn labels(&self) -> Labels {
        Labels::from(vec![Label::root(Epoch(200)); TREES])
    }

    fn place(&self, of: NodeId) -> Coordinates {
        let slots = vec![self.node.short(); 4];
        Coordinates::issue(self.key, &StrictVerifier, of, u64::MAX / 2, slots, self.labels())
    }

    fn far(&self) -> FarEntry {
        FarEntry {
            slot: 0,
            node: self.node.short(),
            cost: LinkCost::HOP_ONLY,
            labels: LabelChanges::of(&self.labels(), 0xff),
            dead_slots: 0,
            dead_parents: 0,
        }
    }
}
