//! Row 65: every field of a text that is shown, changed by who carries it.

use super::name;
use crate::Config;
use crate::id::NodeId;
use crate::identity::DeviceChain;
use crate::io::{Command, Event, Input, Reply};
use crate::testing::{Net, Realm};
use crate::time::Span;
use crate::wire::end_to_end::{Receipt, Text};
use crate::wire::packet::Destination;
use crate::wire::{Class, Packet, Payload};
use std::sync::Arc;

struct Scene {
    net: Net,
    users: Vec<NodeId>,
    text: Text,
    to: Destination,
}

/// Alice (0) has written to Bob (1), and the packet is held back on its way.
fn scene() -> Scene {
    let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
    let supernode = realm.supernode(0);
    net.add(supernode);
    let users = net.log_in(&mut realm, 0..4);
    net.run(Span::secs(10));
    net.hold_packets = true;
    net.command(users[0], Command::Send { to: name("u1"), text: "ten coins".to_owned() });
    net.run(Span::millis(200));
    let held = net.held.iter().map(|frame| Packet::parse(frame.clone()).expect("whole"));
    let (packet, text) = held
        .filter_map(|packet| match Payload::decode(packet.payload()) {
            Ok(Payload::Text(text)) => Some((packet, text)),
            _ => None,
        })
        .next()
        .expect("it set out");
    let to = Destination {
        node: packet.destination(),
        key: crate::location::index_key(realm.id(), &name("u1")),
        labels: crate::coordinates::Labels::default(),
    };
    Scene { net, users, text, to }
}

impl Scene {
    /// Hands a packet to Bob over a link of his; how many texts he is shown.
    fn hand(&mut self, source: NodeId, payload: &Payload) -> usize {
        let bob = self.users[1];
        let packet = Packet::new(
            Class::Message,
            source,
            &Destination { node: bob, ..self.to.clone() },
            &payload.encode().expect("short"),
        );
        let link = self.net.link_between(self.users[0], bob);
        let before = self.shown();
        self.net.input(bob, Input::Received { link, frame: packet.into_frame() });
        self.shown() - before
    }

    fn shown(&self) -> usize {
        let shown = |(_, event): &&(NodeId, Event)| matches!(event, Event::Received(_));
        self.net.events.iter().filter(shown).count()
    }

    fn chain(&self, user: usize) -> DeviceChain {
        let identity = self.net.nodes[&self.users[user]].clone_identity();
        (**identity.chain().expect("registered")).clone()
    }
}

#[test]
fn a_text_changed_anywhere_is_not_shown() {
    let mut scene = scene();
    let (alice, carol) = (scene.users[0], scene.users[2]);
    let genuine = scene.text.clone();
    let mut changed: Vec<(String, NodeId, Text)> = Vec::new();
    let mut add = |what: &str, source, change: &dyn Fn(&mut Text)| {
        let mut text = genuine.clone();
        change(&mut text);
        changed.push((what.to_owned(), source, text));
    };
    add("the text", alice, &|t| t.text = "ten coins more".to_owned());
    add("one letter", alice, &|t| t.text = "Ten coins".to_owned());
    add("cut short", alice, &|t| t.text.truncate(8));
    add("nothing", alice, &|t| t.text.clear());
    add("a time a moment later", alice, &|t| t.sent_ms += 1);
    add("a time a moment before", alice, &|t| t.sent_ms -= 1);
    add("no time", alice, &|t| t.sent_ms = 0);
    for byte in 0..16 {
        add("the id", alice, &|t| t.id.0[byte] ^= 1);
    }
    let carols = Arc::new(scene.chain(2));
    add("another sender's certificates", alice, &|t| t.from = carols.clone());
    add("another sender", carol, &|t| t.from = carols.clone());
    add("another source", carol, &|_| {});
    type Edit = fn(&mut DeviceChain);
    let edits: [(&str, Edit); 8] = [
        ("name", |c| c.user.name = Some(name("u2"))),
        ("no name", |c| c.user.name = None),
        ("realm", |c| c.device.realm.0[0] ^= 1),
        ("user key", |c| c.user.subject.0[0] ^= 1),
        ("device key", |c| c.device.subject.0[0] ^= 1),
        ("end of the device", |c| c.device.not_after += 1),
        ("serial of the user", |c| c.user.serial += 1),
        ("registrar", |c| c.registrar.subject.0[0] ^= 1),
    ];
    for (what, edit) in edits {
        add(what, alice, &|t| edit(Arc::make_mut(&mut t.from)));
    }
    for byte in 0..64 {
        add("the signature", alice, &|t| t.signature.0[byte] ^= 1);
    }
    let tried = changed.len() + 1;
    let mut shown = 0;
    for (what, source, text) in changed {
        let seen = scene.hand(source, &Payload::Text(text));
        assert_eq!(seen, 0, "{what}");
        shown += seen;
    }
    // Another recipient: what Alice wrote to Bob is handed to Carol.
    let (bob, dave) = (scene.users[1], scene.users[3]);
    let packet = Packet::new(
        Class::Message,
        alice,
        &Destination { node: dave, ..scene.to.clone() },
        &Payload::Text(genuine.clone()).encode().expect("short"),
    );
    let link = scene.net.link_between(alice, dave);
    let before = scene.shown();
    scene.net.input(dave, Input::Received { link, frame: packet.into_frame() });
    shown += scene.shown() - before;
    println!("changed texts: shown = {shown} of {tried}");
    assert_eq!((shown, tried), (0, 99));
    assert_eq!(scene.hand(alice, &Payload::Text(genuine)), 1, "the genuine one is shown");
    assert_ne!(bob, dave);
}

#[test]
fn a_receipt_changed_anywhere_is_no_receipt() {
    let mut scene = scene();
    let (alice, bob) = (scene.users[0], scene.users[1]);
    let genuine = scene.text.clone();
    scene.net.held.clear();
    assert_eq!(scene.hand(alice, &Payload::Text(genuine)), 1);
    let held = scene.net.held.iter().map(|frame| Packet::parse(frame.clone()).expect("whole"));
    let receipt = held
        .filter_map(|packet| match Payload::decode(packet.payload()) {
            Ok(Payload::Receipt(receipt)) => Some(receipt),
            _ => None,
        })
        .next()
        .expect("bob answers");
    let mut changed: Vec<(NodeId, Receipt)> = Vec::new();
    let mut add = |source, change: &dyn Fn(&mut Receipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        changed.push((source, receipt));
    };
    add(bob, &|r| r.hops += 1);
    add(bob, &|r| r.escalated = !r.escalated);
    add(scene.users[2], &|_| {});
    (0..16).for_each(|byte| add(bob, &|r| r.id.0[byte] ^= 1));
    (0..64).for_each(|byte| add(bob, &|r| r.signature.0[byte] ^= 1));
    let link = scene.net.link_between(alice, bob);
    let hand = |net: &mut Net, source, receipt: Receipt| {
        let to = Destination { node: alice, ..scene.to.clone() };
        let payload = Payload::Receipt(receipt).encode().expect("short");
        let frame = Packet::new(Class::Message, source, &to, &payload).into_frame();
        net.input(alice, Input::Received { link, frame });
        net.replies.values().filter(|r| matches!(r, Reply::Delivered { .. })).count()
    };
    let tried = changed.len();
    let believed: usize =
        changed.into_iter().map(|(from, receipt)| hand(&mut scene.net, from, receipt)).sum();
    println!("changed receipts: believed = {believed} of {tried}");
    assert_eq!((believed, tried), (0, 83));
    assert_eq!(hand(&mut scene.net, bob, receipt), 1, "the genuine one is");
}
