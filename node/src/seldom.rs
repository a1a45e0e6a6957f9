//! Lines of the log that strangers can cause are written now and then, not one by one: whoever floods
//! a node shall not fill its disk as well.

use std::time::Duration;
use tokio::time::Instant;

/// For so long there are at most [`LINES_MAX`] lines.
const WINDOW: Duration = Duration::from_secs(10);
/// Enough to see who it is.
const LINES_MAX: u32 = 10;

/// How much one kind of line has been written lately.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Seldom {
    /// Whether to write a line, and how many were left out before it.
    pub(crate) fn line(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            self.since = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_written_and_a_flood_is_counted() {
        let (mut seldom, start) = (Seldom::default(), Instant::now());
        assert!((0..LINES_MAX).all(|_| seldom.line(start) == Some(0)));
        assert!((0..10_000).all(|_| seldom.line(start).is_none()));
        assert_eq!(seldom.line(start + WINDOW), Some(10_000));
        assert_eq!(seldom.line(start + WINDOW), Some(0));
    }
}
