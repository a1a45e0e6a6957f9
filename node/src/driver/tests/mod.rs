//! Whole nodes on loopback.

mod ending;
mod living;
pub(super) mod realm;
