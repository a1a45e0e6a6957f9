//! Who serves what, and to whom.

use super::opening::Service;
use super::settings::WAITING_MAX;
use super::socket::locked;
use super::stream::Incoming;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::mpsc;

/// Who may open a service's streams.
#[derive(Clone)]
pub enum Access {
    /// Everybody in the realm who has a name.
    Everyone,
    /// These users.
    Users(BTreeSet<Name>),
    /// Those for whom this says so, asked each time.
    If(Arc<dyn Fn(&Name) -> bool + Send + Sync>),
}

impl Access {
    fn allows(&self, user: &Name) -> bool {
        match self {
            Access::Everyone => true,
            Access::Users(users) => users.contains(user),
            Access::If(may) => may(user),
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Everyone => f.write_str("Everyone"),
            Access::Users(users) => write!(f, "Users({users:?})"),
            Access::If(_) => f.write_str("If(..)"),
        }
    }
}

/// Somebody serves that already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is served already by this peer: end the other one first, or choose another name")]
pub struct AlreadyServed(pub Service);

#[derive(Debug)]
struct Entry {
    access: Access,
    streams: mpsc::Sender<Incoming>,
}

/// What is served here.
#[derive(Debug, Default)]
pub(super) struct Registry {
    served: Arc<Mutex<BTreeMap<Service, Entry>>>,
}

/// Takes a service's streams. When it is dropped the service is not served any more.
#[derive(Debug)]
pub struct Listener {
    service: Service,
    streams: mpsc::Receiver<Incoming>,
    served: Weak<Mutex<BTreeMap<Service, Entry>>>,
}

impl Registry {
    pub(super) fn listen(
        &self,
        service: Service,
        access: Access,
    ) -> Result<Listener, AlreadyServed> {
        let (streams, waiting) = mpsc::channel(WAITING_MAX);
        let mut served = locked(&self.served);
        if served.contains_key(&service) {
            return Err(AlreadyServed(service));
        }
        served.insert(service.clone(), Entry { access, streams });
        let served = Arc::downgrade(&self.served);
        Ok(Listener { service, streams: waiting, served })
    }

    /// Hands a stream to who serves it.
    pub(super) async fn offer(&self, incoming: Incoming) {
        let refusal = match self.place(&incoming) {
            Ok(streams) => match streams.try_send(incoming) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(incoming)) => {
                    (incoming, Status::OVERLOADED, "too many wait for this service already")
                }
                Err(mpsc::error::TrySendError::Closed(incoming)) => {
                    (incoming, Status::NOT_SERVED, "nobody serves that here any more")
                }
            },
            Err((status, sentence)) => (incoming, status, sentence),
        };
        let (incoming, status, sentence) = refusal;
        incoming.refuse(status, sentence).await;
    }

    fn place(&self, incoming: &Incoming) -> Result<mpsc::Sender<Incoming>, (Status, &'static str)> {
        let served = locked(&self.served);
        let entry = served.get(incoming.service());
        let allowed =
            |entry: &&Entry| incoming.from().is_some_and(|user| entry.access.allows(user));
        match entry {
            // To a stranger both look the same: what is served to others is not theirs to know.
            None => Err((Status::NOT_SERVED, "the other side does not serve that to you")),
            Some(entry) if !allowed(&entry) => {
                Err((Status::NOT_SERVED, "the other side does not serve that to you"))
            }
            Some(entry) => Ok(entry.streams.clone()),
        }
    }
}

impl Listener {
    /// The next stream that somebody wants; `None` when the node has ended.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.streams.recv().await
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(served) = self.served.upgrade() {
            locked(&served).remove(&self.service);
        }
    }
}
