//! A replica of mailboxes: what is kept is written before it is acknowledged, what was fetched is
//! forgotten, and a device that is on line is called.

use super::{Origin, Supernode};
use crate::config::REQUESTS_MAX;
use crate::context::Context;
use crate::id::{IndexKey, NodeId, StoreId};
use crate::identity::Domain;
use crate::io::Output;
use crate::location::index_key;
use crate::mail::mailbox::Judgement;
use crate::mail::records::{self, BoxRecord, Key};
use crate::mail::vault::RecordKey;
use crate::mail::{Batch, DeviceKeys, SealedLetter, VaultAnswer, VaultRequest};
use crate::peer::post::taken_signed;
use crate::status::Status;
use crate::wire::message::{LettersTaken, LettersWait, MailKeys, MailKeysReply, MailKeysWanted};

/// A letter that is being written to the disk.
#[derive(Debug)]
pub(super) struct Writing {
    record: BoxRecord,
    origin: Origin,
}

impl Supernode {
    /// What was kept at the last end.
    pub(crate) fn recall_mailbox(&mut self, cx: &Context, kept: &[(RecordKey, Vec<u8>)]) {
        let mailbox = &mut self.mailboxes.mailbox;
        for (key, value) in kept {
            match Key::read(key) {
                Some(Key::Boxed(_)) => {
                    if let Some(record) = records::read::<BoxRecord>(value) {
                        mailbox.insert(record);
                    }
                }
                Some(Key::Taken(id)) => {
                    if let Ok(expires) = value.as_slice().try_into() {
                        mailbox.recall_taken(id, u64::from_be_bytes(expires));
                    }
                }
                Some(Key::Keys(_)) => {
                    if let Some(keys) = records::read::<DeviceKeys>(value)
                        && let Some(name) = keys.chain.claimed_name()
                    {
                        mailbox.put_keys(index_key(cx.identity.realm, name), keys);
                    }
                }
                _ => {}
            }
        }
    }

    /// Keeps a letter, if there is room. Whoever brought it hears when it is on the disk.
    pub(super) fn keep_letter(
        &mut self,
        cx: &mut Context,
        tag: u64,
        letter: SealedLetter,
        origin: Origin,
    ) {
        let judgement = match letter.check(cx.wall()) {
            Err(status) => Judgement::Refused(status),
            Ok(()) if self.mailboxes.writing.len() >= REQUESTS_MAX => {
                Judgement::Refused(Status::OVERLOADED)
            }
            Ok(()) => self.mailboxes.mailbox.judge(tag, &letter),
        };
        match judgement {
            Judgement::Known => self.tell_origin(cx, origin, Status::ACCEPTED),
            Judgement::Refused(status) => self.tell_origin(cx, origin, status),
            Judgement::Keep => {
                let record = BoxRecord { tag, letter };
                let put = vec![(Key::Boxed(record.letter.id).bytes(), records::write(&record))];
                let id = write(cx, Batch { put, ..Batch::default() });
                self.mailboxes.writing.insert(id, Writing { record, origin });
            }
        }
    }

    /// The keeper has answered. False if this was not asked for here.
    pub(crate) fn on_box_kept(
        &mut self,
        cx: &mut Context,
        id: StoreId,
        answer: &VaultAnswer,
    ) -> bool {
        let Some(Writing { record, origin }) = self.mailboxes.writing.remove(&id) else {
            return false;
        };
        if *answer != VaultAnswer::Kept {
            self.tell_origin(cx, origin, Status::STORE_FAILED);
            return true;
        }
        let (key, device) = (record.letter.key, record.letter.to);
        self.mailboxes.mailbox.insert(record);
        self.tell_origin(cx, origin, Status::ACCEPTED);
        self.call_device(cx, key, device);
        true
    }

    fn tell_origin(&mut self, cx: &mut Context, origin: Origin, status: Status) {
        match origin {
            Origin::Errand(number) => self.errand_kept(cx, number, status),
            origin => self.tell_member(cx, origin, status),
        }
    }

    /// Lets a device know, by its home, that there is something; once a round.
    pub(super) fn call_device(&mut self, cx: &mut Context, key: IndexKey, device: NodeId) {
        let Some(home) = self.directory.home_of(key, device, cx.now) else { return };
        if !self.mailboxes.called.insert(device) {
            return;
        }
        if home == cx.me {
            self.call_child(cx, device);
        } else if let Some(link) = self.members.link_to(home) {
            cx.send(link, LettersWait { device });
        }
    }

    /// A device has letters: they are forgotten here. If the disk does not hear of it they come back
    /// at the next start, and their recipient says so again.
    pub(super) fn forget_taken(&mut self, cx: &mut Context, taken: &LettersTaken) {
        if taken.ids.len() > crate::config::LETTER_IDS_PER_MESSAGE || !is_signed(cx, taken) {
            return;
        }
        let gone = self.mailboxes.mailbox.take(taken.device, &taken.ids);
        note_gone(cx, &gone);
    }

    pub(super) fn keep_keys(&mut self, cx: &mut Context, keys: MailKeys) {
        let MailKeys { key, keys } = keys;
        let Ok(member) = keys.check(cx.verifier(), cx.identity.realm, cx.wall()) else { return };
        if index_key(cx.identity.realm, &member.name) != key || cx.revoked.bars(&keys.chain) {
            return;
        }
        let put = vec![(Key::Keys(member.node).bytes(), records::write(&keys))];
        if self.mailboxes.mailbox.put_keys(key, keys) {
            write(cx, Batch { put, ..Batch::default() });
        }
    }

    /// The keys of a user's devices. That one for one use is gone goes to the disk as well; should
    /// that be lost, a second ratchet begins with it in vain, and its letters are sealed again.
    pub(super) fn hand_out_keys(
        &mut self,
        cx: &mut Context,
        ask: &MailKeysWanted,
    ) -> MailKeysReply {
        let (mut devices, gave) = self.mailboxes.mailbox.hand_out(ask.key, &ask.known);
        devices.retain(|keys| !cx.revoked.bars(&keys.chain));
        let left = self.mailboxes.mailbox.keys(ask.key);
        let put: Vec<(RecordKey, Vec<u8>)> = left
            .iter()
            .filter(|keys| gave.contains(&keys.node()))
            .map(|keys| (Key::Keys(keys.node()).bytes(), records::write(keys)))
            .collect();
        if !put.is_empty() {
            write(cx, Batch { put, ..Batch::default() });
        }
        let status = if devices.is_empty() { Status::UNKNOWN_NAME } else { Status::OK };
        MailKeysReply { id: ask.id, status, devices }
    }

    /// Forgets what has expired, and now and then shows other replicas what is here.
    pub(in crate::supernode) fn tend_mailboxes(&mut self, cx: &mut Context) {
        let (letters, taken) = self.mailboxes.mailbox.purge(cx.wall().0);
        let letters = letters.into_iter().map(|id| Key::Boxed(id).bytes());
        let drop: Vec<RecordKey> =
            letters.chain(taken.into_iter().map(|id| Key::Taken(id).bytes())).collect();
        if !drop.is_empty() {
            write(cx, Batch { drop, ..Batch::default() });
        }
        self.compare_all_when_due(cx);
    }
}

/// Letters were fetched: the disk forgets them, and remembers that.
pub(super) fn note_gone(cx: &mut Context, gone: &[(crate::id::MessageId, u64)]) {
    if gone.is_empty() {
        return;
    }
    let put = gone.iter().map(|(id, at)| (Key::Taken(*id).bytes(), at.to_be_bytes().to_vec()));
    let drop = gone.iter().map(|(id, _)| Key::Boxed(*id).bytes());
    write(cx, Batch { put: put.collect(), drop: drop.collect(), ..Batch::default() });
}

pub(super) fn write(cx: &mut Context, batch: Batch) -> StoreId {
    let id = StoreId(cx.fresh_id());
    cx.emit(Output::Vault { id, request: VaultRequest::Keep(batch) });
    id
}

/// Whether the device has signed this.
pub(super) fn is_signed(cx: &Context, taken: &LettersTaken) -> bool {
    let text = taken_signed(&taken.ids);
    Domain::LettersTaken.is_signed(cx.verifier(), &taken.device.0, &text, &taken.signature)
}
