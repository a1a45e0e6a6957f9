//! Encrypted sessions between two devices, over however many hops.
//!
//! QUIC (RFC 9000) runs on a socket of our own whose datagrams the core carries: hop by hop, or over
//! a direct link once one is worth it. TLS 1.3 proves both ends and keeps what was said secret even
//! if a key is stolen later; loss, order, flow and congestion are QUIC's. Each class of traffic has
//! an endpoint of its own, so a file never delays a call.
//!
//! ```no_run
//! use overlay_node::driver::Handle;
//! use overlay_node::session::{Access, Sessions};
//! use overlay_proto::identity::SecretKey;
//! use overlay_proto::name::Name;
//! use overlay_proto::wire::Class;
//! use std::time::Duration;
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn example(handle: Handle, device: SecretKey) -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::start(&handle, &device)?.expect("the first for this node");
//!
//! // Answer everybody who asks the time.
//! sessions.serve("time".parse()?, Access::Everyone, |_from, _body| async { Ok(b"noon".to_vec()) })?;
//!
//! // Ask bob, and give up after five seconds.
//! let bob = Name::new("bob")?;
//! let time = sessions.request(&bob, &"time".parse()?, b"", Duration::from_secs(5)).await?;
//!
//! // A stream, to be read and written as any other.
//! let mut stream = sessions.open(&bob, &"notes".parse()?, Class::Message).await?;
//! stream.write_all(&time).await?;
//! stream.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod endpoint;
mod error;
mod flow;
mod listener;
mod opening;
mod recipient;
mod reset;
mod sessions;
mod settings;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod turns;

pub use endpoint::EndpointError;
pub use error::SessionError;
pub use flow::Datagrams;
pub use listener::{Access, AlreadyServed, Listener};
pub use opening::{NoService, SERVICE_BYTES_MAX, Service};
pub use recipient::{NoRecipient, Recipient};
pub use sessions::{REQUEST_BYTES_MAX, Sessions};
pub use stream::{Incoming, Stream};
pub use tls::TlsError;
