//! How often one address may open connections: a handshake costs more than all that is refused after
//! it, so who comes too often is turned away before.

use super::limits::{INBOUND_BURST, INBOUND_PER_SECOND, REMOTES_MAX};
use overlay_proto::io::Remote;
use std::collections::BTreeMap;
use std::time::Instant;

/// What each address that has come lately may still do.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    left: BTreeMap<Remote, (f64, Instant)>,
}

fn filled((left, since): (f64, Instant), now: Instant) -> f64 {
    let more = now.saturating_duration_since(since).as_secs_f64() * f64::from(INBOUND_PER_SECOND);
    (left + more).min(f64::from(INBOUND_BURST))
}

impl Knocks {
    /// Whether one more connection of this address is looked at.
    pub(super) fn may(&mut self, remote: Remote, now: Instant) -> bool {
        let known = self.left.get(&remote).copied();
        let left = known.map_or(f64::from(INBOUND_BURST), |known| filled(known, now));
        if left < 1.0 {
            return false;
        }
        if known.is_none() && self.left.len() >= REMOTES_MAX {
            self.forget(now);
        }
        self.left.insert(remote, (left - 1.0, now));
        true
    }

    /// Who has been quiet is as good as new. If nobody has, all begin anew.
    fn forget(&mut self, now: Instant) {
        self.left.retain(|_, left| filled(*left, now) < f64::from(INBOUND_BURST));
        if self.left.len() >= REMOTES_MAX {
            self.left.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn remote(n: u32) -> Remote {
        Remote::V4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn each_address_has_a_burst_and_a_rate() {
        let (mut knocks, start) = (Knocks::default(), Instant::now());
        let taken =
            |knocks: &mut Knocks, at| (0..10_000).filter(|_| knocks.may(remote(1), at)).count();
        assert_eq!(taken(&mut knocks, start), INBOUND_BURST as usize);
        assert!(knocks.may(remote(2), start));
        let later = start + Duration::from_secs(2);
        assert_eq!(taken(&mut knocks, later), 2 * INBOUND_PER_SECOND as usize);
    }

    #[test]
    fn the_table_has_an_end() {
        let (mut knocks, start) = (Knocks::default(), Instant::now());
        for n in 0..3 * REMOTES_MAX as u32 {
            assert!(knocks.may(remote(n), start));
            assert!(knocks.left.len() <= REMOTES_MAX);
        }
        let later = start + Duration::from_secs(1);
        assert!((0..REMOTES_MAX as u32).all(|n| knocks.may(remote(n), later)));
    }
}
