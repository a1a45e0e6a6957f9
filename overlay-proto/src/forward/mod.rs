//! The forwarding rule (DESIGN, section 6): the neighbour with the smallest tree distance, looking
//! one neighbour further.
//!
//! At peer `x`, for destination `d`: over live neighbours `y` and their neighbours `z`, take the
//! `y` with the smallest cost to `z` plus tree distance from `z` to `d`; ties toward the deeper
//! common prefix, and what is still equal is spread over the flows, so that it is not always the
//! first neighbour that carries it (the highest random weight of RFC 2991). Each hop shortens that
//! estimate by its own cost unless some label or link was stale; then the packet is stuck: it gives
//! up the tree that led there and goes on by the others, listing where it has been. When no tree is
//! left it searches depth first.

mod hood;

pub use hood::{DeadLinks, Far, Hood, Near};

use crate::config::TREES_MAX;
use crate::coordinates::{Label, LabelsRef};
use crate::id::{LinkId, ShortId};
use crate::rendezvous;
use crate::wire::Packet;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It goes over this link. The packet's header is ready.
    Send(LinkId),
    /// Its hops have run out.
    HopLimit,
    /// No neighbour leads nearer, and there is no way back.
    DeadEnd,
}

/// The best way found so far. Smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// In quarters of a hop.
    way: u32,
    /// How far the common prefix falls short of the deepest possible.
    shallow: u32,
}

/// Decides where `packet` goes from `me`, which is not its destination, and counts the hop. `from`
/// is the node it came from, if it came from one.
pub fn decide<'a>(
    me: ShortId,
    neighbours: impl Iterator<Item = Near<'a>> + Clone,
    from: Option<ShortId>,
    packet: &mut Packet,
) -> Decision {
    if packet.hops_left() == 0 {
        return Decision::HopLimit;
    }
    let destination = packet.destination();
    if let Some(near) = neighbours.clone().find(|near| near.node == destination) {
        let cost = Cost { way: 0, shallow: 0 };
        let way = Way { link: near.link, next: near.node.short(), first: 0, cost, tree: None };
        return forward(packet, &way);
    }
    if packet.is_searching() {
        return search(me, neighbours, packet);
    }
    if packet.is_stuck() && !packet.visit(me) {
        return Decision::DeadEnd;
    }
    match choose(me, neighbours.clone(), packet) {
        Some(way) if way.cost.way <= u32::from(packet.estimate()) => forward(packet, &way),
        // Nobody here has heard of its labels: searching would be walking at random.
        None if !packet.is_stuck() => Decision::DeadEnd,
        _ => leave_tree(me, neighbours, from, packet),
    }
}

/// The tree that led here leads nowhere: on with the best of the others, or, if there is none, with
/// a depth-first search. From now on the packet lists where it has been.
fn leave_tree<'a>(
    me: ShortId,
    neighbours: impl Iterator<Item = Near<'a>> + Clone,
    from: Option<ShortId>,
    packet: &mut Packet,
) -> Decision {
    let begun = packet.is_stuck() || from.is_none_or(|from| packet.visit(from));
    if !begun || !packet.visit(me) {
        return Decision::DeadEnd;
    }
    packet.give_up_tree();
    match choose(me, neighbours.clone(), packet) {
        Some(way) => forward(packet, &way),
        None => {
            packet.search();
            search(me, neighbours, packet)
        }
    }
}

/// The best way on by the trees not given up, over nodes not visited.
fn choose<'a>(
    me: ShortId,
    neighbours: impl Iterator<Item = Near<'a>>,
    packet: &Packet,
) -> Option<Way> {
    let mut room = [Label::NONE; TREES_MAX];
    let short = packet.destination().short();
    let failed = packet.failed_trees();
    let flow = Flow::between(packet.source().short(), short);
    let to = Target { short, flow, labels: packet.labels(&mut room), failed };
    match packet.is_stuck() {
        true => {
            best(me, neighbours, &to, |node| packet.has_visited(node) && !seeded!(VisitedIgnored))
        }
        false => best(me, neighbours, &to, |_| false),
    }
}

/// The stuck packet's depth-first search: on to the best node not yet visited, else back.
fn search<'a>(
    me: ShortId,
    neighbours: impl Iterator<Item = Near<'a>> + Clone,
    packet: &mut Packet,
) -> Decision {
    if !packet.visit(me) {
        return Decision::DeadEnd;
    }
    if let Some(way) = choose(me, neighbours.clone(), packet) {
        return forward(packet, &way);
    }
    // Who has written the list is not known: it may name anybody, even the destination.
    let Some(back) = packet.step_back() else { return Decision::DeadEnd };
    match neighbours.clone().find(|near| near.node.short() == back) {
        Some(near) => forward(packet, &Way { link: near.link, next: back, ..Way::BACK }),
        None => Decision::DeadEnd,
    }
}

/// All packets from one node to another: they keep to one way, and so arrive in order.
#[derive(Debug, Clone, Copy)]
struct Flow(u64);

impl Flow {
    fn between(from: ShortId, to: ShortId) -> Flow {
        Flow(u64::from_le_bytes(from.0).rotate_left(1) ^ u64::from_le_bytes(to.0))
    }

    /// Of equal ways the flow takes the one over the node with the least lot. (Ids are keys, which
    /// strangers choose, but only among ways equally good.)
    fn lot(self, next: ShortId) -> u64 {
        rendezvous::mixed(self.0 ^ u64::from_le_bytes(next.0))
    }
}

struct Target<'a> {
    short: ShortId,
    flow: Flow,
    labels: &'a [Label],
    /// Trees that do not count, one bit each.
    failed: u32,
}

/// A way on: over this link, along this tree, for this cost.
#[derive(Debug, Clone, Copy)]
struct Way {
    link: LinkId,
    /// The neighbour at the other end.
    next: ShortId,
    /// What of the cost the link itself takes.
    first: u32,
    cost: Cost,
    /// None if the destination itself is in sight.
    tree: Option<usize>,
}

impl Way {
    /// A step back: nothing is known of what follows.
    const BACK: Way = Way {
        link: LinkId(0),
        next: ShortId::NONE,
        first: 0,
        cost: Cost { way: u32::MAX, shallow: 0 },
        tree: None,
    };

    /// Whether a flow takes this way rather than `other`.
    fn is_before(&self, other: &Way, flow: Flow) -> bool {
        let lot = |way: &Way| flow.lot(way.next);
        self.cost < other.cost || self.cost == other.cost && lot(self) < lot(other)
    }
}

fn best<'a>(
    me: ShortId,
    neighbours: impl Iterator<Item = Near<'a>>,
    to: &Target<'_>,
    visited: impl Fn(ShortId) -> bool,
) -> Option<Way> {
    let mut best: Option<Way> = None;
    for near in neighbours {
        if visited(near.node.short()) {
            continue;
        }
        let first = near.cost.quarters();
        let own = cost(near.labels, to, first, near.dead);
        let further = near.far.iter().filter(|far| far.node != me).filter_map(|far| {
            let links = first + far.cost.quarters();
            if far.node == to.short {
                return Some((Cost { way: links, shallow: 0 }, None));
            }
            if visited(far.node) {
                return None;
            }
            cost(far.labels, to, links, far.dead)
        });
        let least = own.into_iter().chain(further).min_by_key(|(cost, _)| *cost);
        let Some((cost, tree)) = least else { continue };
        let way = Way { link: near.link, next: near.node.short(), first, cost, tree };
        if best.is_none_or(|best| way.is_before(&best, to.flow)) {
            best = Some(way);
        }
    }
    best
}

/// The least cost over all trees in which both have a comparable place and the next hop lives.
#[inline]
fn cost(
    labels: LabelsRef<'_>,
    to: &Target<'_>,
    links: u32,
    dead: DeadLinks,
) -> Option<(Cost, Option<usize>)> {
    let mut least: Option<(Cost, Option<usize>)> = None;
    labels.for_each(|tree, here| {
        let Some(there) = to.labels.get(tree) else { return };
        if to.failed >> tree & 1 == 1
            || dead.any() && !seeded!(DeadLinksIgnored) && dead.block(tree, here, *there)
        {
            return;
        }
        if let Some((distance, prefix)) = here.distance_and_prefix(*there) {
            let cost = Cost { way: links + distance, shallow: 64 - prefix };
            if least.is_none_or(|(old, _)| cost < old) {
                least = Some((cost, Some(tree)));
            }
        }
    });
    least
}

fn forward(packet: &mut Packet, way: &Way) -> Decision {
    if !packet.take_hop() {
        return Decision::HopLimit;
    }
    let expected = way.cost.way.saturating_sub(way.first);
    packet.set_estimate(u8::try_from(expected).unwrap_or(u8::MAX));
    packet.follow(way.tree);
    Decision::Send(way.link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinates::{Epoch, HOP, Labels, LinkCost};
    use crate::id::{IndexKey, NodeId};
    use crate::wire::Class;
    use crate::wire::packet::Destination;

    fn node(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    fn label(slots: &[u8]) -> Label {
        slots.iter().fold(Label::root(Epoch(1)), |l, s| l.child(*s).expect("shallow"))
    }

    /// One node in a neighbourhood.
    fn far(n: u8, slots: &[u8]) -> Hood {
        let mut hood = Hood::default();
        let (cost, dead) = (LinkCost::HOP_ONLY, DeadLinks::default());
        hood.put(0, node(n).short(), cost, dead, [(0, label(slots))].into_iter());
        hood
    }

    fn packet(to: u8, slots: &[u8]) -> Packet {
        let labels = Labels::from(vec![label(slots)]);
        let to = Destination { node: node(to), key: IndexKey(0), labels };
        Packet::new(Class::Message, node(99), &to, b"x")
    }

    type Around = Vec<(u8, Labels, Hood)>;

    fn nears(around: &Around) -> impl Iterator<Item = Near<'_>> + Clone {
        around.iter().map(|(n, labels, far)| Near {
            link: LinkId(u64::from(*n)),
            node: node(*n),
            cost: LinkCost::HOP_ONLY,
            labels: labels.view(),
            dead: DeadLinks::default(),
            far,
        })
    }

    #[test]
    fn a_neighbour_is_reached_at_once_and_a_second_one_through_its_neighbour() {
        let hood: Around = vec![
            (1, Labels::from(vec![label(&[1])]), far(7, &[3])),
            (2, Labels::from(vec![label(&[2])]), Hood::default()),
        ];
        let me = node(0).short();
        assert_eq!(decide(me, nears(&hood), None, &mut packet(2, &[9])), Decision::Send(LinkId(2)));
        // 7 stands under another branch than its label says: its name counts, not its label.
        assert_eq!(
            decide(me, nears(&hood), None, &mut packet(7, &[2, 2])),
            Decision::Send(LinkId(1))
        );
    }

    #[test]
    fn a_tree_whose_next_hop_is_dead_does_not_count() {
        let hood: Around = vec![
            (1, Labels::from(vec![label(&[1])]), Hood::default()),
            (2, Labels::from(vec![label(&[])]), Hood::default()),
        ];
        let with = |dead: DeadLinks| {
            let near = nears(&hood).map(move |near| match near.link {
                LinkId(1) => Near { dead, ..near },
                _ => near,
            });
            let decision = decide(node(0).short(), near, None, &mut packet(8, &[1, 5, 1]));
            matches!(decision, Decision::Send(LinkId(1)))
        };
        assert!(with(DeadLinks::default()));
        assert!(with(DeadLinks { slots: 1 << 4, parents: 1 }), "neither is on the way down");
        assert!(!with(DeadLinks { slots: 1 << 5, parents: 0 }));
        let upward = DeadLinks { slots: 0, parents: 1 };
        assert!(upward.block(0, label(&[1]), label(&[2])));
        assert!(!upward.block(1, label(&[1]), label(&[2])), "another tree");
    }

    #[test]
    fn the_estimate_falls_by_one_at_each_hop() {
        let hood: Around = vec![(1, Labels::from(vec![label(&[1])]), far(7, &[1, 1]))];
        let mut packet = packet(8, &[1, 1, 1, 1]);
        assert_eq!(
            decide(node(0).short(), nears(&hood), None, &mut packet),
            Decision::Send(LinkId(1))
        );
        assert_eq!((u32::from(packet.estimate()), packet.hops_taken()), (3 * HOP, 1));
        assert!(!packet.is_stuck());
    }

    #[test]
    fn a_packet_that_expected_better_searches_and_steps_back() {
        let me = node(0).short();
        let hood: Around = vec![
            (1, Labels::from(vec![label(&[1])]), Hood::default()),
            (2, Labels::from(vec![label(&[2])]), Hood::default()),
        ];
        let mut packet = packet(8, &[1, 1, 1]);
        packet.set_estimate(1);
        // It came from 1, the best neighbour, so it must go to 2 instead.
        let from = Some(node(1).short());
        assert_eq!(decide(me, nears(&hood), from, &mut packet), Decision::Send(LinkId(2)));
        assert!(packet.is_stuck());
        // 2 knows nobody else: back to 0, which has nothing left and steps back to 1.
        let hood_of_2: Around = vec![(0, Labels::from(vec![label(&[])]), Hood::default())];
        let back = decide(node(2).short(), nears(&hood_of_2), Some(me), &mut packet);
        assert_eq!(back, Decision::Send(LinkId(0)));
        let further = decide(me, nears(&hood), Some(node(2).short()), &mut packet);
        assert_eq!(further, Decision::Send(LinkId(1)));
    }

    #[test]
    fn a_tree_that_led_nowhere_is_left_for_another() {
        let both = |a: &[u8], b: &[u8]| Labels::from(vec![label(a), label(b)]);
        let hood: Around = vec![
            (1, both(&[1], &[7, 7, 7]), Hood::default()),
            (2, both(&[3, 3], &[4]), Hood::default()),
        ];
        let labels = both(&[1, 1], &[4, 4]);
        let to = Destination { node: node(8), key: IndexKey(0), labels };
        let mut packet = Packet::new(Class::Message, node(99), &to, b"x");
        // It was promised to be nearer in tree 0 than anybody here is.
        packet.set_estimate(1);
        packet.follow(Some(0));
        let decision = decide(node(0).short(), nears(&hood), Some(node(1).short()), &mut packet);
        assert_eq!(decision, Decision::Send(LinkId(2)));
        assert_eq!((packet.failed_trees(), packet.is_searching()), (1, false));
        assert!(packet.has_visited(node(0).short()) && packet.has_visited(node(1).short()));
    }

    #[test]
    fn equal_ways_are_spread_over_the_flows_and_each_keeps_to_its_own() {
        let hood: Around =
            (1..=4).map(|n| (n, Labels::from(vec![label(&[])]), far(9, &[2]))).collect();
        let labels = Labels::from(vec![label(&[1, 1])]);
        let mut taken = [0; 5];
        for source in 100..200 {
            let to = Destination { node: node(8), key: IndexKey(0), labels: labels.clone() };
            let ways = [(); 2].map(|()| {
                let mut packet = Packet::new(Class::Message, node(source), &to, b"x");
                decide(node(0).short(), nears(&hood), None, &mut packet)
            });
            let [Decision::Send(LinkId(way)), second] = ways else { panic!("{ways:?}") };
            assert_eq!(second, Decision::Send(LinkId(way)));
            taken[way as usize] += 1;
        }
        assert!(taken[1..].iter().all(|flows| (10..40).contains(flows)), "{taken:?}");
    }

    #[test]
    fn a_list_of_visits_that_names_the_destination_is_a_dead_end() {
        let me = node(0).short();
        let mut packet = packet(8, &[1]);
        assert!(packet.visit(node(8).short()) && packet.visit(me));
        packet.search();
        let hood: Around = vec![(1, Labels::from(vec![Label::NONE]), Hood::default())];
        assert_eq!(decide(me, nears(&hood), None, &mut packet), Decision::DeadEnd);
    }

    #[test]
    fn hops_and_labels_run_out() {
        let hood: Around = vec![(1, Labels::from(vec![Label::NONE]), Hood::default())];
        let mut lost = packet(8, &[1]);
        assert_eq!(decide(node(0).short(), nears(&hood), None, &mut lost), Decision::DeadEnd);
        let mut tired = packet(1, &[1]);
        tired.set_probe(0);
        assert_eq!(decide(node(0).short(), nears(&hood), None, &mut tired), Decision::HopLimit);
    }
}
