//! A node: the pure core of `overlay-proto` with a transport, a clock and an owner.

pub mod api;
pub mod cli;
pub mod contacts;
pub mod data;
pub mod driver;
pub mod mail;
mod prefixed;
pub mod session;
pub mod settings;
pub mod telemetry;
pub mod transfer;
mod transport;
