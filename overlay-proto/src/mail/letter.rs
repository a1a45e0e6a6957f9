//! One letter: what is inside the seal, how it is padded, and what a mailbox sees.

use crate::config::{
    LETTER_BUCKET_MAX, LETTER_BUCKET_MIN, MAIL_LIFE_MAX, MESSAGE_BYTES_MAX, PART_BYTES_MAX,
    RECEIPTS_PER_MESSAGE, SEAL_BYTES_MAX,
};
use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::id::{IndexKey, MessageId, NodeId, RealmId, UserKey};
use crate::identity::verify::{Domain, Signature, Verify};
use crate::identity::{DeviceChain, Member, SecretKey};
use crate::name::Name;
use crate::status::Status;
use crate::time::WallTime;
use std::sync::Arc;

positional! {
    /// A letter, as its recipient reads it. Its signature is inside the seal: who holds the
    /// recipient's keys still cannot write as somebody else.
    pub struct Letter {
        /// Who writes: the certificates down to the sending device.
        pub from: Arc<DeviceChain>,
        /// The user to whom it is written.
        pub to: UserKey,
        /// The message of which it is a part.
        pub id: MessageId,
        /// Its number among the letters of this device to this user, from 0.
        pub seq: u64,
        /// The sender waits for nothing below this number any more.
        pub floor: u64,
        /// Which part of the message it is, from 0.
        pub part: u8,
        /// How many parts there are.
        pub parts: u8,
        /// The sender's wall clock when it was written, in milliseconds since the epoch.
        pub sent_ms: u64,
        /// When it expires.
        pub expires_ms: u64,
        /// What is written.
        pub body: Blob,
        /// The sending device's signature over all of the above.
        pub signature: Signature,
    }
}

positional! {
    /// What became of one copy of a letter.
    pub struct ReceiptEntry {
        /// The copy.
        pub copy: MessageId,
        /// 200 if the recipient has it on its disk, 438 if it could not be opened, 488 if later ones
        /// were shown already.
        pub status: Status,
    }
}

positional! {
    /// Receipts of one device for copies that came from another.
    pub struct LetterReceipts {
        /// Each copy.
        pub entries: Vec<ReceiptEntry>,
        /// The signature of the device that had the copies, over the sender's node and the entries.
        pub signature: Signature,
    }
}

positional! {
    /// A sealed copy, as mailboxes keep it.
    pub struct SealedLetter {
        /// Where the recipient's records stand.
        pub key: IndexKey,
        /// The device for which it is sealed.
        pub to: NodeId,
        /// The copy's id: random, and of no meaning but to its two ends.
        pub id: MessageId,
        /// The sender's clock when it was sealed; it puts letters into the order of the ratchet.
        pub order: u64,
        /// When it expires, in milliseconds since the epoch.
        pub expires_ms: u64,
        /// The seal.
        pub bytes: Blob,
    }
}

positional! {
    /// A whole message, as the application sees it.
    pub struct ShownLetter {
        /// Which message.
        pub id: MessageId,
        /// The sender's name, by certificate.
        pub from: Name,
        /// The sender's device.
        pub node: NodeId,
        /// The number of its last part in the conversation.
        pub seq: u64,
        /// The sender's wall clock, in milliseconds since the epoch.
        pub sent_ms: u64,
        /// What was written.
        pub body: Blob,
    }
}

/// What is inside a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// A letter.
    Letter(Letter),
    /// Receipts for a sender who is off line.
    Receipts(LetterReceipts),
}

impl SealedLetter {
    /// Whether a mailbox may take it at `now`.
    ///
    /// # Errors
    /// The status to refuse it with.
    pub fn check(&self, now: WallTime) -> Result<(), Status> {
        let life_max = now.plus(MAIL_LIFE_MAX).0 + CLOCKS_DIFFER_MS;
        if self.bytes.0.len() > LETTER_BUCKET_MAX + SEAL_BYTES_MAX {
            Err(Status::TOO_LARGE)
        } else if self.expires_ms <= now.0 {
            Err(Status::MESSAGE_EXPIRED)
        } else if self.expires_ms > life_max {
            Err(Status::MALFORMED)
        } else {
            Ok(())
        }
    }
}

/// By so much the clocks of a sender and a mailbox may differ: five minutes.
const CLOCKS_DIFFER_MS: u64 = 300_000;

impl Letter {
    /// Signs the letter with the device's key; its signature field is overwritten.
    #[must_use]
    pub fn signed(mut self, device: &SecretKey, verifier: &dyn Verify) -> Letter {
        self.signature = device.sign_before(verifier, Domain::Letter, &self.signed_bytes());
        self
    }

    /// Checks who has written it, and that it is for `to`. A letter may be older than its sender's
    /// certificates are valid: they count as of when it was written, but not before the longest life
    /// of a letter ago, and not in the future.
    ///
    /// # Errors
    /// The status that says why it is not believed.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        to: UserKey,
        now: WallTime,
    ) -> Result<Member, Status> {
        let fits = self.body.0.len() <= PART_BYTES_MAX
            && self.part < self.parts
            && usize::from(self.parts) <= MESSAGE_BYTES_MAX.div_ceil(PART_BYTES_MAX)
            && self.floor <= self.seq
            && self.seq < u64::MAX;
        if !fits || self.to != to {
            return Err(Status::MALFORMED);
        }
        let node = NodeId(self.from.device.subject.0);
        let earliest = now.0.saturating_sub(MAIL_LIFE_MAX.as_millis());
        let as_of = WallTime(self.sent_ms.clamp(earliest, now.0));
        let member = self.from.check(verifier, realm, node, as_of).map_err(|e| e.status())?;
        let text = self.signed_bytes();
        match Domain::Letter.is_signed(verifier, &node.0, &text, &self.signature) {
            true => Ok(member),
            false => Err(Status::UNPROVEN),
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [
            self.from.device.realm.0.as_slice(),
            &self.from.device.subject.0,
            &self.to.0,
            &self.id.0,
            &self.seq.to_be_bytes(),
            &self.floor.to_be_bytes(),
            &[self.part, self.parts],
            &self.sent_ms.to_be_bytes(),
            &self.expires_ms.to_be_bytes(),
            &self.body.0,
        ]
        .concat()
    }
}

impl LetterReceipts {
    /// Signs receipts for what came from `sender`.
    pub fn sign(
        device: &SecretKey,
        verifier: &dyn Verify,
        sender: NodeId,
        entries: Vec<ReceiptEntry>,
    ) -> LetterReceipts {
        let signed = receipts_signed(sender, &entries);
        let signature = device.sign_before(verifier, Domain::LetterReceipt, &signed);
        LetterReceipts { entries, signature }
    }

    /// Whether `device` has signed this for `sender`.
    pub fn is_by(&self, verifier: &dyn Verify, device: NodeId, sender: NodeId) -> bool {
        let text = receipts_signed(sender, &self.entries);
        self.entries.len() <= RECEIPTS_PER_MESSAGE
            && Domain::LetterReceipt.is_signed(verifier, &device.0, &text, &self.signature)
    }
}

fn receipts_signed(sender: NodeId, entries: &[ReceiptEntry]) -> Vec<u8> {
    let mut bytes = sender.0.to_vec();
    for entry in entries {
        bytes.extend_from_slice(&entry.copy.0);
        bytes.extend_from_slice(&entry.status.0.to_be_bytes());
    }
    bytes
}

const LETTER: u8 = 0;
const RECEIPTS: u8 = 1;
/// A letter's kind and length.
const HEAD_BYTES: usize = 5;

impl Inside {
    /// The bytes to be sealed: padded to the next power of two, so that a size says little.
    pub fn pad(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES];
        let written = match self {
            Inside::Letter(letter) => ciborium::into_writer(letter, &mut bytes),
            Inside::Receipts(receipts) => ciborium::into_writer(receipts, &mut bytes),
        };
        debug_assert!(written.is_ok(), "a vector takes everything");
        bytes[0] = if matches!(self, Inside::Letter(_)) { LETTER } else { RECEIPTS };
        let length = (bytes.len() - HEAD_BYTES) as u32;
        bytes[1..HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
        bytes.resize(bucket(bytes.len()), 0);
        bytes
    }

    /// What was padded; `None` if it is not that.
    pub fn unpad(bytes: &[u8]) -> Option<Inside> {
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let length = u32::from_be_bytes(head[1..].try_into().ok()?);
        let body = rest.get(..usize::try_from(length).ok()?)?;
        match head[0] {
            LETTER => ciborium::from_reader(body).ok().map(Inside::Letter),
            RECEIPTS => ciborium::from_reader(body).ok().map(Inside::Receipts),
            _ => None,
        }
    }
}

/// The size to which so many bytes are padded.
fn bucket(bytes: usize) -> usize {
    bytes.next_power_of_two().max(LETTER_BUCKET_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 41 and 63 of the catalogue: a letter is its sender's, word for word, whoever has the
    /// recipient's keys.
    #[test]
    fn nobody_writes_as_somebody_else() {
        use crate::identity::verify::StrictVerifier;
        use crate::testing::realm::{Realm, WALL};
        let realm = Realm::new(crate::Config::default());
        let (alice, bob) = (realm.user(1).identity, realm.user(2).identity);
        let to = bob.user.as_ref().expect("a user").public();
        let chain = alice.chain().expect("registered").clone();
        let letter = Letter {
            from: chain,
            to,
            id: MessageId([1; 16]),
            seq: 3,
            floor: 2,
            part: 0,
            parts: 1,
            sent_ms: WALL.0,
            expires_ms: WALL.0 + 1_000,
            body: Blob(b"hello".to_vec()),
            signature: Signature([0; 64]),
        };
        let check = |letter: &Letter| letter.check(&StrictVerifier, realm.id(), to, WALL);
        let genuine = letter.clone().signed(&alice.device, &StrictVerifier);
        assert_eq!(check(&genuine).expect("genuine").node, alice.node());
        let forged = letter.signed(&bob.device, &StrictVerifier);
        assert_eq!(check(&forged), Err(Status::UNPROVEN), "with the recipient's key");
        let other = genuine.check(&StrictVerifier, realm.id(), crate::id::UserKey([9; 32]), WALL);
        assert_eq!(other, Err(Status::MALFORMED), "written to somebody else");
        for change in [
            |letter: &mut Letter| letter.seq = 4,
            |letter: &mut Letter| letter.floor = 0,
            |letter: &mut Letter| letter.id = MessageId([2; 16]),
            |letter: &mut Letter| letter.sent_ms -= 1,
            |letter: &mut Letter| letter.expires_ms += 1,
            |letter: &mut Letter| letter.parts = 2,
            |letter: &mut Letter| letter.body.0[0] ^= 1,
        ] {
            let mut changed = genuine.clone();
            change(&mut changed);
            assert_eq!(check(&changed), Err(Status::UNPROVEN));
        }
    }

    #[test]
    fn sizes_are_a_few_powers_of_two() {
        assert_eq!([1, 256, 257, 1_025, 32 * 1024].map(bucket), [256, 256, 512, 2_048, 32 * 1024]);
        let entries = vec![ReceiptEntry { copy: MessageId([7; 16]), status: Status::OK }];
        let inside = Inside::Receipts(LetterReceipts { entries, signature: Signature([1; 64]) });
        let padded = inside.pad();
        assert_eq!(padded.len(), LETTER_BUCKET_MIN);
        assert_eq!(Inside::unpad(&padded), Some(inside));
        let mut wrong = padded.clone();
        wrong[1] = 0xff;
        assert_eq!((Inside::unpad(&wrong), Inside::unpad(&padded[..3])), (None, None));
    }
}
