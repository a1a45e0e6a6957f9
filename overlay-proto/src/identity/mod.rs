//! Who is who: keys, certificates, the realm's chain, invitations.

pub mod certificate;
pub mod chain;
pub mod invitation;
pub mod keys;
pub mod pairing;
pub(crate) mod proof;
pub mod revocation;
pub mod revoked;
pub mod secret;
pub mod verify;

pub use certificate::{Certificate, CertificateError, Role, Subject, Validity};
pub use chain::{ChainKeys, DeviceChain, Member};
pub use invitation::{Contact, Invitation, InvitationError, RegistrarGrant, Ticket};
pub use keys::{Identity, RegistrarKeys, SupernodeKeys, UserKeys, UserSecret};
pub use pairing::{DeviceCode, DeviceCodeError, PairingSecret, Seal};
pub use revocation::{
    DeviceRevocation, ListHead, Revocation, RevocationError, RevocationList, Revoker,
};
pub use revoked::Revoked;
pub use secret::SecretKey;
pub use verify::{Domain, Signature};
