//! What a dedicated machine adds to a node that is a supernode: a durable store and the making of
//! realms.

pub mod realm;
pub mod store;
