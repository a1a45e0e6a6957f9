//! How often news is told: the first at once, what follows at gaps that double while it keeps
//! coming, as routers hold back their computations (RFC 8405).

use crate::time::{Span, Time};

/// When news may be told next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    told: Time,
    gap: Span,
    due: Time,
}

impl Pace {
    /// What there is to tell may be told from then on.
    pub fn due(self) -> Time {
        self.due
    }

    /// Something has come up that cannot wait.
    pub fn hurry(&mut self, now: Time) {
        self.due = self.due.min(now);
    }

    /// News has been told. The next waits for `first`, or for longer, up to `most`, if little time
    /// has passed since the one before.
    pub fn told(&mut self, now: Time, first: Span, most: Span) {
        let doubled = Span(2 * self.gap.0);
        let busy = now.since(self.told) < doubled;
        self.gap = if busy { doubled.min(most) } else { first };
        self.told = now;
        self.due = now + self.gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_double_while_news_keeps_coming_and_fall_back_when_it_is_quiet() {
        let (first, most) = (Span::secs(1), Span::secs(4));
        let mut pace = Pace::default();
        let mut gaps = Vec::new();
        let mut now = Time(0) + Span::secs(50);
        assert!(pace.due() <= now, "the first is told at once");
        for quiet in [0, 0, 0, 0, 4] {
            now = now.max(pace.due()) + Span::secs(quiet);
            pace.told(now, first, most);
            gaps.push(pace.due().since(now));
        }
        assert_eq!(gaps, [1, 2, 4, 4, 1].map(Span::secs));
    }

    #[test]
    fn what_cannot_wait_does_not() {
        let mut pace = Pace::default();
        pace.told(Time(5), Span::secs(1), Span::secs(4));
        pace.hurry(Time(7));
        assert_eq!(pace.due(), Time(7));
    }
}
