//! What is certified no more: signed, numbered lists, one for each who may revoke.
//!
//! A certificate is named by realm, role, serial number and subject key, never by a hash of its
//! bytes: a signature can often be written in a second way, and a certificate encoded in a second
//! way has another hash and is the same certificate (Nebula, GO-2026-4458). A key that was revoked
//! in a role stays out of that role whatever the serial number of the next certificate, so neither
//! a renewal nor a new issue brings it back before the entry ends.
//!
//! A registrar revokes users and devices, the realm's root also registrars and supernodes. Each
//! signs a list of its own; what holds is the union. A list is numbered by its last entry, and of
//! one signer the newest list wins. Entries end when no certificate they speak of can hold any
//! more, so lists stay short.

use super::certificate::{Certificate, CertificateError, Role, Subject};
use super::chain::DeviceChain;
use super::keys::RegistrarKeys;
use super::secret::SecretKey;
use super::verify::{Domain, Signature, Verify};
use crate::config::REVOCATIONS_MAX;
use crate::encoding::positional::{fixed_bytes, positional};
use crate::id::{NodeId, RealmId, UserKey};
use crate::status::Status;
use crate::time::WallTime;
use std::sync::Arc;

fixed_bytes! {
    /// A BLAKE3 hash over the entries of a list.
    pub struct ListDigest([u8; 32]);
}

impl std::fmt::Debug for ListDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

positional! {
    /// One key that is out of one role.
    pub struct Revocation {
        /// Its number in the list. Entries stand in rising order; none is used twice.
        pub number: u64,
        /// The role.
        pub role: Role,
        /// The certificate's serial number; zero where whoever revoked knew the key only.
        pub serial: u64,
        /// The key that the certificate speaks of.
        pub subject: Subject,
        /// Of a device: the user's key that certified it, `None` for any user's. Bound to it, an
        /// entry that a user asked for reaches no device that is another user's.
        pub issuer: Option<Subject>,
        /// Seconds since the epoch when it was revoked.
        pub since: u64,
        /// Seconds since the epoch from which no such certificate holds any more: the entry ends.
        pub until: u64,
    }
}

positional! {
    /// What a signer says of its list as a whole.
    pub struct ListHead {
        /// The realm.
        pub realm: RealmId,
        /// The registrar that signs; `None` for the realm's root.
        pub registrar: Option<Certificate>,
        /// The number of the list: that of its last entry.
        pub epoch: u64,
        /// Seconds since the epoch when it was signed. Entries that end by then are left out.
        pub issued: u64,
        /// How many entries there are.
        pub count: u32,
        /// The hash over them.
        pub digest: ListDigest,
        /// The signer's signature over all fields above.
        pub signature: Signature,
    }
}

positional! {
    /// All that one signer has revoked.
    pub struct RevocationList {
        /// Who says so, and of how many.
        pub head: ListHead,
        /// The entries.
        pub entries: Vec<Revocation>,
    }
}

positional! {
    /// A user's word that one of their own devices is to be shut out.
    pub struct DeviceRevocation {
        /// The certificates down to that device: what ties it to the user.
        pub chain: Arc<DeviceChain>,
        /// Seconds since the epoch when it was said.
        pub at: u64,
        /// The user key's signature over realm, user, device, serial number and time.
        pub signature: Signature,
    }
}

/// Why a list is not believed. Nothing has changed when this is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// It is of another realm.
    #[error("the list is of another realm")]
    ForeignRealm,
    /// The registrar's certificate proves nothing.
    #[error("the registrar's certificate: {0}")]
    Registrar(#[from] CertificateError),
    /// More than [`REVOCATIONS_MAX`] entries, or not as many as the head says.
    #[error("the list does not have as many entries as it may or says")]
    WrongCount,
    /// Numbers that do not rise up to the list's own.
    #[error("the entries are not in the order of their numbers")]
    Disordered,
    /// A registrar's list speaks of registrars or supernodes.
    #[error("a registrar revokes users and devices only")]
    WrongRole,
    /// The entries are not those that were signed.
    #[error("the entries are not those that were signed")]
    WrongDigest,
    /// The signature is not the signer's.
    #[error("the list's signature is wrong")]
    WrongSignature,
    /// A list of this signer that is as new or newer is held.
    #[error("a newer list of this signer is known")]
    RolledBack,
    /// More signers than a realm has.
    #[error("too many signers")]
    TooManySigners,
}

impl RevocationError {
    /// The status code that tells a remote.
    pub fn status(self) -> Status {
        match self {
            RevocationError::ForeignRealm => Status::FOREIGN_REALM,
            RevocationError::Registrar(error) => error.status(),
            RevocationError::WrongCount | RevocationError::TooManySigners => Status::TOO_LARGE,
            RevocationError::Disordered => Status::MALFORMED,
            RevocationError::WrongRole => Status::FORBIDDEN,
            RevocationError::WrongDigest | RevocationError::WrongSignature => Status::UNPROVEN,
            RevocationError::RolledBack => Status::STALE,
        }
    }
}

/// Who signs a list.
#[derive(Clone, Debug)]
pub enum Revoker {
    /// The realm's root.
    Root(SecretKey),
    /// A registrar.
    Registrar(RegistrarKeys),
}

impl Revoker {
    /// The key that signs.
    pub fn signer(&self) -> Subject {
        Subject(self.key().public())
    }

    fn key(&self) -> &SecretKey {
        match self {
            Revoker::Root(key) => key,
            Revoker::Registrar(keys) => &keys.key,
        }
    }

    fn certificate(&self) -> Option<Certificate> {
        match self {
            Revoker::Root(_) => None,
            Revoker::Registrar(keys) => Some(keys.certificate.clone()),
        }
    }
}

impl Revocation {
    /// Appends the one form in which an entry is hashed.
    fn hash(&self, hasher: &mut blake3::Hasher) {
        for number in [self.number, self.serial, self.since, self.until] {
            hasher.update(&number.to_be_bytes());
        }
        hasher.update(&[self.role as u8, u8::from(self.issuer.is_some())]);
        hasher.update(&self.subject.0);
        hasher.update(&self.issuer.map_or([0; 32], |issuer| issuer.0));
    }
}

fn digest(entries: &[Revocation]) -> ListDigest {
    let mut hasher = blake3::Hasher::new();
    entries.iter().for_each(|entry| entry.hash(&mut hasher));
    ListDigest(*hasher.finalize().as_bytes())
}

impl ListHead {
    /// The key that must have signed.
    pub fn signer(&self) -> Subject {
        self.registrar.as_ref().map_or(Subject(self.realm.0), |certificate| certificate.subject)
    }

    /// Which of two lists of one signer is newer. Numbers decide; where a signer lost its store and
    /// used a number twice, the later one of both, so that everybody agrees.
    pub fn age(&self) -> (u64, u64, ListDigest) {
        (self.epoch, self.issued, self.digest)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&self.realm.0);
        bytes.extend_from_slice(&self.signer().0);
        for number in [self.epoch, self.issued, u64::from(self.count)] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.digest.0);
        bytes
    }
}

impl RevocationList {
    /// Signs a list of these entries, which must be in the order of their numbers.
    pub fn issue(
        revoker: &Revoker,
        realm: RealmId,
        entries: Vec<Revocation>,
        now: WallTime,
    ) -> RevocationList {
        let mut head = ListHead {
            realm,
            registrar: revoker.certificate(),
            epoch: entries.last().map_or(0, |entry| entry.number),
            issued: now.0 / 1_000,
            count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
            digest: digest(&entries),
            signature: Signature([0; 64]),
        };
        head.signature = revoker.key().sign(Domain::Revocations, &head.signed_bytes());
        RevocationList { head, entries }
    }

    /// Checks realm, signer, number and order of the entries, what may be revoked by whom, hash
    /// and signature.
    ///
    /// # Errors
    /// [`RevocationError`], the first check that fails.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(), RevocationError> {
        let RevocationList { head, entries } = self;
        if head.realm != realm {
            return Err(RevocationError::ForeignRealm);
        }
        if entries.len() > REVOCATIONS_MAX || entries.len() != head.count as usize {
            return Err(RevocationError::WrongCount);
        }
        let rising = entries.windows(2).all(|pair| pair[0].number < pair[1].number);
        if !rising || entries.last().map_or(0, |last| last.number) != head.epoch {
            return Err(RevocationError::Disordered);
        }
        if let Some(certificate) = &head.registrar {
            certificate.check(verifier, realm, Role::Registrar, &realm.0, now)?;
            let allowed = |entry: &Revocation| matches!(entry.role, Role::User | Role::Device);
            if !entries.iter().all(allowed) {
                return Err(RevocationError::WrongRole);
            }
        }
        if digest(entries) != head.digest {
            return Err(RevocationError::WrongDigest);
        }
        let (signer, text) = (head.signer().0, head.signed_bytes());
        match Domain::Revocations.is_signed(verifier, &signer, &text, &head.signature) {
            true => Ok(()),
            false => Err(RevocationError::WrongSignature),
        }
    }

    /// The entries that a list signed at `issued` (seconds since the epoch) still has.
    pub fn lasting(&self, issued: u64) -> impl Iterator<Item = &Revocation> {
        self.entries.iter().filter(move |entry| entry.until > issued)
    }
}

impl DeviceRevocation {
    /// The user's word, signed with the user's key.
    pub fn sign(user: &SecretKey, chain: Arc<DeviceChain>, at: WallTime) -> DeviceRevocation {
        let at = at.0 / 1_000;
        let text = DeviceRevocation::signed_bytes(&chain, at);
        DeviceRevocation { chain, at, signature: user.sign(Domain::Revoke, &text) }
    }

    /// Checks that the user who certified the device is the one who revokes it. Returns both.
    ///
    /// # Errors
    /// The status code for the one who brought it.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(UserKey, NodeId), Status> {
        let node = NodeId(self.chain.device.subject.0);
        let member =
            self.chain.check(verifier, realm, node, now).map_err(|error| error.status())?;
        let text = DeviceRevocation::signed_bytes(&self.chain, self.at);
        match Domain::Revoke.is_signed(verifier, &member.user.0, &text, &self.signature) {
            true => Ok((member.user, node)),
            false => Err(Status::UNPROVEN),
        }
    }

    fn signed_bytes(chain: &DeviceChain, at: u64) -> Vec<u8> {
        let (user, device) = (&chain.user, &chain.device);
        let keys = [user.realm.0, user.subject.0, device.subject.0].concat();
        [keys.as_slice(), &device.serial.to_be_bytes(), &at.to_be_bytes()].concat()
    }
}
