//! The moment after a crash at which everybody has noticed and told, and nobody has repaired.

use crate::world::World;
use overlay_proto::Node;
use overlay_proto::forward::{DeadLinks, Hood, Near};
use overlay_proto::id::ShortId;
use std::collections::{HashMap, HashSet};

/// Who lives, and which links each survivor would call dead of each of its neighbours.
///
/// Peers of this moment know no more than the protocol would have told them: their own dead
/// neighbours, their neighbours' dead neighbours, and of neighbours' neighbours the dead links.
#[derive(Debug)]
pub struct Noticed {
    // Looked up, never iterated over: their order cannot reach a figure.
    alive: HashSet<ShortId>,
    told: HashMap<ShortId, Vec<(ShortId, DeadLinks)>>,
}

/// A live neighbour with the live ones of its neighbours.
#[derive(Debug)]
pub struct Survivor<'a> {
    near: Near<'a>,
    far: Hood,
}

impl Survivor<'_> {
    /// As the forwarding rule sees it.
    pub fn near(&self) -> Near<'_> {
        Near { far: &self.far, ..self.near }
    }
}

impl Noticed {
    /// What there is to notice in `world` as it stands.
    pub fn of(world: &World<Node>) -> Noticed {
        let nodes = || (0..world.next_host()).filter_map(|host| world.machine(host));
        let alive: HashSet<ShortId> = nodes().map(|node| node.id().short()).collect();
        let told = nodes().map(|node| {
            let live = node.routes().filter(|near| alive.contains(&near.node.short()));
            let dead = |near: Near| (near.node.short(), losses(&near, |who| alive.contains(&who)));
            (node.id().short(), live.map(dead).collect())
        });
        let told = told.collect();
        Noticed { alive, told }
    }

    /// The neighbours that `node` has left.
    pub fn survivors<'a>(&self, node: &'a Node) -> Vec<Survivor<'a>> {
        let lives = |who: ShortId| self.alive.contains(&who);
        let live = node.routes().filter(|near| lives(near.node.short()));
        let left = live.map(|near| {
            let mut far = Hood::default();
            for live in near.far.iter().filter(|far| lives(far.node)) {
                let dead = self.told_dead(near.node.short(), live.node).unwrap_or(live.dead);
                far.put(live.slot, live.node, live.cost, dead, live.labels.iter().enumerate());
            }
            let dead = losses(&near, lives);
            Survivor { near: Near { dead, ..near }, far }
        });
        left.collect()
    }

    /// What a neighbour says of the dead links of one of its own neighbours.
    fn told_dead(&self, by: ShortId, who: ShortId) -> Option<DeadLinks> {
        let told = self.told.get(&by).into_iter().flatten();
        told.filter(|(other, _)| *other == who).map(|(_, dead)| *dead).next()
    }
}

/// The dead links of a neighbour once it has told which of its neighbours are gone: as the core
/// concludes when such news comes.
fn losses(near: &Near<'_>, lives: impl Fn(ShortId) -> bool) -> DeadLinks {
    let mut dead = near.dead;
    for lost in near.far.iter().filter(|far| !lives(far.node)) {
        dead.lose(lost.slot, near.labels, lost.labels);
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::{Epoch, Label, Labels, LinkCost};
    use overlay_proto::id::{LinkId, NodeId};

    #[test]
    fn a_lost_neighbour_takes_its_slot_and_the_trees_in_which_it_stood_above() {
        let root = Label::root(Epoch(1));
        let child = |label: Label, slot| label.child(slot).expect("shallow");
        let labels = Labels::from(vec![child(root, 3), child(root, 4)]);
        let mut far = Hood::default();
        let mut put = |n: u8, slot, labels: [Label; 2]| {
            let (cost, dead) = (LinkCost::HOP_ONLY, DeadLinks::default());
            far.put(slot, NodeId([n; 32]).short(), cost, dead, labels.into_iter().enumerate());
        };
        // 1 stands above in the second tree only; 2 below in the first.
        put(1, 5, [child(root, 9), root]);
        put(2, 6, [child(labels.get(0), 6), root]);
        let near = Near {
            link: LinkId(1),
            node: NodeId([9; 32]),
            cost: LinkCost::HOP_ONLY,
            labels: labels.view(),
            dead: DeadLinks { slots: 1, parents: 0 },
            far: &far,
        };
        let without = |n: u8| losses(&near, |who| who != NodeId([n; 32]).short());
        assert_eq!(without(1), DeadLinks { slots: 1 | 1 << 5, parents: 2 });
        assert_eq!(without(7), DeadLinks { slots: 1, parents: 0 }, "nobody that it knows");
    }
}
