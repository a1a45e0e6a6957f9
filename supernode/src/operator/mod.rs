//! What an operator watches a supernode by: metrics and health over HTTP, on a listener of its own.

mod health;
mod listener;
mod metrics;
mod watched_store;

pub use health::{ANSWER_MAX, LINE_SECS_MAX, STORE_FAILED_FOR, Unready};
pub use listener::{ListenerError, OperatorListener, Watch};
pub use metrics::{CONTENT_TYPE, Seen, render};
pub use watched_store::{StoreHealth, WatchedStore};

#[cfg(test)]
mod tests;
