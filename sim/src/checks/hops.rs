//! Whoever sends a packet on counts the hop, and a stuck packet goes nowhere twice. So no packet is
//! forwarded by more nodes than the hop limit allows.

use super::Findings;
use crate::world::{Passage, Seen, Sighting};
use overlay_proto::config::HOP_LIMIT;

const CHECK: &str = "hops";

/// The law of every hop, which holds for the whole way if it holds at each node.
#[derive(Debug, Default)]
pub struct Hops {
    findings: Findings,
}

impl Hops {
    /// Looks at a packet that passes a host.
    pub fn see(&mut self, sighting: &Sighting) {
        let Seen::Passed(passage) = &sighting.what else { return };
        // Over the scaffold there are no hops to count.
        if passage.went.is_escalated() {
            return;
        }
        if let Err(what) = counted(passage).and_then(|()| goes_somewhere_new(passage)) {
            let what = format!("host {} sent a packet {what}", sighting.host);
            self.findings.add(CHECK, sighting.at, what);
        }
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

fn counted(passage: &Passage) -> Result<(), String> {
    let now = (passage.went.hops_left(), passage.went.hops_taken());
    let before = match &passage.came {
        Some(came) => (came.hops_left(), came.hops_taken()),
        // A probe goes as far as its sender wants.
        None if passage.went.is_probe() => return Ok(()),
        None => (HOP_LIMIT, 0),
    };
    match before.0.checked_sub(1) {
        None => Err("on whose hops had run out".into()),
        Some(left) if now == (left, before.1.saturating_add(1)) => Ok(()),
        Some(_) => Err(format!("with {now:?} hops left and taken, after {before:?}")),
    }
}

/// Where a stuck packet may have been before: one step back. And a sender that hears nothing lists its
/// first hop, which may have been the reader itself.
fn goes_somewhere_new(passage: &Passage) -> Result<(), String> {
    let Some(came) = &passage.came else { return Ok(()) };
    let next = passage.next.short();
    let there = passage.next == came.destination();
    if there || !came.has_visited(next) {
        return Ok(());
    }
    let mut path = came.clone();
    if path.visit(passage.here.short()) && path.step_back() == Some(next) {
        return Ok(());
    }
    Err(format!("to {next:?}, where it has been"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::Labels;
    use overlay_proto::id::{IndexKey, LinkId, NodeId};
    use overlay_proto::time::Time;
    use overlay_proto::wire::packet::Destination;
    use overlay_proto::wire::{Class, Packet};

    fn node(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    fn fresh() -> Packet {
        let to = Destination { node: node(9), key: IndexKey(0), labels: Labels::none(1) };
        Packet::new(Class::Message, node(1), &to, b"x")
    }

    /// Findings on a packet that came so and went to node 3 after `change`.
    fn found(came: Option<Packet>, change: impl FnOnce(&mut Packet)) -> u64 {
        let mut went = came.clone().unwrap_or_else(fresh);
        change(&mut went);
        let passage = Passage { came, went, here: node(2), link: LinkId(0), next: node(3) };
        let mut hops = Hops::default();
        hops.see(&Sighting { at: Time(1), host: 0, what: Seen::Passed(Box::new(passage)) });
        hops.verdict().count()
    }

    fn hop(packet: &mut Packet) {
        assert!(packet.take_hop());
    }

    #[test]
    fn one_hop_a_node() {
        assert_eq!(found(None, hop), 0);
        assert_eq!(found(None, |_| ()), 1, "not counted");
        assert_eq!(found(Some(fresh()), hop), 0);
        assert_eq!(found(Some(fresh()), |_| ()), 1, "not counted");
        let mut last = fresh();
        last.set_probe(0);
        assert_eq!(found(Some(last), |_| ()), 1, "none left");
        assert_eq!(found(Some(fresh()), Packet::set_escalated), 0, "over the scaffold");
    }

    #[test]
    fn nowhere_twice_but_one_step_back() {
        let been = |nodes: &[u8]| {
            let mut packet = fresh();
            nodes.iter().for_each(|n| assert!(packet.visit(node(*n).short())));
            packet
        };
        assert_eq!(found(Some(been(&[3, 4])), hop), 1);
        assert_eq!(found(Some(been(&[4])), hop), 0);
        let to = Destination { node: node(3), key: IndexKey(0), labels: Labels::none(1) };
        let mut avoiding = Packet::new(Class::Message, node(1), &to, b"x");
        assert!(avoiding.visit(node(3).short()));
        assert_eq!(found(Some(avoiding), hop), 0, "the reader was avoided");
        assert_eq!(found(Some(been(&[4, 3])), hop), 0, "a step back");
        assert_eq!(found(Some(been(&[4, 3, 2])), hop), 0, "a step back from where it was before");
        assert_eq!(found(Some(been(&[3, 4, 2])), hop), 1, "two steps back");
    }
}
