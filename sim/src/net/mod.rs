//! The network beneath the overlay: how long anything takes from one host to another.

pub mod latency;

pub use latency::{Latency, Places};
