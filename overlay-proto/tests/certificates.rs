//! Every way in which a certificate may prove nothing, and the answer to each.

#[path = "wire/samples.rs"]
#[allow(dead_code, reason = "shared with wire_bytes.rs, which uses more of it")]
mod samples;

use overlay_proto::id::RealmId;
use overlay_proto::identity::chain::check_supernode;
use overlay_proto::identity::verify::{StrictVerifier, Verify};
use overlay_proto::identity::{
    Certificate, CertificateError, DeviceChain, Domain, Role, Signature, Subject, Validity,
};
use overlay_proto::name::Name;
use overlay_proto::time::{Span, WallTime};
use samples::{NOW, certificate, chain, key, name, node, realm, supernode};

const LIFE: Span = Span::secs(365 * 24 * 3_600);
const ROLES: [Role; 4] = [Role::Registrar, Role::Supernode, Role::User, Role::Device];

/// A certificate by key 1 for key 2, in `role`, with a name where the role has one.
fn valid(role: Role) -> Certificate {
    certificate(1, role, 2, (role == Role::User).then(|| name("alice")))
}

fn check(certificate: &Certificate, role: Role, now: WallTime) -> Result<(), CertificateError> {
    certificate.check(&StrictVerifier, realm(), role, &realm().0, now)
}

fn check_chain(chain: &DeviceChain) -> Result<Name, CertificateError> {
    chain.check(&StrictVerifier, realm(), node(4), NOW).map(|member| member.name)
}

#[test]
fn holds_from_its_first_to_its_last_second() {
    for role in ROLES {
        let certificate = valid(role);
        let (first, end) = (certificate.not_before, certificate.not_after);
        let at = |secs| check(&certificate, role, WallTime::from_secs(secs));
        assert_eq!(at(first - 1), Err(CertificateError::NotYetValid));
        assert_eq!(at(first), Ok(()));
        assert_eq!(at(end - 1), Ok(()));
        assert_eq!(at(end), Err(CertificateError::Expired));
        assert_eq!(at(u64::MAX / 1_000), Err(CertificateError::Expired));
        assert_eq!(at(0), Err(CertificateError::NotYetValid));
    }
}

#[test]
fn holds_in_its_realm_only() {
    for role in ROLES {
        let other = RealmId(key(9).public());
        let foreign = valid(role).check(&StrictVerifier, other, role, &realm().0, NOW);
        assert_eq!(foreign, Err(CertificateError::ForeignRealm));
    }
}

#[test]
fn gives_its_role_only() {
    for found in ROLES {
        for needed in ROLES.into_iter().filter(|needed| *needed != found) {
            let error = CertificateError::WrongRole { found, needed };
            assert_eq!(check(&valid(found), needed, NOW), Err(error));
        }
    }
}

#[test]
fn names_stand_in_user_certificates_only() {
    for role in ROLES {
        let unfit = (role != Role::User).then(|| name("alice"));
        let certificate = certificate(1, role, 2, unfit);
        assert_eq!(check(&certificate, role, NOW), Err(CertificateError::NameMismatch));
    }
}

#[test]
fn is_signed_by_its_issuer_and_nobody_else() {
    for role in ROLES {
        let named = (role == Role::User).then(|| name("alice"));
        // By a stranger, and by its own subject.
        for issuer in [9, 2] {
            let certificate = certificate(issuer, role, 2, named.clone());
            assert_eq!(check(&certificate, role, NOW), Err(CertificateError::WrongSignature));
        }
    }
}

#[test]
fn no_field_can_be_changed() {
    type Change = fn(&mut Certificate);
    let changes: [(&str, Change); 8] = [
        ("subject", |c| c.subject = Subject(key(9).public())),
        ("one bit of the subject", |c| c.subject.0[31] ^= 1),
        ("serial", |c| c.serial += 1),
        ("not before", |c| c.not_before -= 1),
        ("not after", |c| c.not_after += 1),
        ("name", |c| c.name = c.name.as_ref().map(|_| name("alicf"))),
        ("name's length", |c| c.name = c.name.as_ref().map(|_| name("alic"))),
        ("signature", |c| c.signature.0[0] ^= 1),
    ];
    for role in ROLES {
        for (field, change) in changes {
            let mut certificate = valid(role);
            change(&mut certificate);
            if certificate != valid(role) {
                let outcome = check(&certificate, role, NOW);
                assert_eq!(outcome, Err(CertificateError::WrongSignature), "{role:?}: {field}");
            }
        }
    }
    // Realm and role are compared first; with the wanted ones put in, the signature gives it away.
    for (from, to) in [(Role::Supernode, Role::Registrar), (Role::Device, Role::Supernode)] {
        let mut promoted = valid(from);
        promoted.role = to;
        assert_eq!(check(&promoted, to, NOW), Err(CertificateError::WrongSignature));
    }
    let validity = Validity::starting(NOW, LIFE);
    let foreign = RealmId(key(9).public());
    let mut moved =
        Certificate::issue(&key(1), foreign, Role::Supernode, key(5).public(), None, 5, validity);
    moved.realm = realm();
    assert_eq!(check(&moved, Role::Supernode, NOW), Err(CertificateError::WrongSignature));
}

#[test]
fn a_signature_for_another_purpose_is_none() {
    let mut certificate = valid(Role::Supernode);
    let numbers = [certificate.serial, certificate.not_before, certificate.not_after];
    let mut text = [&realm().0[..], &[Role::Supernode as u8], &certificate.subject.0].concat();
    numbers.iter().for_each(|number| text.extend(number.to_be_bytes()));
    let mut signed_for = |domain| {
        certificate.signature = key(1).sign(domain, &text);
        check(&certificate, Role::Supernode, NOW)
    };
    assert_eq!(signed_for(Domain::Certificate), Ok(()), "this is the text that is signed");
    for domain in [Domain::Ticket, Domain::Login, Domain::Register, Domain::Location] {
        assert_eq!(signed_for(domain), Err(CertificateError::WrongSignature), "{domain:?}");
    }
}

#[test]
fn a_chain_proves_one_node() {
    assert_eq!(check_chain(&chain()), Ok(name("alice")));
    let other = chain().check(&StrictVerifier, realm(), node(9), NOW);
    assert_eq!(other, Err(CertificateError::WrongSubject));
    // Nor does one of its other keys count as the node.
    for link in [1, 2, 3] {
        let outcome = chain().check(&StrictVerifier, realm(), node(link), NOW);
        assert_eq!(outcome, Err(CertificateError::WrongSubject));
    }
}

#[test]
fn a_chain_breaks_at_each_link() {
    let named = || Some(name("alice"));
    let with = |change: &dyn Fn(&mut DeviceChain)| {
        let mut chain = chain();
        change(&mut chain);
        check_chain(&chain)
    };
    // A registrar that the root never certified, with all below it in order.
    let own = with(&|c| {
        c.registrar = certificate(9, Role::Registrar, 9, None);
        c.user = certificate(9, Role::User, 3, named());
    });
    assert_eq!(own, Err(CertificateError::WrongSignature));
    // A user certified by a user, by itself, by the root; a device by the registrar, by itself.
    for issuer in [3, 4, 1] {
        let outcome = with(&|c| c.user = certificate(issuer, Role::User, 3, named()));
        assert_eq!(outcome, Err(CertificateError::WrongSignature));
    }
    for issuer in [2, 4, 1] {
        let outcome = with(&|c| c.device = certificate(issuer, Role::Device, 4, None));
        assert_eq!(outcome, Err(CertificateError::WrongSignature));
    }
    // Another user's certificate of the same registrar in place of the one that owns the device.
    let stolen = with(&|c| c.user = certificate(2, Role::User, 9, named()));
    assert_eq!(stolen, Err(CertificateError::WrongSignature));
    let unnamed = with(&|c| c.user.name = None);
    assert_eq!(unnamed, Err(CertificateError::NameMismatch));
    let swapped = with(&|c| c.registrar = supernode());
    let error = CertificateError::WrongRole { found: Role::Supernode, needed: Role::Registrar };
    assert_eq!(swapped, Err(error));
}

#[test]
fn a_chain_ends_with_its_first_link() {
    let short = Validity::starting(NOW, Span::secs(60));
    let later = NOW.plus(Span::secs(60));
    let issue = |issuer: u8, role, subject: u8, name| {
        let subject = key(subject).public();
        Certificate::issue(&key(issuer), realm(), role, subject, name, 1, short)
    };
    let links: [fn(&mut DeviceChain, Certificate); 3] =
        [|c, new| c.registrar = new, |c, new| c.user = new, |c, new| c.device = new];
    let expiring = [
        issue(1, Role::Registrar, 2, None),
        issue(2, Role::User, 3, Some(name("alice"))),
        issue(3, Role::Device, 4, None),
    ];
    for (put, certificate) in links.into_iter().zip(expiring) {
        let mut chain = chain();
        put(&mut chain, certificate);
        let at = |now| chain.check(&StrictVerifier, realm(), node(4), now).map(|_| ());
        assert_eq!(at(NOW), Ok(()));
        assert_eq!(at(later), Err(CertificateError::Expired));
    }
}

#[test]
fn a_supernode_is_what_the_root_says() {
    let check = |certificate: &Certificate, n| {
        check_supernode(certificate, &StrictVerifier, realm(), node(n), NOW)
    };
    assert_eq!(check(&supernode(), 5), Ok(()));
    assert_eq!(check(&supernode(), 6), Err(CertificateError::WrongSubject));
    // A registrar certifies users only.
    let by_registrar = certificate(2, Role::Supernode, 5, None);
    assert_eq!(check(&by_registrar, 5), Err(CertificateError::WrongSignature));
}

/// The order of the curve's large subgroup (RFC 8032, section 5.1), little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_signature_has_one_form() {
    let mut certificate = supernode();
    let mut carry = 0_u16;
    for (byte, add) in certificate.signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0, "S + L still fits 32 bytes");
    assert_ne!(certificate, supernode());
    let outcome = check(&certificate, Role::Supernode, NOW);
    assert_eq!(outcome, Err(CertificateError::WrongSignature));
}

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|at| {
        u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal")
    })
}

/// All encodings of points of small order: the seven of libsodium's list, to be taken
/// with either sign.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Under a key of small order, `R` of small order and `S = 0` pass a careless check for every
/// eighth text or more.
#[test]
fn keys_of_small_order_prove_nothing() {
    for text in SMALL_ORDER {
        for sign in [0, 0x80] {
            let mut key: [u8; 32] = unhex(text);
            key[31] |= sign;
            for r in SMALL_ORDER {
                let mut signature = Signature([0; 64]);
                signature.0[..32].copy_from_slice(&unhex::<32>(r));
                for n in 0..16_u8 {
                    assert!(!StrictVerifier.verify(&key, &[n], &signature), "{text} {r}");
                }
            }
        }
    }
}

/// The published vectors of "Taming the Many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), in
/// their numbering: message, public key, signature, and whether a strict verifier accepts.
#[rustfmt::skip]
const SPECCHECK: [(&str, &str, &str, bool); 10] = [
    // 0 to 2: the key, R or both are of small order.
    ("8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a\
      0000000000000000000000000000000000000000000000000000000000000000", false),
    ("9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43\
      a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04", false),
    ("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa\
      8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e", false),
    // 3: key and R are mixed, the equation holds without the cofactor: nothing forbids it.
    ("9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f\
      87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009", true),
    // 4 and 5: the equation holds only with the cofactor.
    ("e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512\
      5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09", false),
    ("e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7\
      e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405", false),
    // 6 and 7: S is not below the group's order.
    ("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e\
      547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514", false),
    ("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942\
      7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22", false),
    // 8 and 9: R is of small order in a form that is not canonical.
    ("fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f\
      454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607", false),
    ("84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f\
      084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09", false),
];

#[test]
fn published_edge_cases_are_judged_strictly() {
    for (number, (message, key, signature, accepted)) in SPECCHECK.into_iter().enumerate() {
        let message: [u8; 32] = unhex(message);
        let outcome = StrictVerifier.verify(&unhex(key), &message, &Signature(unhex(signature)));
        assert_eq!(outcome, accepted, "case {number}");
    }
}

/// RFC 8032, section 7.1, tests 1 to 3: public key, message, signature.
const RFC_8032: [(&str, &[u8], &str); 3] = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        &[],
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        &[0x72],
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        &[0xaf, 0x82],
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
];

/// `S + L`: the same signature in a second form, for who does not look.
fn malleated(mut signature: Signature) -> Signature {
    let mut carry = 0_u16;
    for (byte, add) in signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0, "S + L still fits 32 bytes");
    signature
}

/// Row 62: what is right is accepted, and nothing beside it.
#[test]
fn the_vectors_of_the_standard_hold_and_no_neighbour_of_theirs() {
    let (mut tried, mut accepted) = (0, 0);
    let mut refuse = |key: &[u8; 32], text: &[u8], signature: &Signature| {
        tried += 1;
        accepted += usize::from(StrictVerifier.verify(key, text, signature));
    };
    for (public, text, signature) in RFC_8032 {
        let (public, signature) = (unhex::<32>(public), Signature(unhex(signature)));
        assert!(StrictVerifier.verify(&public, text, &signature));
        refuse(&public, text, &malleated(signature));
        for bit in 0..512 {
            let mut other = signature;
            other.0[bit / 8] ^= 1 << (bit % 8);
            refuse(&public, text, &other);
        }
        for bit in 0..256 {
            let mut other = public;
            other[bit / 8] ^= 1 << (bit % 8);
            refuse(&other, text, &signature);
        }
        refuse(&public, &[text, &[0]].concat(), &signature);
    }
    for n in 1..=200 {
        let text = [n; 7];
        let signature = key(n).sign(Domain::Message, &text);
        let tagged = Domain::Message.tagged(&text);
        assert!(StrictVerifier.verify(&key(n).public(), &tagged, &signature));
        refuse(&key(n).public(), &tagged, &malleated(signature));
    }
    println!("neighbours of good signatures: accepted = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 3 * 770 + 200));
}
