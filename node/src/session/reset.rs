//! The key of stateless resets (RFC 9000, section 10.3): the same after every start of a device.
//!
//! So who goes on talking to a device that has started anew hears at once that the session is over,
//! instead of finding out by a time-out.

use overlay_proto::identity::SecretKey;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator};
use rand::TryRng;
use rand::rngs::SysRng;
use std::time::Duration;

/// Says what the key is for; another purpose would get another key.
const PURPOSE: &str = "trellis 1 session: key of stateless resets";

/// A keyed hash under a key derived from the device's.
pub(super) struct ResetKey([u8; 32]);

impl ResetKey {
    pub(super) fn of(device: &SecretKey) -> ResetKey {
        ResetKey(blake3::derive_key(PURPOSE, &*device.to_bytes()))
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        let hash = blake3::keyed_hash(&self.0, data);
        let length = signature.len().min(hash.as_bytes().len());
        signature[..length].copy_from_slice(&hash.as_bytes()[..length]);
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let signature: [u8; blake3::OUT_LEN] = signature.try_into().map_err(|_| CryptoError)?;
        // Compared in constant time.
        match blake3::keyed_hash(&self.0, data) == blake3::Hash::from_bytes(signature) {
            true => Ok(()),
            false => Err(CryptoError),
        }
    }
}

/// Bytes of a connection id. Eight do not meet by chance.
const ID_BYTES: usize = 8;

/// Connection ids that any process may have made: quinn's own hold a check under a key of the
/// process, and what fails it gets no reset.
pub(super) struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_BYTES];
        // It gave randomness at the start; should it fail now, the handshake fails by the double id.
        let _ = SysRng.try_fill_bytes(&mut id);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
