//! The real ratchets and the real file.

use super::LetterKeeper;
use crate::data::Folder;
use crate::driver::Keeper;
use overlay_proto::id::{MessageId, NodeId, RealmId};
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{Certificate, DeviceChain, Role, SecretKey, Validity};
use overlay_proto::mail::{Batch, DeviceKeys, Opened, ShownLetter, VaultAnswer, VaultRequest};
use overlay_proto::name::Name;
use overlay_proto::time::{Span, WallTime};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;

mod forgery;
mod sizes;

/// One device with its folder.
struct Device {
    folder: TempDir,
    key: SecretKey,
    keeper: LetterKeeper,
}

impl Device {
    async fn new(n: u8) -> Device {
        let folder = TempDir::new().expect("a place for temporary files");
        let key = SecretKey::from_bytes([n; 32]);
        let node = NodeId(key.public());
        let opened = LetterKeeper::open(&Folder::at(folder.path()), node).await;
        Device { folder, key, keeper: opened.expect("new").0 }
    }

    fn node(&self) -> NodeId {
        NodeId(self.key.public())
    }

    async fn ask(&self, request: VaultRequest) -> VaultAnswer {
        let (answer, answered) = oneshot::channel();
        self.keeper.submit(request, Box::new(move |done| drop(answer.send(done))));
        answered.await.expect("answered")
    }

    async fn keys(&self) -> Box<DeviceKeys> {
        let VaultAnswer::Published(keys) = self.ask(VaultRequest::Publish { one_time: 4 }).await
        else {
            panic!("no keys");
        };
        let realm = RealmId(self.key.public());
        let validity = Validity::starting(WallTime(0), Span::secs(60));
        let certificate =
            |role| Certificate::issue(&self.key, realm, role, self.key.public(), None, 1, validity);
        let chain = Arc::new(DeviceChain {
            registrar: certificate(Role::Registrar),
            user: certificate(Role::User),
            device: certificate(Role::Device),
        });
        Box::new(DeviceKeys::sign(&self.key, &StrictVerifier, chain, 1, keys))
    }

    async fn seal(&self, to: &Device, keys: Option<Box<DeviceKeys>>, text: &str) -> VaultAnswer {
        self.ask(VaultRequest::Seal {
            to: to.node(),
            keys,
            anew: false,
            plain: text.as_bytes().to_vec(),
            label: b"me".to_vec(),
            under: format!("c{text}").into_bytes(),
        })
        .await
    }

    async fn open(&self, sealed: &[u8]) -> Result<Opened, Option<(NodeId, Vec<u8>)>> {
        let (sealed, under) = (sealed.to_vec(), b"p1".to_vec());
        match self.ask(VaultRequest::Open { sealed, under }).await {
            VaultAnswer::Opened(opened) => Ok(opened),
            VaultAnswer::Broken { from } => Err(from),
            other => panic!("{other:?}"),
        }
    }

    /// As after `kill -9`: another keeper reads what is on the disk.
    async fn again(self) -> (Device, Vec<(Vec<u8>, Vec<u8>)>) {
        let node = self.node();
        let Device { folder, key, keeper } = self;
        keeper.close().await;
        let opened = LetterKeeper::open(&Folder::at(folder.path()), node).await;
        let (keeper, kept) = opened.expect("it is whole");
        (Device { folder, key, keeper }, kept)
    }
}

fn sealed(answer: VaultAnswer) -> Vec<u8> {
    match answer {
        VaultAnswer::Sealed(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn letters_open_once_for_the_right_device_in_any_order_and_after_a_restart() {
    let (alice, bob, carol) = (Device::new(1).await, Device::new(2).await, Device::new(3).await);
    assert_eq!(alice.seal(&bob, None, "too soon").await, VaultAnswer::NoSession);
    let keys = bob.keys().await;
    let first = sealed(alice.seal(&bob, Some(keys), "one").await);
    let second = sealed(alice.seal(&bob, None, "two").await);
    let (alice, kept) = alice.again().await;
    assert!(kept.iter().any(|(key, value)| key == b"cone" && *value == first), "kept with it");
    let third = sealed(alice.seal(&bob, None, "three").await);
    assert_eq!(carol.open(&first).await, Err(None), "for somebody else");
    let opened = bob.open(&third).await.expect("the third comes first");
    assert_eq!(
        (opened.plain.as_slice(), opened.from, opened.began),
        (&b"three"[..], alice.node(), true)
    );
    let (bob, _) = bob.again().await;
    assert_eq!(bob.open(&first).await.expect("in order").plain, b"one");
    let from = Some((alice.node(), b"me".to_vec()));
    assert_eq!(bob.open(&first).await, Err(from), "opened before");
    let mut changed = second.clone();
    *changed.last_mut().expect("long") ^= 1;
    assert_eq!(bob.open(&changed).await, Err(None));
    assert_eq!(bob.open(&second).await.expect("unchanged").plain, b"two");
    // Answers go back by the same ratchet once it is proved whose it is.
    assert_eq!(bob.seal(&alice, None, "unproved").await, VaultAnswer::NoSession);
    let trust = vec![(alice.node(), opened.session)];
    let batch = Batch { trust, ..Batch::default() };
    assert_eq!(bob.ask(VaultRequest::Keep(batch)).await, VaultAnswer::Kept);
    let answer = sealed(bob.seal(&alice, None, "hello").await);
    let opened = alice.open(&answer).await.expect("an answer");
    assert_eq!((opened.plain.as_slice(), opened.began), (&b"hello"[..], false));
}

#[tokio::test]
async fn what_is_shown_is_shown_once_and_counted() {
    let bob = Device::new(2).await;
    let letter = |n: u8| ShownLetter {
        id: MessageId([n; 16]),
        from: Name::new("alice").expect("valid"),
        node: NodeId([1; 32]),
        seq: u64::from(n),
        sent_ms: 5,
        body: overlay_proto::encoding::Blob(format!("text {n}").into_bytes()),
    };
    let show = vec![letter(1), letter(2), letter(1)];
    bob.ask(VaultRequest::Keep(Batch { show, ..Batch::default() })).await;
    let (bob, _) = bob.again().await;
    let texts: Vec<String> = bob.keeper.inbox(0).await.into_iter().map(|l| l.text).collect();
    assert_eq!(texts, ["text 1", "text 2"]);
    assert_eq!(bob.keeper.inbox(1).await.len(), 1);
}
