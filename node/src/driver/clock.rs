//! The two clocks of the core, read from the machine.

use overlay_proto::time::{Time, WallTime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// The monotonic clock, counted from the start of the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    pub(crate) fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Time {
        // 584,000 years fit.
        Time(self.origin.elapsed().as_micros() as u64)
    }

    /// The instant of `time`; none if it is [`Time::NEVER`] or so far away that it never comes.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.origin.checked_add(Duration::from_micros(time.0))
    }
}

/// The wall clock now; the epoch itself if the machine believes to live before it.
pub fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(since.as_millis() as u64)
}
