//! A realm for tests, with every key from a number.

use super::address;
use crate::Config;
use crate::id::RealmId;
use crate::identity::{
    Certificate, Contact, DeviceChain, Identity, RegistrarKeys, Role, SecretKey, SupernodeKeys,
    UserKeys, Validity,
};
use crate::name::Name;
use crate::node::Setup;
use crate::time::{Span, WallTime};
use std::sync::Arc;

pub(crate) const WALL: WallTime = WallTime::from_secs(1_800_000_000);

/// The realm's secrets and what every node of it starts with.
pub(crate) struct Realm {
    root: SecretKey,
    registrar: RegistrarKeys,
    pub config: Arc<Config>,
    pub hosts: Vec<Contact>,
}

fn key(kind: u8, n: u8) -> SecretKey {
    SecretKey::from_bytes([[kind, n]; 16].concat().try_into().expect("32 bytes"))
}

impl Realm {
    pub fn new(config: Config) -> Realm {
        Realm::with_root(0, config)
    }

    pub fn with_root(root: u8, config: Config) -> Realm {
        let root = key(0, root);
        let realm = RealmId(root.public());
        let registrar = key(1, 0);
        let validity = Validity::starting(WALL, Span::secs(1_000_000));
        let certificate = Certificate::issue(
            &root,
            realm,
            Role::Registrar,
            registrar.public(),
            None,
            1,
            validity,
        );
        let registrar = RegistrarKeys { key: registrar, certificate };
        Realm { root, registrar, config: Arc::new(config), hosts: Vec::new() }
    }

    pub fn id(&self) -> RealmId {
        RealmId(self.root.public())
    }

    /// The first is the registrar and holds the root key; all are in the invitations from then on.
    pub fn supernode(&mut self, n: u8) -> Setup {
        let device = key(2, n);
        let validity = Validity::starting(WALL, Span::secs(1_000_000));
        let certificate = Certificate::issue(
            &self.root,
            self.id(),
            Role::Supernode,
            device.public(),
            None,
            u64::from(n),
            validity,
        );
        let first = n == 0;
        let keys = SupernodeKeys {
            certificate: Arc::new(certificate),
            registrar: first.then(|| self.registrar.clone()),
            root: first.then(|| self.root.clone()),
        };
        let identity = Identity { realm: self.id(), device, user: None, supernode: Some(keys) };
        let hosts = self.hosts.clone();
        let node = identity.node();
        self.hosts.push(Contact { node, addresses: vec![address(node)] });
        self.setup(identity, hosts, n)
    }

    /// A user that has registered already.
    pub fn user(&self, n: u8) -> Setup {
        self.user_valid(n, Validity::starting(WALL, Span::secs(1_000_000)))
    }

    /// The same, with certificates for another time.
    pub fn user_valid(&self, n: u8, validity: Validity) -> Setup {
        let user = key(3, n);
        let device = key(4, n);
        let issue = |issuer: &SecretKey, role, subject, name| {
            Certificate::issue(issuer, self.id(), role, subject, name, u64::from(n), validity)
        };
        let name = Some(user_name(n));
        let chain = Arc::new(DeviceChain {
            registrar: self.registrar.certificate.clone(),
            user: issue(&self.registrar.key, Role::User, user.public(), name),
            device: issue(&user, Role::Device, device.public(), None),
        });
        let keys = UserKeys { key: user.into(), chain: Some(chain) };
        let identity = Identity { realm: self.id(), device, user: Some(keys), supernode: None };
        self.setup(identity, self.hosts.clone(), n)
    }

    /// The certificates down to this very device, of a user of its own.
    pub fn chain_of(&self, device: &SecretKey) -> DeviceChain {
        let validity = Validity::starting(WALL, Span::secs(1_000_000));
        let public = device.public();
        let mut seed = public;
        seed[31] ^= 1;
        let user = SecretKey::from_bytes(seed);
        let issue = |issuer: &SecretKey, role, subject, name| {
            Certificate::issue(issuer, self.id(), role, subject, name, 9, validity)
        };
        let letters: String = public[..6].iter().map(|b| format!("{b:02x}")).collect();
        let name = Name::new(&format!("x{letters}")).expect("valid");
        DeviceChain {
            registrar: self.registrar.certificate.clone(),
            user: issue(&self.registrar.key, Role::User, user.public(), Some(name)),
            device: issue(&user, Role::Device, public, None),
        }
    }

    /// A user who has yet to register.
    pub fn newcomer(&self, n: u8) -> Setup {
        let keys = UserKeys { key: key(3, n).into(), chain: None };
        let identity =
            Identity { realm: self.id(), device: key(4, n), user: Some(keys), supernode: None };
        self.setup(identity, self.hosts.clone(), n)
    }

    pub fn setup(&self, identity: Identity, hosts: Vec<Contact>, n: u8) -> Setup {
        let mut seed = identity.node().0;
        seed[0] ^= n;
        Setup { config: self.config.clone(), identity: Arc::new(identity), hosts, seed, wall: WALL }
    }
}

pub(crate) fn user_name(n: u8) -> Name {
    Name::new(&format!("u{n}")).expect("valid")
}
