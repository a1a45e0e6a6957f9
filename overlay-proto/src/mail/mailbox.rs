//! What one supernode keeps for users who are away: letters, the keys they are sealed to, and the
//! ids of letters that were fetched, so that no other replica brings them back.
//!
//! It sees of a letter whose it is, how large, until when, and a tag for its sender that only the
//! sender's home could tell from any other.

use crate::config::{
    DEVICES_PER_USER_MAX, FRAME_BYTES_MAX, LETTER_BUCKET_MAX, LETTERS_PER_MESSAGE,
    MAILBOX_BYTES_MAX, MAILBOX_LETTERS_MAX, MAILBOX_LETTERS_PER_SENDER, MAILBOXES_BYTES_MAX,
    SEAL_BYTES_MAX,
};
use crate::id::{IndexKey, MessageId, NodeId};
use crate::mail::prekeys::DeviceKeys;
use crate::mail::records::BoxRecord;
use crate::mail::{MailKey, SealedLetter};
use crate::status::Status;
use std::collections::{BTreeMap, BTreeSet};

/// The more senders have letters in a box, the less each may have: one alone its quota, `n` of them
/// so many letters, or bytes, over `n + 8` each. A thousand who take what they can get, one after
/// the other, take about five times as much together (the harmonic sum), which is less than the box
/// holds: who writes little gets through.
const LETTERS_SHARED: usize = 8 * MAILBOX_LETTERS_PER_SENDER;
const BYTES_SHARED: usize = 12 * 1024 * 1024;
const SENDERS_BESIDE: usize = 8;
/// However many there are, each may have so many letters.
const ALWAYS_ALLOWED: usize = 2;
/// The largest letter there is, sealed.
const LETTER_BYTES_MAX: usize = LETTER_BUCKET_MAX + SEAL_BYTES_MAX;
/// Room in a frame beside its letters.
const FRAME_SPARE: usize = 8_192;

/// All mailboxes of one supernode.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    letters: BTreeMap<MessageId, BoxRecord>,
    boxes: BTreeMap<(IndexKey, NodeId), DeviceBox>,
    /// Letters that were fetched, with when they expire.
    taken: BTreeMap<MessageId, u64>,
    expiries: BTreeSet<(u64, MessageId)>,
    keys: BTreeMap<IndexKey, Vec<DeviceKeys>>,
    bytes: usize,
}

/// The letters of one device.
#[derive(Debug, Default)]
struct DeviceBox {
    order: BTreeSet<(u64, MessageId)>,
    bytes: usize,
    /// Letters and bytes of each sender.
    by_sender: BTreeMap<u64, (usize, usize)>,
}

/// What a mailbox says to a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is to be kept.
    Keep,
    /// It is there, or was fetched: nothing is to be done.
    Known,
    /// It is refused.
    Refused(Status),
}

impl Mailbox {
    /// Whether a checked letter may be kept.
    pub fn judge(&self, tag: u64, letter: &SealedLetter) -> Judgement {
        if self.letters.contains_key(&letter.id) || self.taken.contains_key(&letter.id) {
            return Judgement::Known;
        }
        let bytes = letter.bytes.0.len();
        if self.bytes + bytes > MAILBOXES_BYTES_MAX {
            return Judgement::Refused(Status::MAILBOX_FULL);
        }
        let Some(held) = self.boxes.get(&(letter.key, letter.to)) else { return Judgement::Keep };
        let (own, own_bytes) = held.by_sender.get(&tag).copied().unwrap_or_default();
        let senders = held.by_sender.len() - usize::from(own > 0) + SENDERS_BESIDE;
        let share = (LETTERS_SHARED / senders).clamp(ALWAYS_ALLOWED, MAILBOX_LETTERS_PER_SENDER);
        let bytes_share = (BYTES_SHARED / senders).max(ALWAYS_ALLOWED * LETTER_BYTES_MAX);
        if held.order.len() >= MAILBOX_LETTERS_MAX
            || held.bytes + bytes > MAILBOX_BYTES_MAX
            || own >= share
            || own > 0 && own_bytes + bytes > bytes_share
        {
            return Judgement::Refused(Status::MAILBOX_FULL);
        }
        Judgement::Keep
    }

    /// Enters a letter that is durable.
    pub fn insert(&mut self, record: BoxRecord) {
        let letter = &record.letter;
        if self.letters.contains_key(&letter.id) || self.taken.contains_key(&letter.id) {
            return;
        }
        let bytes = letter.bytes.0.len();
        let held = self.boxes.entry((letter.key, letter.to)).or_default();
        held.order.insert((letter.order, letter.id));
        held.bytes += bytes;
        let own = held.by_sender.entry(record.tag).or_default();
        *own = (own.0 + 1, own.1 + bytes);
        self.bytes += bytes;
        self.expiries.insert((letter.expires_ms, letter.id));
        self.letters.insert(letter.id, record);
    }

    fn remove(&mut self, id: MessageId) -> Option<BoxRecord> {
        let record = self.letters.remove(&id)?;
        let letter = &record.letter;
        let bytes = letter.bytes.0.len();
        self.bytes -= bytes;
        self.expiries.remove(&(letter.expires_ms, id));
        if let Some(held) = self.boxes.get_mut(&(letter.key, letter.to)) {
            held.order.remove(&(letter.order, id));
            held.bytes -= bytes;
            if let Some((count, own)) = held.by_sender.get_mut(&record.tag) {
                (*count, *own) = (*count - 1, *own - bytes);
                if *count == 0 {
                    held.by_sender.remove(&record.tag);
                }
            }
            if held.order.is_empty() {
                self.boxes.remove(&(letter.key, letter.to));
            }
        }
        Some(record)
    }

    /// A device has these letters. Returns those that were here, with when they expire.
    pub fn take(&mut self, device: NodeId, ids: &[MessageId]) -> Vec<(MessageId, u64)> {
        let mut gone = Vec::new();
        for id in ids {
            if self.letters.get(id).is_some_and(|record| record.letter.to == device)
                && let Some(record) = self.remove(*id)
            {
                self.recall_taken(*id, record.letter.expires_ms);
                gone.push((*id, record.letter.expires_ms));
            }
        }
        gone
    }

    /// As another replica says, a letter was fetched. That is hearsay: the letter is forgotten, but
    /// taken again if its sender brings it again. Whether it was here.
    pub fn forget(&mut self, id: MessageId) -> bool {
        self.remove(id).is_some()
    }

    /// What was kept at the last end: a letter that was fetched.
    pub fn recall_taken(&mut self, id: MessageId, expires_ms: u64) {
        self.taken.insert(id, expires_ms);
        self.expiries.insert((expires_ms, id));
    }

    /// Whether a letter was fetched from here.
    pub fn is_taken(&self, id: MessageId) -> bool {
        self.taken.contains_key(&id)
    }

    /// Whether a letter is here.
    pub fn has(&self, id: MessageId) -> bool {
        self.letters.contains_key(&id)
    }

    /// A letter that is here.
    pub fn get(&self, id: MessageId) -> Option<&BoxRecord> {
        self.letters.get(&id)
    }

    /// The first letters of a device, as many as fit into a frame, and whether there are more.
    pub fn page(&self, key: IndexKey, device: NodeId) -> (Vec<SealedLetter>, bool) {
        let Some(held) = self.boxes.get(&(key, device)) else { return (Vec::new(), false) };
        let mut page = Vec::new();
        let mut bytes = FRAME_SPARE;
        for (_, id) in &held.order {
            let Some(record) = self.letters.get(id) else { continue };
            bytes += record.letter.bytes.0.len() + 128;
            if page.len() == LETTERS_PER_MESSAGE || bytes > FRAME_BYTES_MAX {
                break;
            }
            page.push(record.letter.clone());
        }
        let more = page.len() < held.order.len();
        (page, more)
    }

    /// Forgets what has expired. Returns the ids: of letters, and of those that were fetched.
    pub fn purge(&mut self, now_ms: u64) -> (Vec<MessageId>, Vec<MessageId>) {
        let (mut letters, mut taken) = (Vec::new(), Vec::new());
        while let Some((expires_ms, id)) = self.expiries.first().copied() {
            if expires_ms > now_ms {
                break;
            }
            self.expiries.pop_first();
            if self.remove(id).is_some() {
                letters.push(id);
            }
            if self.taken.remove(&id).is_some() {
                taken.push(id);
            }
        }
        (letters, taken)
    }

    /// The users of whom something is here.
    pub fn users(&self) -> BTreeSet<IndexKey> {
        self.boxes.keys().map(|(key, _)| *key).chain(self.keys.keys().copied()).collect()
    }

    /// The letters of a user that are here.
    pub fn ids(&self, key: IndexKey) -> Vec<MessageId> {
        let first = (key, NodeId([0; 32]));
        let boxes = self.boxes.range(first..).take_while(|((of, _), _)| *of == key);
        boxes.flat_map(|(_, held)| held.order.iter().map(|(_, id)| *id)).collect()
    }

    /// The devices of a user for which letters are here.
    pub fn devices_waiting(&self, key: IndexKey) -> Vec<NodeId> {
        let first = (key, NodeId([0; 32]));
        let boxes = self.boxes.range(first..).take_while(|((of, _), _)| *of == key);
        boxes.map(|((_, device), _)| *device).collect()
    }

    /// Keeps checked keys, if they are newer than those of that device. Whether they were.
    pub fn put_keys(&mut self, key: IndexKey, keys: DeviceKeys) -> bool {
        let devices = self.keys.entry(key).or_default();
        let room = devices.len() < DEVICES_PER_USER_MAX;
        match devices.iter_mut().find(|held| held.node() == keys.node()) {
            Some(held) if held.seq < keys.seq => {
                *held = keys;
                true
            }
            Some(_) => false,
            None if room => {
                devices.push(keys);
                true
            }
            None => false,
        }
    }

    /// All keys of a user.
    pub fn keys(&self, key: IndexKey) -> Vec<DeviceKeys> {
        self.keys.get(&key).cloned().unwrap_or_default()
    }

    /// The keys of a user's devices for one who has a ratchet with those that are `known`: the others
    /// give a key for one use away. Returns the keys, and the devices that gave one.
    pub fn hand_out(&mut self, key: IndexKey, known: &[NodeId]) -> (Vec<DeviceKeys>, Vec<NodeId>) {
        let (mut handed, mut gave) = (Vec::new(), Vec::new());
        for held in self.keys.get_mut(&key).into_iter().flatten() {
            let wants = !known.contains(&held.node());
            let one_time: Option<MailKey> = if wants { held.one_time.pop() } else { None };
            if one_time.is_some() {
                gave.push(held.node());
            }
            let one_time = one_time.into_iter().collect();
            handed.push(DeviceKeys { one_time, ..held.clone() });
        }
        (handed, gave)
    }

    /// Letters here, and their bytes.
    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        (self.letters.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Blob;

    fn letter(id: u16, bytes: usize) -> SealedLetter {
        let mut name = [0; 16];
        name[..2].copy_from_slice(&id.to_be_bytes());
        SealedLetter {
            key: IndexKey(1),
            to: NodeId([2; 32]),
            id: MessageId(name),
            order: u64::from(id),
            expires_ms: 1_000 + u64::from(id),
            bytes: Blob(vec![0; bytes]),
        }
    }

    fn offer(mailbox: &mut Mailbox, tag: u64, letter: SealedLetter) -> Judgement {
        let judgement = mailbox.judge(tag, &letter);
        if judgement == Judgement::Keep {
            mailbox.insert(BoxRecord { tag, letter });
        }
        judgement
    }

    #[test]
    fn one_sender_has_a_quota_and_a_flood_leaves_room_for_others() {
        let mut mailbox = Mailbox::default();
        let kept = |mailbox: &mut Mailbox, tag, ids: std::ops::Range<u16>| {
            let keep = |id: &u16| offer(mailbox, tag, letter(*id, 256)) == Judgement::Keep;
            ids.filter(keep).count()
        };
        assert_eq!(kept(&mut mailbox, 1, 0..500), MAILBOX_LETTERS_PER_SENDER);
        // A thousand senders write as much as they can.
        let flood = (0..1_000)
            .map(|n| kept(&mut mailbox, 100 + n, 500 + 60 * n as u16..560 + 60 * n as u16));
        let flood: usize = flood.sum();
        assert!(flood < MAILBOX_LETTERS_MAX, "{flood}");
        let honest = kept(&mut mailbox, 2, 61_000..61_002);
        assert_eq!(honest, 2, "who writes little is let in");
    }

    type Try<'a> = dyn FnMut(&mut Mailbox, u64, usize) -> bool + 'a;

    /// Row 21 of the catalogue: by one sender and by a thousand, who write small or large letters and
    /// try again after each honest one.
    #[test]
    fn honest_letters_fit_beside_a_flood_and_the_disk_is_bounded() {
        for (flooders, size) in
            [(1, 768), (1, LETTER_BYTES_MAX), (1_000, 768), (1_000, LETTER_BYTES_MAX)]
        {
            let (mut mailbox, mut id, mut turn) = (Mailbox::default(), 0, 0);
            let mut try_one = |mailbox: &mut Mailbox, tag, size| {
                id += 1;
                offer(mailbox, tag, letter(id, size)) == Judgement::Keep
            };
            let mut flood = |mailbox: &mut Mailbox, tries: usize, try_one: &mut Try<'_>| {
                for _ in 0..tries {
                    turn += 1;
                    try_one(mailbox, 1_000 + turn % flooders, size);
                }
            };
            flood(&mut mailbox, 20_000, &mut try_one);
            let mut accepted = 0;
            // Fifty contacts write two letters each.
            for honest in 0..100_u64 {
                accepted += usize::from(try_one(&mut mailbox, honest % 50, 1_536));
                flood(&mut mailbox, 100, &mut try_one);
            }
            let (letters, bytes) = mailbox.size();
            println!(
                "{flooders} flood with {size} bytes each: {accepted} of 100 honest letters accepted, {letters} \
                 letters and {bytes} bytes on the disk"
            );
            assert_eq!(accepted, 100);
            assert!(letters <= MAILBOX_LETTERS_MAX && bytes <= MAILBOX_BYTES_MAX);
        }
    }

    #[test]
    fn what_was_fetched_does_not_come_back_until_it_expires() {
        let mut mailbox = Mailbox::default();
        let first = letter(7, 300);
        assert_eq!(offer(&mut mailbox, 1, first.clone()), Judgement::Keep);
        assert_eq!(offer(&mut mailbox, 1, first.clone()), Judgement::Known);
        assert!(mailbox.take(NodeId([9; 32]), &[first.id]).is_empty(), "of another device");
        assert_eq!(mailbox.take(first.to, &[first.id]), [(first.id, 1_007)]);
        assert_eq!((mailbox.size(), mailbox.page(first.key, first.to)), ((0, 0), (vec![], false)));
        assert_eq!(offer(&mut mailbox, 1, first.clone()), Judgement::Known);
        assert_eq!(mailbox.purge(1_006), (vec![], vec![]));
        assert_eq!(mailbox.purge(1_007), (vec![], vec![first.id]));
        assert_eq!(offer(&mut mailbox, 1, first), Judgement::Keep);
    }
}
