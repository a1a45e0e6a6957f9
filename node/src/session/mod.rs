//! Encrypted sessions between two devices, over however many hops.
//!
//! QUIC (RFC 9000) runs on a socket of our own whose datagrams the core carries: hop by hop, or over
//! a direct link once one is worth it. TLS 1.3 proves both ends and keeps what was said secret even
//! if a key is stolen later; loss, order, flow and congestion are QUIC's. Each class of traffic has
//! an endpoint of its own, so a file never delays a call.

mod address;
mod endpoint;
mod error;
mod listener;
mod opening;
mod reset;
mod sessions;
mod settings;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub use endpoint::EndpointError;
pub use error::SessionError;
pub use listener::{Access, AlreadyServed, Listener};
pub use opening::{NoService, SERVICE_BYTES_MAX, Service};
pub use sessions::{REQUEST_BYTES_MAX, Sessions};
pub use stream::{Incoming, Stream};
pub use tls::TlsError;
