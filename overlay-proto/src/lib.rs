//! overlay-proto
pub mod config;
pub mod coordinates;
pub mod id;
pub mod identity;
pub mod io;
pub mod location;
pub mod name;
pub mod node;
pub mod status;
pub mod time;
pub mod view;
pub mod wire;

pub use config::Config;
pub use node::Node;
