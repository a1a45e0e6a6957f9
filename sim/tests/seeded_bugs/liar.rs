//! A small world in which one peer tells its neighbours places that it does not have.

use overlay_proto::id::{CommandId, NodeId};
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::{Command, Deadline, Input, Output};
use overlay_proto::name::Name;
use overlay_proto::node::Setup;
use overlay_proto::time::{Span, Time};
use overlay_proto::view::{IssuedView, PlaceView};
use overlay_proto::wire::message::Placed;
use overlay_proto::wire::{Class, Frame, Message, codec};
use overlay_proto::{Config, Node, SeededBug};
use overlay_sim::checks::places;
use overlay_sim::net::{Latency, Places};
use overlay_sim::world::{Machine, MemoVerifier, Realm, Transport, World};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

const PEERS: u32 = 16;
const LAST: Time = Time(60_000_000);

/// What the liar does with each place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It tells a newer one, in which it is the root of a tree.
    Forgery,
    /// It tells its first one once more.
    Replay,
}

/// A node, and what it does to its words on the way out.
#[derive(Debug)]
struct Mouth {
    node: Node,
    lie: Option<Lie>,
    first: Option<Placed>,
    /// What it says beside what the node says.
    more: Option<Output>,
}

impl Mouth {
    fn lie(&mut self, lie: Lie, output: Output) -> Output {
        let Output::Send { link, class: Class::Control, frame } = output else { return output };
        let Ok(Frame::Message(Message::Placed(mut placed))) = Frame::decode(frame.clone()) else {
            return Output::Send { link, class: Class::Control, frame };
        };
        let send = |placed: Placed| {
            let frame = codec::encode(&Message::Placed(placed)).expect("it was a frame before");
            Output::Send { link, class: Class::Control, frame }
        };
        match lie {
            Lie::Replay => {
                self.more = self.first.clone().map(&send);
                self.first.get_or_insert_with(|| placed.clone());
            }
            Lie::Forgery => {
                placed.coordinates.seq += 1;
                let label = placed.coordinates.labels.get(0);
                let mut root = label;
                while let Some(above) = root.parent() {
                    root = above;
                }
                placed.coordinates.labels.set(0, root);
            }
        }
        send(placed)
    }
}

impl Machine for Mouth {
    fn handle_input(&mut self, now: Time, input: Input) {
        self.node.handle_input(now, input);
    }
    fn poll_output(&mut self) -> Option<Output> {
        if let Some(more) = self.more.take() {
            return Some(more);
        }
        let output = self.node.poll_output()?;
        Some(match self.lie {
            Some(lie) => self.lie(lie, output),
            None => output,
        })
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        self.node.poll_timeout()
    }
}

/// What peers believe wrongly after a minute, when all make this mistake and one lies.
pub fn flaws(lie: Lie, seed: u64, bug: Option<SeededBug>) -> Vec<String> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut realm = Realm::new(ChaCha8Rng::seed_from_u64(100 + seed));
    let verifier = Arc::new(MemoVerifier::default());
    let config = Config { degree: 4, trees: 4, seeded_bug: bug, verifier, ..Config::default() };
    let config = Arc::new(config);
    let places = Places::new(Latency::Constant(Span::millis(20)), &mut dice);
    let mut world = World::new(places, Transport::default());
    let wall = realm.wall_at_start();
    let mut start = |world: &mut World<Mouth>, identity: Arc<Identity>, hosts, lie| {
        let (id, mut seed) = (identity.node(), [0; 32]);
        seed[0] = world.next_host() as u8;
        let wall = wall.plus(world.now().since(Time(0)));
        let setup = Setup { config: config.clone(), identity, hosts, seed, wall };
        let node = Node::new(setup, world.now());
        world.start(id, Mouth { node, lie, first: None, more: None }, &mut dice)
    };
    let home = realm.supernode(true);
    let addresses = vec![World::<Mouth>::address(0)];
    let home_at = vec![Contact { node: home.node(), addresses }];
    start(&mut world, home, Vec::new(), None);
    for user in 1..=PEERS {
        let name = Name::new(&format!("u{user}")).expect("canonical");
        let lie = (user == 1).then_some(lie);
        let host = start(&mut world, realm.user(&name), home_at.clone(), lie);
        world.command(host, CommandId(1), Command::Login);
        run(&mut world, Time(u64::from(user) * 1_000_000));
    }
    run(&mut world, LAST);
    let places = (1..=PEERS).filter_map(|host| world.machine(host)?.node.place()).collect();
    judge(lie, places)
}

fn run(world: &mut World<Mouth>, until: Time) {
    while world.next_at().is_some_and(|next| next <= until) {
        world.step();
        world.take_sightings(&mut Vec::new());
    }
    world.wait_until(until);
}

fn judge(lie: Lie, peers: Vec<PlaceView>) -> Vec<String> {
    // Who forges is thrown out and let in again, so its world never rests.
    let flaws = match lie {
        Lie::Forgery => places::forged,
        Lie::Replay => places::stale,
    };
    let issued = |peer: &PlaceView| Some((peer.node, peer.issued.clone()?));
    let issued: BTreeMap<NodeId, IssuedView> = peers.iter().filter_map(issued).collect();
    peers.iter().flat_map(|peer| flaws(peer, &issued)).collect()
}
