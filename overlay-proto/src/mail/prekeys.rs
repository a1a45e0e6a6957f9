//! The keys to which letters are sealed: published by each device, kept by the mailbox supernodes.

use crate::config::ONE_TIME_KEYS_MAX;
use crate::encoding::Blob;
use crate::encoding::positional::positional;
use crate::id::NodeId;
use crate::id::RealmId;
use crate::identity::verify::{Domain, Signature, Verify};
use crate::identity::{DeviceChain, Member, SecretKey};
use crate::mail::vault::{MailKey, PublicKeys};
use crate::status::Status;
use crate::time::WallTime;
use std::sync::Arc;

positional! {
    /// A device's keys, signed by it.
    pub struct DeviceKeys {
        /// Whose: the certificates down to the device.
        pub chain: Arc<DeviceChain>,
        /// Counts up with each record of the device: milliseconds since the epoch when signed.
        pub seq: u64,
        /// The key of its ratchets.
        pub identity: MailKey,
        /// The key to which the outer seal is made, which hides the sender.
        pub envelope: MailKey,
        /// The key to begin a ratchet with when there is none left for one use.
        pub fallback: MailKey,
        /// A hash of sixteen bytes of each key for one use: one signature covers them all, also when
        /// a mailbox hands out a single one.
        pub hashes: Blob,
        /// The device's signature over the fields between the chain and this one.
        pub signature: Signature,
        /// Keys that begin one ratchet each; at most one when a mailbox hands them out.
        pub one_time: Vec<MailKey>,
    }
}

impl DeviceKeys {
    /// Signs the public keys of a keeper. Of those for one use no more than are published at a time.
    pub fn sign(
        device: &SecretKey,
        verifier: &dyn Verify,
        chain: Arc<DeviceChain>,
        seq: u64,
        keys: PublicKeys,
    ) -> DeviceKeys {
        let mut one_time = keys.one_time;
        one_time.truncate(ONE_TIME_KEYS_MAX);
        let mut signed = DeviceKeys {
            chain,
            seq,
            identity: keys.identity,
            envelope: keys.envelope,
            fallback: keys.fallback,
            hashes: Blob(one_time.iter().flat_map(hash).collect()),
            signature: Signature([0; 64]),
            one_time,
        };
        signed.signature = device.sign_before(verifier, Domain::MailKeys, &signed.signed_bytes());
        signed
    }

    /// The device, unchecked.
    pub fn node(&self) -> NodeId {
        NodeId(self.chain.device.subject.0)
    }

    /// Checks chain, sizes and signatures.
    ///
    /// # Errors
    /// The status to refuse its bearer with.
    pub fn check(
        &self,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<Member, Status> {
        if self.one_time.len() > ONE_TIME_KEYS_MAX
            || self.hashes.0.len() > ONE_TIME_KEYS_MAX * HASH_BYTES
        {
            return Err(Status::TOO_LARGE);
        }
        let node = self.node();
        let member = self.chain.check(verifier, realm, node, now).map_err(|e| e.status())?;
        let is_signed =
            |key: &MailKey| self.hashes.0.chunks(HASH_BYTES).any(|signed| signed == hash(key));
        let text = self.signed_bytes();
        let whole = self.one_time.iter().all(is_signed)
            && Domain::MailKeys.is_signed(verifier, &node.0, &text, &self.signature);
        if whole { Ok(member) } else { Err(Status::UNPROVEN) }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let realm = self.chain.device.realm;
        [
            realm.0.as_slice(),
            &self.node().0,
            &self.seq.to_be_bytes(),
            &self.identity.0,
            &self.envelope.0,
            &self.fallback.0,
            &self.hashes.0,
        ]
        .concat()
    }
}

/// Bytes of the hash of one key.
const HASH_BYTES: usize = 16;

fn hash(key: &MailKey) -> [u8; HASH_BYTES] {
    let mut first = [0; HASH_BYTES];
    first.copy_from_slice(&blake3::hash(&key.0).as_bytes()[..HASH_BYTES]);
    first
}
