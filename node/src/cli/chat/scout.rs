//! Looks who is there and by which way, beside the screen: an answer may take seconds.

use super::screen::Way;
use crate::api::ContactEntry;
use crate::cli::ask::Asker;
use overlay_proto::view::CorrespondentView;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Findings that wait for the screen.
const FOUND_MAX: usize = 8;

/// What the scout has found.
#[derive(Debug)]
pub(super) enum Found {
    Book(Vec<ContactEntry>),
    Ways(Vec<CorrespondentView>),
    Way(String, Option<Way>),
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Scout {
    heeded: watch::Sender<Option<String>>,
    found: mpsc::Receiver<Found>,
    task: JoinHandle<()>,
}

impl Scout {
    pub fn send(peer: &Asker) -> Scout {
        let (heeded, heeds) = watch::channel(None);
        let (finds, found) = mpsc::channel(FOUND_MAX);
        let task = tokio::spawn(look(peer.clone(), heeds, finds));
        Scout { heeded, found, task }
    }

    /// With whom the open conversation is; a change is looked at at once.
    pub fn heed(&self, with: Option<&str>) {
        self.heeded.send_if_modified(|heeded| {
            let changed = heeded.as_deref() != with;
            if changed {
                *heeded = with.map(str::to_owned);
            }
            changed
        });
    }

    /// The next finding. Never returns once the task has ended.
    pub async fn found(&mut self) -> Found {
        match self.found.recv().await {
            Some(found) => found,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Scout {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(peer: Asker, mut heeds: watch::Receiver<Option<String>>, finds: mpsc::Sender<Found>) {
    loop {
        let with = heeds.borrow_and_update().clone();
        // What cannot be had now is left as it was.
        let mut online = false;
        if let Ok(book) = peer.contacts().await {
            let is_it = |entry: &&ContactEntry| Some(entry.name.as_str()) == with.as_deref();
            online = book.contacts.iter().find(is_it).is_some_and(|it| it.online == Some(true));
            let _ = finds.send(Found::Book(book.contacts)).await;
        }
        let mut direct = false;
        if let Ok(views) = peer.correspondents().await {
            let is_it = |view: &CorrespondentView| Some(view.name.as_str()) == with.as_deref();
            direct = views.iter().any(|view| view.direct && is_it(view));
            let _ = finds.send(Found::Ways(views)).await;
        }
        if let Some(with) = with.filter(|_| online && !direct) {
            let way = peer.ping(&with).await.ok().map(|pong| Way::Hops(pong.hops));
            let _ = finds.send(Found::Way(with, way)).await;
        }
        // At once if another conversation is open by now.
        if let Ok(Err(_)) = timeout(LOOK_EVERY, heeds.changed()).await {
            return;
        }
    }
}
