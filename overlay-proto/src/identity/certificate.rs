//! One certificate: this key has this role in this realm, for this long.
//!
//! The realm's root certifies registrars and supernodes, a registrar certifies users, a user
//! certifies devices. The issuer is not named: the place in the chain says who must have signed.

use super::secret::SecretKey;
use super::verify::{Domain, Signature, Verify};
use crate::encoding::positional::{fixed_bytes, positional};
use crate::id::RealmId;
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, WallTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a certificate lets its subject be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// May certify users. Issued by the root.
    Registrar = 1,
    /// May log users in, keep locations and shape the topology. Issued by the root.
    Supernode = 2,
    /// Owns a name. Issued by a registrar.
    User = 3,
    /// A computer of a user. Issued by the user.
    Device = 4,
}

fixed_bytes! {
    /// The public key a certificate speaks of.
    pub struct Subject([u8; 32]);
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// A certificate begins so long before its issue, for clocks that are behind.
const CLOCK_MARGIN: Span = Span::secs(3_600);

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not before this.
    pub from: WallTime,
    /// Not from this on.
    pub until: WallTime,
}

impl Validity {
    /// From an hour before `now`, for clocks that are behind, to `life` after it.
    pub fn starting(now: WallTime, life: Span) -> Validity {
        Validity {
            from: WallTime(now.0.saturating_sub(CLOCK_MARGIN.as_millis())),
            until: now.plus(life),
        }
    }
}

positional! {
    /// A signed statement about a key.
    pub struct Certificate {
        /// The realm in which it holds.
        pub realm: RealmId,
        /// The role it gives.
        pub role: Role,
        /// The key it speaks of.
        pub subject: Subject,
        /// The user's name; only in a user's certificate.
        pub name: Option<Name>,
        /// The issuer's number for it. With realm and subject it names the certificate.
        pub serial: u64,
        /// Seconds since the epoch from which it holds.
        pub not_before: u64,
        /// Seconds since the epoch from which it holds no more.
        pub not_after: u64,
        /// The issuer's signature over all fields above.
        pub signature: Signature,
    }
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It belongs to another realm.
    #[error("the certificate is of another realm")]
    ForeignRealm,
    /// It gives another role than the one that is needed.
    #[error("the certificate gives the role {found:?}, not {needed:?}")]
    WrongRole {
        /// What it gives.
        found: Role,
        /// What was needed.
        needed: Role,
    },
    /// It speaks of another key.
    #[error("the certificate speaks of another key")]
    WrongSubject,
    /// A user's certificate without a name, or another with one.
    #[error("the certificate's name does not fit its role")]
    NameMismatch,
    /// The clock says that it has not begun.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The clock says that it has ended.
    #[error("the certificate has expired")]
    Expired,
    /// The signature is not the issuer's.
    #[error("the certificate's signature is wrong")]
    WrongSignature,
}

impl CertificateError {
    /// The status code that tells a remote.
    pub fn status(self) -> Status {
        match self {
            CertificateError::ForeignRealm => Status::FOREIGN_REALM,
            CertificateError::WrongRole { .. } | CertificateError::NameMismatch => {
                Status::WRONG_ROLE
            }
            CertificateError::NotYetValid | CertificateError::Expired => Status::EXPIRED,
            CertificateError::WrongSubject | CertificateError::WrongSignature => Status::UNPROVEN,
        }
    }
}

impl Certificate {
    /// Issues a certificate signed by `issuer`.
    pub fn issue(
        issuer: &SecretKey,
        realm: RealmId,
        role: Role,
        subject: [u8; 32],
        name: Option<Name>,
        serial: u64,
        validity: Validity,
    ) -> Certificate {
        let mut certificate = Certificate {
            realm,
            role,
            subject: Subject(subject),
            name,
            serial,
            not_before: validity.from.0 / 1_000,
            not_after: validity.until.0 / 1_000,
            signature: Signature([0; 64]),
        };
        certificate.signature = issuer.sign(Domain::Certificate, &certificate.signed_bytes());
        certificate
    }

    /// Checks realm, role, name, time and signature, in this order, the cheap ones first.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        needed: Role,
        issuer: &[u8; 32],
        now: WallTime,
    ) -> Result<(), CertificateError> {
        if self.realm != realm {
            return Err(CertificateError::ForeignRealm);
        }
        if self.role != needed {
            return Err(CertificateError::WrongRole { found: self.role, needed });
        }
        if self.name.is_some() != (needed == Role::User) {
            return Err(CertificateError::NameMismatch);
        }
        if now.0 / 1_000 < self.not_before {
            return Err(CertificateError::NotYetValid);
        }
        if now.0 / 1_000 >= self.not_after {
            return Err(CertificateError::Expired);
        }
        let text = self.signed_bytes();
        if !Domain::Certificate.is_signed(verifier, issuer, &text, &self.signature) {
            return Err(CertificateError::WrongSignature);
        }
        Ok(())
    }

    /// Seconds since the epoch at which so many thousandths of its life are over. The hour by which
    /// it begins before its issue is no part of that.
    pub fn due(&self, thousandths: u64) -> u64 {
        let issued = self.not_before.saturating_add(CLOCK_MARGIN.as_millis() / 1_000);
        let life = self.not_after.saturating_sub(issued);
        issued.saturating_add(life / 1_000 * thousandths + life % 1_000 * thousandths / 1_000)
    }

    /// All fields but the signature, in an encoding of their own that has one form only.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&self.realm.0);
        bytes.push(self.role as u8);
        bytes.extend_from_slice(&self.subject.0);
        for number in [self.serial, self.not_before, self.not_after] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        if let Some(name) = &self.name {
            bytes.extend_from_slice(name.as_str().as_bytes());
        }
        bytes
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(&format_args!("{self:?}")),
            false => serializer.serialize_u8(*self as u8),
        }
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Role::Registrar),
            2 => Ok(Role::Supernode),
            3 => Ok(Role::User),
            4 => Ok(Role::Device),
            _ => Err(serde::de::Error::custom("no such role")),
        }
    }
}
