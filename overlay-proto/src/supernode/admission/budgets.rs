//! What each address and each key may ask for: a bucket each, in a table that cannot grow.

use super::bucket::{Bucket, Rate};
use crate::config::BUDGETS_MAX;
use crate::id::NodeId;
use crate::time::{Span, Time};
use crate::wire::TransportAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What counts as one remote: an IPv4 address, an IPv6 network of 64 bits, or any other address as
/// it is written.
///
/// Not the IPv4 network around it: its neighbours are other customers. Of IPv6 a customer has at
/// least a /64 (RFC 6177), so single addresses would cost an attacker nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remote {
    V4(Ipv4Addr),
    V6(u64),
    /// The start of its hash.
    Other(u64),
}

impl Remote {
    /// The remote at an address; `None` for this machine itself, which nobody else can speak from.
    pub fn of(address: &TransportAddress) -> Option<Remote> {
        let mut parts = address.as_str().split('/').skip(1);
        let (kind, value) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let v4 = |ip: Ipv4Addr| (!ip.is_loopback()).then_some(Remote::V4(ip));
        match (kind, value.parse::<Ipv4Addr>(), value.parse::<Ipv6Addr>()) {
            ("ip4", Ok(ip), _) => v4(ip),
            ("ip6", _, Ok(ip)) if ip.is_loopback() => None,
            ("ip6", _, Ok(ip)) => match ip.to_ipv4_mapped() {
                Some(ip) => v4(ip),
                None => Some(Remote::V6((ip.to_bits() >> 64) as u64)),
            },
            _ => Some(Remote::Other(leading(address.as_str().as_bytes()))),
        }
    }
}

/// What a [`NodeId`] is reckoned under: its start will do, for a clash only shares a budget.
pub(super) fn key_of(node: NodeId) -> u64 {
    leading(&node.0)
}

fn leading(bytes: &[u8]) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(start)
}

/// A bucket for each who has taken something lately.
#[derive(Debug, Clone)]
pub(super) struct Budgets<K> {
    rate: Rate,
    buckets: BTreeMap<K, (Bucket, Time)>,
    /// The same by when they were used last: the first is the first to be forgotten.
    by_use: BTreeSet<(Time, K)>,
}

impl<K: Ord + Copy> Budgets<K> {
    pub fn new(rate: Rate) -> Budgets<K> {
        Budgets { rate, buckets: BTreeMap::new(), by_use: BTreeSet::new() }
    }

    /// How long `who` has to wait for a token; zero if it has one.
    pub fn wait(&self, who: K, now: Time) -> Span {
        let Some((mut bucket, _)) = self.buckets.get(&who).copied() else { return Span::ZERO };
        bucket.fill(self.rate, now);
        if bucket.has(1) { Span::ZERO } else { bucket.until_token(self.rate) }
    }

    /// Charges `who`.
    pub fn take(&mut self, who: K, tokens: u32, now: Time) {
        let known = self.buckets.get(&who).copied();
        let mut bucket = known.map_or(Bucket::full(self.rate, now), |(bucket, _)| bucket);
        if let Some((_, used)) = known {
            self.by_use.remove(&(used, who));
        }
        bucket.fill(self.rate, now);
        bucket.take(self.rate, tokens);
        self.buckets.insert(who, (bucket, now));
        self.by_use.insert((now, who));
        self.forget(now);
    }

    /// Who has been quiet long enough for a full bucket is forgotten without a loss; then, if there
    /// are still too many, who has been quiet longest.
    fn forget(&mut self, now: Time) {
        while let Some((_, who)) = self.by_use.first().copied() {
            let is_full = self.buckets.get(&who).is_none_or(|(bucket, _)| {
                let mut bucket = *bucket;
                bucket.fill(self.rate, now);
                bucket.is_full(self.rate)
            });
            if !is_full && self.buckets.len() <= BUDGETS_MAX {
                break;
            }
            self.by_use.pop_first();
            self.buckets.remove(&who);
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Option<Remote> {
        Remote::of(&TransportAddress::new(text).expect("short"))
    }

    #[test]
    fn one_customer_is_one_remote() {
        assert_eq!(remote("/ip4/192.0.2.1/tcp/1"), remote("/ip4/192.0.2.1/udp/9/quic-v1"));
        assert_ne!(remote("/ip4/192.0.2.1/tcp/1"), remote("/ip4/192.0.2.2/tcp/1"));
        assert_eq!(remote("/ip6/2001:db8::1/tcp/1"), remote("/ip6/2001:db8::ffff:2/tcp/1"));
        assert_ne!(remote("/ip6/2001:db8::1/tcp/1"), remote("/ip6/2001:db8:0:1::1/tcp/1"));
        assert_eq!(remote("/ip6/::ffff:192.0.2.1/tcp/1"), remote("/ip4/192.0.2.1/tcp/1"));
        assert_ne!(remote("v/1"), remote("v/2"));
        for own in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1"] {
            assert_eq!(remote(own), None);
        }
    }

    #[test]
    fn each_has_its_own_and_who_is_quiet_is_forgotten() {
        let mut budgets: Budgets<u64> = Budgets::new(Rate { per_second: 1, burst: 2 });
        budgets.take(1, 2, Time(0));
        assert_eq!(budgets.wait(1, Time(0)), Span::secs(1));
        assert_eq!(budgets.wait(2, Time(0)), Span::ZERO);
        assert_eq!(budgets.wait(1, Time(1_000_000)), Span::ZERO);
        budgets.take(2, 1, Time(3_000_000));
        assert_eq!(budgets.len(), 1, "the first has as much as if it had never come");
    }

    #[test]
    fn the_table_has_an_end() {
        let mut budgets: Budgets<u64> = Budgets::new(Rate { per_second: 1, burst: 8 });
        for who in 0..3 * BUDGETS_MAX as u64 {
            budgets.take(who, 8, Time(who));
        }
        assert_eq!((budgets.len(), budgets.by_use.len()), (BUDGETS_MAX, BUDGETS_MAX));
        assert_eq!(budgets.wait(0, Time(0)), Span::ZERO, "the oldest is forgotten");
    }
}
