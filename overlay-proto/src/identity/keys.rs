//! Secret keys, and what one node holds of them.

use super::certificate::Certificate;
use super::chain::DeviceChain;
use super::verify::{Domain, Signature};
use crate::id::{NodeId, RealmId, UserKey};
use ed25519_dalek::{Signer, SigningKey};
use rand::CryptoRng;
use std::fmt;
use std::sync::Arc;

/// An Ed25519 secret key. Never shown, wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key drawn from `rng`.
    pub fn generate(rng: &mut impl CryptoRng) -> SecretKey {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        SecretKey::from_bytes(seed)
    }

    /// The key of these 32 secret bytes.
    pub fn from_bytes(mut seed: [u8; 32]) -> SecretKey {
        let key = SigningKey::from_bytes(&seed);
        zeroize::Zeroize::zeroize(&mut seed);
        SecretKey(key)
    }

    /// The 32 secret bytes, for a key file and for libp2p.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The public key's bytes.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `text` for the purpose `domain`.
    pub fn sign(&self, domain: Domain, text: &[u8]) -> Signature {
        Signature(self.0.sign(&domain.tagged(text)).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", NodeId(self.public()))
    }
}

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
    pub key: SecretKey,
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
}

impl UserKeys {
    /// The user's public key.
    pub fn public(&self) -> UserKey {
        UserKey(self.key.public())
    }
}
