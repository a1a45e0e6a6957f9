//! One value of every message, made of fixed keys and times, so that its bytes never change.

use overlay_proto::coordinates::{Coordinates, Epoch, Label, LabelChanges, Labels, LinkCost};
use overlay_proto::denial::Denial;
use overlay_proto::encoding::Blob;
use overlay_proto::id::{
    Cookie, IndexKey, MessageId, NodeId, Nonce, RealmId, RegistryId, ShortId, UserKey,
};
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{
    Certificate, Contact, DeviceChain, DeviceRevocation, Domain, PairingSecret, RegistrarGrant,
    RegistrarKeys, Revocation, RevocationList, Revoker, Role, SecretKey, Subject, Ticket, Validity,
};
use overlay_proto::location::{LocationRecord, index_key};
use overlay_proto::mail::{
    DeviceKeys, LetterReceipts, MailKey, PublicKeys, ReceiptEntry, SealedLetter,
};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::time::{Span, WallTime};
use overlay_proto::wire::end_to_end::{
    Binding, DeviceRenewal, DeviceRenewed, Echo, EchoReply, HopReport, LetterFor, LettersGot,
    Moved, Receipt, ReturnAddress, Text,
};
use overlay_proto::wire::message::*;
use overlay_proto::wire::packet::Destination;
use overlay_proto::wire::{Class, Message, Packet, Payload, TransportAddress};
use std::sync::Arc;

/// The moment of every sample.
pub(crate) const NOW: WallTime = WallTime::from_secs(1_800_000_000);

/// The secret key number `n`.
pub(crate) fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes([n; 32])
}

pub(crate) fn realm() -> RealmId {
    RealmId(key(1).public())
}

pub(crate) fn node(n: u8) -> NodeId {
    NodeId(key(n).public())
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("valid")
}

pub(crate) fn certificate(issuer: u8, role: Role, subject: u8, name: Option<Name>) -> Certificate {
    let validity = Validity::starting(NOW, Span::secs(365 * 24 * 3_600));
    let subject_key = key(subject).public();
    Certificate::issue(&key(issuer), realm(), role, subject_key, name, u64::from(subject), validity)
}

/// Alice's chain: root 1, registrar 2, user 3, device 4.
pub(crate) fn chain() -> DeviceChain {
    DeviceChain {
        registrar: certificate(1, Role::Registrar, 2, None),
        user: certificate(2, Role::User, 3, Some(name("alice"))),
        device: certificate(3, Role::Device, 4, None),
    }
}

/// The supernode, of key 5.
pub(crate) fn supernode() -> Certificate {
    certificate(1, Role::Supernode, 5, None)
}

pub(crate) fn address(port: u16) -> TransportAddress {
    TransportAddress::new(format!("/ip4/192.0.2.1/tcp/{port}")).expect("short")
}

pub(crate) fn contact(n: u8) -> Contact {
    Contact { node: node(n), addresses: vec![address(4_000 + u16::from(n))] }
}

pub(crate) fn labels() -> Labels {
    let root = Label::root(Epoch(3));
    let deep = [1, 15, 0].iter().fold(root, |label, slot| label.child(*slot).expect("shallow"));
    Labels::from(vec![root, deep, Label::NONE])
}

pub(crate) fn coordinates() -> Coordinates {
    let slots = vec![node(6).short(), ShortId::NONE, node(7).short()];
    Coordinates::issue(&key(5), &StrictVerifier, node(4), 9, slots, labels())
}

pub(crate) fn record() -> LocationRecord {
    LocationRecord {
        chain: chain().into(),
        seq: NOW.0,
        home: node(5),
        standbys: vec![node(8)],
        addresses: vec![address(4_004)],
        labels: labels(),
        lease_secs: 60,
        signature: key(4).sign(Domain::Location, b""),
    }
    .signed(&key(4), &StrictVerifier)
}

fn slot_contact() -> SlotContact {
    SlotContact { slot: 2, contact: contact(7), home: node(5), dial: true }
}

fn peer_contact(n: u8) -> PeerContact {
    PeerContact { contact: contact(n), home: node(5) }
}

fn member() -> MemberRecord {
    MemberRecord {
        certificate: supernode().into(),
        addresses: vec![address(4_005)],
        registrar: true,
        seq: NOW.0,
    }
}

fn back() -> ReturnAddress {
    ReturnAddress { key: index_key(realm(), &name("alice")), labels: labels() }
}

fn signature(domain: Domain, n: u8) -> overlay_proto::identity::Signature {
    key(n).sign(domain, b"a fixed text")
}

/// Messages between a peer and its supernode, and the greeting.
fn peer_messages() -> Vec<Message> {
    let user = certificate(2, Role::User, 3, Some(name("alice")));
    let registrar = certificate(1, Role::Registrar, 2, None);
    let slot = SlotReport {
        slot: 2,
        node: node(7).short(),
        up: true,
        cost: LinkCost::new(2).expect("a class"),
    };
    vec![
        Hello {
            version_min: 1,
            version_max: 1,
            capabilities: 0,
            realm: realm(),
            nonce: Nonce([9; 32]),
            observed: Some(address(4_004)),
            supernode: Some(supernode().into()),
        }
        .into(),
        KeepAlive { seq: 70_000, answer: true, cost: LinkCost::HOP_ONLY, told: 0xcbf4_3926 }.into(),
        Goodbye { status: Status::OVERLOADED }.into(),
        Unsupported { number: 77, status: Status::NOT_SERVED }.into(),
        Resync { anew: false }.into(),
        Register {
            name: name("alice"),
            user: UserKey(key(3).public()),
            code: Some("sesame".to_owned()),
            proof: signature(Domain::Register, 3),
        }
        .into(),
        RegisterReply {
            status: Status::OK,
            certificates: Some(UserCertificates { registrar, user }),
            redirect: vec![contact(8)],
        }
        .into(),
        Login {
            chain: chain().into(),
            issuer: Some(supernode().into()),
            coordinates: Some(coordinates()),
            neighbours: vec![slot_contact()],
            addresses: vec![address(4_004)],
            warm: false,
            rtts: vec![Rtt { node: node(5), micros: 1_500 }],
            proof: signature(Domain::Login, 4),
            cookie: Some(Cookie([7; 40])),
        }
        .into(),
        LoginReply {
            status: Status::OK,
            lease_secs: 60,
            standbys: vec![contact(8)],
            redirect: vec![],
            trees: 8,
            degree: 8,
            near: 4,
            others: vec![contact(9)],
            retry_after_secs: 3,
            cookie: Some(Cookie([7; 40])),
        }
        .into(),
        Logout { record: Some(record()) }.into(),
        Assign { coordinates: coordinates(), contacts: vec![slot_contact()] }.into(),
        Report { slots: vec![slot], neighbours: vec![coordinates()] }.into(),
        Publish { record: record() }.into(),
        Lookup { id: 77, name: name("bob"), nonce: 0x0bad_cafe, careful: true }.into(),
        LookupReply {
            id: 77,
            status: Status::OK,
            found: vec![Found { record: record(), age_ms: 1_200, lease_ms: 58_800 }],
            denials: vec![Denial {
                by: supernode().into(),
                at_ms: 1_800_000_000_000,
                signature: signature(Domain::Denial, 2),
            }],
        }
        .into(),
        Standbys { standbys: vec![contact(8)] }.into(),
        Placed { coordinates: coordinates(), issuer: Some(supernode().into()) }.into(),
        Neighbourhood {
            whole: true,
            entries: vec![FarEntry {
                slot: 1,
                node: node(6).short(),
                cost: LinkCost::HOP_ONLY,
                labels: LabelChanges::of(&labels(), 0b11),
                dead_slots: 1,
                dead_parents: 2,
            }],
        }
        .into(),
    ]
}

/// Messages between supernodes.
fn scaffold_messages() -> Vec<Message> {
    vec![
        Heartbeat {
            children: 500,
            free_slots: 12,
            links: 1_994,
            draining: false,
            rtts: vec![Rtt { node: node(8), micros: 40_000 }],
            roots: vec![RootClaim { tree: 3, epoch: Epoch(7), root: node(4).short() }],
            line_secs: 12,
        }
        .into(),
        Members { members: vec![member()] }.into(),
        StoreLocation { record: record() }.into(),
        Locate { id: 78, key: IndexKey(0x0123_4567_89ab_cdef), nonce: 0x0bad_cafe }.into(),
        Splice { id: 79, joiner: contact(4), exclude: vec![node(6).short()] }.into(),
        SpliceReply { id: 79, status: Status::OK, ends: vec![peer_contact(6), peer_contact(7)] }
            .into(),
        Pair { id: 80, peer: contact(4), exclude: vec![] }.into(),
        PairReply { id: 80, status: Status::OK, partner: Some(peer_contact(6)) }.into(),
        Relink { id: 81, child: node(6), old: node(7).short(), new: peer_contact(4) }.into(),
        RelinkReply { id: 81, status: Status::STALE, child: Some(contact(6)) }.into(),
        Release { child: node(6), node: node(4).short() }.into(),
        Enroll {
            ticket: Ticket::issue(
                &key(1),
                1 << 40,
                Some(RegistrarGrant { serial: 1 << 41, registry: RegistryId([9; 16]) }),
                NOW.plus(Span::secs(86_400)),
            ),
            registrar: Some(RegistrarClaim {
                key: Subject(key(2).public()),
                proof: key(2).sign(Domain::Enroll, b"transcript"),
            }),
        }
        .into(),
        EnrollReply {
            status: Status::OK,
            certificate: Some(certificate(1, Role::Supernode, 8, None)),
            members: vec![member()],
            registrar: Some(certificate(1, Role::Registrar, 2, None)),
        }
        .into(),
        Withdraw { key: IndexKey(9), node: node(4) }.into(),
    ]
}

/// The registrar 2, who revokes.
pub(crate) fn revoker() -> Revoker {
    let certificate = certificate(1, Role::Registrar, 2, None);
    Revoker::Registrar(RegistrarKeys { key: key(2), certificate })
}

/// Alice's user key and, under it, her device.
pub(crate) fn revocations() -> Vec<Revocation> {
    let (since, until) = (NOW.0 / 1_000, NOW.0 / 1_000 + 366 * 86_400);
    let entry = |number, role, subject: u8, issuer: Option<u8>| Revocation {
        number,
        role,
        serial: u64::from(subject),
        subject: Subject(key(subject).public()),
        issuer: issuer.map(|issuer| Subject(key(issuer).public())),
        since,
        until,
    };
    vec![entry(1, Role::User, 3, None), entry(2, Role::Device, 4, Some(3))]
}

/// What supernodes, registrars and devices tell each other of who is who.
fn identity_messages() -> Vec<Message> {
    let list = RevocationList::issue(&revoker(), realm(), revocations(), NOW);
    let certificates = UserCertificates {
        registrar: certificate(1, Role::Registrar, 2, None),
        user: certificate(2, Role::User, 3, Some(name("alice"))),
    };
    let secret = PairingSecret([7; 16]);
    let label = "laptop".to_owned();
    vec![
        RevocationsKnown { lists: vec![ListEpoch { signer: list.head.signer(), epoch: 2 }] }.into(),
        RevocationsWanted { signer: list.head.signer(), after: 1 }.into(),
        Revocations { head: list.head, entries: list.entries, more: false }.into(),
        Revoke { id: 90, word: DeviceRevocation::sign(&key(3), chain().into(), NOW) }.into(),
        Renew {
            id: 91,
            registrar: certificates.registrar.clone(),
            user: certificates.user.clone(),
        }
        .into(),
        RegistrarReply { id: 91, status: Status::OK, certificates: Some(certificates) }.into(),
        JoinDevice {
            id: 92,
            to: node(4),
            device: node(10),
            seal: secret.seal(realm(), node(4), node(10), &label),
            label,
        }
        .into(),
        JoinDeviceReply {
            id: 92,
            device: node(10),
            status: Status::OK,
            chain: Some(Arc::new(chain())),
        }
        .into(),
        Expel { node: node(4).short() }.into(),
        Swim { data: Blob(vec![6, 1, 2, 3]) }.into(),
        Life { life: NOW.0, buried: NOW.0 - 60_000 }.into(),
        MembersKnown { count: 3, sum: 0xdead_beef }.into(),
        MembersHeld {
            after: Some(node(4)),
            until: None,
            entries: vec![MemberHeld { node: node(5), seq: NOW.0 }],
        }
        .into(),
    ]
}

/// Every message in full, in the order of the numbers.
pub(crate) fn messages() -> Vec<Message> {
    [peer_messages(), scaffold_messages(), identity_messages(), mail_messages()].concat()
}

/// Every payload in full, in the order of the numbers.
pub(crate) fn payloads() -> Vec<Payload> {
    let id = MessageId([0xab; 16]);
    vec![
        Payload::Text(Text {
            id,
            from: chain().into(),
            text: "Grüße, bob!".to_owned(),
            sent_ms: NOW.0,
            back: back(),
            signature: signature(Domain::Message, 4),
        }),
        Payload::Receipt(Receipt {
            id,
            hops: 3,
            escalated: false,
            signature: signature(Domain::Receipt, 6),
        }),
        Payload::Echo(Echo { nonce: u64::MAX, back: back() }),
        Payload::EchoReply(EchoReply { nonce: u64::MAX, hops: 3, name: Some(name("bob")) }),
        Payload::HopReport(HopReport { nonce: 1, hops: 2, name: None }),
        Payload::Moved(Moved { record: record() }),
        Payload::DeviceRenewal(DeviceRenewal { chain: chain().into(), back: back() }),
        Payload::DeviceRenewed(DeviceRenewed { device: certificate(3, Role::Device, 4, None) }),
    ]
    .into_iter()
    .chain(mail_payloads())
    .chain([Payload::Binding(Binding { record: record(), asks: true })])
    .collect()
}

/// A packet that has been forwarded, escalated and stuck, so that every part of it is there.
pub(crate) fn packet() -> Packet {
    let to = Destination { node: node(6), key: index_key(realm(), &name("bob")), labels: labels() };
    let payload = payloads()[3].encode().expect("fits");
    let mut packet = Packet::new(Class::Message, node(4), &to, &payload);
    assert!(packet.take_hop() && packet.take_hop());
    packet.set_estimate(4);
    packet.set_escalated();
    assert!(packet.visit(node(7).short()) && packet.visit(node(8).short()));
    let _ = packet.step_back();
    packet
}

fn mail_keys() -> DeviceKeys {
    let keys = PublicKeys {
        identity: MailKey([1; 32]),
        envelope: MailKey([2; 32]),
        fallback: MailKey([3; 32]),
        one_time: vec![MailKey([4; 32])],
    };
    DeviceKeys::sign(&key(4), &StrictVerifier, chain().into(), NOW.0, keys)
}

fn sealed_letter() -> SealedLetter {
    SealedLetter {
        key: index_key(realm(), &name("alice")),
        to: node(4),
        id: MessageId([7; 16]),
        order: NOW.0,
        expires_ms: NOW.0 + 1_000,
        bytes: Blob(vec![9; 256]),
    }
}

fn mail_messages() -> Vec<Message> {
    let (key, device) = (index_key(realm(), &name("alice")), node(4));
    let ids = vec![MessageId([7; 16])];
    vec![
        MailKeys { key, keys: mail_keys() }.into(),
        MailKeysWanted { id: 1, key, known: vec![node(6)] }.into(),
        MailKeysReply { id: 1, status: Status::OK, devices: vec![mail_keys()] }.into(),
        Deposit { id: 2, letter: sealed_letter() }.into(),
        DepositReply { id: 2, status: Status::ACCEPTED, copies: 2 }.into(),
        KeepLetter { id: 3, tag: u64::MAX, letter: sealed_letter() }.into(),
        LetterKept { id: 3, status: Status::ACCEPTED }.into(),
        FetchLetters { key, device }.into(),
        Letters { replica: node(5), device, letters: vec![sealed_letter()], more: true }.into(),
        LettersTaken {
            key,
            device,
            ids: ids.clone(),
            signature: signature(Domain::LettersTaken, 4),
        }
        .into(),
        LettersWait { device }.into(),
        MailboxHeld { key, ids: ids.clone(), keys: vec![mail_keys()] }.into(),
        MailboxMissing { key, wanted: ids.clone(), taken: ids }.into(),
    ]
}

fn mail_payloads() -> Vec<Payload> {
    let entries = vec![ReceiptEntry { copy: MessageId([7; 16]), status: Status::OK }];
    let receipts = LetterReceipts::sign(&key(4), &StrictVerifier, node(6), entries);
    let letter = sealed_letter();
    let (id, expires_ms, bytes) = (letter.id, letter.expires_ms, letter.bytes);
    vec![
        Payload::LetterFor(LetterFor { id, expires_ms, bytes }),
        Payload::LettersGot(LettersGot { receipts }),
    ]
}
