//! Rendezvous hashing (Thaler and Ravishankar, 1998): everyone who knows the same members orders
//! them alike for a key, and a member that comes or goes moves only its own share.

use crate::id::NodeId;

/// The members in order of preference for `key`.
pub(crate) fn order(
    tag: &'static [u8],
    key: u64,
    members: impl Iterator<Item = NodeId>,
) -> Vec<NodeId> {
    let mut scored: Vec<([u8; 16], NodeId)> =
        members.map(|member| (score(tag, key, member), member)).collect();
    scored.sort_unstable_by(|a, b| b.cmp(a));
    scored.into_iter().map(|(_, member)| member).collect()
}

fn score(tag: &[u8], key: u64, member: NodeId) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(tag);
    hasher.update(&key.to_be_bytes());
    hasher.update(&member.0);
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(n: u8) -> impl Iterator<Item = NodeId> {
        (0..n).map(|i| NodeId([i; 32]))
    }

    #[test]
    fn a_lost_member_moves_only_its_own_keys() {
        for key in 0..200 {
            let before = order(b"t", key, members(10));
            let after = order(b"t", key, members(10).filter(|m| *m != NodeId([3; 32])));
            let expected: Vec<_> = before.into_iter().filter(|m| *m != NodeId([3; 32])).collect();
            assert_eq!(after, expected);
        }
    }

    #[test]
    fn keys_spread_over_members() {
        let mut first = [0; 10];
        (0..1_000).for_each(|key| first[usize::from(order(b"t", key, members(10))[0].0[0])] += 1);
        assert!(first.iter().all(|n| (50..200).contains(n)), "{first:?}");
    }
}
