//! Keys for letters: ours are published, those of others are asked for.

use super::{Asked, Peer, Post};
use crate::config::{DEVICES_PER_USER_MAX, ONE_TIME_KEYS_MAX};
use crate::context::Context;
use crate::id::LinkId;
use crate::identity::Revoked;
use crate::location::index_key;
use crate::mail::{DeviceKeys, VaultAnswer, VaultRequest};
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::message::{MailKeys, MailKeysReply, MailKeysWanted};

/// So long the devices of a user count as those that were told.
const DEVICES_FRESH: Span = Span::secs(600);
/// Keys for one use that may be spent before new ones are published.
const SPENT_MAX: usize = ONE_TIME_KEYS_MAX / 2;
/// The longest wait between two questions for somebody's keys.
const ASK_AGAIN_MAX: Span = Span::secs(300);

impl Post {
    /// Nothing more is sealed for a device that is out.
    pub(in crate::peer) fn forget_barred(&mut self, revoked: &Revoked) {
        for thread in self.outbox.threads.values_mut() {
            thread.devices.retain(|_, keys| !revoked.bars(&keys.chain));
        }
    }
}

impl Peer {
    /// Makes our keys known: new ones the first time and when many are spent, else the same again,
    /// for the mailboxes may be others.
    pub(super) fn publish_mail_keys(&mut self, cx: &mut Context) {
        let spent = self.post.begun >= SPENT_MAX;
        match &self.post.published {
            Some(keys) if !spent => {
                let keys = (**keys).clone();
                self.send_keys(cx, keys);
            }
            _ => {
                self.post.begun = 0;
                let request = VaultRequest::Publish { one_time: ONE_TIME_KEYS_MAX };
                self.ask_keeper(cx, request, Asked::Publishing);
            }
        }
    }

    fn send_keys(&self, cx: &mut Context, keys: DeviceKeys) {
        if let Some(home) = self.session.online() {
            let key = self.own_key(cx);
            cx.send(home, MailKeys { key, keys });
        }
    }

    pub(super) fn on_published(&mut self, cx: &mut Context, answer: VaultAnswer) {
        let (VaultAnswer::Published(keys), Some(chain)) = (answer, cx.identity.chain().cloned())
        else {
            return;
        };
        let seq = cx.wall().0.max(self.post.published.as_ref().map_or(0, |keys| keys.seq + 1));
        let keys = DeviceKeys::sign(&cx.identity.device, cx.verifier(), chain, seq, keys);
        self.post.published = Some(Box::new(keys.clone()));
        self.send_keys(cx, keys);
    }

    /// A ratchet was begun with one of our keys.
    pub(super) fn key_spent(&mut self, cx: &mut Context) {
        self.post.begun += 1;
        if self.post.begun >= SPENT_MAX {
            self.publish_mail_keys(cx);
        }
    }

    /// Whether the devices of `name` are known; asks for them if not.
    pub(super) fn devices_known(&mut self, cx: &mut Context, name: &Name) -> bool {
        let Some(thread) = self.post.outbox.threads.get_mut(name) else { return false };
        if thread.told_at.is_some_and(|at| cx.now.since(at) < DEVICES_FRESH) {
            return true;
        }
        if cx.now < thread.keys_at {
            return false;
        }
        let Some(home) = self.session.online() else { return false };
        let id = cx.fresh_id();
        // An answer that does not come is one to be asked for again, later and later.
        let wait = Span(cx.config.patience.0 << thread.keys_tries.min(6)).min(ASK_AGAIN_MAX);
        thread.keys_tries += 1;
        thread.keys_asked = Some(id);
        thread.keys_at = cx.now + Span(wait.0 / 2) + cx.jitter(wait);
        let known = thread.known.iter().take(DEVICES_PER_USER_MAX).copied().collect();
        let key = index_key(cx.identity.realm, name);
        cx.send(home, MailKeysWanted { id, key, known });
        false
    }

    pub(in crate::peer) fn on_mail_keys(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        answer: MailKeysReply,
    ) {
        if self.session.online() != Some(link) {
            return;
        }
        let asked = self.post.outbox.threads.iter_mut();
        let found = asked.into_iter().find(|(_, thread)| thread.keys_asked == Some(answer.id));
        let Some((name, thread)) = found else { return };
        thread.keys_asked = None;
        let (verifier, realm, now) = (cx.verifier(), cx.identity.realm, cx.wall());
        let genuine = |keys: &DeviceKeys| {
            let member = keys.check(verifier, realm, now);
            member.is_ok_and(|member| member.name == *name) && !cx.revoked.bars(&keys.chain)
        };
        let mut devices = answer.devices;
        devices.truncate(DEVICES_PER_USER_MAX);
        devices.retain(genuine);
        let name = name.clone();
        if devices.is_empty() {
            // Nobody has published keys: who was never heard of gets no mail at all.
            if answer.status == Status::UNKNOWN_NAME {
                self.locate_for_post(cx, &name);
            }
            return;
        }
        thread.devices = devices.into_iter().map(|keys| (keys.node(), keys)).collect();
        thread.told_at = Some(cx.now);
        thread.keys_tries = 0;
        thread.work_at = cx.now;
        self.work(cx, &name);
        self.wake_for_post(cx);
    }

    /// The keys at hand for a device are of no use any more.
    pub(super) fn forget_keys(&mut self, name: &Name, device: crate::id::NodeId, at: Time) {
        if let Some(thread) = self.post.outbox.threads.get_mut(name) {
            thread.devices.remove(&device);
            thread.known.remove(&device);
            thread.told_at = None;
            thread.keys_at = thread.keys_at.min(at);
        }
    }
}
