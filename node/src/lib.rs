//! A node: the pure core of `overlay-proto` with a transport, a clock and an owner.
//!
//! A program that wants a peer inside starts a [`client::Client`] on a folder that `peer join` has made:
//!
//! ```no_run
//! use overlay_node::client::{Client, ClientOptions};
//! use overlay_node::data::Folder;
//! use overlay_proto::name::Name;
//! use overlay_proto::wire::Class;
//! use std::time::Duration;
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = Folder::at("/home/alice/trellis");
//! let client = Client::start(&folder, ClientOptions::default()).await?;
//! let mut events = client.events();
//! client.login().await?;
//! let bob = Name::new("bob")?;
//!
//! // Transient: bob has it when this returns, or never.
//! client.send(&bob, "are you there?".to_owned()).await?;
//! // Persistent: it is on the disk when this returns, and ends with an event.
//! client.send_message(&bob, "see you on Friday", None).await?;
//! // Synchronous, for contacts: a question and its answer.
//! let time = client.request(&bob, &"time".parse()?, b"", Duration::from_secs(5)).await?;
//! // A stream, and datagrams beside it.
//! let mut call = client.open_stream(&bob, &"call".parse()?, Class::RealTime).await?;
//! let sound = call.datagrams().expect("not taken yet");
//! sound.send(b"20 ms of it")?;
//! call.write_all(&time).await?;
//! // What others want of this user.
//! client.serve("echo".parse()?, |_from, body| async { Ok(body) })?;
//!
//! println!("{:?}", events.recv().await?);
//! client.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub mod api;
mod capture;
pub mod cli;
pub mod client;
pub mod contacts;
pub mod data;
pub mod driver;
pub mod mail;
mod prefixed;
mod seldom;
pub mod session;
pub mod settings;
pub mod telemetry;
pub mod transfer;
mod transport;
