//! A node: the pure core of `overlay-proto` with a transport, a clock and an owner.

pub mod driver;
mod transport;
