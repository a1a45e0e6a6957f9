//! The outer seal: made for the recipient's device alone, so that nobody on the way, mailboxes
//! included, sees who has sealed what is inside. (An ephemeral X25519 key, a hash of the shared
//! secret, ChaCha20-Poly1305: the shape of RFC 9180's base mode.)

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use overlay_proto::encoding::Blob;
use overlay_proto::id::NodeId;
use overlay_proto::mail::MailKey;
use serde::{Deserialize, Serialize};
use vodozemac::{Curve25519PublicKey, Curve25519SecretKey};
use zeroize::Zeroizing;

/// What the key is derived for.
const CONTEXT: &str = "trellis 2026 envelope of a letter";
const KEY_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 16;

/// What is in an envelope: the sender, as it says, and the letter under its ratchet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) from: NodeId,
    pub(super) label: Blob,
    /// Where answers are sealed to.
    pub(super) back: MailKey,
    /// Olm's type of message.
    pub(super) kind: u8,
    pub(super) message: Blob,
}

impl Envelope {
    /// Seals the envelope for the holder of `to`, padded to `bytes`; `None` if that is no key. What
    /// the ratchet adds differs with its age, and the label with the sender's name: without padding
    /// both would show.
    pub(super) fn close(&self, to: MailKey, bytes: usize) -> Option<Vec<u8>> {
        let secret = Curve25519SecretKey::new();
        let public = Curve25519PublicKey::from(&secret).to_bytes();
        let cipher = cipher(&secret, to, &public, to.0)?;
        let mut plain = Vec::new();
        ciborium::into_writer(self, &mut plain).ok()?;
        let padded = bytes.saturating_sub(KEY_BYTES + CHECKSUM_BYTES);
        debug_assert!(plain.len() <= padded, "{} bytes do not fit {padded}", plain.len());
        // Who opens it reads one value and leaves the rest.
        plain.resize(plain.len().max(padded), 0);
        // Each key seals once.
        let sealed = cipher.encrypt(&Nonce::default(), plain.as_slice()).ok()?;
        Some([public.as_slice(), &sealed].concat())
    }

    /// Opens an envelope made for `own`; `None` if it was not, or was changed.
    pub(super) fn open(own: &Curve25519SecretKey, bytes: &[u8]) -> Option<Envelope> {
        let (public, sealed) = bytes.split_at_checked(KEY_BYTES)?;
        let public: [u8; KEY_BYTES] = public.try_into().ok()?;
        let to = Curve25519PublicKey::from(own).to_bytes();
        let plain =
            cipher(own, MailKey(public), &public, to)?.decrypt(&Nonce::default(), sealed).ok()?;
        ciborium::from_reader(plain.as_slice()).ok()
    }
}

fn cipher(
    secret: &Curve25519SecretKey,
    other: MailKey,
    ephemeral: &[u8; KEY_BYTES],
    to: [u8; KEY_BYTES],
) -> Option<ChaCha20Poly1305> {
    let shared = secret.diffie_hellman(&Curve25519PublicKey::from_bytes(other.0))?;
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(shared.as_bytes());
    hasher.update(ephemeral);
    hasher.update(&to);
    let key = Zeroizing::new(*hasher.finalize().as_bytes());
    Some(ChaCha20Poly1305::new(&Key::from(*key)))
}
