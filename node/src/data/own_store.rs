//! The store of a peer: its own certificates and the devices it has let in, in its data folder.

use super::Folder;
use crate::driver::Store;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps what a peer's core wants kept. The folder must be locked by this process.
#[derive(Debug)]
pub struct OwnStore {
    /// One write at a time: two would take turns at one file.
    folder: Arc<Mutex<Folder>>,
}

impl OwnStore {
    /// In this folder.
    pub fn new(folder: Folder) -> OwnStore {
        OwnStore { folder: Arc::new(Mutex::new(folder)) }
    }
}

impl Store for OwnStore {
    fn submit(&self, request: StoreRequest) -> Pin<Box<dyn Future<Output = StoreAnswer> + Send>> {
        let folder = self.folder.clone();
        Box::pin(async move {
            let kept = tokio::task::spawn_blocking(move || {
                let folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
                keep(&folder, request)
            });
            kept.await.unwrap_or(StoreAnswer::Failed)
        })
    }
}

fn keep(folder: &Folder, request: StoreRequest) -> StoreAnswer {
    let kept = match request {
        StoreRequest::KeepChain { chain } => folder.keep_chain(&chain),
        StoreRequest::KeepDevices { devices } => folder.keep_devices(&devices),
        // Only a registrar is asked for anything else.
        _ => return StoreAnswer::Failed,
    };
    match kept {
        Ok(()) => StoreAnswer::Granted { serial: 0 },
        Err(error) => {
            tracing::error!(%error, "certificates or devices could not be kept");
            StoreAnswer::Failed
        }
    }
}
