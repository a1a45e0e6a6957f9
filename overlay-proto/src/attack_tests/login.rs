//! Log-ins with chains that prove nothing, and with proofs of another time or place.

use super::*;
use crate::id::RealmId;
use crate::identity::{RegistrarKeys, Revocation, RevocationList, Revoker, Signature, Subject};
use crate::time::WallTime;

/// Row 58: each link of the chain, wrong in each way, at a real door.
#[test]
fn a_chain_that_is_wrong_anywhere_opens_nothing() {
    let mut keys = Keys::new();
    let mut door = keys.door();
    let (root, registrar) = (keys.root.clone(), keys.registrar.clone());
    let parts = [
        (Role::Registrar, root.clone(), registrar.clone()),
        (Role::User, registrar.clone(), key(3)),
        (Role::Device, key(3), key(4)),
    ];
    let mut cases: Vec<(String, DeviceChain)> = Vec::new();
    for (at, (role, issuer, subject)) in parts.iter().enumerate() {
        let mut wrong: Vec<(String, Certificate)> = Vec::new();
        let make = |by: &SecretKey, realm, role, subject: &SecretKey, validity| {
            let name = (role == Role::User).then(|| name("alice"));
            Certificate::issue(by, realm, role, subject.public(), name, 1, validity)
        };
        let (id, now) = (keys.realm.id(), Validity::starting(WALL, Span::secs(1_000)));
        let ended = Validity { from: WallTime(0), until: WALL };
        let later = Validity { from: WALL.plus(Span::secs(1)), until: WALL.plus(Span::secs(9)) };
        wrong.push(("expired".into(), make(issuer, id, *role, subject, ended)));
        wrong.push(("not yet valid".into(), make(issuer, id, *role, subject, later)));
        let foreign = RealmId(key(9).public());
        wrong.push(("of another realm".into(), make(issuer, foreign, *role, subject, now)));
        let roles = [Role::Registrar, Role::Supernode, Role::User, Role::Device];
        for other in roles.into_iter().filter(|other| other != role) {
            wrong.push((format!("as {other:?}"), make(issuer, id, other, subject, now)));
        }
        let signers = [("itself", subject.clone()), ("a stranger", key(9)), ("root", root.clone())];
        let more = [("registrar", registrar.clone()), ("user", key(3)), ("device", key(4))];
        let strangers = signers.into_iter().chain(more);
        for (who, by) in strangers.filter(|(_, by)| by.public() != issuer.public()) {
            wrong.push((format!("by {who}"), make(&by, id, *role, subject, now)));
        }
        wrong.push(("for another key".into(), make(issuer, id, *role, &key(9), now)));
        let good = make(issuer, id, *role, subject, now);
        let mut renamed = good.clone();
        renamed.name = if *role == Role::User { None } else { Some(name("alice")) };
        wrong.push(("named wrongly".into(), renamed));
        let mut forged = good.clone();
        forged.signature = Signature([0; 64]);
        wrong.push(("unsigned".into(), forged));
        let mut longer = good;
        longer.not_after += 1;
        wrong.push(("made longer".into(), longer));
        for (what, certificate) in wrong {
            let mut chain = keys.chain();
            *[&mut chain.registrar, &mut chain.user, &mut chain.device][at] = certificate;
            cases.push((format!("{role:?} {what}"), chain));
        }
    }
    // A chain that is too long: a device that a device has certified, a user by a user.
    let mut long = keys.chain();
    long.device = keys.issue(&key(4), Role::Device, &key(5));
    cases.push(("a device's device".into(), long));
    let mut long = keys.chain();
    long.user = keys.issue(&key(3), Role::User, &key(6));
    long.device = keys.issue(&key(6), Role::Device, &key(4));
    cases.push(("a user's user".into(), long));
    let tried = cases.len();
    let mut accepted = 0;
    for (what, chain) in cases {
        let device = if what == "a device's device" { key(5) } else { key(4) };
        let knocked = door.knock(&device, |_| {}, |_| {}).expect("greeted");
        let before = door.state();
        let status = door.log_in(knocked.link, login(chain, &device, &knocked.transcript));
        accepted += usize::from(status.is_success());
        assert!(status.0 / 100 == 4, "{what}: {status}");
        assert_eq!(door.state(), before, "{what} changed something");
        door.give(knocked.link, Input::LinkDown { link: knocked.link });
    }
    println!("chains that prove nothing: accepted = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 47));
    // And the door does open.
    let knocked = door.knock(&key(4), |_| {}, |_| {}).expect("greeted");
    let good = login(keys.chain(), &key(4), &knocked.transcript);
    assert_eq!(door.log_in(knocked.link, good), Status::OK);
}

/// Row 59: a proof is good on its own link only.
#[test]
fn a_replayed_log_in_opens_nothing() {
    let mut keys = Keys::new();
    let (mut accepted, mut tried) = (0, 0);
    let mut attempt = |status: Status, what: &str| {
        tried += 1;
        accepted += usize::from(status.is_success());
        assert_eq!(status, Status::UNPROVEN, "{what}");
    };
    for round in 0..50 {
        let mut door = keys.door();
        // Rounds differ in what went before: nonces are drawn from where the dice stand.
        for stranger in 0..round {
            let knocked = door.knock(&key(50 + stranger), |_| {}, |_| {}).expect("greeted");
            door.give(knocked.link, Input::LinkDown { link: knocked.link });
        }
        let knocked = door.knock(&key(4), |_| {}, |_| {}).expect("greeted");
        let captured = login(keys.chain(), &key(4), &knocked.transcript);
        assert_eq!(door.log_in(knocked.link, captured.clone()), Status::OK);
        door.give(knocked.link, Input::LinkDown { link: knocked.link });

        let mut again = |door: &mut Door, what: &str| {
            let knocked = door.knock(&key(4), |_| {}, |_| {}).expect("greeted");
            let status = door.log_in(knocked.link, captured.clone());
            attempt(status, what);
            door.give(knocked.link, Input::LinkDown { link: knocked.link });
        };
        again(&mut door, "at the same supernode");
        let mut other = Door::new(keys.realm.supernode(1));
        again(&mut other, "at another supernode");
        let mut setup = keys.realm.supernode(0);
        setup.seed[5] ^= 0x55;
        let mut restarted = Door::new(setup);
        again(&mut restarted, "after a restart");
        for jump in [Span::secs(3_600), Span::secs(24 * 3_600)] {
            door.give(LinkId(0), Input::WallClock(WALL.plus(jump)));
            again(&mut door, "after the clock jumped ahead");
        }
        door.give(LinkId(0), Input::WallClock(WallTime(WALL.0 - 1_000_000)));
        again(&mut door, "after the clock jumped back");
    }
    println!("replayed log-ins: accepted = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 300));
}

/// Row 57: a revoked certificate stays so in whatever form it comes.
#[test]
fn a_revoked_certificate_is_refused_in_every_form() {
    let mut keys = Keys::new();
    let registrar =
        RegistrarKeys { key: keys.registrar.clone(), certificate: keys.chain().registrar };
    let entry = |number, role, subject: u8, issuer: Option<u8>| Revocation {
        number,
        role,
        serial: 1,
        subject: Subject(key(subject).public()),
        issuer: issuer.map(|issuer| Subject(key(issuer).public())),
        since: WALL.0 / 1_000,
        until: u64::MAX,
    };
    let lists = [
        vec![entry(1, Role::User, 3, None)],
        vec![entry(1, Role::Device, 4, None)],
        vec![entry(1, Role::Device, 4, Some(3))],
    ];
    let (mut accepted, mut tried) = (0, 0);
    for entries in lists {
        let mut door = keys.door();
        let revoker = Revoker::Registrar(registrar.clone());
        let list = RevocationList::issue(&revoker, keys.realm.id(), entries, WALL);
        door.give(LinkId(0), Input::Revocations(vec![Arc::new(list)]));
        // The same certificate, one with another serial number, other times, signed anew, and one
        // by a registrar that has been certified again.
        let mut forms = vec![keys.chain(), keys.chain()];
        for (serial, life) in [(2, 100_000), (u64::MAX, 5_000), (1, 7_777)] {
            let validity = Validity::starting(WALL, Span::secs(life));
            let issue = |by: &SecretKey, role, subject: &SecretKey| {
                let name = (role == Role::User).then(|| name("alice"));
                let realm = keys.realm.id();
                Certificate::issue(by, realm, role, subject.public(), name, serial, validity)
            };
            let user = issue(&keys.registrar, Role::User, &key(3));
            let device = issue(&key(3), Role::Device, &key(4));
            let own = issue(&keys.root, Role::Registrar, &keys.registrar);
            forms.push(DeviceChain { user: user.clone(), ..keys.chain() });
            forms.push(DeviceChain { device: device.clone(), ..keys.chain() });
            forms.push(DeviceChain { registrar: own, user, device });
        }
        for chain in forms {
            let knocked = door.knock(&key(4), |_| {}, |_| {}).expect("greeted");
            let ask = login(chain, &key(4), &knocked.transcript);
            let mut frames = vec![encode(&ask.clone().into()).expect("short")];
            frames.extend(non_canonical(&ask.into()));
            for frame in frames {
                let said = door.give(knocked.link, Input::Received { link: knocked.link, frame });
                let said: Vec<Message> =
                    said.iter().filter_map(|f| decode_message(f).ok()).collect();
                let opened = said
                    .iter()
                    .any(|m| matches!(m, Message::LoginReply(reply) if reply.status.is_success()));
                tried += 1;
                accepted += usize::from(opened);
            }
            door.give(knocked.link, Input::LinkDown { link: knocked.link });
        }
        assert_eq!(door.state().0, 0);
    }
    println!("forms of a revoked certificate: accepted = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 3 * 11 * 4));
}

/// The same message in encodings that a decoder may accept and nobody writes: lengths in more
/// bytes than they need, an array without a length, a further field.
fn non_canonical(message: &Message) -> Vec<Vec<u8>> {
    let frame = encode(message).expect("short");
    // [0x82, number, 0x89 (an array of nine fields), ...]
    assert_eq!(frame[2], 0x89, "the body of a log-in has nine fields");
    let (head, body) = (&frame[..2], &frame[3..]);
    let mut long = head.to_vec();
    long.extend([0x98, 9]);
    long.extend(body);
    let mut endless = head.to_vec();
    endless.push(0x9f);
    endless.extend(body);
    endless.push(0xff);
    let mut more = head.to_vec();
    more.push(0x8a);
    more.extend(body);
    more.push(0xf6);
    vec![long, endless, more]
}
