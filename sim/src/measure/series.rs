//! What a run has counted, second by second of its own time.

use overlay_proto::time::{Span, Time};

/// Between two looks at the counts.
const EVERY: Span = Span::secs(1);

/// The counts at one moment. Those that only grow are counted since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moment {
    /// The world's time.
    pub at: Time,
    /// Messages sent so far.
    pub sent: usize,
    /// Messages shown exactly once so far.
    pub delivered: usize,
    /// Peers that live.
    pub here: usize,
    /// Of them, those in their places.
    pub whole: usize,
    /// Bytes of control traffic sent so far.
    pub control_bytes: u64,
    /// Labels that homes have given or changed so far.
    pub labels: u64,
    /// Live peers that are logged in.
    pub on_line: usize,
    /// Sessions asked for so far.
    pub asked: u64,
    /// Of them, those that were put off or refused.
    pub refused: u64,
    /// Sessions that peers have got so far.
    pub logins: u64,
    /// Supernodes that live.
    pub supernodes: usize,
    /// Log-ins that they can look at in a second.
    pub capacity: f64,
}

impl Moment {
    /// Seconds since the world began.
    pub fn secs(&self) -> f64 {
        self.at.0 as f64 / 1e6
    }
}

/// Moments a second apart, in order.
#[derive(Debug, Clone, Default)]
pub struct Series {
    moments: Vec<Moment>,
    due: Time,
}

impl Series {
    /// Whether a moment is to be kept before the world goes on to `next`.
    pub fn is_due(&self, next: Time) -> bool {
        next >= self.due
    }

    /// Keeps a moment; the next is due a second later.
    pub fn keep(&mut self, moment: Moment) {
        self.due = moment.at + EVERY;
        self.moments.push(moment);
    }

    /// All moments.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// How fast a count grew for each live peer: seconds at the end of each interval, and what was
    /// added in it by peer and second. Nothing where nobody lives.
    pub fn rate_per_peer(&self, count: impl Fn(&Moment) -> u64) -> Vec<(f64, f64)> {
        let pairs = self.moments.windows(2).map(|pair| (&pair[0], &pair[1]));
        pairs
            .filter(|(_, after)| after.here > 0)
            .map(|(before, after)| {
                let grown = count(after).saturating_sub(count(before)) as f64;
                let secs = (after.secs() - before.secs()).max(1e-6);
                (after.secs(), grown / secs / after.here as f64)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_what_was_added() {
        let mut series = Series::default();
        for (secs, control_bytes) in [(0, 0), (1, 600), (3, 1_000)] {
            let at = Time(secs * 1_000_000);
            assert!(series.is_due(at));
            series.keep(Moment { at, here: 2, control_bytes, ..Moment::default() });
            assert!(!series.is_due(at + Span::millis(999)));
        }
        let rates = series.rate_per_peer(|moment| moment.control_bytes);
        series.keep(Moment { at: Time(4_000_000), ..Moment::default() });
        assert_eq!(series.rate_per_peer(|moment| moment.control_bytes), rates, "all have gone");
        assert_eq!(rates, [(1.0, 300.0), (3.0, 100.0)]);
    }
}
