//! What one node holds of keys and certificates.

use super::certificate::Certificate;
use super::chain::DeviceChain;
use super::secret::SecretKey;
use crate::id::{NodeId, RealmId, UserKey};
use std::sync::Arc;

/// What a node knows and holds of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The realm it belongs to.
    pub realm: RealmId,
    /// The device's key; its public half is the node id.
    pub device: SecretKey,
    /// The user of this device, if it has one.
    pub user: Option<UserKeys>,
    /// The supernode role, if it has it.
    pub supernode: Option<SupernodeKeys>,
}

/// A device's user.
#[derive(Clone, Debug)]
pub struct UserKeys {
    /// The user's key, which certifies devices.
    pub key: UserSecret,
    /// The certificates from the realm to this device; none before registration.
    pub chain: Option<Arc<DeviceChain>>,
}

/// What makes a node a supernode.
#[derive(Clone, Debug)]
pub struct SupernodeKeys {
    /// The realm's certificate for this node in the supernode's role.
    pub certificate: Arc<Certificate>,
    /// The key and certificate of a registrar, if it is one.
    pub registrar: Option<RegistrarKeys>,
    /// The realm's root key, on the one machine that made the realm. Certifies supernodes.
    pub root: Option<SecretKey>,
}

/// What makes a supernode a registrar.
#[derive(Clone, Debug)]
pub struct RegistrarKeys {
    /// The registrar's key, which certifies users.
    pub key: SecretKey,
    /// The realm's certificate for that key in the registrar's role.
    pub certificate: Certificate,
}

impl Identity {
    /// The node id.
    pub fn node(&self) -> NodeId {
        NodeId(self.device.public())
    }

    /// The certificates of the user's device, once registered.
    pub fn chain(&self) -> Option<&Arc<DeviceChain>> {
        self.user.as_ref()?.chain.as_ref()
    }

    /// Whether it may certify users.
    pub fn is_registrar(&self) -> bool {
        self.supernode.as_ref().is_some_and(|keys| keys.registrar.is_some())
    }
}

/// The user's key, where it is. It never leaves the device that made it.
#[derive(Clone, Debug)]
pub enum UserSecret {
    /// On this device.
    Here(SecretKey),
    /// On another device of the user, which has certified this one.
    Elsewhere(UserKey),
}

impl From<SecretKey> for UserSecret {
    fn from(key: SecretKey) -> UserSecret {
        UserSecret::Here(key)
    }
}

impl UserKeys {
    /// The user's public key.
    pub fn public(&self) -> UserKey {
        match &self.key {
            UserSecret::Here(key) => UserKey(key.public()),
            UserSecret::Elsewhere(key) => *key,
        }
    }

    /// The user's secret key, if this device has it.
    pub fn secret(&self) -> Option<&SecretKey> {
        match &self.key {
            UserSecret::Here(key) => Some(key),
            UserSecret::Elsewhere(_) => None,
        }
    }
}
