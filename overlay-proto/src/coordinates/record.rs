//! The signed record of a peer's place: which node, which neighbours in which slots, which labels.

use super::labels::Labels;
use crate::config::DEGREE_MAX;
use crate::encoding::positional::positional;
use crate::id::{NodeId, RealmId, ShortId};
use crate::identity::certificate::{Certificate, CertificateError};
use crate::identity::chain::check_supernode;
use crate::identity::verify::{Domain, Signature, Verify};
use crate::identity::{SecretKey, Subject};
use crate::time::WallTime;
use std::sync::Arc;

positional! {
    /// What a home says of its peer. A peer can neither choose nor forge its place.
    ///
    /// The slots stand beside the labels because a child's label ends in the slot number that its
    /// parent's home gave to their link: the child's home reads it here.
    pub struct Coordinates {
        /// The peer.
        pub node: NodeId,
        /// Counts up with each issue; the newest wins.
        pub seq: u64,
        /// The neighbour in each slot; [`ShortId::NONE`] where a slot is free.
        pub slots: Vec<ShortId>,
        /// The peer's label in each tree.
        pub labels: Labels,
        /// The home that issued the record, by its certificate.
        pub issuer: Arc<Certificate>,
        /// The home's signature over the fields before its certificate.
        pub signature: Signature,
    }
}

/// Why coordinates are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinatesError {
    /// More slots than a label can number.
    #[error("coordinates name more than {DEGREE_MAX} slots")]
    TooManySlots,
    /// The issuer is no supernode of the realm.
    #[error("the issuer of the coordinates: {0}")]
    Issuer(#[from] CertificateError),
    /// The signature is not the issuer's.
    #[error("the coordinates' signature is wrong")]
    WrongSignature,
}

impl Coordinates {
    /// Issues coordinates under the supernode's `key`, whose certificate is `issuer`.
    pub fn issue(
        key: &SecretKey,
        issuer: Arc<Certificate>,
        node: NodeId,
        seq: u64,
        slots: Vec<ShortId>,
        labels: Labels,
    ) -> Coordinates {
        let mut record =
            Coordinates { node, seq, slots, labels, issuer, signature: Signature([0; 64]) };
        record.signature = key.sign(Domain::Coordinates, &record.signed_bytes());
        record
    }

    /// Checks that a supernode of the realm issued this record.
    ///
    /// # Errors
    /// [`CoordinatesError`].
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(), CoordinatesError> {
        if self.slots.len() > DEGREE_MAX {
            return Err(CoordinatesError::TooManySlots);
        }
        check_supernode(&self.issuer, verifier, realm, self.home(), now)?;
        let tagged = Domain::Coordinates.tagged(&self.signed_bytes());
        match verifier.verify(&self.issuer.subject.0, &tagged, &self.signature) {
            true => Ok(()),
            false => Err(CoordinatesError::WrongSignature),
        }
    }

    /// The home that issued the record.
    pub fn home(&self) -> NodeId {
        let Subject(key) = self.issuer.subject;
        NodeId(key)
    }

    /// The slot in which this peer has `node`.
    pub fn slot_of(&self, node: ShortId) -> Option<u8> {
        let slot = self.slots.iter().position(|s| *s == node && node != ShortId::NONE)?;
        u8::try_from(slot).ok()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&self.node.0);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.push(self.slots.len() as u8);
        self.slots.iter().for_each(|slot| bytes.extend_from_slice(&slot.0));
        self.labels.pack(&mut bytes);
        bytes
    }
}
