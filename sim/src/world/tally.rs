//! What the world counts of its traffic.

use overlay_proto::wire::packet::PACKET_MARK;
use overlay_proto::wire::{Class, Message, codec};

/// How a log-in begins: an array of two, the first the message's number.
const LOGIN: [u8; 2] = [0x82, 12];

/// Frames and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub frames: u64,
    /// Their bytes, without the length that a driver puts before each.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }
}

/// Counts since the world began.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Inputs given to nodes.
    pub events: u64,
    /// Frames sent, by class, in the order of [`Class::ALL`].
    pub by_class: [Count; 4],
    /// Frames that reached nobody: the link was down or the other end gone.
    pub lost: Count,
    /// Frames sent on a link that the sender had been told is down.
    pub misdirected: u64,
    /// Links made.
    pub links: u64,
    /// Dials that led to nothing.
    pub dials_failed: u64,
    /// Wakes asked for at a time that had passed: a node that asks so again and again spins.
    pub late_wakes: u64,
    by_message: Box<[(Count, Option<&'static str>); 256]>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            events: 0,
            by_class: [Count::default(); 4],
            lost: Count::default(),
            misdirected: 0,
            links: 0,
            dials_failed: 0,
            late_wakes: 0,
            by_message: Box::new([(Count::default(), None); 256]),
        }
    }
}

impl Tally {
    pub(super) fn sent(&mut self, class: Class, frame: &[u8]) {
        self.by_class[class as usize].add(frame.len());
        // The number on the wire; zero, which no message has, for packets.
        let number = match frame {
            [PACKET_MARK, ..] => 0,
            [_, 0x18, number, ..] | [_, number, ..] => *number,
            _ => u8::MAX,
        };
        let (count, name) = &mut self.by_message[usize::from(number)];
        count.add(frame.len());
        if name.is_none() {
            *name = Some(match number {
                0 => "packets",
                _ => codec::decode_message(frame).map_or("unreadable", |message| message.name()),
            });
        }
    }

    /// Whether a frame asks a supernode for a session; not for one to fall back on.
    pub(super) fn is_login(frame: &[u8]) -> bool {
        let login = || codec::decode_message(frame);
        frame.get(..2) == Some(&LOGIN) && matches!(login(), Ok(Message::Login(l)) if !l.warm)
    }

    pub(super) fn lost(&mut self, bytes: usize) {
        self.lost.add(bytes);
    }

    /// Frames sent in one class.
    pub fn class(&self, class: Class) -> Count {
        self.by_class[class as usize]
    }

    /// Frames sent, by the name of their message, most bytes first.
    pub fn messages(&self) -> Vec<(&'static str, Count)> {
        let named = self.by_message.iter().filter_map(|(count, name)| Some(((*name)?, *count)));
        let mut all: Vec<_> = named.collect();
        all.sort_by_key(|(name, count)| (std::cmp::Reverse(count.bytes), *name));
        all
    }
}
