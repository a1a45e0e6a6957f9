//! Users of a realm, as many as wanted, certified with the registrar's own key.

use overlay_node::data::Folder;
use overlay_node::driver;
use overlay_proto::id::RealmId;
use overlay_proto::identity::{
    Certificate, DeviceChain, Identity, RegistrarKeys, Role, SecretKey, SupernodeKeys, UserKeys,
    Validity,
};
use overlay_proto::name::Name;
use overlay_proto::time::Span;
use std::path::Path;

const LIFE: Span = Span::secs(24 * 3_600);

/// Whoever certifies users of a realm.
#[derive(Debug, Clone)]
pub struct Users {
    /// The realm.
    pub realm: RealmId,
    registrar: RegistrarKeys,
}

/// The secret key with a number, of a kind of keys.
pub fn key(kind: u8, n: u32) -> SecretKey {
    let mut seed = [kind; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_bytes(seed)
}

/// A certificate that holds for a day.
fn issue(
    realm: RealmId,
    issuer: &SecretKey,
    role: Role,
    subject: &SecretKey,
    name: Option<Name>,
) -> Certificate {
    let validity = Validity::starting(driver::wall(), LIFE);
    Certificate::issue(issuer, realm, role, subject.public(), name, 1, validity)
}

/// The one supernode of the realm in this process, which is its registrar as well.
pub fn supernode() -> Identity {
    let (root, device, users) = (key(0, 0), key(2, 0), Users::in_process());
    let certificate = issue(users.realm, &root, Role::Supernode, &device, None).into();
    let keys = SupernodeKeys { certificate, registrar: Some(users.registrar), root: None };
    Identity { realm: users.realm, device, user: None, supernode: Some(keys) }
}

impl Users {
    /// Those of the realm in this process, all of whose keys come from numbers.
    pub fn in_process() -> Users {
        Users::of_root(&key(0, 0))
    }

    /// Those of the realm whose root has this key.
    fn of_root(root: &SecretKey) -> Users {
        let (realm, key) = (RealmId(root.public()), key(1, 0));
        let certificate = issue(realm, root, Role::Registrar, &key, None);
        Users { realm, registrar: RegistrarKeys { key, certificate } }
    }

    /// Those of the realm whose registrar has this data folder.
    ///
    /// # Panics
    /// If the folder is not a registrar's.
    pub fn of_registrar(folder: &Path) -> Users {
        let loaded = Folder::at(folder).load(driver::wall()).expect("a supernode's folder");
        let supernode = loaded.identity.supernode.expect("a supernode");
        let registrar = supernode.registrar.expect("a registrar");
        Users { realm: loaded.identity.realm, registrar }
    }

    /// The same realm, but its users' certificates are signed by somebody else's key.
    pub fn forged(self) -> Users {
        let registrar = RegistrarKeys { key: key(66, 0), ..self.registrar };
        Users { registrar, ..self }
    }

    /// The name of a user.
    ///
    /// # Panics
    /// Never: letters and digits.
    pub fn name(n: u32) -> Name {
        Name::new(&format!("u{n}")).expect("letters and digits")
    }

    /// A user with one device.
    pub fn identity(&self, n: u32) -> Identity {
        let (user, device) = (key(3, n), key(4, n));
        let issue = |issuer, role, subject, name| issue(self.realm, issuer, role, subject, name);
        let chain = DeviceChain {
            registrar: self.registrar.certificate.clone(),
            user: issue(&self.registrar.key, Role::User, &user, Some(Users::name(n))),
            device: issue(&user, Role::Device, &device, None),
        };
        let keys = UserKeys { key: user.into(), chain: Some(chain.into()) };
        Identity { realm: self.realm, device, user: Some(keys), supernode: None }
    }
}
