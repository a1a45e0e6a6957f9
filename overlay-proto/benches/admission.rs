//! What a supernode's core does in a second: log-ins given, log-ins put off, and look-ups.
//!
//! The peers are real nodes, so every frame is what a peer sends. A visit is all that the core does
//! from the new link to its end; the transport's handshake is not in it.

#![allow(missing_docs, reason = "the macros of criterion write functions without")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is prepared between two log-ins must not be timed"
)]

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use overlay_proto::id::{CommandId, LinkId, NodeId, RealmId};
use overlay_proto::identity::{
    Certificate, Contact, DeviceChain, Identity, RegistrarKeys, Role, SecretKey, SupernodeKeys,
    UserKeys, UserSecret, Validity,
};
use overlay_proto::io::{Command, Input, Output};
use overlay_proto::name::Name;
use overlay_proto::node::Setup;
use overlay_proto::time::{Span, Time, WallTime};
use overlay_proto::wire::message::Lookup;
use overlay_proto::wire::{Message, TransportAddress, codec};
use overlay_proto::{Config, Node};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WALL: WallTime = WallTime::from_secs(1_800_000_000);
/// Peers whose locations the index holds when it is asked.
const PEERS: u64 = 200;

struct Bench {
    supernode: Node,
    root: SecretKey,
    registrar: SecretKey,
    certificate: Certificate,
    now: Time,
    next: u64,
    /// Between two log-ins: none, for a crowd.
    gap: Span,
}

/// A peer with its link.
struct Visit {
    peer: Node,
    link: LinkId,
    login: Vec<u8>,
}

fn key(kind: u8, n: u64) -> SecretKey {
    let mut seed = [kind; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    SecretKey::from_bytes(seed)
}

fn validity() -> Validity {
    Validity::starting(WALL, Span::secs(10_000_000))
}

impl Bench {
    fn new(logins_per_second: u32, gap: Span) -> Bench {
        let (root, registrar, device) = (key(1, 0), key(2, 0), key(3, 0));
        let realm = RealmId(root.public());
        let issue =
            |role, subject| Certificate::issue(&root, realm, role, subject, None, 1, validity());
        let certificate = issue(Role::Registrar, registrar.public());
        let keys = SupernodeKeys {
            certificate: Arc::new(issue(Role::Supernode, device.public())),
            registrar: Some(RegistrarKeys { key: registrar, certificate: certificate.clone() }),
            root: None,
        };
        let identity = Arc::new(Identity { realm, device, user: None, supernode: Some(keys) });
        let config = Config {
            logins_per_second,
            children_soft: 1_000_000,
            children_hard: 1_000_000,
            ..Config::default()
        };
        let setup = Setup {
            config: Arc::new(config),
            identity,
            hosts: Vec::new(),
            seed: [1; 32],
            wall: WALL,
        };
        let supernode = Node::new(setup, Time(0));
        let registrar = key(2, 0);
        let now = Time(60_000_000);
        Bench { supernode, root, registrar, certificate, now, next: 0, gap }
    }

    fn peer(&self, n: u64) -> Node {
        let realm = RealmId(self.root.public());
        let (user, device) = (key(4, n), key(5, n));
        let issue = |issuer: &SecretKey, role, subject, name| {
            Certificate::issue(issuer, realm, role, subject, name, n, validity())
        };
        let chain = Arc::new(DeviceChain {
            registrar: self.certificate.clone(),
            user: issue(&self.registrar, Role::User, user.public(), Some(name(n))),
            device: issue(&user, Role::Device, device.public(), None),
        });
        let user = Some(UserKeys { key: UserSecret::Here(user), chain: Some(chain) });
        let identity = Arc::new(Identity { realm, device, user, supernode: None });
        let hosts = vec![Contact { node: self.supernode.id(), addresses: vec![address(0)] }];
        let config = Arc::new(Config::default());
        Node::new(Setup { config, identity, hosts, seed: [2; 32], wall: WALL }, self.now)
    }

    fn give(&mut self, input: Input) -> Vec<Vec<u8>> {
        give(&mut self.supernode, self.now, input)
    }

    /// A new peer at the door, with its log-in in the hand.
    fn visit(&mut self) -> Visit {
        self.now += self.gap;
        self.next += 1;
        let (link, n) = (LinkId(self.next), self.next);
        let mut peer = self.peer(n);
        let now = self.now;
        let mut dial = None;
        peer.handle_input(now, Input::Command { id: CommandId(1), command: Command::Login });
        while let Some(output) = peer.poll_output() {
            if let Output::Dial { id, .. } = output {
                dial = Some(id);
            }
        }
        let (here, there) = (self.supernode.id(), peer.id());
        let theirs = give(&mut peer, now, up(link, here, address(0), dial));
        let ours = self.give(up(link, there, address(n), None));
        for frame in theirs {
            self.give(Input::Received { link, frame });
        }
        let mut login = Vec::new();
        for frame in ours {
            for frame in give(&mut peer, now, Input::Received { link, frame }) {
                if matches!(codec::decode_message(&frame), Ok(Message::Login(_))) {
                    login = frame;
                }
            }
        }
        assert!(!login.is_empty(), "the peer asks for a session");
        Visit { peer, link, login }
    }

    fn log_in(&mut self, visit: &Visit) -> Vec<Vec<u8>> {
        self.give(Input::Received { link: visit.link, frame: visit.login.clone() })
    }

    fn status(&self, frames: &[Vec<u8>]) -> u16 {
        let reply = frames.iter().find_map(|frame| match codec::decode_message(frame) {
            Ok(Message::LoginReply(reply)) => Some(reply.status.0),
            _ => None,
        });
        reply.expect("an answer")
    }
}

fn up(
    link: LinkId,
    node: NodeId,
    remote: TransportAddress,
    dial: Option<overlay_proto::id::DialId>,
) -> Input {
    Input::LinkUp { link, node, remote, dial }
}

fn name(n: u64) -> Name {
    Name::new(&format!("u{n}")).expect("letters and digits")
}

fn address(n: u64) -> TransportAddress {
    TransportAddress::new(format!("/ip4/10.{}.{}.{}/tcp/1", n >> 16 & 255, n >> 8 & 255, n & 255))
        .expect("short")
}

/// One input; the frames that come of it.
fn give(node: &mut Node, now: Time, input: Input) -> Vec<Vec<u8>> {
    node.handle_input(now, input);
    let outputs = std::iter::from_fn(|| node.poll_output());
    outputs
        .filter_map(|output| match output {
            Output::Send { frame, .. } => Some(frame),
            _ => None,
        })
        .collect()
}

/// Log-ins one by one, each of a peer that is gone again afterwards.
fn answers(b: &mut Bencher<'_>, bench: &mut Bench, expected: u16) {
    b.iter_custom(|count| {
        let mut spent = Duration::ZERO;
        for _ in 0..count {
            let visit = bench.visit();
            let begun = Instant::now();
            let frames = bench.log_in(&visit);
            spent += begun.elapsed();
            assert_eq!(bench.status(&frames), expected);
            bench.give(Input::LinkDown { link: visit.link });
        }
        spent
    });
}

fn log_ins(c: &mut Criterion) {
    let mut group = c.benchmark_group("a log-in");
    group.throughput(Throughput::Elements(1));
    let mut quiet = Bench::new(1_000_000, Span::millis(10));
    group.bench_function("given", |b| answers(b, &mut quiet, 200));
    let mut crowd = Bench::new(1, Span::ZERO);
    for _ in 0..64 {
        let visit = crowd.visit();
        let frames = crowd.log_in(&visit);
        // Shown at once, cookies empty the bucket to its last token.
        let cookie = frames.iter().find_map(|frame| match codec::decode_message(frame) {
            Ok(Message::LoginReply(reply)) => reply.cookie,
            _ => None,
        });
        if let (Some(cookie), Ok(Message::Login(mut login))) =
            (cookie, codec::decode_message(&visit.login))
        {
            login.cookie = Some(cookie);
            let frame = codec::encode(&login.into()).expect("fits");
            crowd.give(Input::Received { link: visit.link, frame });
        }
    }
    group.bench_function("put off", |b| answers(b, &mut crowd, 503));
    group.finish();
}

fn look_ups(c: &mut Criterion) {
    let mut bench = Bench::new(1_000_000, Span::millis(10));
    let mut visits = Vec::new();
    for _ in 0..PEERS {
        let mut visit = bench.visit();
        let (link, now) = (visit.link, bench.now);
        for frame in bench.log_in(&visit) {
            for frame in give(&mut visit.peer, now, Input::Received { link, frame }) {
                bench.give(Input::Received { link, frame });
            }
        }
        visits.push(visit);
    }
    let mut group = c.benchmark_group("a look-up");
    group.throughput(Throughput::Elements(1));
    let mut n = 0;
    group.bench_function("in the index", |b| {
        b.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                n += 1;
                let (asks, whom) = (&visits[(n % PEERS) as usize], 1 + n * 7 % PEERS);
                let lookup = Lookup { id: n, name: name(whom), nonce: n + 1, careful: false };
                let frame = codec::encode(&lookup.into()).expect("fits");
                let link = asks.link;
                let begun = Instant::now();
                let frames = bench.give(Input::Received { link, frame });
                spent += begun.elapsed();
                let found = frames.iter().any(|frame| {
                    let reply = codec::decode_message(frame);
                    matches!(reply, Ok(Message::LookupReply(reply)) if reply.status.0 == 200)
                });
                assert!(found, "u{whom} is logged in");
            }
            spent
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = log_ins, look_ups
}
criterion_main!(benches);
