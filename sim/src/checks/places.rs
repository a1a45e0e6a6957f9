//! Nobody believes a place that no home has issued, and at rest everybody has the newest labels of
//! each neighbour.

use overlay_proto::id::NodeId;
use overlay_proto::view::{IssuedView, PlaceView};
use std::collections::BTreeMap;

/// The name of the check in findings.
pub const CHECK: &str = "places";

/// What a peer believes wrongly of its neighbours, beside what homes have issued to all live peers.
/// A place comes to a neighbour through the peer itself, so it is never newer there.
pub fn flaws(peer: &PlaceView, issued: &BTreeMap<NodeId, IssuedView>) -> Vec<String> {
    let beliefs = peer.neighbours.iter().filter_map(|near| {
        let (believed, truth) = (near.issued.as_ref(), issued.get(&near.node)?);
        let flaw = judge(believed, truth)?;
        Some(format!("{:?} believes of {:?} {flaw}", peer.node, near.node))
    });
    beliefs.collect()
}

fn judge(believed: Option<&IssuedView>, truth: &IssuedView) -> Option<&'static str> {
    match believed {
        None => Some("nothing yet"),
        Some(believed) if believed.seq > truth.seq => Some("a place that no home has issued"),
        Some(believed) if believed.seq == truth.seq && believed != truth => {
            Some("a place that its home has issued otherwise")
        }
        // A place in which nothing but other slots have changed is not told.
        Some(believed) if believed.labels != truth.labels => Some("labels that it has no more"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::{Epoch, Label};
    use overlay_proto::id::ShortId;
    use overlay_proto::view::BeliefView;

    fn place(seq: u64, label: Label) -> IssuedView {
        IssuedView { seq, slots: vec![ShortId::NONE], labels: vec![label] }
    }

    #[test]
    fn only_what_was_issued_is_right() {
        let (root, other) = (Label::root(Epoch(1)), Label::root(Epoch(2)));
        let (me, near) = (NodeId([1; 32]), NodeId([2; 32]));
        let issued = BTreeMap::from([(near, place(5, root))]);
        let found = |believed: Option<IssuedView>| {
            let belief = BeliefView { slot: 0, node: near, issued: believed, far: Vec::new() };
            let peer = PlaceView { node: me, issued: None, neighbours: vec![belief] };
            flaws(&peer, &issued).len()
        };
        assert_eq!(found(Some(place(5, root))), 0);
        assert_eq!(found(Some(place(4, root))), 0, "older, with the same labels");
        assert_eq!(found(Some(place(4, other))), 1, "older, with other labels");
        assert_eq!(found(Some(place(5, other))), 1, "changed on the way");
        assert_eq!(found(Some(place(6, root))), 1, "forged");
        assert_eq!(found(None), 1, "never told");
    }
}
