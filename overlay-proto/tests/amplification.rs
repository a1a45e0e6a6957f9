//! Row 52 of the failure catalogue: what a stranger gets a node to send, for each message there is.
//!
//! A link stands only after the transport's handshake, which proves the stranger's address (QUIC and
//! TCP both do) and node id. So nothing here can be sent to a third party's address; what is measured
//! is that a node says little to whom it does not know, and that no stranger makes it dial anybody.

#[path = "wire/samples.rs"]
#[allow(dead_code, reason = "shared with wire_bytes.rs, which uses more of it")]
mod samples;

use overlay_proto::Config;
use overlay_proto::Node;
use overlay_proto::config::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use overlay_proto::id::{LinkId, Nonce};
use overlay_proto::identity::{Contact, Identity, RegistrarKeys, Role, SupernodeKeys, UserKeys};
use overlay_proto::io::{Input, Output};
use overlay_proto::node::Setup;
use overlay_proto::time::{Span, Time};
use overlay_proto::wire::codec::encode;
use overlay_proto::wire::message::Hello;
use proptest::prelude::*;
use samples::{NOW, address, certificate, chain, contact, key, node, realm};
use std::sync::Arc;

/// Bytes out for each byte in, at most (RFC 9000, section 8.1, has the same).
const FACTOR: f64 = 3.0;
/// What whoever dials sends at least until a link stands, in bytes. Over TCP: two segments of 40
/// bytes, and Noise's first and third message (34 and some 180 bytes). QUIC, where the first datagram
/// is padded to 1,200, takes more. Of the frames alone a greeting has 76 bytes, and a supernode's answer,
/// with its certificate, 249.
const HANDSHAKE_BYTES: usize = 2 * 40 + 34 + 180;
/// The stranger stays so long and says no more.
const STAYS: Span = Span::secs(120);

/// The supernodes that each node knows from the beginning. No sample names one of them.
fn hosts() -> impl Iterator<Item = Contact> {
    (30..34).map(contact)
}

/// Nodes at whose doors a stranger knocks.
fn doors() -> [(&'static str, Setup); 3] {
    let setup = |device: u8, user, supernode| Setup {
        config: Arc::new(Config::default()),
        identity: Arc::new(Identity { realm: realm(), device: key(device), user, supernode }),
        hosts: hosts().collect(),
        seed: [7; 32],
        wall: NOW,
    };
    let supernode = |device: u8, is_first: bool| SupernodeKeys {
        certificate: Arc::new(certificate(1, Role::Supernode, device, None)),
        registrar: is_first.then(|| RegistrarKeys {
            key: key(2),
            certificate: certificate(1, Role::Registrar, 2, None),
        }),
        root: is_first.then(|| key(1)),
    };
    let user = UserKeys { key: key(3).into(), chain: Some(Arc::new(chain())) };
    [
        ("registrar", setup(5, None, Some(supernode(5, true)))),
        ("supernode", setup(6, None, Some(supernode(6, false)))),
        ("peer", setup(4, Some(user), None)),
    ]
}

/// What a stranger said and what came of it.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Caused {
    /// Bytes of its frames, as long as the link stood.
    given: usize,
    /// Bytes sent to it.
    bytes: usize,
    /// Dials to anybody but the supernodes that the node knew before.
    dials: usize,
}

/// A node, and what it sends over the stranger's link.
struct Door {
    node: Node,
    now: Time,
    caused: Caused,
    is_open: bool,
}

const LINK: LinkId = LinkId(1);

impl Door {
    fn new(setup: Setup) -> Door {
        let (node, now, caused) = (Node::new(setup, Time(0)), Time(0), Caused::default());
        let mut door = Door { node, now, caused, is_open: true };
        door.give(Input::Listening(vec![address(4_000)]));
        door
    }

    fn give(&mut self, input: Input) {
        self.now += Span::millis(1);
        self.node.handle_input(self.now, input);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { link: LINK, frame, .. } => self.caused.bytes += frame.len(),
                Output::Dial { node, .. } if !hosts().any(|host| host.node == node) => {
                    self.caused.dials += 1;
                }
                Output::HangUp { link: LINK } => self.is_open = false,
                _ => {}
            }
        }
    }

    fn hear(&mut self, frame: &[u8]) {
        if self.is_open {
            self.caused.given += frame.len();
            self.give(Input::Received { link: LINK, frame: frame.to_vec() });
        }
    }

    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while let Some(due) = self.node.poll_timeout()
            && due.at <= until
        {
            self.now = self.now.max(due.at);
            self.give(Input::Tick);
        }
        self.now = until;
    }
}

/// A stranger's greeting: the shortest that is answered.
fn hello() -> Vec<u8> {
    let hello = Hello {
        version_min: PROTOCOL_VERSION_MIN,
        version_max: PROTOCOL_VERSION,
        capabilities: 0,
        realm: realm(),
        nonce: Nonce([9; 32]),
        observed: None,
        supernode: None,
    };
    encode(&hello.into()).expect("short")
}

/// Links as somebody whom nobody knows, says these frames and then nothing.
fn said(setup: &Setup, frames: &[Vec<u8>]) -> Caused {
    let mut door = Door::new(setup.clone());
    door.give(Input::LinkUp { link: LINK, node: node(99), remote: address(1), dial: None });
    for frame in frames {
        door.hear(frame);
    }
    door.pass(STAYS);
    door.caused
}

/// Every message and packet in full, and the shortest bytes with each number that are none.
fn kinds() -> Vec<(String, Vec<u8>)> {
    let mut kinds = Vec::new();
    for message in samples::messages() {
        let number = message.number();
        let head = if number < 24 { vec![0x82, number] } else { vec![0x82, 0x18, number] };
        let cut = [head.as_slice(), &[0x80]].concat();
        kinds.push((message.name().to_owned(), encode(&message).expect("fits")));
        kinds.push((format!("{} without fields", message.name()), cut));
    }
    for payload in samples::payloads() {
        let to = overlay_proto::wire::packet::Destination {
            node: node(8),
            key: overlay_proto::location::index_key(realm(), &samples::name("bob")),
            labels: samples::labels(),
        };
        let bytes = payload.encode().expect("fits");
        let class = overlay_proto::wire::Class::Message;
        let packet = overlay_proto::wire::Packet::new(class, node(99), &to, &bytes);
        kinds.push((format!("packet of {}", payload.name()), packet.into_frame()));
    }
    kinds.push(("escalated packet".to_owned(), samples::packet().into_frame()));
    kinds.push(("one byte".to_owned(), vec![0]));
    kinds.push(("an unknown number".to_owned(), vec![0x82, 0x18, 0xfe, 0x80]));
    kinds
}

#[test]
fn a_stranger_gets_at_most_three_bytes_for_each_of_its_own() {
    let (hello, mut tried) = (hello(), 0);
    let mut largest = (0.0, String::new());
    for (who, setup) in doors() {
        println!("{who}: to silence {:?}", said(&setup, &[]));
        println!("{who}: to a greeting {:?}", said(&setup, std::slice::from_ref(&hello)));
        for (name, frame) in kinds() {
            for (when, frames) in [
                ("first", vec![frame.clone()]),
                ("after the greeting", vec![hello.clone(), frame.clone()]),
                ("a hundred times", [vec![hello.clone()], vec![frame.clone(); 100]].concat()),
            ] {
                let caused = said(&setup, &frames);
                let ratio = caused.bytes as f64 / (HANDSHAKE_BYTES + caused.given) as f64;
                tried += 1;
                if ratio > largest.0 {
                    largest = (ratio, format!("{name}, {when}, to a {who}: {caused:?}"));
                }
                assert_eq!(caused.dials, 0, "{name}, {when}: a {who} dials for a stranger");
            }
        }
    }
    let (ratio, what) = largest;
    println!("{tried} tried; largest ratio {ratio:.2}: {what}");
    assert!(ratio > 0.0 && ratio <= FACTOR, "{ratio:.2}: {what}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The same for anything said in any order, whole or cut.
    #[test]
    fn nor_for_a_mixture_of_them(
        door in 0_usize..3,
        said_first in any::<bool>(),
        mixture in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4_096), 1..40),
    ) {
        let kinds = kinds();
        let mut frames: Vec<Vec<u8>> = said_first.then(hello).into_iter().collect();
        frames.extend(mixture.iter().map(|(kind, keep)| {
            let (_, frame) = kind.get(&kinds);
            frame[..frame.len().min(*keep)].to_vec()
        }));
        let caused = said(&doors()[door].1, &frames);
        let ratio = caused.bytes as f64 / (HANDSHAKE_BYTES + caused.given) as f64;
        prop_assert!(ratio <= FACTOR, "{ratio:.2}: {caused:?}");
        prop_assert_eq!(caused.dials, 0);
    }
}
