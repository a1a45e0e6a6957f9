//! When the next try to log in is due, so that many peers with the same trouble do not make it worse.
//!
//! Waits grow by two and are drawn evenly from nothing up to their longest ("full jitter": Brooker,
//! "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). Who is told when to come again
//! comes then, and a little later. Tries without a wait, at the next supernode of the list, come
//! out of a budget, as retries do in gRPC (proposal A6): whoever asks around may do so for a while,
//! and a storm is not made of those who ask everybody.

use crate::context::Context;
use crate::time::{Span, Time};

/// The longest wait before the second round of tries.
const FIRST: Span = Span::millis(500);
/// The longest wait of all.
const LONGEST: Span = Span::secs(16);
/// The longest wait that a supernode may tell. A wrong one cannot keep a peer out.
const TOLD_MAX: Span = Span::secs(120);
/// The longest wait before the next supernode of the list is tried, while that is cheap.
const NEXT_ONE: Span = Span::millis(50);
/// Tries at the next supernode that need no wait, saved up.
const QUICK_TRIES: u32 = 5;
/// A further one of them for each span like this.
const QUICK_TRY_EVERY: Span = Span::secs(10);
/// Times in a row that a peer lets itself be sent elsewhere at once.
const SENT_ON_MAX: u32 = 6;

/// How patient the peer is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// Waits since the last success that were drawn: the next may be twice as long.
    waits: u32,
    quick: u32,
    quick_since: Time,
    sent_on: u32,
}

impl Patience {
    pub fn new() -> Patience {
        Patience { waits: 0, quick: QUICK_TRIES, quick_since: Time(0), sent_on: 0 }
    }

    /// A try has led to a session. What is left for quick tries stays as it is.
    pub fn succeeded(&mut self) {
        (self.waits, self.sent_on) = (0, 0);
    }

    /// The wait after a try that led nowhere. `untried` says whether there is a supernode that has
    /// not been tried since the last success.
    pub fn after_failure(&mut self, cx: &mut Context, untried: bool) -> Span {
        if seeded!(NoBackOff) {
            return NEXT_ONE;
        }
        if untried && self.takes_quick_try(cx.now) {
            return cx.jitter(NEXT_ONE);
        }
        let most = Span((FIRST.0 << self.waits.min(16)).min(LONGEST.0));
        self.waits += 1;
        cx.jitter(most)
    }

    /// The wait of who was told to ask another supernode.
    pub fn after_redirect(&mut self, cx: &mut Context) -> Span {
        self.sent_on += 1;
        if self.sent_on <= SENT_ON_MAX {
            return cx.jitter(NEXT_ONE);
        }
        self.after_failure(cx, false)
    }

    /// The wait of who was told to come again after so many seconds: a little more, so that all who
    /// were told the same do not come at once.
    pub fn after_put_off(&mut self, cx: &mut Context, secs: u16) -> Span {
        if seeded!(NoBackOff) {
            return NEXT_ONE;
        }
        let told = Span::secs(u64::from(secs)).min(TOLD_MAX);
        told + cx.jitter(Span(told.0 / 4).max(FIRST))
    }

    /// Takes one of the tries that need no wait, if one is left.
    pub fn takes_quick_try(&mut self, now: Time) -> bool {
        let earned = now.since(self.quick_since).0 / QUICK_TRY_EVERY.0;
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.quick = self.quick.saturating_add(earned).min(QUICK_TRIES);
            self.quick_since = now;
        }
        let has = self.quick > 0;
        self.quick = self.quick.saturating_sub(1);
        has
    }
}
