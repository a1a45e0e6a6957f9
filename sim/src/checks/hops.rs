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

/// The one place where a stuck packet may have been before is the one that it steps back to.
fn goes_somewhere_new(passage: &Passage) -> Result<(), String> {
    let Some(came) = &passage.came else { return Ok(()) };
    let next = passage.next.short();
    if !came.has_visited(next) || steps_back_to(passage) {
        return Ok(());
    }
    Err(format!("to {next:?}, where it has been"))
}

/// Whether the path on which it went ends where it is going.
fn steps_back_to(passage: &Passage) -> bool {
    let mut path = passage.went.clone();
    // Listed last, so that stepping back from it leads to the end of the path as it is.
    let here = overlay_proto::id::ShortId([0xff; 8]);
    path.visit(here) && path.step_back() == Some(passage.next.short())
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
        let passage = Passage { came, went, link: LinkId(0), next: node(3) };
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
        let back = |packet: &mut Packet| {
            hop(packet);
            assert!(packet.visit(node(5).short()) && packet.step_back().is_some());
        };
        assert_eq!(found(Some(been(&[4, 3])), back), 0);
        assert_eq!(found(Some(been(&[3, 4])), back), 1, "two steps back");
    }
}
