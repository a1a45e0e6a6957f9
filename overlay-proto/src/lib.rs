//! The pure core of Trellis, a supernode overlay: both roles of a node as state machines without
//! input or output.
//!
//! Ordinary *peers* know a few neighbours and pass packets hop by hop. *Supernodes* log users in,
//! keep the locations of their devices, and shape the graph of links as peers come and go. Both
//! live in this crate; who reads sockets, clocks and disks lives elsewhere and is called a driver.
//!
//! # The contract
//!
//! A driver owns a [`Node`] and calls four methods:
//!
//! 1. [`Node::new`] with keys, limits, a seed and the time.
//! 2. [`Node::handle_input`] for everything that happens: a link is up, a frame came, the
//!    application wants something, time has passed.
//! 3. [`Node::poll_output`] until it is `None`, after each input, doing what each output says.
//! 4. [`Node::poll_timeout`] to know when to come back with [`Input::Tick`](io::Input::Tick).
//!
//! Time is monotonic and counts from any origin ([`time::Time`]); wall time serves certificates
//! only. Equal seeds and inputs give equal outputs, so a simulator runs 100,000 nodes of this very
//! code and finds a failure again by its seed.
//!
//! # The run loop
//!
//! Two nodes and a queue between them are enough to see it. This driver has no network: what one
//! node sends, the other receives.
//!
//! ```
//! use overlay_proto::id::LinkId;
//! use overlay_proto::identity::{Identity, SecretKey};
//! use overlay_proto::io::{Input, Output};
//! use overlay_proto::node::Setup;
//! use overlay_proto::time::{Time, WallTime};
//! use overlay_proto::wire::TransportAddress;
//! use overlay_proto::{Config, Node};
//! use std::collections::VecDeque;
//! use std::sync::Arc;
//!
//! let realm = overlay_proto::id::RealmId(SecretKey::from_bytes([9; 32]).public());
//! let mut nodes: Vec<Node> = [1, 2]
//!     .map(|n| {
//!         let device = SecretKey::from_bytes([n; 32]);
//!         let identity = Arc::new(Identity { realm, device, user: None, supernode: None });
//!         let (config, hosts) = (Arc::new(Config::default()), Vec::new());
//!         let wall = WallTime::from_secs(1_800_000_000);
//!         Node::new(Setup { config, identity, hosts, seed: [n; 32], wall }, Time(0))
//!     })
//!     .into();
//!
//! let mut now = Time(0);
//! let mut queue = VecDeque::new();
//! let (link, remote) = (LinkId(1), TransportAddress::new("there")?);
//! for at in [0, 1] {
//!     let node = nodes[1 - at].id();
//!     queue.push_back((at, Input::LinkUp { link, node, remote: remote.clone(), dial: None }));
//! }
//! for _ in 0..20 {
//!     // Inputs first, then whatever is due by the clock.
//!     if let Some((at, input)) = queue.pop_front() {
//!         nodes[at].handle_input(now, input);
//!     } else if let Some(due) = nodes.iter().filter_map(|n| n.poll_timeout()).map(|d| d.at).min() {
//!         now = due;
//!         nodes.iter_mut().for_each(|node| node.handle_input(now, Input::Tick));
//!     }
//!     for at in [0, 1] {
//!         while let Some(output) = nodes[at].poll_output() {
//!             match output {
//!                 Output::Send { link, frame, .. } => {
//!                     queue.push_back((1 - at, Input::Received { link, frame }));
//!                 }
//!                 other => println!("{at}: {other:?}"),
//!             }
//!         }
//!     }
//! }
//! assert!(now > Time(0), "the nodes have kept their link alive");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//!
//! | question | module |
//! | --- | --- |
//! | who is who, and who says so | [`identity`], [`name`] |
//! | what travels | [`wire`] |
//! | where a peer stands | [`coordinates`] |
//! | which way a packet goes | [`forward`] |
//! | where a user is | [`location`] |
//! | what waits for a user | [`mail`] |
//! | what crosses the door | [`io`], [`view`] |
//! | every limit | [`config`] |
//! | every status code | [`status`] |

#[macro_use]
mod seeded;

pub mod address;
pub mod config;
mod context;
pub mod coordinates;
pub mod denial;
pub mod encoding;
mod fetching;
mod footprint;
pub mod forward;
pub mod id;
pub mod identity;
pub mod io;
mod links;
pub mod location;
pub mod mail;
pub mod name;
pub mod node;
mod pace;
mod peer;
mod remote;
mod rendezvous;
pub mod status;
mod supernode;
pub mod time;
pub mod view;
pub mod wire;

#[cfg(test)]
mod attack_tests;
#[cfg(any(test, feature = "fuzzing"))]
pub mod hostile;
#[cfg(test)]
mod node_tests;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "the tests use more of it than the fuzz targets"))]
mod testing;

pub use config::Config;
pub use node::Node;
#[cfg(feature = "seeded-bugs")]
pub use seeded::SeededBug;
