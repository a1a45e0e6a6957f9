//! Row 54 of the failure catalogue: the size of a sealed letter says in which bucket it is.

use super::*;
use overlay_proto::config::{LETTER_BUCKET_MAX, LETTER_BUCKET_MIN, SEAL_BYTES_MAX};
use overlay_proto::encoding::Blob;
use overlay_proto::id::UserKey;
use overlay_proto::identity::Signature;
use overlay_proto::mail::letter::Inside;
use overlay_proto::mail::{Letter, LetterReceipts, ReceiptEntry};
use overlay_proto::status::Status;
use std::collections::{BTreeMap, BTreeSet};

/// The longest text that is tried at each length, in bytes.
const LENGTH_MAX: usize = 2_000;

fn chain(key: &SecretKey, name: &str) -> Arc<DeviceChain> {
    let validity = Validity::starting(WallTime(0), Span::secs(60));
    let realm = RealmId(key.public());
    let issue = |role, name| Certificate::issue(key, realm, role, key.public(), name, 1, validity);
    Arc::new(DeviceChain {
        registrar: issue(Role::Registrar, None),
        user: issue(Role::User, Some(Name::new(name).expect("valid"))),
        device: issue(Role::Device, None),
    })
}

fn padded(key: &SecretKey, name: &str, length: usize) -> Vec<u8> {
    let letter = Letter {
        from: chain(key, name),
        to: UserKey([7; 32]),
        id: MessageId([8; 16]),
        seq: length as u64 * 1_000,
        floor: 0,
        part: 0,
        parts: 1,
        sent_ms: 1_800_000_000_000,
        expires_ms: 1_800_000_001_000,
        body: Blob(vec![b'x'; length]),
        signature: Signature([0; 64]),
    };
    Inside::Letter(letter.signed(key, &StrictVerifier)).pad()
}

fn buckets() -> BTreeSet<usize> {
    let doubled = |bytes: &usize| (*bytes < LETTER_BUCKET_MAX).then_some(bytes * 2);
    std::iter::successors(Some(LETTER_BUCKET_MIN), doubled)
        .map(|bytes| bytes + SEAL_BYTES_MAX)
        .collect()
}

impl Device {
    async fn seal_as(
        &self,
        to: &Device,
        keys: Box<DeviceKeys>,
        plain: Vec<u8>,
        name: &str,
    ) -> usize {
        let request = VaultRequest::Seal {
            to: to.node(),
            keys: Some(keys),
            anew: false,
            plain,
            label: name.as_bytes().to_vec(),
            under: b"c".to_vec(),
        };
        sealed(self.ask(request).await).len()
    }
}

#[tokio::test]
async fn every_text_is_sealed_to_the_size_of_a_bucket() {
    let (alice, bob) = (Device::new(1).await, Device::new(2).await);
    let (keys, buckets) = (bob.keys().await, buckets());
    let mut texts: BTreeMap<usize, usize> = BTreeMap::new();
    for length in 0..=LENGTH_MAX {
        // The first hundreds begin a ratchet and say so; nobody can tell.
        let plain = padded(&alice.key, "alice", length);
        let bytes = alice.seal_as(&bob, keys.clone(), plain, "alice").await;
        assert!(buckets.contains(&bytes), "{length} bytes of text become {bytes}");
        *texts.entry(bytes).or_default() += 1;
    }
    println!("texts of 0 to {LENGTH_MAX} bytes: {texts:?} (bytes sealed: how many lengths)");
    assert!(texts.len() <= 3, "{texts:?}");
}

#[tokio::test]
async fn neither_the_name_nor_the_age_of_the_ratchet_shows() {
    let bob = Device::new(2).await;
    let keys = bob.keys().await;
    let long = "a".repeat(overlay_proto::config::NAME_BYTES_MAX);
    let mut sizes = BTreeSet::new();
    for (n, name) in [(1, "al"), (3, long.as_str())] {
        let writer = Device::new(n).await;
        let begins = padded(&writer.key, name, 100);
        sizes.insert(writer.seal_as(&bob, keys.clone(), begins, name).await);
        // Bob has answered: from here on letters do not begin a ratchet any more.
        let request = VaultRequest::Seal {
            to: writer.node(),
            keys: Some(writer.keys().await),
            anew: false,
            plain: vec![0; LETTER_BUCKET_MIN],
            label: b"bob".to_vec(),
            under: b"a".to_vec(),
        };
        let answer = sealed(bob.ask(request).await);
        let opened = writer.open(&answer).await.expect("for the writer");
        let trust = vec![(bob.node(), opened.session)];
        writer.ask(VaultRequest::Keep(Batch { trust, ..Batch::default() })).await;
        for _ in 0..300 {
            let goes_on = padded(&writer.key, name, 100);
            sizes.insert(writer.seal_as(&bob, keys.clone(), goes_on, name).await);
        }
    }
    assert_eq!(sizes.len(), 1, "{sizes:?}");
    let entries = vec![ReceiptEntry { copy: MessageId([7; 16]), status: Status::OK }];
    let receipts = LetterReceipts { entries, signature: Signature([1; 64]) };
    let plain = Inside::Receipts(receipts).pad();
    let receipt = bob.seal_as(&Device::new(4).await, keys, plain, "bob").await;
    assert!(buckets().contains(&receipt), "{receipt}");
}
