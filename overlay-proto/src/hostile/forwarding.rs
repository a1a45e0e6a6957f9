//! The forwarding rule on a network of lies: nobody's labels, hoods or packets are as they should be.

use super::script::Script;
use crate::config::{DEGREE_MAX, FRAME_BYTES_MAX, HOP_LIMIT, TREES_MAX, VISITED_MAX};
use crate::coordinates::{Epoch, Label, Labels, LinkCost};
use crate::forward::{DeadLinks, Decision, Hood, Near, decide};
use crate::id::{IndexKey, LinkId, NodeId};
use crate::wire::packet::Destination;
use crate::wire::{Class, Frame, Packet};

/// Nodes of a network.
const NODES_MAX: usize = 12;
/// Trees of which labels are drawn; a packet may carry more.
const TREES_DRAWN: usize = 4;

/// One node and what it believes of its neighbours.
#[derive(Debug)]
struct Place {
    node: NodeId,
    around: Vec<Neighbour>,
}

#[derive(Debug)]
struct Neighbour {
    /// Its place in the list of all nodes.
    at: usize,
    cost: LinkCost,
    labels: Labels,
    dead: DeadLinks,
    far: Hood,
}

/// A packet walks a network in which every node believes something else. However it is led, each
/// decision takes a hop, so one packet sent is forwarded no more often than the hop limit, and
/// stays a packet that the next node can read.
pub fn forward(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let count = 2 + script.below(NODES_MAX - 1);
    let Some(mut packet) = packet(&mut script, count) else { return };
    let network: Vec<Place> = (0..count).map(|at| place(&mut script, at, count)).collect();

    let (mut at, mut from) = (0, None);
    let budget = packet.hops_left();
    let mut sent = 0;
    while network[at].node != packet.destination() {
        let Place { node, around } = &network[at];
        let (left, before) = (packet.hops_left(), packet.clone().into_frame().len());
        match decide(node.short(), nears(around), from, &mut packet) {
            Decision::Send(LinkId(slot)) => {
                sent += 1;
                assert_eq!(packet.hops_left(), left - 1, "each decision takes a hop");
                let chosen = usize::try_from(slot).ok().and_then(|slot| around.get(slot));
                from = Some(node.short());
                at = chosen.expect("a link that there is").at;
            }
            Decision::HopLimit | Decision::DeadEnd => break,
        }
        let frame = packet.into_frame();
        assert!(frame.len() <= before + 2 * 9, "at most two visits are noted at a time");
        packet = match Frame::decode(frame) {
            Ok(Frame::Packet(packet)) => packet,
            other => panic!("the next node cannot read it: {other:?}"),
        };
    }
    assert!(sent <= budget && sent <= HOP_LIMIT, "{sent} sent for one");
}

fn nears(around: &[Neighbour]) -> impl Iterator<Item = Near<'_>> + Clone {
    (0..).zip(around).map(|(slot, near)| Near {
        link: LinkId(slot),
        node: node(near.at),
        cost: near.cost,
        labels: near.labels.view(),
        dead: near.dead,
        far: &near.far,
    })
}

fn node(at: usize) -> NodeId {
    NodeId([1 + at as u8; 32])
}

/// A packet to one of the nodes or to nobody, some bytes of which have been changed on its way.
fn packet(script: &mut Script<'_>, count: usize) -> Option<Packet> {
    let to = Destination {
        node: node(script.below(count + 1)),
        key: IndexKey(u64::from(script.byte())),
        labels: labels(script),
    };
    // As large as may be, now and then: there must be room for what forwarders add.
    let payload = if script.below(8) == 7 { FRAME_BYTES_MAX - script.below(1_024) } else { 8 };
    let source = node(script.below(count));
    let mut packet = Packet::new(Class::Message, source, &to, &vec![0; payload]);
    // Visits as they stand behind the payload: of nodes that there are.
    for _ in 0..script.below(VISITED_MAX.min(9)) {
        let visited = node(script.below(count + 1)).short();
        packet.set_estimate(script.byte());
        if !packet.visit(visited) {
            break;
        }
    }
    if script.below(4) == 0 {
        packet.search();
    }
    let mut frame = packet.into_frame();
    for _ in 0..script.below(5) {
        let at = script.below(frame.len());
        frame[at] = script.byte();
    }
    Packet::parse(frame).ok()
}

fn place(script: &mut Script<'_>, at: usize, count: usize) -> Place {
    let around = (0..script.below(DEGREE_MAX.min(6)))
        .map(|_| Neighbour {
            at: script.below(count),
            cost: cost(script),
            labels: labels(script),
            dead: dead(script),
            far: hood(script, count),
        })
        // No node has a link to itself.
        .filter(|near| near.at != at)
        .collect();
    Place { node: node(at), around }
}

fn hood(script: &mut Script<'_>, count: usize) -> Hood {
    let mut hood = Hood::default();
    for _ in 0..script.below(4) {
        let (slot, who) = (script.byte(), node(script.below(count + 1)));
        let (cost, dead) = (cost(script), dead(script));
        let labels: Vec<(usize, Label)> = labels(script).iter().enumerate().collect();
        hood.put(slot, who.short(), cost, dead, labels.into_iter());
    }
    hood
}

fn dead(script: &mut Script<'_>) -> DeadLinks {
    match script.below(4) {
        0 => DeadLinks { slots: u16::from(script.byte()), parents: u32::from(script.byte()) },
        _ => DeadLinks::default(),
    }
}

fn cost(script: &mut Script<'_>) -> LinkCost {
    LinkCost::new(script.byte() & 3).expect("there are four classes")
}

fn labels(script: &mut Script<'_>) -> Labels {
    let trees = script.below(TREES_DRAWN + 1);
    // Now and then as many as a packet has room for.
    let room = if script.below(16) == 1 { TREES_MAX } else { trees };
    let mut labels = Labels::none(room);
    for tree in 0..trees {
        labels.set(tree, label(script));
    }
    labels
}

fn label(script: &mut Script<'_>) -> Label {
    if script.below(8) == 7 {
        return Label::NONE;
    }
    let mut label = Label::root(Epoch(script.byte() & 1));
    for _ in 0..script.below(6) {
        let slot = script.byte() & 0x0f;
        label = label.child_over(slot, cost(script)).unwrap_or(label);
    }
    label
}
