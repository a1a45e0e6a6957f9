//! The code with which a user's device lets in another one of the same user.
//!
//! The new device makes its own key; the user's secret key never leaves the first device. What
//! travels between them goes through a supernode that neither has to trust:
//!
//! - The code goes from screen to screen. It names the realm, the user's public key and the device
//!   that made it, and carries a secret of 128 bits that no supernode ever sees.
//! - The request names the new device's key and is sealed with the secret, so a supernode can
//!   neither put its own key into it nor make up a request; nor does the seal tell the secret.
//! - The answer is a certificate for that very key by the user's key, whose public half the code
//!   told: a supernode that answers by itself is found out, as is one that answers for another user.
//! - A code works once, for one new device, and for ten minutes. The same device may ask again: an
//!   answer can get lost.
//!
//! What remains: who sees the code while it is valid can use it in place of the owner, and is in
//! the list of devices then; a supernode can withhold the request.

use super::invitation::Contact;
use crate::config::ADDRESSES_MAX;
use crate::encoding::positional::{fixed_bytes, positional};
use crate::id::{NodeId, RealmId, UserKey};
use crate::status::Status;
use bech32::{Bech32m, Hrp};
use std::fmt;
use std::str::FromStr;

/// The human-readable part before the first `1` (BIP 173).
const PREFIX: &str = "trellisdevice";
/// Supernodes named in a code, and addresses of each: the checksum holds up to 1023 characters.
const CONTACTS_MAX: usize = 3;
const ADDRESSES_EACH: usize = 2;

fixed_bytes! {
    /// A keyed hash (BLAKE3) over a request, by who knows the code's secret.
    pub struct Seal([u8; 32]);
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

fixed_bytes! {
    /// The secret in a code. Never shown in a log.
    pub struct PairingSecret([u8; 16]);
}

impl fmt::Debug for PairingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingSecret")
    }
}

positional! {
    /// What a new device needs to know. Its text is the code.
    pub struct DeviceCode {
        /// The realm.
        pub realm: RealmId,
        /// The user's public key.
        pub user: UserKey,
        /// The device that made the code and waits for the request.
        pub device: NodeId,
        /// The secret that seals the request.
        pub secret: PairingSecret,
        /// Where that device is logged in or expected.
        pub supernodes: Vec<Contact>,
    }
}

/// Why a text is not a device code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceCodeError {
    /// It does not begin as one.
    #[error("a device code begins with `{PREFIX}1`: copy it whole from `peer device add`")]
    NotACode,
    /// Its checksum is wrong.
    #[error("the device code is damaged or cut short: copy it whole from `peer device add`")]
    Damaged,
    /// Its content cannot be read.
    #[error("the device code cannot be read: it may be of a newer version, update this program")]
    Unreadable,
}

impl DeviceCodeError {
    /// The status code of this error.
    pub fn status(self) -> Status {
        Status::MALFORMED
    }
}

impl DeviceCode {
    /// Whether a text means to be a device code.
    pub fn is_meant(text: &str) -> bool {
        text.trim()
            .get(..=PREFIX.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(&format!("{PREFIX}1")))
    }
}

impl PairingSecret {
    /// Seals a request of `device`, called `label`, to the device `to`.
    pub fn seal(&self, realm: RealmId, to: NodeId, device: NodeId, label: &str) -> Seal {
        let key = blake3::derive_key("trellis/1/pairing request", &self.0);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for part in [&realm.0, &to.0, &device.0] {
            hasher.update(part);
        }
        hasher.update(label.as_bytes());
        Seal(*hasher.finalize().as_bytes())
    }

    /// Whether the seal is that of this request. Takes the same time whatever it is.
    pub fn opens(
        &self,
        seal: Seal,
        realm: RealmId,
        to: NodeId,
        device: NodeId,
        label: &str,
    ) -> bool {
        // Comparing hashes of the crate takes constant time.
        let expected = blake3::Hash::from_bytes(self.seal(realm, to, device, label).0);
        expected == blake3::Hash::from_bytes(seal.0)
    }
}

impl FromStr for DeviceCode {
    type Err = DeviceCodeError;

    fn from_str(text: &str) -> Result<DeviceCode, DeviceCodeError> {
        if !DeviceCode::is_meant(text) {
            return Err(DeviceCodeError::NotACode);
        }
        let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text.trim())
            .map_err(|_| DeviceCodeError::Damaged)?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let code: DeviceCode =
            ciborium::from_reader(bytes.as_slice()).map_err(|_| DeviceCodeError::Unreadable)?;
        let sane = (1..=CONTACTS_MAX).contains(&code.supernodes.len())
            && code.supernodes.iter().all(|c| c.addresses.len() <= ADDRESSES_MAX);
        if sane { Ok(code) } else { Err(DeviceCodeError::Unreadable) }
    }
}

impl fmt::Display for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut short = self.clone();
        short.supernodes.truncate(CONTACTS_MAX);
        short.supernodes.iter_mut().for_each(|contact| contact.addresses.truncate(ADDRESSES_EACH));
        let mut bytes = Vec::new();
        ciborium::into_writer(&short, &mut bytes).map_err(|_| fmt::Error)?;
        f.write_str(&armoured(&bytes).ok_or(fmt::Error)?)
    }
}

/// `bytes` with the prefix and the checksum, unless that is too long.
fn armoured(bytes: &[u8]) -> Option<String> {
    bech32::encode::<Bech32m>(Hrp::parse(PREFIX).ok()?, bytes).ok()
}

#[cfg(any(test, feature = "fuzzing"))]
impl DeviceCode {
    /// A text with a right checksum over these bytes, whatever they say; `None` if they are too many.
    pub(crate) fn sealed(bytes: &[u8]) -> Option<String> {
        armoured(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TransportAddress;

    fn code() -> DeviceCode {
        let address = |n| TransportAddress::new(format!("/ip4/192.0.2.{n}/tcp/1")).expect("short");
        let contact = |n| Contact { node: NodeId([n; 32]), addresses: vec![address(n); 4] };
        DeviceCode {
            realm: RealmId([1; 32]),
            user: UserKey([2; 32]),
            device: NodeId([3; 32]),
            secret: PairingSecret([4; 16]),
            supernodes: (1..6).map(contact).collect(),
        }
    }

    #[test]
    fn a_code_reads_back_and_a_damaged_one_does_not() {
        let text = code().to_string();
        assert!(text.len() <= 1_023, "{} characters", text.len());
        let read: DeviceCode = text.parse().expect("reads back");
        assert_eq!((read.secret, read.device), (code().secret, code().device));
        assert_eq!((read.supernodes.len(), read.supernodes[0].addresses.len()), (3, 2));
        let mut accepted = 0;
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'q' { b'p' } else { b'q' };
            let damaged = String::from_utf8(damaged).expect("ASCII");
            accepted += usize::from(damaged.parse::<DeviceCode>().is_ok());
        }
        assert_eq!(accepted, 0, "of {}", text.len());
        assert!("trellis1qqq".parse::<DeviceCode>() == Err(DeviceCodeError::NotACode));
        assert!(!format!("{:?}", code()).contains("04, 04"), "the secret is not shown");
    }

    #[test]
    fn a_seal_covers_everything() {
        let secret = code().secret;
        let node = |n| NodeId([n; 32]);
        let realm = RealmId([1; 32]);
        let seal = secret.seal(realm, node(3), node(9), "laptop");
        let opens = |realm, to, device, label| secret.opens(seal, realm, to, device, label);
        assert!(opens(realm, node(3), node(9), "laptop"));
        let changed = [
            opens(RealmId([2; 32]), node(3), node(9), "laptop"),
            opens(realm, node(4), node(9), "laptop"),
            opens(realm, node(3), node(8), "laptop"),
            opens(realm, node(3), node(9), "laptoq"),
            PairingSecret([5; 16]).opens(seal, realm, node(3), node(9), "laptop"),
        ];
        assert_eq!(changed, [false; 5]);
    }
}
