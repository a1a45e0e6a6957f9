//! Mailboxes: a supernode takes letters of its peers to the replicas of their recipients' mailboxes,
//! and is a replica itself. What it accepts is on its disk.

mod hand_over;
mod replica;

use super::Supernode;
use crate::config::{MAILBOX_REPLICAS, REQUESTS_MAX};
use crate::context::Context;
use crate::id::{IndexKey, LinkId, MessageId, NodeId, StoreId};
use crate::mail::SealedLetter;
use crate::mail::mailbox::Mailbox;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::Message;
use crate::wire::message::{
    Deposit, DepositReply, FetchLetters, KeepLetter, LetterKept, Letters, LettersTaken,
    LettersWait, MailKeys, MailKeysReply, MailKeysWanted,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Replicas that must have a letter before its sender hears so, where there are as many.
const QUORUM: usize = 2;

/// The mailboxes at one supernode, and what it does for others'.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    mailbox: Mailbox,
    /// Letters that are being written to the disk, with those who wait for that.
    writing: BTreeMap<StoreId, replica::Writing>,
    /// Questions of our peers under way.
    errands: BTreeMap<u64, Errand>,
    /// Users whose letters and keys are to be shown to the other replicas.
    to_compare: VecDeque<IndexKey>,
    compare_all_at: Time,
    /// Devices that were told of letters in this round.
    called: BTreeSet<NodeId>,
}

/// A question of a peer that replicas have been asked.
#[derive(Debug)]
enum Errand {
    /// A letter is being left.
    Deposit {
        link: LinkId,
        id: u64,
        open: usize,
        kept: u8,
        wanted: u8,
        refused: Option<Status>,
        until: Time,
    },
    /// Keys are being asked for, of one replica after the other, the next one last.
    Keys { link: LinkId, ask: MailKeysWanted, rest: Vec<NodeId>, asked: bool, until: Time },
}

impl Errand {
    fn until(&self) -> Time {
        match self {
            Errand::Deposit { until, .. } | Errand::Keys { until, .. } => *until,
        }
    }
}

/// Who waits until a letter is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Our own peer.
    Errand(u64),
    /// Another supernode, with its number.
    Member(LinkId, u64),
    /// Nobody: it was handed over.
    Nobody,
}

impl Supernode {
    /// What peers want of mailboxes.
    pub(super) fn on_mail_of_child(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        node: NodeId,
        message: Message,
    ) -> Result<(), Status> {
        let own = self.children.get(&node).map(|child| child.key);
        match message {
            Message::MailKeys(keys) => {
                let is_own = own == Some(keys.key) && keys.keys.node() == node;
                keys.keys.check(cx.verifier(), cx.identity.realm, cx.wall())?;
                if is_own {
                    self.spread_keys(cx, keys);
                }
            }
            Message::MailKeysWanted(ask) => self.ask_for_keys(cx, link, ask),
            Message::Deposit(deposit) => self.on_deposit(cx, link, node, deposit),
            Message::FetchLetters(fetch) if own == Some(fetch.key) && fetch.device == node => {
                self.fetch_for(cx, link, fetch);
            }
            Message::LettersTaken(taken) if own == Some(taken.key) && taken.device == node => {
                self.tell_taken(cx, &taken)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What supernodes tell each other of mailboxes.
    pub(super) fn on_mail_of_member(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        message: Message,
    ) -> Result<(), Status> {
        match message {
            Message::MailKeys(keys) => self.keep_keys(cx, keys),
            Message::MailKeysWanted(ask) => {
                let reply = self.hand_out_keys(cx, &ask);
                cx.send(link, reply);
            }
            Message::MailKeysReply(reply) => self.on_keys_told(cx, reply),
            Message::KeepLetter(keep) => {
                let KeepLetter { id, tag, letter } = keep;
                let origin = if id == 0 { Origin::Nobody } else { Origin::Member(link, id) };
                self.keep_letter(cx, tag, letter, origin);
            }
            Message::LetterKept(kept) => self.errand_kept(cx, kept.id, kept.status),
            Message::FetchLetters(fetch) => {
                let letters = self.letters_of(cx, &fetch);
                cx.send(link, letters);
            }
            Message::Letters(letters) => self.pass_letters(cx, letters),
            Message::LettersTaken(taken) => self.forget_taken(cx, &taken),
            Message::LettersWait(wait) => self.call_child(cx, wait.device),
            Message::MailboxHeld(held) => self.on_mailbox_held(cx, link, held),
            Message::MailboxMissing(missing) => self.on_mailbox_missing(cx, link, missing),
            _ => {}
        }
        Ok(())
    }

    fn mailbox_replicas(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let mut replicas = self.replicas(cx, key);
        replicas.truncate(MAILBOX_REPLICAS);
        replicas
    }

    /// A peer leaves a letter: it goes to every replica, and is accepted once enough have it.
    fn on_deposit(&mut self, cx: &mut Context, link: LinkId, sender: NodeId, deposit: Deposit) {
        let Deposit { id, letter } = deposit;
        let refusal = letter.check(cx.wall()).err().or_else(|| {
            (self.mailboxes.errands.len() >= REQUESTS_MAX).then_some(Status::OVERLOADED)
        });
        if let Some(status) = refusal {
            return cx.send(link, DepositReply { id, status, copies: 0 });
        }
        let tag = self.blind(cx, sender, letter.key);
        let replicas = self.mailbox_replicas(cx, letter.key);
        let wanted = QUORUM.min(replicas.len()) as u8;
        let number = cx.fresh_id();
        let until = cx.now + cx.config.patience;
        let open = replicas.len();
        let errand = Errand::Deposit { link, id, open, kept: 0, wanted, refused: None, until };
        self.mailboxes.errands.insert(number, errand);
        for replica in replicas {
            if replica == cx.me {
                self.keep_letter(cx, tag, letter.clone(), Origin::Errand(number));
            } else if let Some(link) = self.members.link_to(replica) {
                cx.send(link, KeepLetter { id: number, tag, letter: letter.clone() });
            }
        }
    }

    /// Tells nobody but ourselves which letters are of one sender.
    fn blind(&self, cx: &Context, sender: NodeId, key: IndexKey) -> u64 {
        let user = self.children.get(&sender).map(|child| child.key);
        let mut secret = blake3::Hasher::new_derive_key("trellis 2026 sender of a letter");
        secret.update(&*cx.identity.device.to_bytes());
        secret.update(&user.map_or(0, |key| key.0).to_be_bytes());
        secret.update(&key.0.to_be_bytes());
        let mut tag = [0; 8];
        tag.copy_from_slice(&secret.finalize().as_bytes()[..8]);
        u64::from_be_bytes(tag)
    }

    /// A replica has a letter of one of our peers on its disk, or does not take it.
    pub(super) fn errand_kept(&mut self, cx: &mut Context, number: u64, status: Status) {
        let Some(Errand::Deposit { link, id, open, kept, wanted, refused, .. }) =
            self.mailboxes.errands.get_mut(&number)
        else {
            return;
        };
        *open = open.saturating_sub(1);
        if status == Status::ACCEPTED {
            *kept += 1;
        } else {
            refused.get_or_insert(status);
        }
        let answer = if kept >= wanted {
            Status::ACCEPTED
        } else if *open == 0 {
            refused.unwrap_or(Status::OVERLOADED)
        } else {
            return;
        };
        let (link, id, copies) = (*link, *id, *kept);
        self.mailboxes.errands.remove(&number);
        if cx.links.greeted(link).is_some() {
            cx.send(link, DepositReply { id, status: answer, copies });
        }
    }

    fn spread_keys(&mut self, cx: &mut Context, keys: MailKeys) {
        let replicas = self.mailbox_replicas(cx, keys.key);
        let count = replicas.len();
        for (number, replica) in replicas.into_iter().enumerate() {
            // Each key for one use goes to one replica: nobody gets one that another has.
            let mut share = keys.clone();
            let mut place = 0;
            share.keys.one_time.retain(|_| {
                place += 1;
                (place - 1) % count == number
            });
            if replica == cx.me {
                self.keep_keys(cx, share);
            } else if let Some(link) = self.members.link_to(replica) {
                cx.send(link, share);
            }
        }
    }

    fn ask_for_keys(&mut self, cx: &mut Context, link: LinkId, ask: MailKeysWanted) {
        if self.mailboxes.errands.len() >= REQUESTS_MAX {
            let (id, status) = (ask.id, Status::OVERLOADED);
            return cx.send(link, MailKeysReply { id, status, devices: Vec::new() });
        }
        let mut rest = self.replicas_to_ask(cx, ask.key);
        rest.reverse();
        let until = cx.now;
        let errand = Errand::Keys { link, ask, rest, asked: false, until };
        self.ask_next_for_keys(cx, errand);
    }

    fn ask_next_for_keys(&mut self, cx: &mut Context, errand: Errand) {
        let Errand::Keys { link, ask, mut rest, mut asked, .. } = errand else { return };
        while let Some(replica) = rest.pop() {
            if replica == cx.me {
                let reply = self.hand_out_keys(cx, &ask);
                asked = true;
                if !reply.devices.is_empty() {
                    return cx.send(link, reply);
                }
            } else if let Some(there) = self.members.link_to(replica) {
                let number = cx.fresh_id();
                let until = cx.now + Span(cx.config.patience.0 / 4);
                cx.send(there, MailKeysWanted { id: number, ..ask.clone() });
                let errand = Errand::Keys { link, ask, rest, asked, until };
                self.mailboxes.errands.insert(number, errand);
                return;
            }
        }
        if cx.links.greeted(link).is_some() {
            let status = if asked { Status::UNKNOWN_NAME } else { Status::NO_ROUTE };
            cx.send(link, MailKeysReply { id: ask.id, status, devices: Vec::new() });
        }
    }

    fn on_keys_told(&mut self, cx: &mut Context, reply: MailKeysReply) {
        let Some(errand) = self.mailboxes.errands.remove(&reply.id) else { return };
        match errand {
            Errand::Keys { link, ask, rest, until, .. } if reply.devices.is_empty() => {
                let errand = Errand::Keys { link, ask, rest, asked: true, until };
                self.ask_next_for_keys(cx, errand);
            }
            Errand::Keys { link, ask, .. } => {
                if cx.links.greeted(link).is_some() {
                    cx.send(link, MailKeysReply { id: ask.id, ..reply });
                }
            }
            Errand::Deposit { .. } => {}
        }
    }

    fn fetch_for(&mut self, cx: &mut Context, link: LinkId, fetch: FetchLetters) {
        for replica in self.replicas_to_ask(cx, fetch.key) {
            if replica == cx.me {
                let letters = self.letters_of(cx, &fetch);
                cx.send(link, letters);
            } else if let Some(there) = self.members.link_to(replica) {
                cx.send(there, fetch.clone());
            }
        }
    }

    fn letters_of(&self, cx: &Context, fetch: &FetchLetters) -> Letters {
        let (letters, more) = self.mailboxes.mailbox.page(fetch.key, fetch.device);
        Letters { replica: cx.me, device: fetch.device, letters, more }
    }

    fn pass_letters(&self, cx: &mut Context, letters: Letters) {
        if let Some(link) = self.children.get(&letters.device).map(|child| child.link)
            && !letters.letters.is_empty()
        {
            cx.send(link, letters);
        }
    }

    fn tell_taken(&mut self, cx: &mut Context, taken: &LettersTaken) -> Result<(), Status> {
        if !replica::is_signed(cx, taken) {
            return Err(Status::UNPROVEN);
        }
        // Also to those that were replicas a moment ago, and bring it back otherwise.
        for replica in self.replicas_to_ask(cx, taken.key) {
            if replica == cx.me {
                self.forget_taken(cx, taken);
            } else if let Some(link) = self.members.link_to(replica) {
                cx.send(link, taken.clone());
            }
        }
        Ok(())
    }

    /// There are letters for a peer of ours, as a mailbox says.
    fn call_child(&self, cx: &mut Context, device: NodeId) {
        if let Some(link) = self.children.get(&device).map(|child| child.link) {
            cx.send(link, LettersWait { device });
        }
    }

    /// Errands that nobody has answered end.
    pub(super) fn tick_mailboxes(&mut self, cx: &mut Context) {
        let errands = self.mailboxes.errands.iter();
        let late: Vec<u64> =
            errands.filter(|(_, e)| cx.now >= e.until()).map(|(number, _)| *number).collect();
        for number in late {
            match self.mailboxes.errands.remove(&number) {
                Some(Errand::Deposit { link, id, refused, .. }) => {
                    let status = refused.unwrap_or(Status::TIMEOUT);
                    if cx.links.greeted(link).is_some() {
                        cx.send(link, DepositReply { id, status, copies: 0 });
                    }
                }
                Some(errand) => self.ask_next_for_keys(cx, errand),
                None => {}
            }
        }
        self.mailboxes.called.clear();
        self.compare_some(cx);
    }

    fn tell_member(&self, cx: &mut Context, origin: Origin, status: Status) {
        if let Origin::Member(link, id) = origin
            && cx.links.greeted(link).is_some()
        {
            cx.send(link, LetterKept { id, status });
        }
    }

    /// Brings a letter to another replica, whoever wants it kept.
    fn hand_letter(&self, cx: &mut Context, link: LinkId, id: MessageId) {
        if let Some(record) = self.mailboxes.mailbox.get(id) {
            let (tag, letter): (u64, SealedLetter) = (record.tag, record.letter.clone());
            cx.send(link, KeepLetter { id: 0, tag, letter });
        }
    }
}
