//! The store as its operator sees it: whether what was asked of it last has worked.

use overlay_node::driver::Store;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What became of the store's requests, shared with whoever asks for it.
#[derive(Debug, Clone, Default)]
pub struct StoreHealth {
    /// When the store failed, if it has not worked since.
    failed: Arc<Mutex<Option<Instant>>>,
}

impl StoreHealth {
    /// How long ago the store failed, if nothing has worked since.
    pub fn failed_for(&self) -> Option<Duration> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// Notes an answer.
    pub fn note(&self, answer: StoreAnswer) {
        let failed = (answer == StoreAnswer::Failed).then(Instant::now);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}

/// A store that tells how it fares.
#[derive(Debug)]
pub struct WatchedStore<S> {
    store: Arc<S>,
    health: StoreHealth,
}

impl<S> WatchedStore<S> {
    /// Watches `store` for `health`.
    pub fn new(store: Arc<S>, health: StoreHealth) -> WatchedStore<S> {
        WatchedStore { store, health }
    }
}

impl<S: Store> Store for WatchedStore<S> {
    fn submit(&self, request: StoreRequest) -> Pin<Box<dyn Future<Output = StoreAnswer> + Send>> {
        let (answer, health) = (self.store.submit(request), self.health.clone());
        Box::pin(async move {
            let answer = answer.await;
            health.note(answer);
            answer
        })
    }
}
