//! Whether contacts are at their computers: asked of their peers, not of any supernode.
//!
//! That a device is on line stands in the index, for everybody in the realm; that its user is away is
//! told to contacts only, over a session, when they ask.

use super::Contacts;
use crate::session::{AlreadyServed, Service, Sessions};
use overlay_proto::name::Name;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The service by which contacts ask.
const SERVICE: &str = "presence";
const AWAY: &[u8] = b"away";
const HERE: &[u8] = b"here";
/// How long an answer may take, and how long it holds.
const PATIENCE: Duration = Duration::from_secs(3);
const HOLDS: Duration = Duration::from_secs(20);

/// What is known of who is away. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Presences {
    own: Arc<AtomicBool>,
    /// Whether each contact was away, and when that was said. It holds contacts only, so it is no
    /// larger than the book.
    of: Arc<Mutex<BTreeMap<Name, (Instant, bool)>>>,
}

impl Contacts {
    /// Says to contacts who ask that this user is away, or back. Until the peer ends.
    pub fn set_away(&self, away: bool) {
        self.presences.own.store(away, Ordering::Relaxed);
    }

    /// Whether this user has said to be away.
    pub fn is_away(&self) -> bool {
        self.presences.own.load(Ordering::Relaxed)
    }

    /// Whether a contact who is on line is away; `None` if their peer does not say, which one that
    /// has us not as a contact does not.
    pub async fn is_contact_away(&self, sessions: &Sessions, user: &Name) -> Option<bool> {
        let known = self.presences.lock().get(user).copied();
        if let Some((_, away)) = known.filter(|(at, _)| at.elapsed() < HOLDS) {
            return Some(away);
        }
        let answer = sessions.request(user, &service(), b"", PATIENCE).await.ok()?;
        let away = match answer.as_slice() {
            AWAY => true,
            HERE => false,
            _ => return None,
        };
        if self.has(user) {
            self.presences.lock().insert(user.clone(), (Instant::now(), away));
        }
        Some(away)
    }

    pub(super) fn serve_presence(
        &self,
        sessions: &Sessions,
    ) -> Result<JoinHandle<()>, AlreadyServed> {
        let contacts = self.clone();
        sessions.serve(service(), self.access(), move |_, _| {
            let answer = if contacts.is_away() { AWAY } else { HERE };
            async move { Ok(answer.to_vec()) }
        })
    }
}

impl Presences {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, (Instant, bool)>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is no contact any more.
    pub(super) fn forget(&self, user: &Name) {
        self.lock().remove(user);
    }
}

fn service() -> Service {
    SERVICE.parse().expect("a service's name")
}
