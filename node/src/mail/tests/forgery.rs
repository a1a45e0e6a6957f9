//! Row 64 of the failure catalogue, by letter: whoever has all of Bob's secrets writes to him as Alice.

use super::*;
use overlay_proto::encoding::Blob;
use overlay_proto::id::UserKey;
use overlay_proto::identity::Signature;
use overlay_proto::mail::Letter;
use overlay_proto::mail::letter::Inside;

const WALL: WallTime = WallTime::from_secs(1_800_000_000);

/// The realm's keys and two users'.
struct World {
    root: SecretKey,
    registrar: SecretKey,
    alice: SecretKey,
    bob: SecretKey,
}

impl World {
    fn new() -> World {
        let key = |n| SecretKey::from_bytes([n; 32]);
        World { root: key(91), registrar: key(92), alice: key(93), bob: key(94) }
    }

    fn realm(&self) -> RealmId {
        RealmId(self.root.public())
    }

    fn issue(&self, by: &SecretKey, role: Role, of: &SecretKey, name: Option<&str>) -> Certificate {
        let validity = Validity::starting(WALL, Span::secs(60));
        let name = name.map(|name| Name::new(name).expect("valid"));
        Certificate::issue(by, self.realm(), role, of.public(), name, 1, validity)
    }

    /// The chain of a device, whose user's certificate is by `registrar` and whose own is by `user`.
    fn chain(&self, registrar: &SecretKey, user: &SecretKey, device: &SecretKey) -> DeviceChain {
        let name = if user.public() == self.bob.public() { "bob" } else { "alice" };
        DeviceChain {
            registrar: self.issue(&self.root, Role::Registrar, &self.registrar, None),
            user: self.issue(registrar, Role::User, user, Some(name)),
            device: self.issue(user, Role::Device, device, None),
        }
    }

    fn letter(&self, from: DeviceChain, body: &str) -> Letter {
        Letter {
            from: Arc::new(from),
            to: UserKey(self.bob.public()),
            id: MessageId([1; 16]),
            seq: 3,
            floor: 2,
            part: 0,
            parts: 1,
            sent_ms: WALL.0,
            expires_ms: WALL.0 + 1_000,
            body: Blob(body.as_bytes().to_vec()),
            signature: Signature([0; 64]),
        }
    }
}

/// Without the keys that work once: the fallback takes their place.
fn lasting(keys: Box<DeviceKeys>) -> Box<DeviceKeys> {
    Box::new(DeviceKeys { one_time: Vec::new(), ..*keys })
}

/// What a thief with Bob's device and user keys, and a genuine letter of Alice, can make.
fn forgeries(world: &World, alice: &SecretKey, bob: &SecretKey) -> Vec<(&'static str, Letter)> {
    let by = |letter: Letter, key: &SecretKey| letter.signed(key, &StrictVerifier);
    let alices = || world.chain(&world.registrar, &world.alice, alice);
    let genuine = by(world.letter(alices(), "lunch?"), alice);
    let reworded = Letter { body: Blob(b"send money".to_vec()), ..genuine.clone() };
    let renumbered = Letter { seq: 4, ..genuine.clone() };
    let mut with_bobs_device = alices();
    with_bobs_device.device = world.issue(&world.bob, Role::Device, bob, None);
    let mut named_alice = world.chain(&world.registrar, &world.bob, bob);
    named_alice.user = world.issue(&world.bob, Role::User, &world.bob, Some("alice"));
    let own_registrar = world.chain(&world.bob, &world.alice, alice);
    vec![
        ("Alice's chain, Bob's device signs", by(world.letter(alices(), "hi"), bob)),
        ("Alice's chain, Bob's user key signs", by(world.letter(alices(), "hi"), &world.bob)),
        ("Alice's chain, nobody signs", world.letter(alices(), "hi")),
        ("Alice's signature on other words", reworded),
        ("Alice's signature on another number", renumbered),
        ("Alice's user, Bob's device", by(world.letter(with_bobs_device, "hi"), bob)),
        ("Bob certifies himself as Alice", by(world.letter(named_alice, "hi"), bob)),
        ("Bob plays the registrar", by(world.letter(own_registrar, "hi"), bob)),
    ]
}

#[tokio::test]
async fn who_has_all_secrets_of_bob_cannot_write_to_him_as_alice() {
    let world = World::new();
    let (alice, bob) = (Device::new(1).await, Device::new(2).await);
    let keys = lasting(bob.keys().await);
    // Bob's folder, stolen: ratchets and keys. It says that it is Alice's device.
    let bob = bob.again().await.0;
    let stolen = TempDir::new().expect("a place for temporary files");
    for entry in std::fs::read_dir(bob.folder.path()).expect("readable") {
        let from = entry.expect("readable").path();
        let to = stolen.path().join(from.file_name().expect("a file"));
        std::fs::copy(from, to).expect("copied");
    }
    let opened = LetterKeeper::open(&Folder::at(stolen.path()), alice.node()).await;
    let key = SecretKey::from_bytes([2; 32]);
    let thief = Device { folder: stolen, key, keeper: opened.expect("it is whole").0 };
    let read = async |letter: &Letter| {
        let request = VaultRequest::Seal {
            to: bob.node(),
            keys: Some(keys.clone()),
            anew: true,
            plain: Inside::Letter(letter.clone()).pad(),
            label: b"alice".to_vec(),
            under: b"c".to_vec(),
        };
        let sealed = sealed(thief.ask(request).await);
        let opened = bob.open(&sealed).await.expect("the seal alone proves nobody");
        assert_eq!(opened.from, alice.node(), "as it claims");
        let Some(Inside::Letter(letter)) = Inside::unpad(&opened.plain) else { panic!("a letter") };
        letter.check(&StrictVerifier, world.realm(), UserKey(world.bob.public()), WALL)
    };
    let (mut accepted, mut tried) = (0, 0);
    for (what, letter) in forgeries(&world, &alice.key, &bob.key) {
        let outcome = read(&letter).await;
        println!("{what}: {}", outcome.as_ref().err().map_or("taken".into(), ToString::to_string));
        (accepted, tried) = (accepted + usize::from(outcome.is_ok()), tried + 1);
    }
    println!("accepted: {accepted} of {tried} letters in Alice's name");
    assert_eq!((accepted, tried), (0, 8));
    let chain = world.chain(&world.registrar, &world.alice, &alice.key);
    let genuine = world.letter(chain, "hi").signed(&alice.key, &StrictVerifier);
    let member = read(&genuine).await.expect("her own words are taken");
    assert_eq!(member.node, alice.node());
}

#[tokio::test]
async fn ratchets_begun_in_alices_name_do_not_push_out_hers() {
    let (alice, bob) = (Device::new(1).await, Device::new(2).await);
    let keys = lasting(bob.keys().await);
    let first = sealed(alice.seal(&bob, Some(keys.clone()), "one").await);
    let opened = bob.open(&first).await.expect("genuine");
    let trust = vec![(alice.node(), opened.session)];
    bob.ask(VaultRequest::Keep(Batch { trust, ..Batch::default() })).await;
    // From here on hers do not begin a ratchet any more: without it they cannot be opened.
    let answer = sealed(bob.seal(&alice, None, "well").await);
    alice.open(&answer).await.expect("an answer");
    for n in 0..20 {
        let folder = TempDir::new().expect("a place for temporary files");
        let opened = LetterKeeper::open(&Folder::at(folder.path()), alice.node()).await;
        let key = SecretKey::from_bytes([n; 32]);
        let thief = Device { folder, key, keeper: opened.expect("new").0 };
        let forged = sealed(thief.seal(&bob, Some(keys.clone()), "forged").await);
        bob.open(&forged).await.expect("opened, and not believed");
    }
    let second = sealed(alice.seal(&bob, None, "two").await);
    assert_eq!(bob.open(&second).await.expect("her ratchet is there").plain, b"two");
}
