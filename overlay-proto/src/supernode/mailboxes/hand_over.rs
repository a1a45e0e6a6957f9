//! Replicas compare what they have: when the members have changed, after a start, and now and then.
//! Each shows the others its ids of a user; who lacks a letter asks for it, who knows that it was
//! fetched says so.

use super::Supernode;
use super::replica::write;
use crate::config::LETTER_IDS_PER_MESSAGE;
use crate::context::Context;
use crate::id::{LinkId, MessageId};
use crate::mail::Batch;
use crate::mail::records::Key;
use crate::time::{Span, Time};
use crate::wire::message::{MailKeys, MailboxHeld, MailboxMissing};

/// Users compared in one round of planning, so that a new member is not flooded.
const USERS_PER_ROUND: usize = 64;
/// Letters handed over for one question; the rest is asked for the next time.
const LETTERS_HANDED: usize = 256;
/// Keys shown in one message.
const KEYS_SHOWN: usize = 8;
/// How often everything is compared though no member has come or gone.
const COMPARE_EVERY: Span = Span::secs(900);

impl Supernode {
    /// The members have changed: who is a replica of whom may have, too.
    pub(in crate::supernode) fn mailboxes_moved(&mut self, cx: &mut Context) {
        self.mailboxes.compare_all_at = cx.now + COMPARE_EVERY + cx.jitter(COMPARE_EVERY);
        self.mailboxes.to_compare = self.mailboxes.mailbox.users().into_iter().collect();
    }

    pub(super) fn compare_all_when_due(&mut self, cx: &mut Context) {
        if self.mailboxes.compare_all_at == Time(0) || cx.now >= self.mailboxes.compare_all_at {
            self.mailboxes_moved(cx);
        }
    }

    /// Shows some users' letters and keys to the other replicas, and calls their devices.
    pub(super) fn compare_some(&mut self, cx: &mut Context) {
        for _ in 0..USERS_PER_ROUND {
            let Some(key) = self.mailboxes.to_compare.pop_front() else { return };
            let ids = self.mailboxes.mailbox.ids(key);
            let mut keys = self.mailboxes.mailbox.keys(key);
            keys.truncate(KEYS_SHOWN);
            // Keys for one use are each at one replica only.
            keys.iter_mut().for_each(|keys| keys.one_time.clear());
            for device in self.mailboxes.mailbox.devices_waiting(key) {
                self.call_device(cx, key, device);
            }
            for replica in self.mailbox_replicas(cx, key) {
                let Some(link) = self.members.link_to(replica) else { continue };
                let mut pages = ids.chunks(LETTER_IDS_PER_MESSAGE);
                let first = pages.next().unwrap_or_default().to_vec();
                cx.send(link, MailboxHeld { key, ids: first, keys: keys.clone() });
                for page in pages {
                    cx.send(link, MailboxHeld { key, ids: page.to_vec(), keys: Vec::new() });
                }
            }
        }
    }

    /// Another replica shows what it has.
    pub(super) fn on_mailbox_held(&mut self, cx: &mut Context, link: LinkId, held: MailboxHeld) {
        for keys in held.keys.into_iter().take(KEYS_SHOWN) {
            self.keep_keys(cx, MailKeys { key: held.key, keys });
        }
        // A home that knows other members than we do may take us for a replica all the same.
        let mailbox = &self.mailboxes.mailbox;
        let ids = held.ids.into_iter().take(LETTER_IDS_PER_MESSAGE);
        let (taken, rest): (Vec<_>, Vec<_>) = ids.partition(|id| mailbox.is_taken(*id));
        let lacks = |id: &MessageId| !mailbox.has(*id);
        let wanted: Vec<_> = rest.into_iter().filter(lacks).take(LETTERS_HANDED).collect();
        if !wanted.is_empty() || !taken.is_empty() {
            cx.send(link, MailboxMissing { key: held.key, wanted, taken });
        }
    }

    /// What another replica lacks goes there; what was fetched is forgotten.
    pub(super) fn on_mailbox_missing(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        missing: MailboxMissing,
    ) {
        for id in missing.wanted.into_iter().take(LETTERS_HANDED) {
            self.hand_letter(cx, link, id);
        }
        let taken = missing.taken.into_iter().take(LETTER_IDS_PER_MESSAGE);
        let gone = taken.filter(|id| self.mailboxes.mailbox.forget(*id));
        let drop: Vec<_> = gone.map(|id| Key::Boxed(id).bytes()).collect();
        if !drop.is_empty() {
            write(cx, Batch { drop, ..Batch::default() });
        }
    }
}
