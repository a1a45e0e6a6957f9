//! Invitations: one string that brings a newcomer to the realm.

use super::secret::SecretKey;
use super::verify::{Domain, Signature, Verify};
use crate::address::TransportAddress;
use crate::config::{ADDRESSES_MAX, CODE_BYTES_MAX};
use crate::encoding::positional::positional;
use crate::id::{NodeId, RealmId, RegistryId};
use crate::status::Status;
use crate::time::WallTime;
use bech32::{Bech32m, Hrp};
use std::fmt;
use std::str::FromStr;

/// The human-readable part before the first `1` (BIP 173).
const PREFIX: &str = "trellis";
/// Supernodes named in one invitation. Three fit a string that can still be pasted (BIP 350
/// limits a checksummed string to 1023 characters).
const CONTACTS_MAX: usize = 3;

positional! {
    /// A node and the addresses at which it can be dialled.
    pub struct Contact {
        /// The node.
        pub node: NodeId,
        /// Where it listens, best first.
        pub addresses: Vec<TransportAddress>,
    }
}

positional! {
    /// A permission to become a supernode, signed by the realm's root, good once.
    pub struct Ticket {
        /// Its number; a root accepts each once.
        pub serial: u64,
        /// Seconds since the epoch from which it is void.
        pub not_after: u64,
        /// The root's signature over all else and the realm.
        pub signature: Signature,
        /// The permission to be a registrar as well.
        pub registrar: Option<RegistrarGrant> = None,
    }
}

positional! {
    /// What a ticket says that permits a supernode to be a registrar.
    pub struct RegistrarGrant {
        /// The number of the registrar's certificate.
        pub serial: u64,
        /// The store that it shares with the other registrars of the realm.
        pub registry: RegistryId,
    }
}

positional! {
    /// What a newcomer needs to know of a realm.
    pub struct Invitation {
        /// The realm.
        pub realm: RealmId,
        /// A few supernodes.
        pub supernodes: Vec<Contact>,
        /// A code to register with, where the realm asks for one.
        pub code: Option<String>,
        /// The permission to become a supernode, in invitations for operators.
        pub ticket: Option<Ticket>,
    }
}

/// Why a text is not an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It does not begin with `trellis1`.
    #[error("an invitation begins with `{PREFIX}1`: copy it whole from `supernode invite`")]
    NotAnInvitation,
    /// Its checksum is wrong.
    #[error("the invitation is damaged or cut short: copy it whole from `supernode invite`")]
    Damaged,
    /// Its content cannot be read.
    #[error("the invitation cannot be read: it may be of a newer version, update this program")]
    Unreadable,
}

impl InvitationError {
    /// The status code of this error.
    pub fn status(self) -> Status {
        Status::MALFORMED
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Invitation, InvitationError> {
        let text = text.trim();
        let starts = text.get(..8).is_some_and(|head| head.eq_ignore_ascii_case("trellis1"));
        if !starts {
            return Err(InvitationError::NotAnInvitation);
        }
        let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text)
            .map_err(|_| InvitationError::Damaged)?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let invitation: Invitation =
            ciborium::from_reader(bytes.as_slice()).map_err(|_| InvitationError::Unreadable)?;
        let sane = !invitation.supernodes.is_empty()
            && invitation.supernodes.len() <= CONTACTS_MAX
            && invitation.supernodes.iter().all(|c| c.addresses.len() <= ADDRESSES_MAX)
            && invitation.code.as_ref().is_none_or(|code| code.len() <= CODE_BYTES_MAX);
        if sane { Ok(invitation) } else { Err(InvitationError::Unreadable) }
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut short = self.clone();
        short.supernodes.truncate(CONTACTS_MAX);
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
impl Invitation {
    /// A text with a right checksum over these bytes, whatever they say; `None` if they are too many.
    pub(crate) fn sealed(bytes: &[u8]) -> Option<String> {
        armoured(bytes)
    }
}

impl Ticket {
    /// Issues a ticket with the realm's root key.
    pub fn issue(
        root: &SecretKey,
        serial: u64,
        registrar: Option<RegistrarGrant>,
        until: WallTime,
    ) -> Ticket {
        let not_after = until.0 / 1_000;
        let mut ticket = Ticket { serial, not_after, signature: Signature([0; 64]), registrar };
        let text = ticket.signed_bytes(RealmId(root.public()));
        ticket.signature = root.sign(Domain::Ticket, &text);
        ticket
    }

    /// Checks time and signature. Whether it was used before, the root's store knows.
    ///
    /// # Errors
    /// The status code for the one who presented it.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(), Status> {
        if now.0 / 1_000 >= self.not_after {
            return Err(Status::EXPIRED);
        }
        let text = self.signed_bytes(realm);
        match Domain::Ticket.is_signed(verifier, &realm.0, &text, &self.signature) {
            true => Ok(()),
            false => Err(Status::UNPROVEN),
        }
    }

    /// Texts with and without a grant differ in length, so neither passes for the other.
    fn signed_bytes(&self, realm: RealmId) -> Vec<u8> {
        let (serial, not_after) = (self.serial.to_be_bytes(), self.not_after.to_be_bytes());
        let mut bytes = [realm.0.as_slice(), &serial, &not_after].concat();
        if let Some(RegistrarGrant { serial, registry }) = &self.registrar {
            bytes.extend_from_slice(&serial.to_be_bytes());
            bytes.extend_from_slice(&registry.0);
        }
        bytes
    }
}
