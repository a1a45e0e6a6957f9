//! What must hold, each in a file of its own. Checks read what nodes tell their applications, what
//! packets they send, what they know and what the scenario did to them. They judge by rules of
//! their own, so the core cannot agree with them by sharing its mistake.

pub mod convergence;
pub mod degree;
pub mod delivery;
pub mod hops;
pub mod index;
pub mod labels;
pub mod liveness;
pub mod losses;
pub mod mail;
pub mod membership;
pub mod one_realm;
mod path;
pub mod places;
pub mod presence;
pub mod promise;
pub mod shut_out;
pub mod standing;
pub mod storm;
pub mod strangers;
pub mod talks;

pub use convergence::Convergence;
pub use degree::Degree;
pub use delivery::{Delivery, Era};
pub use hops::Hops;
pub use index::Index;
pub use liveness::Liveness;
pub use mail::Mail;
pub use membership::Membership;
pub use presence::Presence;
pub use promise::Promise;
pub use shut_out::ShutOut;
pub use standing::Standing;
pub use storm::Storm;
pub use strangers::Strangers;
pub use talks::Talks;

use overlay_proto::time::Time;
use std::fmt;

/// Violations of one check that are kept with their text; more are only counted.
const KEPT_MAX: usize = 20;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// When, in the world's time.
    pub at: Time,
    /// What.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.check, self.at.0 as f64 / 1e6, self.what)
    }
}

/// The violations that one check has found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    kept: Vec<Violation>,
    count: u64,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, check: &'static str, at: Time, what: String) {
        self.count += 1;
        if self.kept.len() < KEPT_MAX {
            self.kept.push(Violation { check, at, what });
        }
    }

    /// The first of them, in order.
    pub fn kept(&self) -> &[Violation] {
        &self.kept
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes over those of another check.
    pub fn extend(&mut self, other: &Findings) {
        self.kept.extend(other.kept.iter().cloned());
        self.count += other.count;
    }
}
