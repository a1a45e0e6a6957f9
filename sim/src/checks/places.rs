//! Nobody believes a place that no home has issued, and at rest everybody has the newest labels of
//! each neighbour.

use overlay_proto::id::NodeId;
use overlay_proto::view::{IssuedView, PlaceView};
use std::collections::BTreeMap;

/// The name of the check in findings.
pub const CHECK: &str = "places";

type Issued = BTreeMap<NodeId, IssuedView>;

/// What a peer believes of its neighbours that their homes have never issued, beside what those have
/// issued last. A place comes to a neighbour through the peer itself, so it is never newer there.
pub fn forged(peer: &PlaceView, issued: &Issued) -> Vec<String> {
    flaws(peer, issued, |believed, truth| match believed {
        Some(believed) if believed.seq > truth.seq => Some("a place that no home has issued"),
        Some(believed) if believed.seq == truth.seq && believed != truth => {
            Some("a place that its home has issued otherwise")
        }
        _ => None,
    })
}

/// What a peer believes of its neighbours that has changed since. While places change this is never
/// empty for long.
pub fn stale(peer: &PlaceView, issued: &Issued) -> Vec<String> {
    flaws(peer, issued, |believed, truth| match believed {
        None => Some("nothing yet"),
        // A place in which nothing but other slots have changed is not told.
        Some(believed) if believed.labels != truth.labels => Some("labels that it has no more"),
        Some(_) => None,
    })
}

fn flaws(
    peer: &PlaceView,
    issued: &Issued,
    judge: impl Fn(Option<&IssuedView>, &IssuedView) -> Option<&'static str>,
) -> Vec<String> {
    let beliefs = peer.neighbours.iter().filter_map(|near| {
        let flaw = judge(near.issued.as_ref(), issued.get(&near.node)?)?;
        Some(format!("{:?} believes of {:?} {flaw}", peer.node, near.node))
    });
    beliefs.collect()
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
            (forged(&peer, &issued).len(), stale(&peer, &issued).len())
        };
        assert_eq!(found(Some(place(5, root))), (0, 0));
        assert_eq!(found(Some(place(4, root))), (0, 0), "older, with the same labels");
        assert_eq!(found(Some(place(4, other))), (0, 1), "older, with other labels");
        assert_eq!(found(Some(place(5, other))), (1, 1), "changed on the way");
        assert_eq!(found(Some(place(6, root))), (1, 0), "forged");
        assert_eq!(found(None), (0, 1), "never told");
    }
}
