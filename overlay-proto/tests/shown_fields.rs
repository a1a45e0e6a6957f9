//! Row 65: whatever a supernode changes in what it keeps for others is found out.

#[path = "wire/samples.rs"]
#[allow(dead_code, reason = "shared with wire_bytes.rs, which uses more of it")]
mod samples;

use overlay_proto::coordinates::Labels;
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{DeviceRevocation, Domain};
use overlay_proto::location::LocationRecord;
use samples::{NOW, address, chain, key, name, node, realm, record};
use std::sync::Arc;

#[test]
fn a_location_changed_anywhere_is_not_believed() {
    let good = record();
    let believed = |record: &LocationRecord| {
        let member = record.check(&StrictVerifier, realm(), NOW);
        member.is_ok_and(|member| member.name == name("alice"))
    };
    assert!(believed(&good));
    let mut changed = Vec::new();
    let mut add = |change: &dyn Fn(&mut LocationRecord)| {
        let mut record = good.clone();
        change(&mut record);
        assert_ne!(record, good);
        changed.push(record);
    };
    add(&|r| r.seq += 1);
    add(&|r| r.seq -= 1);
    add(&|r| r.seq = u64::MAX);
    add(&|r| r.home = node(8));
    add(&|r| r.standbys.clear());
    add(&|r| r.standbys.push(node(9)));
    add(&|r| r.addresses.clear());
    add(&|r| r.addresses[0] = address(1));
    add(&|r| r.addresses.push(address(1)));
    add(&|r| r.labels = Labels::default());
    add(&|r| r.lease_secs += 1);
    add(&|r| r.lease_secs = 0);
    add(&|r| r.signature = key(4).sign(Domain::Message, b"something else"));
    add(&|r| r.signature = key(5).sign(Domain::Location, b"by another"));
    for byte in 0..64 {
        add(&|r| r.signature.0[byte] ^= 1);
    }
    add(&|r| Arc::make_mut(&mut r.chain).user.name = Some(name("bob")));
    add(&|r| Arc::make_mut(&mut r.chain).user.serial += 1);
    add(&|r| Arc::make_mut(&mut r.chain).user.not_after += 1);
    add(&|r| Arc::make_mut(&mut r.chain).device.subject.0[0] ^= 1);
    add(&|r| Arc::make_mut(&mut r.chain).device.serial += 1);
    add(&|r| Arc::make_mut(&mut r.chain).device.realm.0[0] ^= 1);
    add(&|r| Arc::make_mut(&mut r.chain).registrar.subject.0[0] ^= 1);
    // What is cut between two fields must not be read in another way.
    add(&|r| {
        let (first, rest) = r.addresses[0].as_str().split_at(5);
        let cut = |text: &str| overlay_proto::wire::TransportAddress::new(text).expect("short");
        r.addresses = vec![cut(first), cut(rest)];
    });
    let (tried, accepted) = (changed.len(), changed.iter().filter(|r| believed(r)).count());
    println!("changed location records: believed = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 86));
}

#[test]
fn a_users_word_against_a_device_changed_anywhere_is_not_followed() {
    let good = DeviceRevocation::sign(&key(3), Arc::new(chain()), NOW);
    let follows = |word: &DeviceRevocation| word.check(&StrictVerifier, realm(), NOW).is_ok();
    assert!(follows(&good));
    let mut changed = Vec::new();
    let mut add = |change: &dyn Fn(&mut DeviceRevocation)| {
        let mut word = good.clone();
        change(&mut word);
        changed.push(word);
    };
    add(&|w| w.at += 1);
    add(&|w| Arc::make_mut(&mut w.chain).device.serial += 1);
    add(&|w| Arc::make_mut(&mut w.chain).device.subject.0[0] ^= 1);
    add(&|w| Arc::make_mut(&mut w.chain).user.subject.0[0] ^= 1);
    (0..64).for_each(|byte| add(&|w| w.signature.0[byte] ^= 1));
    // By the device itself, by another user, by the registrar; a valid word about another device.
    for signer in [4, 9, 2] {
        add(&|w| *w = DeviceRevocation::sign(&key(signer), Arc::new(chain()), NOW));
    }
    add(&|w| {
        let other = samples::certificate(3, overlay_proto::identity::Role::Device, 10, None);
        Arc::make_mut(&mut w.chain).device = other;
    });
    let (tried, accepted) = (changed.len(), changed.iter().filter(|word| follows(word)).count());
    println!("changed words against a device: followed = {accepted} of {tried}");
    assert_eq!((accepted, tried), (0, 72));
}
