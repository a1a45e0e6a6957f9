//! Whole nodes on loopback.

mod ending;
mod living;
pub(crate) mod realm;
