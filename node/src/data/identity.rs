//! What a node is: its realm and its certificates, in `identity.cbor`.
//!
//! The file is written last, when all keys are in place: a folder without it is one in which
//! nobody has joined yet.

use super::keys::read_private;
use super::{DataError, Folder, KeyKind};
use overlay_proto::id::{NodeId, RealmId, RegistryId, UserKey};
use overlay_proto::identity::chain::{check_registrar, check_supernode};
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{
    Certificate, CertificateError, Contact, DeviceChain, Identity, RegistrarKeys, SupernodeKeys,
    UserKeys, UserSecret,
};
use overlay_proto::time::WallTime;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The name of the file.
pub(super) const FILE: &str = "identity.cbor";
/// The version of its form.
const FORM: u8 = 1;
/// Certificates and contacts of a node take a few kilobytes; more is not read.
const BYTES_MAX: u64 = 256 * 1_024;
const WAY_OUT: &str = "put back a copy of the file, or move it away and join again with the same name: the keys beside it keep the name yours";

/// What is kept of an identity beside its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    form: u8,
    /// The realm.
    pub realm: RealmId,
    /// The certificates from the realm to this device, of a peer.
    pub chain: Option<DeviceChain>,
    /// The certificate of a supernode.
    pub supernode: Option<Certificate>,
    /// The certificate of a registrar.
    pub registrar: Option<Certificate>,
    /// The supernodes named when this node joined.
    pub contacts: Vec<Contact>,
    /// Whether the user's key is on another device, which has let this one in.
    #[serde(default)]
    pub key_elsewhere: bool,
    /// The store that a further registrar shares with the first.
    #[serde(default)]
    pub registry: Option<RegistryId>,
}

/// An identity with its keys, checked and ready for a driver.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Keys and certificates.
    pub identity: Identity,
    /// The supernodes named when this node joined.
    pub contacts: Vec<Contact>,
    /// The store that a further registrar shares with the first.
    pub registry: Option<RegistryId>,
}

impl Kept {
    /// Nothing but a realm.
    pub fn new(realm: RealmId, contacts: Vec<Contact>) -> Kept {
        let (chain, supernode, registrar, registry) = (None, None, None, None);
        let (form, key_elsewhere) = (FORM, false);
        Kept { form, realm, chain, supernode, registrar, contacts, key_elsewhere, registry }
    }
}

impl Folder {
    /// Reads what is kept, if anything is; nothing is checked but its form.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn kept(&self) -> Result<Option<Kept>, DataError> {
        let path = self.file(FILE);
        let Some(bytes) = read_private(&path, BYTES_MAX)? else { return Ok(None) };
        let damaged =
            |reason: String| DataError::Damaged { path: path.clone(), reason, way_out: WAY_OUT };
        let mut rest = bytes.as_slice();
        let kept: Kept =
            ciborium::from_reader(&mut rest).map_err(|_| damaged("it cannot be read".into()))?;
        match kept.form == FORM && rest.is_empty() {
            true => Ok(Some(kept)),
            false => Err(damaged(format!("it has form {}, this program knows {FORM}", kept.form))),
        }
    }

    /// Keeps `kept` in place of what was kept before.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn keep(&self, kept: &Kept) -> Result<(), DataError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(kept, &mut bytes).expect("writing to memory does not fail");
        self.replace(FILE, &bytes)
    }

    /// Keeps renewed certificates in place of those before. Durable when this returns.
    ///
    /// # Errors
    /// [`DataError`]; [`DataError::Missing`] if nobody has joined here.
    pub fn keep_chain(&self, chain: &DeviceChain) -> Result<(), DataError> {
        let mut kept = self.kept()?.ok_or_else(|| self.nobody())?;
        kept.chain = Some(chain.clone());
        self.keep(&kept)
    }

    fn nobody(&self) -> DataError {
        DataError::Missing {
            path: self.file(FILE),
            way_out: "nobody has joined in this folder yet: join first, or choose the right folder with --data DIR",
        }
    }

    /// Reads the identity with its keys and checks that they belong together and hold at `now`.
    ///
    /// # Errors
    /// [`DataError`]; [`DataError::Missing`] if nobody has joined here.
    pub fn load(&self, now: WallTime) -> Result<Loaded, DataError> {
        let kept = self.kept()?.ok_or_else(|| self.nobody())?;
        let device = self.key(KeyKind::Device)?;
        let node = NodeId(device.public());
        let wrong = |source| DataError::Certificate { path: self.file(FILE), source };
        let user = match kept.chain {
            Some(chain) => {
                let member = chain.check(&StrictVerifier, kept.realm, node, now).map_err(wrong);
                let key = match kept.key_elsewhere {
                    true => UserSecret::Elsewhere(UserKey(chain.user.subject.0)),
                    false => UserSecret::Here(self.key(KeyKind::User)?),
                };
                let member = member?;
                let user = UserKeys { key, chain: Some(Arc::new(chain)) };
                if member.user != user.public() {
                    return Err(wrong(CertificateError::WrongSubject));
                }
                Some(user)
            }
            None => None,
        };
        let supernode = match kept.supernode {
            Some(certificate) => {
                check_supernode(&certificate, &StrictVerifier, kept.realm, node, now)
                    .map_err(wrong)?;
                let registrar = match kept.registrar {
                    Some(certificate) => Some(self.registrar(kept.realm, certificate, now)?),
                    None => None,
                };
                let root = self.key_if_there(KeyKind::Root)?;
                if root.as_ref().is_some_and(|root| root.public() != kept.realm.0) {
                    let path = self.file(&KeyKind::Root.file());
                    let reason = "it is the root key of another realm".to_owned();
                    return Err(DataError::Damaged {
                        path,
                        reason,
                        way_out: "put back the right file",
                    });
                }
                Some(SupernodeKeys { certificate: Arc::new(certificate), registrar, root })
            }
            None => None,
        };
        let identity = Identity { realm: kept.realm, device, user, supernode };
        Ok(Loaded { identity, contacts: kept.contacts, registry: kept.registry })
    }

    fn registrar(
        &self,
        realm: RealmId,
        certificate: Certificate,
        now: WallTime,
    ) -> Result<RegistrarKeys, DataError> {
        let key = self.key(KeyKind::Registrar)?;
        check_registrar(&certificate, &StrictVerifier, realm, &key.public(), now)
            .map_err(|source| DataError::Certificate { path: self.file(FILE), source })?;
        Ok(RegistrarKeys { key, certificate })
    }
}
