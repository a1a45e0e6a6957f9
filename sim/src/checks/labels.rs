//! The labels of a network at rest are spanning trees: one root each, every other peer below a live
//! neighbour that has it in the slot which ends its label, and nobody's label is another's.

use super::path::Path;
use overlay_proto::id::{NodeId, ShortId};
use overlay_proto::view::IssuedView;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the check in findings.
pub const CHECK: &str = "labels";

/// Epoch and path of each label, and who holds it with which neighbours.
type Holders<'a> = BTreeMap<(u8, Vec<u8>), (NodeId, &'a [ShortId])>;

/// What is not right about the labels of all live peers. While places change this is never empty for
/// long: homes tell each other of a change hop by hop. `parts` is what [`parts`] says of them.
pub fn flaws(places: &BTreeMap<NodeId, IssuedView>, trees: usize, parts: usize) -> Vec<String> {
    (0..trees).flat_map(|tree| flaws_of(tree, places, parts)).collect()
}

/// Into how many parts the links between these peers fall: a tree spans one.
pub fn parts(places: &BTreeMap<NodeId, IssuedView>) -> usize {
    let place = |(node, place)| (NodeId::short(node), place);
    let by_short: BTreeMap<ShortId, &IssuedView> = places.iter().map(place).collect();
    let mut unseen: BTreeSet<ShortId> = by_short.keys().copied().collect();
    let mut parts = 0;
    while let Some(first) = unseen.pop_first() {
        parts += 1;
        let mut reached = vec![first];
        while let Some(at) = reached.pop() {
            let around = by_short.get(&at).into_iter().flat_map(|place| &place.slots);
            reached.extend(around.filter(|next| unseen.remove(next)));
        }
    }
    parts
}

fn flaws_of(tree: usize, places: &BTreeMap<NodeId, IssuedView>, parts: usize) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut holders: Holders<'_> = BTreeMap::new();
    for (node, place) in places {
        let path = place.labels.get(tree).copied().and_then(Path::of);
        let Some(Path { epoch, slots, .. }) = path else {
            flaws.push(format!("{node:?} has no label in tree {tree}"));
            continue;
        };
        if let Some((other, _)) = holders.insert((epoch, slots), (*node, &place.slots)) {
            flaws.push(format!("{node:?} and {other:?} have the same label in tree {tree}"));
        }
    }
    let roots = holders.keys().filter(|(_, path)| path.is_empty()).count();
    if roots != parts {
        flaws.push(format!("tree {tree} has {roots} roots in {parts} parts of the network"));
    }
    for ((epoch, path), (node, _)) in &holders {
        let Some((last, above)) = path.split_last() else { continue };
        let seat = holders
            .get(&(*epoch, above.to_vec()))
            .and_then(|(_, slots)| slots.get(usize::from(*last)));
        if seat != Some(&node.short()) {
            flaws
                .push(format!("{node:?} has a label in tree {tree} that its parent does not give"));
        }
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::{Epoch, Label};

    fn node(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    fn label(slots: &[u8]) -> Label {
        slots.iter().fold(Label::root(Epoch(1)), |l, s| l.child(*s).expect("shallow"))
    }

    /// Node 1 is the root, with 2 in its slot 1; 2 has 3 in its slot 0.
    fn flaws_after(change: impl FnOnce(&mut BTreeMap<NodeId, IssuedView>)) -> usize {
        let place = |slots: &[u8], around: &[u8]| {
            let slots_held = around.iter().map(|n| match n {
                0 => ShortId::NONE,
                n => node(*n).short(),
            });
            IssuedView { seq: 1, slots: slots_held.collect(), labels: vec![label(slots)] }
        };
        let mut places = BTreeMap::from([
            (node(1), place(&[], &[0, 2])),
            (node(2), place(&[1], &[3, 1])),
            (node(3), place(&[1, 0], &[2])),
        ]);
        change(&mut places);
        flaws(&places, 1, parts(&places)).len()
    }

    fn relabel(places: &mut BTreeMap<NodeId, IssuedView>, who: u8, new: Label) {
        places.get_mut(&node(who)).expect("there").labels[0] = new;
    }

    #[test]
    fn a_tree_is_right() {
        assert_eq!(flaws_after(|_| ()), 0);
        assert_eq!(flaws(&BTreeMap::new(), 1, 0), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_tree_is_found() {
        assert_eq!(flaws_after(|places| relabel(places, 3, Label::NONE)), 1, "no label");
        assert_eq!(flaws_after(|places| relabel(places, 3, label(&[1, 1]))), 1, "another slot");
        assert_eq!(flaws_after(|places| relabel(places, 3, label(&[4]))), 1, "a stranger's slot");
        // Two of one label, and one of them is not given it.
        assert_eq!(flaws_after(|places| relabel(places, 3, label(&[1]))), 2);
        assert_eq!(flaws_after(|places| relabel(places, 3, Label::root(Epoch(2)))), 1, "two roots");
        // The root is gone: nobody is, and nobody gives the label below it.
        assert_eq!(flaws_after(|places| _ = places.remove(&node(1))), 2);
        let swap = |places: &mut BTreeMap<NodeId, IssuedView>| {
            places.get_mut(&node(1)).expect("there").slots.reverse();
        };
        assert_eq!(flaws_after(swap), 1, "the parent has nobody in that slot");
    }
}
