//! The one place where key, name, realm, role and time are tied together.

use super::certificate::{Certificate, CertificateError, Role, Subject};
use super::verify::Verify;
use crate::encoding::positional::positional;
use crate::id::{NodeId, RealmId, UserKey};
use crate::name::Name;
use crate::time::WallTime;

positional! {
    /// The certificates from the realm to a device: root → registrar → user → device.
    pub struct DeviceChain {
        /// The root's certificate for the registrar.
        pub registrar: Certificate,
        /// The registrar's certificate for the user.
        pub user: Certificate,
        /// The user's certificate for the device.
        pub device: Certificate,
    }
}

/// The three keys of a chain. If one of them is out, so is its bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainKeys {
    /// The registrar's.
    pub registrar: Subject,
    /// The user's.
    pub user: Subject,
    /// The device's.
    pub device: Subject,
}

/// What a checked chain proves: this node is a device of this user of the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The device.
    pub node: NodeId,
    /// The user's canonical name.
    pub name: Name,
    /// The user's key.
    pub user: UserKey,
}

impl DeviceChain {
    /// Checks the chain down to `node`.
    ///
    /// # Errors
    /// The first link of the chain that proves nothing, from the device upward for what is cheap,
    /// from the root downward for signatures.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        node: NodeId,
        now: WallTime,
    ) -> Result<Member, CertificateError> {
        if self.device.subject.0 != node.0 {
            return Err(CertificateError::WrongSubject);
        }
        let name = self.user.name.clone().ok_or(CertificateError::NameMismatch)?;
        self.registrar.check(verifier, realm, Role::Registrar, &realm.0, now)?;
        self.user.check(verifier, realm, Role::User, &self.registrar.subject.0, now)?;
        self.device.check(verifier, realm, Role::Device, &self.user.subject.0, now)?;
        Ok(Member { node, name, user: UserKey(self.user.subject.0) })
    }

    /// The keys that it speaks of, unchecked.
    pub fn keys(&self) -> ChainKeys {
        let DeviceChain { registrar, user, device } = self;
        ChainKeys { registrar: registrar.subject, user: user.subject, device: device.subject }
    }

    /// The name in the user's certificate, unchecked.
    pub fn claimed_name(&self) -> Option<&Name> {
        self.user.name.as_ref()
    }
}

/// Checks that `certificate` makes `node` a supernode of `realm`.
///
/// # Errors
/// The first check that fails.
pub fn check_supernode(
    certificate: &Certificate,
    verifier: &dyn Verify,
    realm: RealmId,
    node: NodeId,
    now: WallTime,
) -> Result<(), CertificateError> {
    if certificate.subject.0 != node.0 {
        return Err(CertificateError::WrongSubject);
    }
    certificate.check(verifier, realm, Role::Supernode, &realm.0, now)
}

/// Checks that `certificate` makes the owner of `key` a registrar of `realm`.
///
/// # Errors
/// The first check that fails.
pub fn check_registrar(
    certificate: &Certificate,
    verifier: &dyn Verify,
    realm: RealmId,
    key: &[u8; 32],
    now: WallTime,
) -> Result<(), CertificateError> {
    if certificate.subject.0 != *key {
        return Err(CertificateError::WrongSubject);
    }
    certificate.check(verifier, realm, Role::Registrar, &realm.0, now)
}
