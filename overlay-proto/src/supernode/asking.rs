//! How many different clients ask for a log-in, and how often.
//!
//! In a log-in storm the number that tells is not log-ins a second but log-ins a client: a realm
//! that comes back sees each client once or twice, one that collapses sees the same clients again
//! and again.

use crate::id::NodeId;
use crate::time::{Span, Time};
use std::fmt;

/// Clients are counted in windows of this length; what is shown covers the present window and the
/// one before it.
const WINDOW: Span = Span::secs(60);
/// Bits of a hash that choose a register. `2^10` registers of one byte estimate within 3.3 %
/// (one standard deviation, `1.04 / sqrt(1024)`), whatever the number of clients.
const INDEX_BITS: u32 = 10;
const REGISTERS: usize = 1 << INDEX_BITS;

/// Who has asked in this window and in the one before.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// The present window, counted from the start of time.
    number: u64,
    present: Window,
    before: Window,
}

#[derive(Debug, Default)]
struct Window {
    attempts: u64,
    clients: Distinct,
}

impl Asking {
    /// `node` has tried to log in.
    pub fn saw(&mut self, node: NodeId, now: Time) {
        let number = window(now);
        if number != self.number {
            let ended = std::mem::take(&mut self.present);
            self.before = if number == self.number + 1 { ended } else { Window::default() };
            self.number = number;
        }
        self.present.attempts += 1;
        self.present.clients.insert(node);
    }

    /// Attempts, and about how many nodes made them, in this window and the one before.
    pub fn recent(&self, now: Time) -> (u64, u64) {
        let sum = |windows: &[&Window]| {
            let attempts: u64 = windows.iter().map(|window| window.attempts).sum();
            let clients = Distinct::estimate(windows.iter().map(|window| &window.clients));
            // No more can have asked than there were attempts.
            (attempts, clients.min(attempts))
        };
        match window(now).saturating_sub(self.number) {
            0 => sum(&[&self.before, &self.present]),
            1 => sum(&[&self.present]),
            _ => (0, 0),
        }
    }
}

fn window(now: Time) -> u64 {
    now.0 / WINDOW.0
}

/// About how many different nodes were inserted: HyperLogLog (Flajolet, Fusy, Gandouet and Meunier
/// 2007) over BLAKE3 of the node ids, so 1 KiB serves any number. Who makes keys at will can make
/// it count too many, as it could by asking with that many keys; no decision hangs on it.
#[derive(Default)]
struct Distinct {
    /// The largest rank seen by each register; empty before the first.
    registers: Vec<u8>,
}

impl Distinct {
    fn insert(&mut self, node: NodeId) {
        if self.registers.is_empty() {
            self.registers.resize(REGISTERS, 0);
        }
        let hash = blake3::hash(&node.0);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        let bits = u64::from_be_bytes(first);
        // The index from the last bits, the rank from the first: at most 54 zeros and one.
        let index = (bits as usize) & (REGISTERS - 1);
        let rank = (bits >> INDEX_BITS).leading_zeros() - INDEX_BITS + 1;
        if let Some(register) = self.registers.get_mut(index) {
            *register = (*register).max(rank as u8);
        }
    }

    /// How many the union of `sets` holds.
    fn estimate<'a>(sets: impl Iterator<Item = &'a Distinct>) -> u64 {
        let mut union = [0_u8; REGISTERS];
        for set in sets {
            union.iter_mut().zip(&set.registers).for_each(|(all, one)| *all = (*all).max(*one));
        }
        let m = REGISTERS as f64;
        let harmonic: f64 = union.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / harmonic;
        let empty = union.iter().filter(|rank| **rank == 0).count() as f64;
        // While many registers are empty, counting those is more exact.
        let linear = raw <= 2.5 * m && empty > 0.0;
        (if linear { m * (m / empty).ln() } else { raw }).round() as u64
    }
}

impl fmt::Debug for Distinct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Distinct({})", Distinct::estimate(std::iter::once(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u64) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        NodeId(bytes)
    }

    #[test]
    fn clients_are_estimated_within_a_tenth_from_few_to_many() {
        for count in [0, 1, 10, 100, 1_000, 3_000, 10_000, 100_000] {
            let mut set = Distinct::default();
            (0..count).for_each(|n| set.insert(node(n)));
            (0..count).for_each(|n| set.insert(node(n)));
            let found = Distinct::estimate(std::iter::once(&set));
            assert!(found.abs_diff(count) <= count / 10, "{found} for {count}");
            assert!(set.registers.len() <= REGISTERS);
        }
    }
}
