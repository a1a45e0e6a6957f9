//! Secret keys: they sign, and nothing else gets at them but a key file.

use super::verify::{Domain, Signature, Verify};
use crate::id::NodeId;
use ed25519_dalek::{Signer, SigningKey};
use rand::CryptoRng;
use std::fmt;

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

    /// As [`SecretKey::sign`]; `verifier` is told.
    pub fn sign_before(&self, verifier: &dyn Verify, domain: Domain, text: &[u8]) -> Signature {
        let tagged = domain.tagged(text);
        let signature = Signature(self.0.sign(&tagged).to_bytes());
        verifier.made(&self.public(), &tagged, &signature);
        signature
    }

    /// Signs `text` for the purpose `domain`.
    pub fn sign(&self, domain: Domain, text: &[u8]) -> Signature {
        Signature(self.0.sign(&domain.tagged(text)).to_bytes())
    }
}

/// The same public half.
impl PartialEq for SecretKey {
    fn eq(&self, other: &SecretKey) -> bool {
        self.public() == other.public()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", NodeId(self.public()))
    }
}
