//! What a dedicated machine adds to a node that is a supernode: a durable store, the making of
//! realms, and administration.

pub mod api;
pub mod cli;
pub mod operator;
pub mod realm;
pub mod remembered;
mod revocations_api;
pub mod store;
