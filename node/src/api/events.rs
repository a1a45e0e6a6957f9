//! From the core's events to the inbox, the host cache and whoever listens.

use super::types::ApiEvent;
use crate::data::{Folder, Inbox, InboxEntry};
use crate::driver::{self, Handle};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use overlay_proto::identity::RevocationList;
use overlay_proto::io::{Event, ReceivedText};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Events that wait for the slowest listener; a slower one is told how many it has missed.
const WAITING_MAX: usize = 1_024;

/// Events with their texts already in the inbox.
#[derive(Debug, Clone)]
pub struct Feed {
    events: broadcast::Sender<ApiEvent>,
    texts: Arc<AtomicU64>,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed { events: broadcast::channel(WAITING_MAX).0, texts: Arc::default() }
    }
}

impl Feed {
    /// All events from now on.
    pub fn listen(&self) -> broadcast::Receiver<ApiEvent> {
        self.events.subscribe()
    }

    /// The texts that ever came into the inbox.
    pub fn texts(&self) -> u64 {
        self.texts.load(Ordering::Relaxed)
    }

    /// Tells all listeners.
    pub fn tell(&self, event: ApiEvent) {
        // Nobody listening is no error.
        let _ = self.events.send(event);
    }
}

/// Carries the events of `handle` to `feed` until the node ends, texts by way of `inbox`, and
/// keeps the host cache of `folder`. Returns at once; subscribed when it returns.
pub fn pump(
    handle: &Handle,
    feed: Feed,
    folder: Folder,
    inbox: Option<Inbox>,
) -> tokio::task::JoinHandle<()> {
    let mut events = handle.events();
    let last = inbox.as_ref().map_or(0, Inbox::last);
    feed.texts.store(last, Ordering::Relaxed);
    let inbox = inbox.map(|inbox| Arc::new(Mutex::new(inbox)));
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(Event::Received(text)) => {
                    // Only peers are sent texts.
                    let Some(inbox) = &inbox else { continue };
                    if let Some(entry) = keep_text(inbox, text).await {
                        feed.texts.store(entry.number, Ordering::Relaxed);
                        feed.tell(ApiEvent::Message(entry));
                    }
                }
                Ok(Event::HostsChanged(hosts)) => {
                    let folder = folder.clone();
                    let kept = tokio::task::spawn_blocking(move || folder.keep_hosts(&hosts)).await;
                    if let Ok(Err(error)) = kept {
                        tracing::warn!(%error, "the host cache is not kept");
                    }
                }
                Ok(event) => {
                    if let Event::RevocationsChanged(lists) = &event {
                        keep_revocations(&folder, lists.clone()).await;
                    }
                    if let Some(event) = shown(&event) {
                        feed.tell(event);
                    }
                }
                Err(RecvError::Lagged(count)) => {
                    tracing::error!(count, "events came faster than the disk could take them");
                    feed.tell(ApiEvent::Missed { count });
                }
                Err(RecvError::Closed) => return,
            }
        }
    })
}

async fn keep_revocations(folder: &Folder, lists: Vec<Arc<RevocationList>>) {
    let folder = folder.clone();
    let kept = tokio::task::spawn_blocking(move || folder.keep_revocations(&lists)).await;
    if let Ok(Err(error)) = kept {
        tracing::warn!(%error, "the lists of revocations are not kept for the next start");
    }
}

async fn keep_text(inbox: &Arc<Mutex<Inbox>>, text: ReceivedText) -> Option<InboxEntry> {
    let inbox = inbox.clone();
    let kept = tokio::task::spawn_blocking(move || {
        // A panic while the inbox was held left it as it was before.
        inbox.lock().unwrap_or_else(PoisonError::into_inner).add(&text, driver::wall())
    });
    match kept.await {
        Ok(Ok(entry)) => Some(entry),
        Ok(Err(error)) => {
            tracing::error!(%error, "a message could not be written to the inbox and is lost: check the disk");
            None
        }
        Err(error) => {
            tracing::error!(%error, "a message could not be written to the inbox and is lost");
            None
        }
    }
}

fn shown(event: &Event) -> Option<ApiEvent> {
    Some(match event {
        Event::LoggedIn { home, failover } => {
            ApiEvent::LoggedIn { home: home.to_string(), failover: *failover }
        }
        Event::HomeLost { home } => ApiEvent::HomeLost { home: home.to_string() },
        Event::LoggedOut { status } => ApiEvent::LoggedOut { status: *status },
        Event::NeighbourUp { node, .. } => ApiEvent::NeighbourUp { node: node.to_string() },
        Event::NeighbourDown { node, .. } => ApiEvent::NeighbourDown { node: node.to_string() },
        Event::Placed { labels, neighbours, .. } => {
            ApiEvent::Placed { labels: *labels, neighbours: *neighbours }
        }
        Event::ChildIn { node, name } => {
            ApiEvent::ChildIn { node: node.to_string(), name: name.to_string() }
        }
        Event::ChildOut { node, status } => {
            ApiEvent::ChildOut { node: node.to_string(), status: *status }
        }
        Event::Mail(letter) => ApiEvent::Mail {
            id: letter.id.to_string(),
            from: letter.from.to_string(),
            text: String::from_utf8_lossy(&letter.body.0).into_owned(),
        },
        Event::MailKept { id, to, copies } => {
            ApiEvent::MailKept { id: id.to_string(), to: to.to_string(), copies: *copies }
        }
        Event::MailEnded { id, to, status } => {
            ApiEvent::MailEnded { id: id.to_string(), to: to.to_string(), status: *status }
        }
        Event::CertificateEnds { until } => ApiEvent::CertificateEnds { until_ms: until.0 },
        Event::Drained => ApiEvent::Drained,
        Event::Registered { name } => ApiEvent::Registered { name: name.to_string() },
        Event::DeviceAdded { node } => ApiEvent::DeviceAdded { node: node.to_string() },
        Event::Renewed { until } => ApiEvent::Renewed { until_ms: until.0 },
        Event::RevocationsChanged(lists) => ApiEvent::RevocationsChanged {
            entries: lists.iter().map(|list| list.entries.len()).sum(),
        },
        Event::MemberUp { node } => ApiEvent::MemberUp { node: node.to_string() },
        Event::MemberDown { node } => ApiEvent::MemberDown { node: node.to_string() },
        Event::Refused { node, status } => {
            ApiEvent::Refused { node: node.to_string(), status: *status }
        }
        Event::ShutOut { node, name } => {
            ApiEvent::ShutOut { node: node.to_string(), name: name.to_string() }
        }
        Event::PathChanged { node, name, direct } => ApiEvent::PathChanged {
            node: node.to_string(),
            name: name.to_string(),
            direct: *direct,
        },
        // The first two go another way; the last is a matter of counters.
        Event::Received(_) | Event::HostsChanged(_) | Event::Escalated { .. } => return None,
    })
}

/// `GET /v1/events`: one JSON object a line, until the node or the reader ends.
pub fn events_stream(feed: &Feed) -> Response {
    let lines = futures::stream::unfold(feed.listen(), async |mut events| {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => ApiEvent::Missed { count },
            Err(RecvError::Closed) => return None,
        };
        let mut line = serde_json::to_vec(&event).ok()?;
        line.push(b'\n');
        Some((Ok::<_, Infallible>(line), events))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}
