//! The signed record of a peer's place: which node, which neighbours in which slots, which labels.

use super::issuers::Issuers;
use super::labels::Labels;
use crate::config::DEGREE_MAX;
use crate::encoding::positional::positional;
use crate::id::{NodeId, ShortId};
use crate::identity::SecretKey;
use crate::identity::verify::{Domain, Signature, Verify};
use crate::time::WallTime;

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
        /// The home that issued the record. Its certificate travels apart, once a link.
        pub home: NodeId,
        /// The home's signature over the fields before its id.
        pub signature: Signature,
    }
}

/// Why coordinates are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinatesError {
    /// More slots than a label can number.
    #[error("coordinates name more than {DEGREE_MAX} slots")]
    TooManySlots,
    /// Nobody has shown a valid certificate of the issuer.
    #[error("the issuer of the coordinates has no valid certificate")]
    UnknownIssuer,
    /// The signature is not the issuer's.
    #[error("the coordinates' signature is wrong")]
    WrongSignature,
}

impl Coordinates {
    /// Issues coordinates under the supernode's `key`.
    pub fn issue(
        key: &SecretKey,
        verifier: &dyn Verify,
        node: NodeId,
        seq: u64,
        slots: Vec<ShortId>,
        labels: Labels,
    ) -> Coordinates {
        let (home, signature) = (NodeId(key.public()), Signature([0; 64]));
        let mut record = Coordinates { node, seq, slots, labels, home, signature };
        record.signature = key.sign_before(verifier, Domain::Coordinates, &record.signed_bytes());
        record
    }

    /// Checks that a supernode of the realm issued this record: one of `issuers`.
    ///
    /// # Errors
    /// [`CoordinatesError`].
    pub fn check(
        &self,
        issuers: &Issuers,
        verifier: &dyn Verify,
        now: WallTime,
    ) -> Result<(), CoordinatesError> {
        match issuers.vouch_for(self.home, now) {
            true => self.check_form(verifier),
            false => Err(CoordinatesError::UnknownIssuer),
        }
    }

    /// Checks size and signature, not whether the home is a supernode.
    ///
    /// # Errors
    /// [`CoordinatesError`].
    pub(crate) fn check_form(&self, verifier: &dyn Verify) -> Result<(), CoordinatesError> {
        if self.slots.len() > DEGREE_MAX {
            return Err(CoordinatesError::TooManySlots);
        }
        let text = self.signed_bytes();
        let is_signed =
            Domain::Coordinates.is_signed(verifier, &self.home.0, &text, &self.signature);
        match seeded!(PlaceUnchecked) || is_signed {
            true => Ok(()),
            false => Err(CoordinatesError::WrongSignature),
        }
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
