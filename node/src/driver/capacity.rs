//! How many log-ins a second this machine can take, measured while it works.
//!
//! The loop is one core's work. How long it is busy in seconds with hardly a log-in is what everything
//! else costs; what it is busy beyond that, shared out among the log-ins, is what one costs with all
//! that follows. A machine whose processor is taken by others is busy for longer with the same, and so
//! is found to be slower. Before the first log-ins the cost is guessed from the time of a signature
//! check.

use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{Domain, SecretKey};
use std::time::{Duration, Instant};

/// The part of the core that log-ins and everything else may take up together. The rest is for what
/// comes in bursts.
const SHARE: f64 = 0.8;
/// The part of the core that log-ins get whatever else there is to do.
const LOGIN_SHARE_MIN: f64 = 0.1;
/// Signature checks in whose time a log-in is done with all that follows, to begin with.
const LOGIN_CHECKS: f64 = 40.0;
/// Log-ins in a second from which on it tells what one costs, and up to which it tells what all else
/// does.
const LOGINS_TELLING: u64 = 8;
/// The weight of a new sample: what follows a log-in comes in the seconds after it.
const WEIGHT: f64 = 0.1;
/// Log-ins a second, at least and at most, whatever is measured.
const LOGINS: (f64, f64) = (10.0, 20_000.0);
/// A change is told from this part on.
const TOLD_FROM: f64 = 0.05;
/// Signature checks that are timed at the start: some milliseconds.
const TIMED: usize = 32;

/// What has been measured so far.
#[derive(Debug)]
pub(super) struct Capacity {
    /// The part of a core that all but log-ins takes.
    other: f64,
    /// Seconds of a core for one log-in.
    cost: f64,
    told: f64,
    /// Log-ins since the start, at the last look.
    logins: u64,
    busy: Duration,
    looked: Instant,
}

impl Capacity {
    /// Begins with a guess.
    pub(super) fn guessed() -> Capacity {
        Capacity::of_check(time_of_check())
    }

    fn of_check(check: Duration) -> Capacity {
        let cost = LOGIN_CHECKS * check.as_secs_f64();
        let (busy, looked) = (Duration::ZERO, Instant::now());
        Capacity { other: 0.0, cost, told: 0.0, logins: 0, busy, looked }
    }

    /// The loop was busy for so long.
    pub(super) fn worked(&mut self, time: Duration) {
        self.busy += time;
    }

    /// Looks at the time since the last look. Returns the log-ins a second, if they are others now;
    /// `logins` are those since the start.
    pub(super) fn look(&mut self, logins: u64) -> Option<u32> {
        let seconds = self.looked.elapsed().as_secs_f64().max(1e-3);
        let busy = std::mem::take(&mut self.busy).as_secs_f64() / seconds;
        let new = logins.saturating_sub(self.logins) as f64 / seconds;
        self.logins = logins;
        self.looked = Instant::now();
        self.learn(busy, new);
        self.news()
    }

    /// A second in which the loop was busy for this part, with so many log-ins.
    fn learn(&mut self, busy: f64, logins: f64) {
        let toward = |old: &mut f64, sample: f64| *old += WEIGHT * (sample - *old);
        if logins < LOGINS_TELLING as f64 {
            toward(&mut self.other, (busy - logins * self.cost).max(0.0));
        } else {
            toward(&mut self.cost, (busy - self.other).max(0.0) / logins);
        }
    }

    fn news(&mut self) -> Option<u32> {
        let share = (SHARE - self.other).max(LOGIN_SHARE_MIN);
        let logins = (share / self.cost.max(1e-9)).clamp(LOGINS.0, LOGINS.1);
        if (logins - self.told).abs() < TOLD_FROM * self.told {
            return None;
        }
        self.told = logins;
        Some(logins as u32)
    }
}

/// The least time of several, which nothing else has disturbed.
fn time_of_check() -> Duration {
    let key = SecretKey::from_bytes([1; 32]);
    let (public, signature) = (key.public(), key.sign(Domain::Login, &[0; 32]));
    let times = (0..TIMED).map(|_| {
        let began = Instant::now();
        let right = Domain::Login.is_signed(&StrictVerifier, &public, &[0; 32], &signature);
        std::hint::black_box(right);
        began.elapsed()
    });
    times.min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(capacity: &mut Capacity, count: u32, busy: f64, logins: f64) -> u32 {
        let mut told = capacity.told as u32;
        for _ in 0..count {
            capacity.learn(busy, logins);
            told = capacity.news().unwrap_or(told);
        }
        told
    }

    #[test]
    fn what_a_log_in_costs_is_learnt_from_those_there_are() {
        let mut capacity = Capacity::of_check(Duration::from_micros(50));
        let told = seconds(&mut capacity, 1, 0.0, 0.0);
        assert!((399..=400).contains(&told), "40 checks of 50 us in 0.8 s: {told}");
        // Each takes 4 ms, beside nothing.
        let told = seconds(&mut capacity, 60, 0.4, 100.0);
        assert!((190..=215).contains(&told), "{told}");
        // Half of the core goes to what has nothing to do with log-ins.
        let told = seconds(&mut capacity, 60, 0.5, 0.0);
        assert!((70..=85).contains(&told), "{told}");
        // A machine that is full up with others' work lets some in, and comes back.
        assert!(seconds(&mut capacity, 60, 1.0, 3.0) >= 20);
        assert!(seconds(&mut capacity, 90, 0.0, 0.0) > 180);
    }

    #[test]
    fn small_changes_are_not_told() {
        let mut capacity = Capacity::of_check(Duration::from_micros(50));
        assert!(capacity.news().is_some());
        capacity.learn(0.205, 100.0);
        assert_eq!(capacity.news(), None);
    }

    #[test]
    fn a_check_takes_time() {
        assert!(time_of_check() > Duration::ZERO);
    }
}
