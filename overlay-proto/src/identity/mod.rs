//! Who is who: keys, certificates, the realm's chain, invitations.

pub mod certificate;
pub mod chain;
pub mod invitation;
pub mod keys;
pub(crate) mod proof;
pub mod secret;
pub mod verify;

pub use certificate::{Certificate, CertificateError, Role, Subject, Validity};
pub use chain::{DeviceChain, Member};
pub use invitation::{Contact, Invitation, InvitationError, Ticket};
pub use keys::{Identity, RegistrarKeys, SupernodeKeys, UserKeys};
pub use secret::SecretKey;
pub use verify::{Domain, Signature};
