//! How often each has asked lately, counted without a list of those who asked.
//!
//! A fixed number of counters, each for all whose keyed hash falls on it (one row of a count-min
//! sketch: Cormode and Muthukrishnan, J. Algorithms 55, 2005). It may count somebody's asks to
//! another; it never counts too few.

use crate::time::{Span, Time};
use std::fmt;

/// Counters: eight kilobytes. With a thousand who ask, one in four shares its counter.
const CELLS: usize = 4_096;
/// After so long counting begins anew.
const WINDOW: Span = Span::secs(30);

/// The counters.
#[derive(Clone)]
pub(super) struct Sketch {
    key: [u8; 32],
    cells: Vec<u16>,
    since: Time,
}

impl Sketch {
    /// With nothing counted yet. `key` keeps others from choosing whom they are counted with.
    pub fn new(key: [u8; 32], now: Time) -> Sketch {
        Sketch { key, cells: vec![0; CELLS], since: now }
    }

    /// Counts one ask; how many there were in this window, at least.
    pub fn count(&mut self, who: &[u8], now: Time) -> u16 {
        if now.since(self.since) >= WINDOW {
            self.cells.fill(0);
            self.since = now;
        }
        let hash = blake3::keyed_hash(&self.key, who);
        let mut start = [0; 8];
        start.copy_from_slice(&hash.as_bytes()[..8]);
        let cell = u64::from_le_bytes(start) % CELLS as u64;
        let Some(count) = self.cells.get_mut(cell as usize) else { return 0 };
        *count = count.saturating_add(1);
        *count
    }

    /// The most asks that come together in one window at this rate a second.
    pub fn in_window(per_second: u32) -> u16 {
        let all = u64::from(per_second) * WINDOW.0 / 1_000_000;
        u16::try_from(all).unwrap_or(u16::MAX)
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted: u64 = self.cells.iter().map(|cell| u64::from(*cell)).sum();
        write!(f, "Sketch({counted} since {})", self.since.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_for_a_while() {
        let mut sketch = Sketch::new([1; 32], Time(0));
        assert_eq!(
            [1, 2, 3],
            [Time(0), Time(9), Time(29_999_999)].map(|at| sketch.count(b"a", at))
        );
        assert_eq!(sketch.count(b"b", Time(29_999_999)), 1);
        assert_eq!(sketch.count(b"a", Time(30_000_000)), 1);
    }
}
