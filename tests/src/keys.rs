//! Keys and certificates of a realm that lives in this process, every key from a number.

use overlay_node::driver;
use overlay_proto::id::RealmId;
use overlay_proto::identity::{
    Certificate, DeviceChain, Identity, RegistrarKeys, Role, SecretKey, SupernodeKeys, UserKeys,
    Validity,
};
use overlay_proto::name::Name;
use overlay_proto::time::Span;

const LIFE: Span = Span::secs(24 * 3_600);

fn key(kind: u8, n: u8) -> SecretKey {
    SecretKey::from_bytes([[kind, n]; 16].concat().try_into().expect("32 bytes"))
}

/// The realm.
pub fn realm() -> RealmId {
    RealmId(key(0, 0).public())
}

fn issue(issuer: &SecretKey, role: Role, subject: &SecretKey, name: Option<Name>) -> Certificate {
    let validity = Validity::starting(driver::wall(), LIFE);
    Certificate::issue(issuer, realm(), role, subject.public(), name, 1, validity)
}

fn registrar() -> RegistrarKeys {
    let certificate = issue(&key(0, 0), Role::Registrar, &key(1, 0), None);
    RegistrarKeys { key: key(1, 0), certificate }
}

/// The one supernode, which is the registrar as well.
pub fn supernode() -> Identity {
    let device = key(2, 0);
    let certificate = issue(&key(0, 0), Role::Supernode, &device, None).into();
    let keys = SupernodeKeys { certificate, registrar: Some(registrar()), root: None };
    Identity { realm: realm(), device, user: None, supernode: Some(keys) }
}

/// A user who has registered.
pub fn user(n: u8, name: &Name) -> Identity {
    let (user, device) = (key(3, n), key(4, n));
    let chain = DeviceChain {
        registrar: registrar().certificate,
        user: issue(&registrar().key, Role::User, &user, Some(name.clone())),
        device: issue(&user, Role::Device, &device, None),
    };
    let keys = UserKeys { key: user.into(), chain: Some(chain.into()) };
    Identity { realm: realm(), device, user: Some(keys), supernode: None }
}
