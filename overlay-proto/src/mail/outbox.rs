//! What a sender has written and is not through with: letters, their copies, and whom they wait for.

use crate::config::OUTBOX_ENDED_MAX;
use crate::footprint::{Heap, flat};
use crate::id::{MessageId, NodeId};
use crate::mail::prekeys::DeviceKeys;
use crate::mail::records::{EndRecord, OutRecord};
use crate::name::Name;
use crate::status::Status;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All that a peer has to deliver.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub letters: BTreeMap<MessageId, OutLetter>,
    pub threads: BTreeMap<Name, OutThread>,
    pub messages: BTreeMap<MessageId, Underway>,
    pub ended: VecDeque<(MessageId, EndRecord)>,
    pub bytes: usize,
    /// The letter and the device of each copy.
    pub by_copy: BTreeMap<MessageId, (MessageId, NodeId)>,
}

/// One letter.
#[derive(Debug)]
pub(crate) struct OutLetter {
    pub record: OutRecord,
    /// One for each device of the recipient; none before these are known.
    pub copies: BTreeMap<NodeId, Copy>,
    /// Whether each device that it is for has its copy, or had it.
    pub addressed: bool,
    /// Times that it was sealed for a device again.
    pub resealed: u32,
}

/// One copy of a letter, for one device.
#[derive(Debug)]
pub(crate) struct Copy {
    pub id: MessageId,
    pub order: u64,
    /// None while it is being sealed.
    pub sealed: Option<Vec<u8>>,
    pub stage: Stage,
    /// Times that it was sent in this stage.
    pub tries: u32,
    /// Times that it was left in the mailbox.
    pub kept: u32,
    /// When it is due again.
    pub again_at: Time,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On its way straight to the device.
    Direct,
    /// To be left in the mailbox. With the number of the question, if one is open.
    Leaving(Option<u64>),
    /// In the mailbox.
    Kept,
}

/// A message, for its sender.
#[derive(Debug)]
pub(crate) struct Underway {
    pub to: Name,
    pub sent_ms: u64,
    /// Parts that have not ended.
    pub open: u8,
    /// Parts that are in the mailbox.
    pub kept: u8,
    /// What is worst of the parts that have ended.
    pub worst: Status,
}

/// Letters to one user, and what is known of that user.
#[derive(Debug, Default)]
pub(crate) struct OutThread {
    /// The number of the next letter.
    pub next: u64,
    pub queue: BTreeMap<u64, MessageId>,
    /// The user's devices, as they were told at `asked_at`.
    pub devices: BTreeMap<NodeId, DeviceKeys>,
    pub told_at: Option<Time>,
    /// The open question for keys.
    pub keys_asked: Option<u64>,
    pub keys_tries: u32,
    pub keys_at: Time,
    /// Devices with which there is a ratchet, as far as is known.
    pub known: BTreeSet<NodeId>,
    /// The order of the first copy under the present ratchet, where that is a second one.
    pub renewed: BTreeMap<NodeId, u64>,
    /// Devices for which the next copy begins a new ratchet.
    pub anew: BTreeSet<NodeId>,
    /// The mailbox refuses: nothing is left there before this.
    pub pause_until: Time,
    pub refusals: u32,
    /// When there is something to do.
    pub work_at: Time,
}

/// What became of a message so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// In the outbox of this device.
    Waiting,
    /// In the mailboxes of the recipient.
    Kept,
    /// Ended: 200 if it was delivered, 419 if it expired, else why it was returned.
    Ended(Status),
}

impl MessageState {
    /// The state as one word, as programs and screens tell it.
    pub fn word(self) -> &'static str {
        match self {
            MessageState::Waiting => "waiting",
            MessageState::Kept => "kept",
            MessageState::Ended(Status::OK) => "delivered",
            MessageState::Ended(Status::MESSAGE_EXPIRED) => "expired",
            MessageState::Ended(_) => "returned",
        }
    }
}

/// A message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Which.
    pub id: MessageId,
    /// To whom.
    pub to: Name,
    /// When it was written, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// How it stands.
    pub state: MessageState,
}

impl Copy {
    pub fn new(id: MessageId, order: u64, sealed: Option<Vec<u8>>) -> Copy {
        Copy { id, order, sealed, stage: Stage::Direct, tries: 0, kept: 0, again_at: Time(0) }
    }
}

impl Outbox {
    /// Enters a letter that is durable.
    pub fn enter(&mut self, id: MessageId, record: OutRecord) {
        self.bytes += record.body.0.len();
        let thread = self.threads.entry(record.to.clone()).or_default();
        thread.next = thread.next.max(record.seq + 1);
        thread.queue.insert(record.seq, id);
        let message = self.messages.entry(record.message).or_insert_with(|| Underway {
            to: record.to.clone(),
            sent_ms: record.sent_ms,
            open: 0,
            kept: 0,
            worst: Status::OK,
        });
        message.open += 1;
        self.letters.insert(
            id,
            OutLetter { record, copies: BTreeMap::new(), addressed: false, resealed: 0 },
        );
    }

    /// A letter has ended. Returns the message with its status, if it was its last part.
    pub fn leave(&mut self, id: MessageId, status: Status) -> Option<(MessageId, Underway)> {
        let letter = self.letters.remove(&id)?;
        letter.copies.values().for_each(|copy| {
            self.by_copy.remove(&copy.id);
        });
        self.bytes -= letter.record.body.0.len();
        if let Some(thread) = self.threads.get_mut(&letter.record.to) {
            thread.queue.remove(&letter.record.seq);
        }
        let message = self.messages.get_mut(&letter.record.message)?;
        message.open -= 1;
        if message.worst == Status::OK {
            message.worst = status;
        }
        if message.open > 0 {
            return None;
        }
        let message = self.messages.remove(&letter.record.message)?;
        Some((letter.record.message, message))
    }

    /// Keeps in mind that a message has ended; returns the one that is forgotten for it.
    pub fn remember_end(&mut self, id: MessageId, end: EndRecord) -> Option<MessageId> {
        self.ended.push_back((id, end));
        if self.ended.len() <= OUTBOX_ENDED_MAX {
            return None;
        }
        self.ended.pop_front().map(|(id, _)| id)
    }

    /// Gives a letter a copy for `device`.
    pub fn add_copy(&mut self, letter: MessageId, device: NodeId, copy: Copy) {
        if let Some(held) = self.letters.get_mut(&letter) {
            self.by_copy.insert(copy.id, (letter, device));
            held.copies.insert(device, copy);
        }
    }

    /// The copy that is being left in the mailbox under this question, and its device.
    pub fn left_by(&self, question: u64) -> Option<(MessageId, NodeId)> {
        self.leaving().find(|(.., asked)| *asked == question).map(|(id, device, _)| (id, device))
    }

    /// Whether a mailbox is being asked to take a copy for `device`.
    pub fn is_leaving_for(&self, device: NodeId) -> bool {
        self.leaving().any(|(_, to, _)| to == device)
    }

    /// Letters of which a copy is being left in the mailbox: its device, and the question.
    fn leaving(&self) -> impl Iterator<Item = (MessageId, NodeId, u64)> + '_ {
        self.by_copy.values().filter_map(|(id, device)| {
            let stage = self.letters.get(id)?.copies.get(device)?.stage;
            let Stage::Leaving(Some(question)) = stage else { return None };
            Some((*id, *device, question))
        })
    }

    /// Takes a letter's copy for `device` away.
    pub fn remove_copy(&mut self, letter: MessageId, device: NodeId) -> Option<Copy> {
        let copy = self.letters.get_mut(&letter)?.copies.remove(&device)?;
        self.by_copy.remove(&copy.id);
        Some(copy)
    }

    /// Counts the parts of a message that are in the mailbox; true if that is now all that are open.
    pub fn count_kept(&mut self, message: MessageId) -> bool {
        let is_kept = |letter: &&OutLetter| {
            letter.record.message == message
                && letter.addressed
                && letter.copies.values().all(|copy| copy.stage == Stage::Kept)
        };
        let Some(to) = self.messages.get(&message).map(|underway| underway.to.clone()) else {
            return false;
        };
        let queue = self.threads.get(&to).map(|thread| &thread.queue);
        let letters = queue.into_iter().flatten().filter_map(|(_, id)| self.letters.get(id));
        let kept = letters.filter(is_kept).count();
        let Some(underway) = self.messages.get_mut(&message) else { return false };
        let before = underway.kept;
        underway.kept = u8::try_from(kept).unwrap_or(u8::MAX);
        underway.kept >= underway.open && before < underway.open
    }

    /// The lowest number that `device` has still to get.
    pub fn floor(&self, to: &Name, device: NodeId, seq: u64) -> u64 {
        let Some(thread) = self.threads.get(to) else { return seq };
        let open = |id: &MessageId| {
            let copies = self.letters.get(id);
            copies.is_some_and(|letter| !letter.addressed || letter.copies.contains_key(&device))
        };
        let first = thread.queue.iter().find(|(_, id)| open(id)).map(|(seq, _)| *seq);
        first.unwrap_or(seq).min(seq)
    }

    /// All messages, oldest first.
    pub fn views(&self) -> Vec<MessageView> {
        let ended = self.ended.iter().map(|(id, end)| MessageView {
            id: *id,
            to: end.to.clone(),
            sent_ms: end.sent_ms,
            state: MessageState::Ended(end.status),
        });
        let open = self.messages.iter().map(|(id, message)| MessageView {
            id: *id,
            to: message.to.clone(),
            sent_ms: message.sent_ms,
            state: if message.kept >= message.open {
                MessageState::Kept
            } else {
                MessageState::Waiting
            },
        });
        let mut all: Vec<MessageView> = ended.chain(open).collect();
        all.sort_by_key(|message| (message.sent_ms, message.id));
        all
    }
}

flat!(OutThread, Underway);

impl Heap for OutLetter {
    fn heap(&self) -> usize {
        let sealed = self.copies.values().map(|copy| copy.sealed.as_ref().map_or(0, Vec::capacity));
        self.record.body.0.capacity() + sealed.sum::<usize>()
    }
}

impl Heap for Outbox {
    fn heap(&self) -> usize {
        self.letters.heap() + self.threads.heap() + self.messages.heap()
    }
}
