//! A token bucket in whole numbers: so many a second on average, and so many at once.

use crate::time::{Span, Time};

/// Parts of a token. With a rate in tokens a second, a microsecond brings just so many parts.
const TOKEN: i64 = 1_000_000;

/// Tokens, and when they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    parts: i64,
    at: Time,
}

/// How fast a bucket fills, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Tokens a second. At least 1.
    pub per_second: u32,
    /// Tokens that a full bucket holds.
    pub burst: u32,
}

impl Rate {
    fn full(self) -> i64 {
        i64::from(self.burst) * TOKEN
    }
}

impl Bucket {
    /// A full one.
    pub fn full(rate: Rate, now: Time) -> Bucket {
        Bucket { parts: rate.full(), at: now }
    }

    /// Lets the time until `now` fill it.
    pub fn fill(&mut self, rate: Rate, now: Time) {
        let micros = i64::try_from(now.since(self.at).0).unwrap_or(i64::MAX);
        let more = micros.saturating_mul(i64::from(rate.per_second));
        self.parts = self.parts.saturating_add(more).min(rate.full());
        self.at = now;
    }

    /// Whether it is as full as it gets.
    pub fn is_full(&self, rate: Rate) -> bool {
        self.parts >= rate.full()
    }

    /// Whether it holds so many tokens. Less than none: it may be so far in debt.
    pub fn has(&self, tokens: i64) -> bool {
        self.parts >= tokens.saturating_mul(TOKEN)
    }

    /// Takes tokens out, into debt if need be, but never deeper than one that was full once over.
    pub fn take(&mut self, rate: Rate, tokens: u32) {
        self.parts = (self.parts - i64::from(tokens) * TOKEN).max(-rate.full());
    }

    /// How long until it holds a token.
    pub fn until_token(&self, rate: Rate) -> Span {
        let missing = u64::try_from(TOKEN - self.parts).unwrap_or(0);
        Span(missing.div_ceil(u64::from(rate.per_second.max(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };

    #[test]
    fn it_gives_the_burst_and_then_the_rate() {
        let mut bucket = Bucket::full(RATE, Time(0));
        (0..5).for_each(|_| bucket.take(RATE, 1));
        assert!(bucket.has(0) && !bucket.has(1));
        assert_eq!(bucket.until_token(RATE), Span::millis(100));
        bucket.fill(RATE, Time(250_000));
        assert!(bucket.has(2) && !bucket.has(3) && !bucket.is_full(RATE));
        bucket.fill(RATE, Time(1_000_000_000));
        assert!(bucket.is_full(RATE) && !bucket.has(6));
    }

    #[test]
    fn debt_is_paid_back_and_has_a_floor() {
        let mut bucket = Bucket::full(RATE, Time(0));
        bucket.take(RATE, 1_000);
        assert!(bucket.has(-5) && !bucket.has(-4));
        bucket.fill(RATE, Time(600_000));
        assert!(bucket.has(1));
    }
}
