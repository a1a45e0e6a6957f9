//! How a running node is spoken to: HTTP and JSON over a Unix socket in its data folder.

mod client;
mod contacts;
mod devices;
mod events;
mod mail;
mod peer;
mod problem;
mod serve;
mod streams;
mod types;

pub use client::{Client, ClientError, Lines, Upgraded};
pub(crate) use contacts::presence;
pub use events::{Feed, events_stream, pump};
pub use peer::{Peer, peer_routes};
pub use problem::ApiError;
pub use serve::{BODY_BYTES_MAX, ServeError, Server, serve};
pub use streams::Offers;
pub use types::*;

#[cfg(test)]
mod tests;
