//! A place in the line that the supernode need not remember: the peer carries it.
//!
//! A cookie says since when a node has been waiting and when its turn comes, and only this supernode can have written it: a
//! keyed hash over node, address and these times (as IKEv2's cookie, RFC 7296, section 2.6, and the
//! cookie of DTLS 1.3's HelloRetryRequest, RFC 9147, section 5.1).
//!
//! What it buys here is less than there. The transport has shown already that the address answers
//! and that the other end has the node's key, so the cookie proves no address. It does two things:
//! nothing is kept of who waits, however many they are, and who has waited is told from who has
//! just come, so that a crowd of newcomers does not push back those before them. It does not tell
//! members from strangers: nothing does, before a signature is checked.

use crate::context::Context;
use crate::id::{Cookie, NodeId};
use crate::remote::Remote;
use crate::time::{Span, Time};
use rand::Rng;
use std::fmt;

/// How long a cookie is good for: the longest wait that anybody is told, and the peer's own dice.
const LIFE: Span = Span::secs(150);
/// How long one key writes cookies. The one before is still good for reading.
const KEY_LIFE: Span = Span::secs(600);

const _: () = assert!(KEY_LIFE.0 > LIFE.0);

/// A place in the line, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Since when its bearer has been waiting.
    pub since: Time,
    /// When its turn comes.
    pub due: Time,
}

/// The keys of the cookies. Drawn when the first is needed.
#[derive(Default)]
pub(super) struct Cookies {
    keys: Option<Keys>,
}

struct Keys {
    current: [u8; 32],
    former: [u8; 32],
    since: Time,
}

impl Cookies {
    /// A cookie for a node with this place.
    pub fn write(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        remote: Option<Remote>,
        place: Place,
    ) -> Cookie {
        let keys = self.keys(cx);
        seal(&keys.current, node, remote, [secs(place.since), secs(place.due)])
    }

    /// The place of a node, if the cookie is ours, its, and not too old.
    pub fn read(
        &self,
        cookie: &Cookie,
        node: NodeId,
        remote: Option<Remote>,
        now: Time,
    ) -> Option<Place> {
        let keys = self.keys.as_ref()?;
        let times = [number(cookie, 0), number(cookie, 4)];
        let is_ours = |key| same(&seal(key, node, remote, times), cookie);
        let [since, due] = times.map(|secs| Time(u64::from(secs) * 1_000_000));
        let is_fresh = since <= now && now.since(since.max(due)) <= LIFE;
        let good = is_fresh && (is_ours(&keys.current) || is_ours(&keys.former));
        good.then_some(Place { since, due })
    }

    fn keys(&mut self, cx: &mut Context) -> &Keys {
        let fresh = |cx: &mut Context| {
            let mut key = [0; 32];
            cx.rng.fill_bytes(&mut key);
            key
        };
        let keys = self.keys.get_or_insert_with(|| Keys {
            current: fresh(cx),
            former: fresh(cx),
            since: cx.now,
        });
        if cx.now.since(keys.since) >= KEY_LIFE {
            *keys = Keys { former: keys.current, current: fresh(cx), since: cx.now };
        }
        keys
    }
}

/// The four bytes of a cookie from there on.
fn number(cookie: &Cookie, at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&cookie.0[at..at + 4]);
    u32::from_be_bytes(bytes)
}

fn secs(at: Time) -> u32 {
    u32::try_from(at.0 / 1_000_000).unwrap_or(u32::MAX)
}

fn seal(key: &[u8; 32], node: NodeId, remote: Option<Remote>, times: [u32; 2]) -> Cookie {
    let address = remote.map_or([0; 9], Remote::bytes);
    let mut cookie = [0; 40];
    cookie[..4].copy_from_slice(&times[0].to_be_bytes());
    cookie[4..8].copy_from_slice(&times[1].to_be_bytes());
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&node.0).update(&address).update(&cookie[..8]);
    cookie[8..].copy_from_slice(hasher.finalize().as_bytes());
    Cookie(cookie)
}

/// Compares the hashes in constant time: how far a guess is right shows in nothing.
fn same(ours: &Cookie, theirs: &Cookie) -> bool {
    let hash = |cookie: &Cookie| {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&cookie.0[8..]);
        blake3::Hash::from_bytes(bytes)
    };
    hash(ours) == hash(theirs)
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.keys.is_some() { "Cookies(..)" } else { "Cookies" })
    }
}
