//! A realm made in memory: root, registrar, supernodes and users, all from one seed.

use overlay_proto::id::RealmId;
use overlay_proto::identity::{
    Certificate, DeviceChain, Identity, RegistrarKeys, Role, SecretKey, SupernodeKeys, UserKeys,
    Validity,
};
use overlay_proto::name::Name;
use overlay_proto::time::{Span, WallTime};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// The wall clock when a world begins: 2026-01-01 00:00 UTC.
pub(super) const WALL_AT_START: WallTime = WallTime::from_secs(1_767_225_600);
/// Serial numbers below this are for certificates issued at set-up, those above for the store.
pub(super) const FIRST_STORE_SERIAL: u64 = 1 << 32;
/// Certificates outlive every run.
const LIFE: Span = Span::secs(365 * 24 * 3_600);

/// The keys of a realm and the dice that more are drawn with.
#[derive(Debug)]
pub struct Realm {
    root: SecretKey,
    registrar: RegistrarKeys,
    rng: ChaCha8Rng,
    serial: u64,
}

impl Realm {
    /// A new realm, all its keys drawn from `rng`.
    pub fn new(mut rng: ChaCha8Rng) -> Realm {
        let root = SecretKey::generate(&mut rng);
        let key = SecretKey::generate(&mut rng);
        let realm = RealmId(root.public());
        let certificate =
            Certificate::issue(&root, realm, Role::Registrar, key.public(), None, 1, validity());
        Realm { root, registrar: RegistrarKeys { key, certificate }, rng, serial: 1 }
    }

    /// The realm's id.
    pub fn id(&self) -> RealmId {
        RealmId(self.root.public())
    }

    /// What every wall clock shows when the world begins. Virtual clocks never drift, so nodes are
    /// told once.
    pub fn wall_at_start(&self) -> WallTime {
        WALL_AT_START
    }

    /// A new supernode. The `first` one is the realm's root machine and its registrar.
    pub fn supernode(&mut self, first: bool) -> Arc<Identity> {
        let device = SecretKey::generate(&mut self.rng);
        let subject = device.public();
        let certificate = self.issue_by_root(Role::Supernode, subject);
        let supernode = SupernodeKeys {
            certificate: certificate.into(),
            registrar: first.then(|| self.registrar.clone()),
            root: first.then(|| self.root.clone()),
        };
        Arc::new(Identity { realm: self.id(), device, user: None, supernode: Some(supernode) })
    }

    /// A new user with one device, certified as if it had registered before the world began.
    pub fn user(&mut self, name: &Name) -> Arc<Identity> {
        let mut identity = self.draw_user();
        let (realm, device) = (identity.realm, identity.device.public());
        let (user, certificate) = (self.next_serial(), self.next_serial());
        if let Some(keys) = &mut identity.user {
            let Some(key) = keys.secret().cloned() else { return Arc::new(identity) };
            let (key, registrar) = (&key, &self.registrar);
            let issue = |issuer: &SecretKey, role, subject, name, serial| {
                Certificate::issue(issuer, realm, role, subject, name, serial, validity())
            };
            keys.chain = Some(Arc::new(DeviceChain {
                registrar: registrar.certificate.clone(),
                user: issue(&registrar.key, Role::User, key.public(), Some(name.clone()), user),
                device: issue(key, Role::Device, device, None, certificate),
            }));
        }
        Arc::new(identity)
    }

    /// Somebody with the certificates of a user, which are no secret, and one for its own device
    /// that it has signed itself.
    pub fn impostor(&mut self, name: &Name) -> Arc<Identity> {
        let mut identity = (*self.user(name)).clone();
        let device = SecretKey::generate(&mut self.rng);
        let (realm, subject) = (identity.realm, device.public());
        let forger = SecretKey::generate(&mut self.rng);
        let number = self.next_serial();
        if let Some(chain) = identity.user.as_mut().and_then(|user| user.chain.as_mut()) {
            let forged =
                Certificate::issue(&forger, realm, Role::Device, subject, None, number, validity());
            Arc::make_mut(chain).device = forged;
        }
        identity.device = device;
        Arc::new(identity)
    }

    /// A key that nobody of any realm has signed, for those who sign certificates themselves.
    pub fn forger() -> SecretKey {
        SecretKey::from_bytes([0xf0; 32])
    }

    /// A newcomer: keys without certificates, to be registered through the protocol.
    pub fn newcomer(&mut self) -> Arc<Identity> {
        Arc::new(self.draw_user())
    }

    fn draw_user(&mut self) -> Identity {
        let key = SecretKey::generate(&mut self.rng);
        let device = SecretKey::generate(&mut self.rng);
        let user = Some(UserKeys { key: key.into(), chain: None });
        Identity { realm: self.id(), device, user, supernode: None }
    }

    fn issue_by_root(&mut self, role: Role, subject: [u8; 32]) -> Certificate {
        let serial = self.next_serial();
        Certificate::issue(&self.root, self.id(), role, subject, None, serial, validity())
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

fn validity() -> Validity {
    Validity::starting(WALL_AT_START, LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::identity::chain::check_supernode;
    use overlay_proto::identity::verify::StrictVerifier;
    use rand::SeedableRng;

    #[test]
    fn everybody_is_who_they_should_be() {
        let mut realm = Realm::new(ChaCha8Rng::seed_from_u64(1));
        let name = Name::new("u00001").expect("canonical");
        let user = realm.user(&name);
        let chain = user.chain().expect("certified");
        let member = chain.check(&StrictVerifier, realm.id(), user.node(), WALL_AT_START);
        assert_eq!(member.expect("valid").name, name);
        let supernode = realm.supernode(false);
        let keys = supernode.supernode.as_ref().expect("a supernode");
        assert_eq!(
            check_supernode(
                &keys.certificate,
                &StrictVerifier,
                realm.id(),
                supernode.node(),
                WALL_AT_START
            ),
            Ok(())
        );
        assert!(realm.newcomer().chain().is_none());
        assert_ne!(realm.newcomer().node(), realm.newcomer().node());
    }
}
