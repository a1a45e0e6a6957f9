//! The two clocks of the core: monotonic time for every timer, wall time for certificates only.
//!
//! Neither is ever read here. Both come in as arguments, so the simulator decides them (DESIGN,
//! section 2, rule 1), and a wall clock that jumps moves no timer.

use std::ops::{Add, AddAssign, Sub};

/// A moment on the node's monotonic clock, in microseconds since an origin of the driver's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

/// Wall-clock time in milliseconds since the Unix epoch. Used for certificates and record epochs,
/// never for timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

impl Time {
    /// The latest representable moment: a deadline that never comes.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time that has passed since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of whole microseconds.
    pub const fn micros(n: u64) -> Span {
        Span(n)
    }

    /// A span of whole milliseconds.
    pub const fn millis(n: u64) -> Span {
        Span(n * 1_000)
    }

    /// A span of whole seconds.
    pub const fn secs(n: u64) -> Span {
        Span(n * 1_000_000)
    }

    /// The span in milliseconds, with its fraction.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The span in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl WallTime {
    /// A wall time of whole seconds since the Unix epoch.
    pub const fn from_secs(secs: u64) -> WallTime {
        WallTime(secs * 1_000)
    }

    /// This moment moved by `span`, saturating.
    pub fn plus(self, span: Span) -> WallTime {
        WallTime(self.0.saturating_add(span.as_millis()))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Time> for Time {
    type Output = Span;
    fn sub(self, earlier: Time) -> Span {
        self.since(earlier)
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}
