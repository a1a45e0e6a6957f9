//! A forwarder promises only what it knows: the cost that it writes into a packet is that of a live
//! way over the neighbour to which it sends, along a tree in which places can be compared.

use super::Findings;
use super::path::Path;
use crate::world::{Passage, Seen, Sighting};
use overlay_proto::config::TREES_MAX;
use overlay_proto::coordinates::Label;
use overlay_proto::forward::{DeadLinks, Near};

const CHECK: &str = "promise";
/// A cost of so many quarters or more, or one that is not known.
const UNKNOWN: u8 = u8::MAX;

/// What forwarders have promised without a reason.
#[derive(Debug, Default)]
pub struct Promise {
    findings: Findings,
}

impl Promise {
    /// Looks at a packet that passes a host which has these neighbours, before anything else has
    /// happened to it.
    pub fn see<'a>(&mut self, sighting: &Sighting, mut routes: impl Iterator<Item = Near<'a>>) {
        let Seen::Passed(passage) = &sighting.what else { return };
        if passage.went.is_escalated() {
            return;
        }
        let Some(near) = routes.find(|near| near.link == passage.link) else {
            let what = format!("host {} sent a packet to no neighbour", sighting.host);
            return self.findings.add(CHECK, sighting.at, what);
        };
        if !holds(passage, &near) {
            let (tree, cost) = (passage.went.followed(), passage.went.estimate());
            let what = format!(
                "host {} promised a way of {cost} quarters of a hop along tree {tree:?}, which \
                 {:?} does not have",
                sighting.host, near.node
            );
            self.findings.add(CHECK, sighting.at, what);
        }
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

fn holds(passage: &Passage, near: &Near<'_>) -> bool {
    let (packet, said) = (&passage.went, passage.went.estimate());
    let destination = packet.destination();
    if near.node == destination {
        return said == 0;
    }
    let Some(tree) = packet.followed() else {
        // It steps back, or the destination is the neighbour's neighbour.
        let beyond = near.far.iter().filter(|far| far.node == destination.short());
        return said == UNKNOWN
            || beyond.into_iter().any(|far| quarters(far.cost.quarters()) == said);
    };
    let mut room = [Label::NONE; TREES_MAX];
    let there = packet.labels(&mut room).get(tree).copied().unwrap_or(Label::NONE);
    let Some(there) = Path::of(there) else { return false };
    let way = |label: Label, dead: DeadLinks, first: u32| {
        let here = Path::of(label)?;
        let lives = match here.slot_toward(&there) {
            Some(slot) => dead.slots & 1 << slot == 0,
            None => dead.parents & 1 << tree == 0,
        };
        here.distance(&there).filter(|_| lives).map(|way| quarters(first + way))
    };
    let own = way(near.labels.get(tree), near.dead, 0);
    let mut beyond =
        near.far.iter().map(|far| way(far.labels.get(tree), far.dead, far.cost.quarters()));
    own == Some(said) || beyond.any(|way| way == Some(said))
}

fn quarters(cost: u32) -> u8 {
    u8::try_from(cost).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::{Epoch, Labels, LinkCost};
    use overlay_proto::forward::{Decision, Hood, decide};
    use overlay_proto::id::{IndexKey, LinkId, NodeId};
    use overlay_proto::time::Time;
    use overlay_proto::wire::packet::Destination;
    use overlay_proto::wire::{Class, Packet};

    fn label(epoch: u8, slots: &[u8]) -> Label {
        slots.iter().fold(Label::root(Epoch(epoch)), |l, s| l.child(*s).expect("shallow"))
    }

    /// Findings when the core sends a packet to `1/12` by a neighbour with this label, and the check
    /// then sees that neighbour as `change` leaves it.
    fn found(change: impl FnOnce(&mut Labels, &mut DeadLinks)) -> u64 {
        let mut labels = Labels::from(vec![label(1, &[1])]);
        let mut dead = DeadLinks::default();
        let near = |labels: &Labels, dead: DeadLinks, check: &mut dyn FnMut(Near<'_>)| {
            let (link, node, cost) = (LinkId(1), NodeId([1; 32]), LinkCost::HOP_ONLY);
            let far = Hood::default();
            check(Near { link, node, cost, labels: labels.view(), dead, far: &far });
        };
        let to = Labels::from(vec![label(1, &[1, 2])]);
        let to = Destination { node: NodeId([9; 32]), key: IndexKey(0), labels: to };
        let mut went = Packet::new(Class::Message, NodeId([0; 32]), &to, b"x");
        near(&labels, dead, &mut |near| {
            let me = NodeId([0; 32]).short();
            let decision = decide(me, std::iter::once(near), None, &mut went);
            assert_eq!(decision, Decision::Send(LinkId(1)));
        });
        change(&mut labels, &mut dead);
        let passage = Passage {
            came: None,
            went,
            here: NodeId([0; 32]),
            link: LinkId(1),
            next: NodeId([1; 32]),
        };
        let what = Seen::Passed(Box::new(passage));
        let mut promise = Promise::default();
        near(&labels, dead, &mut |near| {
            let sighting = Sighting { at: Time(1), host: 0, what: what.clone() };
            promise.see(&sighting, std::iter::once(near));
        });
        promise.verdict().count()
    }

    #[test]
    fn what_the_neighbour_has_may_be_promised() {
        assert_eq!(found(|_, _| ()), 0);
        assert_eq!(found(|_, dead| dead.slots = 1 << 3), 0, "another branch is dead");
        assert_eq!(found(|_, dead| dead.parents = 1), 0, "the way leads down");
    }

    #[test]
    fn what_it_has_not_may_not() {
        assert_eq!(found(|_, dead| dead.slots = 1 << 2), 1, "the way is dead");
        assert_eq!(found(|labels, _| labels.set(0, label(2, &[1]))), 1, "another epoch");
        assert_eq!(found(|labels, _| labels.set(0, label(1, &[]))), 1, "a longer way");
        assert_eq!(found(|labels, _| labels.set(0, Label::NONE)), 1, "no place");
    }
}
