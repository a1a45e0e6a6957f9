//! Supernodes that lie about the index: their core stays as it is, their answers to look-ups are
//! bent on their way out.

use super::{Machine, World};
use overlay_proto::denial::{Denial, Question};
use overlay_proto::id::{NodeId, RealmId};
use overlay_proto::identity::Identity;
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::location::{LocationRecord, index_key};
use overlay_proto::status::Status;
use overlay_proto::wire::message::LookupReply;
use overlay_proto::wire::{Message, codec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The lease that a liar promises, in milliseconds.
const PROMISED_MS: u64 = 50_000;

/// How a supernode lies about who is where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Falsehood {
    /// It signs that there is no such user.
    Hide,
    /// It shows the record of somebody else instead.
    Forge,
    /// It shows the oldest record of the device that it has seen, as if it still held.
    RollBack,
}

/// Who lies, and what they have heard.
#[derive(Debug, Default)]
pub(super) struct IndexLiars {
    how: Option<Falsehood>,
    identities: BTreeMap<u32, Arc<Identity>>,
    /// What each was asked, by the number of the question.
    asked: BTreeMap<(u32, u64), Question>,
    /// The first record seen of each device.
    first: BTreeMap<NodeId, LocationRecord>,
}

impl<M: Machine> World<M> {
    /// Has supernodes lie about the index, each with its own keys, until [`World::recant`].
    pub fn deceive(&mut self, liars: Vec<(u32, Arc<Identity>)>, how: Falsehood) {
        let identities = liars.into_iter().collect();
        self.liars = IndexLiars { how: Some(how), identities, ..IndexLiars::default() };
    }

    /// All supernodes say again what they mean.
    pub fn recant(&mut self) {
        self.liars = IndexLiars::default();
    }
}

impl IndexLiars {
    /// A frame is on its way to a host: a liar remembers what it is asked.
    pub(super) fn overhear(&mut self, to: u32, frame: &[u8]) {
        let Some(identity) = self.identities.get(&to) else { return };
        let realm = identity.realm;
        let question = match codec::decode_message(frame) {
            Ok(Message::Locate(ask)) => {
                (ask.id, Question { realm, key: ask.key, nonce: ask.nonce })
            }
            Ok(Message::Lookup(ask)) => (ask.id, about(realm, &ask)),
            _ => return,
        };
        self.asked.insert((to, question.0), question.1);
    }

    /// What a host really sends instead of `frame`.
    pub(super) fn bend(&mut self, from: u32, frame: Vec<u8>) -> Vec<u8> {
        let (Some(how), Some(identity)) = (self.how, self.identities.get(&from)) else {
            return frame;
        };
        let Ok(Message::LookupReply(reply)) = codec::decode_message(&frame) else { return frame };
        let asked = self.asked.remove(&(from, reply.id));
        for found in &reply.found {
            self.first.entry(found.record.node()).or_insert_with(|| found.record.clone());
        }
        let lied = match how {
            Falsehood::Hide => asked.and_then(|question| hide(identity, &reply, &question)),
            Falsehood::Forge | Falsehood::RollBack => self.show(how, reply),
        };
        lied.and_then(|reply| codec::encode(&reply.into()).ok()).unwrap_or(frame)
    }

    fn show(&self, how: Falsehood, mut reply: LookupReply) -> Option<LookupReply> {
        let found = reply.found.first_mut()?;
        let node = found.record.node();
        let shown = match how {
            Falsehood::RollBack => self.first.get(&node)?,
            _ => self.first.values().find(|record| record.node() != node)?,
        };
        (found.record, found.lease_ms) = (shown.clone(), PROMISED_MS);
        reply.status = Status::OK;
        Some(reply)
    }
}

fn about(realm: RealmId, ask: &overlay_proto::wire::message::Lookup) -> Question {
    Question { realm, key: index_key(realm, &ask.name), nonce: ask.nonce }
}

fn hide(liar: &Identity, reply: &LookupReply, question: &Question) -> Option<LookupReply> {
    let by = liar.supernode.as_ref()?.certificate.clone();
    let now = super::realm::WALL_AT_START;
    let denial = Denial::sign(&liar.device, by, question, now, &StrictVerifier);
    let status = Status::UNKNOWN_NAME;
    Some(LookupReply { id: reply.id, status, found: Vec::new(), denials: vec![denial] })
}
