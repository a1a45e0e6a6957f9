//! One thing that goes wrong: bytes from a liar, a stranger at the door, bad weather.

use super::script::Script;
use super::sequence::Scene;
use crate::config::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use crate::id::{IndexKey, LinkId, NodeId, Nonce};
use crate::io::Command;
use crate::testing::user_name;
use crate::time::Span;
use crate::wire::codec;
use crate::wire::message::Hello;
use crate::wire::packet::Destination;
use crate::wire::{Class, Message, Packet};

/// Milliseconds that may pass at a time.
const PAUSES_MS: [u64; 8] = [1, 20, 100, 300, 1_000, 3_000, 12_500, 61_000];
/// Milliseconds that the store may take longer.
const STORE_DELAYS_MS: [u64; 3] = [0, 400, 6_000];
/// Strangers that there are: the same one comes again and again.
const STRANGERS: usize = 6;

/// Takes one operation off the script and does it.
pub(super) fn perform(scene: &mut Scene, script: &mut Script<'_>) {
    match script.below(14) {
        0 => raw(scene, script),
        1 | 2 => body(scene, script),
        3 => as_it_was(scene, script),
        4 | 5 => changed(scene, script),
        6 => elsewhere(scene, script),
        7 => knock(scene, script),
        8 => {
            if let Some(link) = scene.draw_link(script) {
                scene.net.break_link(link);
            }
        }
        9 => scene.net.failing_dials = script.below(8) as u32,
        10 => scene.net.store_fails = script.below(2) == 1,
        11 => {
            let delay = script.pick(&STORE_DELAYS_MS).copied().unwrap_or(0);
            scene.net.store_delay = Span::millis(delay);
        }
        12 => command(scene, script),
        _ => {
            let pause = script.pick(&PAUSES_MS).copied().unwrap_or(1);
            scene.pass(Span::millis(pause));
        }
    }
    if script.below(8) == 7 {
        packet(scene, script);
    }
}

fn raw(scene: &mut Scene, script: &mut Script<'_>) {
    let count = usize::from(script.byte());
    let frame = script.take(count).to_vec();
    if let Some(link) = scene.draw_link(script) {
        scene.inject(link, frame);
    }
}

/// The head of some message with any body.
fn body(scene: &mut Scene, script: &mut Script<'_>) {
    let number = script.byte() % 80;
    let mut frame = if number < 24 { vec![0x82, number] } else { vec![0x82, 0x18, number] };
    let count = usize::from(script.byte());
    frame.extend_from_slice(script.take(count));
    if let Some(link) = scene.draw_link(script) {
        scene.inject(link, frame);
    }
}

/// A frame comes a second time.
fn as_it_was(scene: &mut Scene, script: &mut Script<'_>) {
    if let Some(old) = scene.draw_old(script) {
        scene.inject(old.link, old.frame);
    }
}

/// A frame that was sent somewhere comes with other bytes here.
fn changed(scene: &mut Scene, script: &mut Script<'_>) {
    let Some(mut old) = scene.draw_old(script) else { return };
    for _ in 0..=script.below(4) {
        let at = script.below(old.frame.len());
        if let Some(byte) = old.frame.get_mut(at) {
            *byte = script.byte();
        }
    }
    if script.below(8) == 7 {
        let keep = script.below(old.frame.len());
        old.frame.truncate(keep);
    }
    let link = if script.below(2) == 0 { Some(old.link) } else { scene.draw_link(script) };
    if let Some(link) = link {
        scene.inject(link, old.frame);
    }
}

/// A frame that was right on its own link comes over another one, perhaps to somebody else.
fn elsewhere(scene: &mut Scene, script: &mut Script<'_>) {
    if let (Some(old), Some(link)) = (scene.draw_old(script), scene.draw_link(script)) {
        scene.inject(link, old.frame);
    }
}

/// A stranger links to a victim, and may greet: honestly, or with a certificate it has seen.
fn knock(scene: &mut Scene, script: &mut Script<'_>) {
    let stranger = NodeId([0xe0 + script.below(STRANGERS) as u8; 32]);
    let Some(victim) = scene.draw_victim(script) else { return };
    let manner = script.below(3);
    let link = scene.net.knock(stranger, victim);
    if manner == 0 {
        return;
    }
    let stolen = scene.certificate(script).filter(|_| manner == 2);
    let hello = Hello {
        version_min: PROTOCOL_VERSION_MIN,
        version_max: PROTOCOL_VERSION,
        capabilities: u32::from(script.byte()),
        realm: scene.realm,
        nonce: Nonce([script.byte(); 32]),
        observed: None,
        supernode: stolen,
    };
    if let Ok(frame) = codec::encode(&hello.into()) {
        scene.inject(link, frame);
    }
}

fn command(scene: &mut Scene, script: &mut Script<'_>) {
    let to = user_name(script.below(6) as u8);
    let command = match script.below(5) {
        0 => Command::Lookup { name: to },
        1 => Command::Send { to, text: "well?".into() },
        2 => Command::Ping { to },
        3 => Command::Login,
        _ => Command::Logout,
    };
    if let Some(peer) = script.pick(&scene.peers).copied() {
        scene.net.command(peer, command);
    }
}

/// A packet that nobody has sent: from anybody, to anybody, escalated or not.
fn packet(scene: &mut Scene, script: &mut Script<'_>) {
    let all: Vec<NodeId> = scene.peers.iter().chain(&scene.supernodes).copied().collect();
    let (Some(to), Some(from)) = (script.pick(&all).copied(), script.pick(&all).copied()) else {
        return;
    };
    let of = scene.net.nodes.get(&to);
    let labels = of.and_then(|node| node.labels().cloned()).unwrap_or_default();
    let to = Destination { node: to, key: IndexKey(u64::from(script.byte())), labels };
    let count = usize::from(script.byte());
    let mut packet = Packet::new(Class::Message, from, &to, script.take(count));
    let manner = script.byte();
    if manner & 1 == 1 {
        packet.set_escalated();
    }
    if manner & 2 == 2 {
        packet.set_probe(manner >> 2);
    }
    if let Some(link) = scene.draw_link(script) {
        scene.inject(link, packet.into_frame());
    }
}

/// The greeting among these frames that shows a certificate, if it is one.
pub(super) fn shown(frame: &[u8]) -> Option<Hello> {
    match codec::decode_message(frame) {
        Ok(Message::Hello(hello)) if hello.supernode.is_some() => Some(hello),
        _ => None,
    }
}

/// The other end of a link is not asked: the frame comes as if from there.
pub(super) fn is_end(link: &(LinkId, NodeId, NodeId), node: NodeId) -> bool {
    link.1 == node || link.2 == node
}
