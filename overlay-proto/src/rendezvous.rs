//! Rendezvous hashing (Thaler and Ravishankar, 1998): everyone who knows the same members orders
//! them alike for a key, and a member that comes or goes moves only its own share.

use crate::id::NodeId;
use std::cmp::Reverse;

/// The first `count` members in the order of preference for `key`, for the purpose that `tag` names.
///
/// Takes time in proportion to the members, and little for each: a home does this for all
/// its peers whenever one of thousands of members comes or goes.
pub(crate) fn first(
    tag: &'static [u8],
    key: u64,
    members: impl Iterator<Item = NodeId>,
    count: usize,
) -> Vec<NodeId> {
    let drawn = draw(tag, key);
    let mut scored: Vec<Reverse<(u64, NodeId)>> =
        members.map(|member| Reverse((score(drawn, member), member))).collect();
    if count < scored.len() {
        scored.select_nth_unstable(count);
        scored.truncate(count);
    }
    scored.sort_unstable();
    scored.into_iter().map(|Reverse((_, member))| member).collect()
}

/// What the key adds to each score: nobody can choose it.
fn draw(tag: &[u8], key: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(tag);
    hasher.update(&key.to_be_bytes());
    let mut drawn = [0; 8];
    drawn.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(drawn)
}

/// Node ids are public keys: who wants a good place for a key draws keys until one has it, as with any
/// hash, and then needs a certificate for that one.
fn score(drawn: u64, member: NodeId) -> u64 {
    let (words, _) = member.0.as_chunks::<8>();
    let folded = words.iter().fold(drawn, |sum, word| sum ^ u64::from_be_bytes(*word));
    mixed(folded)
}

/// Each bit of the outcome depends on all of `word`: the finalizer of SplitMix64.
pub(crate) fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u8) -> NodeId {
        NodeId(*blake3::hash(&[n]).as_bytes())
    }

    fn members(n: u8) -> impl Iterator<Item = NodeId> {
        (0..n).map(node)
    }

    #[test]
    fn a_lost_member_moves_only_its_own_keys() {
        for key in 0..200 {
            let before = first(b"t", key, members(10), usize::MAX);
            let after = first(b"t", key, members(10).filter(|m| *m != node(3)), usize::MAX);
            let expected: Vec<_> = before.into_iter().filter(|m| *m != node(3)).collect();
            assert_eq!(after, expected);
        }
    }

    #[test]
    fn the_first_few_are_those_of_the_whole_order() {
        for key in 0..200 {
            let all = first(b"t", key, members(50), usize::MAX);
            for count in [0, 1, 3, 49, 50] {
                assert_eq!(first(b"t", key, members(50), count), all[..count]);
            }
        }
    }

    #[test]
    fn keys_spread_over_members_in_every_place() {
        for place in 0..3 {
            let mut there = std::collections::BTreeMap::<NodeId, usize>::new();
            for key in 0..10_000 {
                *there.entry(first(b"t", key, members(10), 3)[place]).or_default() += 1;
            }
            assert!(there.values().all(|n| (900..1_100).contains(n)), "{place}: {there:?}");
        }
    }

    #[test]
    fn purposes_order_members_differently() {
        let of = |tag| first(tag, 7, members(50), usize::MAX);
        assert_ne!(of(b"index"), of(b"tree"));
    }
}
