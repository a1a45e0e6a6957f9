//! overlay-proto
pub mod config;
mod context;
pub mod coordinates;
pub mod forward;
pub mod id;
pub mod identity;
pub mod io;
mod links;
pub mod location;
pub mod name;
pub mod node;
mod peer;
mod rendezvous;
pub mod status;
mod supernode;
pub mod time;
pub mod view;
pub mod wire;

#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use node::Node;
