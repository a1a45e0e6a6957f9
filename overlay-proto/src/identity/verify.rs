//! Signatures, each tied to its purpose.
//!
//! Every signed text begins with the name of its domain, so a signature made for one purpose
//! proves nothing for another. Verification is strict (RFC 8032 with small-order keys and
//! malleable signatures refused).

use crate::encoding::positional::fixed_bytes;
use ed25519_dalek::VerifyingKey;
use std::fmt;

fixed_bytes! {
    /// An Ed25519 signature.
    pub struct Signature([u8; 64]);
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A [`Certificate`](super::Certificate).
    Certificate,
    /// A [`Ticket`](super::Ticket) that lets a machine become a supernode.
    Ticket,
    /// A registration, by the user's key, over the transcript of the greeting.
    Register,
    /// An enrolment as registrar, by the registrar's key, over the transcript of the greeting.
    Enroll,
    /// A log-in, by the device's key, over the transcript of the greeting.
    Login,
    /// Coordinates, by the home that issued them.
    Coordinates,
    /// A location record, by the device.
    Location,
    /// A message, by the sender's device.
    Message,
    /// A receipt, by the recipient's device.
    Receipt,
    /// A list of what is certified no more, by a registrar or the root.
    Revocations,
    /// A user's word that a device of theirs is to be shut out, by the user's key.
    Revoke,
    /// A negative answer of the index, by the supernode that gives it.
    Denial,
    /// A letter, by the sender's device.
    Letter,
    /// Receipts for letters, by the recipient's device.
    LetterReceipt,
    /// The keys to which letters are sealed, by the device whose keys they are.
    MailKeys,
    /// A device's word that it has letters, so that mailboxes may forget them.
    LettersTaken,
}

impl Domain {
    /// The bytes that begin every text signed for this purpose.
    pub fn tag(self) -> &'static [u8] {
        match self {
            Domain::Certificate => b"trellis/1/certificate\0",
            Domain::Ticket => b"trellis/1/ticket\0",
            Domain::Register => b"trellis/1/register\0",
            Domain::Enroll => b"trellis/1/enroll\0",
            Domain::Login => b"trellis/1/login\0",
            Domain::Coordinates => b"trellis/1/coordinates\0",
            Domain::Location => b"trellis/1/location\0",
            Domain::Message => b"trellis/1/message\0",
            Domain::Receipt => b"trellis/1/receipt\0",
            Domain::Revocations => b"trellis/1/revocations\0",
            Domain::Revoke => b"trellis/1/revoke\0",
            Domain::Denial => b"trellis/1/denial\0",
            Domain::Letter => b"trellis/1/letter\0",
            Domain::LetterReceipt => b"trellis/1/letter-receipt\0",
            Domain::MailKeys => b"trellis/1/mail-keys\0",
            Domain::LettersTaken => b"trellis/1/letters-taken\0",
        }
    }

    /// `text` with the domain's tag before it: what is signed.
    pub fn tagged(self, text: &[u8]) -> Vec<u8> {
        [self.tag(), text].concat()
    }

    /// Whether the owner of `key` has signed `text` for this purpose: what
    /// [`SecretKey::sign`](super::SecretKey::sign) makes.
    pub fn is_signed(
        self,
        verifier: &dyn Verify,
        key: &[u8; 32],
        text: &[u8],
        signature: &Signature,
    ) -> bool {
        verifier.verify(key, &self.tagged(text), signature)
    }
}

/// The check of one signature over a tagged text.
///
/// The answer is a pure function of its arguments, so an implementation may remember it.
pub trait Verify: fmt::Debug + Send + Sync {
    /// Whether `signature` over `tagged` was made by the owner of `key`.
    fn verify(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) -> bool;

    /// Told of a signature that a node behind this verifier has just made: a simulator, in which
    /// all nodes share one, need not verify it again.
    fn made(&self, _key: &[u8; 32], _tagged: &[u8], _signature: &Signature) {}
}

/// Ed25519 as it is: no memory, no batch.
#[derive(Clone, Copy, Debug)]
pub struct StrictVerifier;

impl Verify for StrictVerifier {
    fn verify(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(tagged, &signature).is_ok())
    }
}
