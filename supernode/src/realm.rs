//! The making of a realm, and of tickets for its further supernodes.

use overlay_proto::config::REGISTRAR_LIFE;
use overlay_proto::id::{RealmId, RegistryId};
use overlay_proto::identity::{
    Certificate, Identity, RegistrarGrant, RegistrarKeys, Role, SecretKey, SupernodeKeys, Ticket,
    Validity,
};
use overlay_proto::time::{Span, WallTime};
use rand::CryptoRng;

/// A year of 365 days.
const YEAR: Span = Span::secs(365 * 24 * 3_600);
/// Life of the first supernode's certificate, the machine that holds the root: no shorter than the
/// registrar's, since a thief of that machine has the root anyway.
pub const FIRST_SUPERNODE_LIFE: Span = Span::micros(10 * YEAR.0);
/// Life of a ticket where the operator says nothing else: a day, enough to set up a machine.
pub const TICKET_LIFE: Span = Span::secs(24 * 3_600);

/// Serial numbers of the root's own first two certificates. Tickets draw theirs from above.
const REGISTRAR_SERIAL: u64 = 1;
const FIRST_SUPERNODE_SERIAL: u64 = 2;
/// Where the serial numbers of tickets begin.
const TICKET_SERIAL_MIN: u64 = 1 << 32;

/// A realm that has just been made, with all its secrets.
#[derive(Debug, Clone)]
pub struct NewRealm {
    /// The realm: the root's public key.
    pub realm: RealmId,
    /// The root key. Certifies registrars and supernodes.
    pub root: SecretKey,
    /// The first registrar, which certifies users.
    pub registrar: RegistrarKeys,
    /// The first supernode's device key; its public half is the node id.
    pub device: SecretKey,
    /// The root's certificate for the first supernode.
    pub certificate: Certificate,
}

impl NewRealm {
    /// The identity of the realm's first machine: supernode, registrar and holder of the root.
    pub fn identity(&self) -> Identity {
        Identity {
            realm: self.realm,
            device: self.device.clone(),
            user: None,
            supernode: Some(SupernodeKeys {
                certificate: self.certificate.clone().into(),
                registrar: Some(self.registrar.clone()),
                root: Some(self.root.clone()),
            }),
        }
    }
}

/// Makes a realm at `now`, with keys drawn from `rng`.
pub fn create(now: WallTime, rng: &mut impl CryptoRng) -> NewRealm {
    let root = SecretKey::generate(rng);
    let registrar = SecretKey::generate(rng);
    let device = SecretKey::generate(rng);
    let realm = RealmId(root.public());
    let issue = |role, subject: &SecretKey, serial, life| {
        let validity = Validity::starting(now, life);
        Certificate::issue(&root, realm, role, subject.public(), None, serial, validity)
    };
    let of_registrar = issue(Role::Registrar, &registrar, REGISTRAR_SERIAL, REGISTRAR_LIFE);
    let certificate = issue(Role::Supernode, &device, FIRST_SUPERNODE_SERIAL, FIRST_SUPERNODE_LIFE);
    NewRealm {
        realm,
        registrar: RegistrarKeys { key: registrar, certificate: of_registrar },
        device,
        certificate,
        root,
    }
}

/// A ticket with which one machine may become a supernode of `root`'s realm within `life` from
/// `now`, and with a `registry` a registrar on that store. Its numbers are drawn from `rng`, so
/// tickets need no record until they are used.
pub fn ticket(
    root: &SecretKey,
    registry: Option<RegistryId>,
    now: WallTime,
    life: Span,
    rng: &mut impl CryptoRng,
) -> Ticket {
    // Two tickets of one number would be one ticket: at 63 random bits a thousand tickets meet
    // with a chance of one in 10^13.
    let mut number = || (rng.next_u64() >> 1).max(TICKET_SERIAL_MIN);
    let serial = number();
    let grant = registry.map(|registry| RegistrarGrant { serial: number(), registry });
    Ticket::issue(root, serial, grant, now.plus(life))
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::NodeId;
    use overlay_proto::identity::chain::check_supernode;
    use overlay_proto::identity::verify::StrictVerifier;
    use overlay_proto::identity::{CertificateError, DeviceChain};
    use overlay_proto::name::Name;
    use overlay_proto::status::Status;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    fn realm() -> NewRealm {
        create(NOW, &mut ChaCha8Rng::from_seed([7; 32]))
    }

    #[test]
    fn first_supernode_is_certified_by_the_root() {
        let made = realm();
        let node = NodeId(made.device.public());
        let check =
            |realm, now| check_supernode(&made.certificate, &StrictVerifier, realm, node, now);
        assert_eq!(check(made.realm, NOW), Ok(()));
        assert_eq!(check(RealmId([1; 32]), NOW), Err(CertificateError::ForeignRealm));
        let end = NOW.plus(FIRST_SUPERNODE_LIFE);
        assert_eq!(check(made.realm, end), Err(CertificateError::Expired));
    }

    #[test]
    fn registrar_certifies_users_whose_devices_check_up_to_the_root() {
        let made = realm();
        let mut rng = ChaCha8Rng::from_seed([8; 32]);
        let (user, device) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
        let validity = Validity::starting(NOW, Span::secs(60));
        let name = Name::new("alice").ok();
        let of_user = |issuer| {
            let key = user.public();
            Certificate::issue(issuer, made.realm, Role::User, key, name.clone(), 1, validity)
        };
        let of_device =
            Certificate::issue(&user, made.realm, Role::Device, device.public(), None, 1, validity);
        let chain = |of_user| DeviceChain {
            registrar: made.registrar.certificate.clone(),
            user: of_user,
            device: of_device.clone(),
        };
        let check = |chain: DeviceChain| {
            chain.check(&StrictVerifier, made.realm, NodeId(device.public()), NOW).map(|m| m.name)
        };
        assert_eq!(check(chain(of_user(&made.registrar.key))).ok(), name);
        // The root certifies registrars, not users.
        assert_eq!(check(chain(of_user(&made.root))), Err(CertificateError::WrongSignature));
    }

    #[test]
    fn identity_holds_every_role_of_the_first_machine() {
        let made = realm();
        let identity = made.identity();
        assert_eq!(identity.node().0, made.device.public());
        let keys = identity.supernode.expect("a supernode");
        assert_eq!(keys.root.map(|root| root.public()), Some(made.realm.0));
        assert_eq!(keys.registrar.map(|r| r.certificate), Some(made.registrar.certificate));
    }

    #[test]
    fn keys_are_distinct_and_realms_differ() {
        let mut rng = ChaCha8Rng::from_seed([9; 32]);
        let (a, b) = (create(NOW, &mut rng), create(NOW, &mut rng));
        let mut keys: Vec<[u8; 32]> = [&a, &b]
            .into_iter()
            .flat_map(|r| [r.root.public(), r.registrar.key.public(), r.device.public()])
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 6);
    }

    #[test]
    fn tickets_hold_for_their_life_in_their_realm() {
        let made = realm();
        let mut rng = ChaCha8Rng::from_seed([10; 32]);
        let ticket = ticket(&made.root, None, NOW, TICKET_LIFE, &mut rng);
        let check = |realm, now| ticket.check(&StrictVerifier, realm, now);
        assert_eq!(check(made.realm, NOW), Ok(()));
        assert_eq!(check(made.realm, NOW.plus(TICKET_LIFE)), Err(Status::EXPIRED));
        assert_eq!(check(RealmId([1; 32]), NOW), Err(Status::UNPROVEN));
        let other = super::ticket(&made.root, None, NOW, TICKET_LIFE, &mut rng);
        assert_ne!(ticket.serial, other.serial);
        assert!(ticket.serial >= TICKET_SERIAL_MIN && other.serial >= TICKET_SERIAL_MIN);
    }

    #[test]
    fn a_registrars_ticket_names_its_store_and_has_two_numbers() {
        let made = realm();
        let mut rng = ChaCha8Rng::from_seed([11; 32]);
        let registry = RegistryId([5; 16]);
        let ticket = ticket(&made.root, Some(registry), NOW, TICKET_LIFE, &mut rng);
        assert_eq!(ticket.check(&StrictVerifier, made.realm, NOW), Ok(()));
        let grant = ticket.registrar.expect("for a registrar");
        assert_eq!(grant.registry, registry);
        assert!(grant.serial >= TICKET_SERIAL_MIN && grant.serial != ticket.serial);
    }
}
