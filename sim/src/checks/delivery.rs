//! Each message reaches its reader exactly once, as it was written.

use super::Findings;
use crate::scenario::asked::Asked;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::io::{Event, ReceivedText, Reply};
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time};

pub(super) const CHECK: &str = "delivery";

/// When a message was sent, as seen from the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Before it, or in a run without one.
    Before,
    /// Between it and the end of repair.
    During,
    /// After repair.
    After,
}

/// One message, from its command to its receipt.
#[derive(Debug, Clone)]
pub struct Message {
    /// Sending user.
    pub from: usize,
    /// Receiving user.
    pub to: usize,
    /// When it was sent.
    pub era: Era,
    /// When it was sent.
    pub sent: Time,
    /// How often the last process of the right reader that saw it was shown it.
    pub shown: u32,
    /// Where that process runs.
    shown_on: Option<u32>,
    /// What the sender was told.
    pub told: Option<Told>,
    /// Whether one of its ends left before it was there, within
    /// [`STAY`](super::losses::STAY) from its sending: then it may be lost.
    pub excused: bool,
    /// Whether nobody waits for what the sender will be told: it has been told, or it has left.
    pub(super) closed: bool,
}

/// What a sender was told of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is there.
    Delivered {
        /// Hops it took.
        hops: u8,
        /// How often it was sent.
        tries: u32,
        /// Whether it went over the scaffold.
        escalated: bool,
        /// From command to receipt.
        elapsed: Span,
    },
    /// It is perhaps not.
    Failed(Status),
}

/// The ledger of all messages.
#[derive(Debug, Default)]
pub struct Delivery {
    pub(super) messages: Vec<Message>,
    pub(super) open: usize,
    duplicates: u64,
    pub(super) findings: Findings,
}

impl Delivery {
    /// Enters a message and returns its number and text.
    pub fn send(&mut self, from: usize, to: usize, era: Era, at: Time) -> (u32, String) {
        let number = self.messages.len() as u32;
        self.messages.push(Message {
            from,
            to,
            era,
            sent: at,
            shown: 0,
            shown_on: None,
            told: None,
            excused: false,
            closed: false,
        });
        self.open += 1;
        (number, text(number, from, to))
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        match &sighting.what {
            Seen::Event(Event::Received(received)) => {
                if let Err(what) = self.received(sighting.host, received, population) {
                    self.findings.add(CHECK, sighting.at, what);
                }
            }
            Seen::Reply(id, reply) => {
                if let Some(Asked::Send(number)) = Asked::of(*id) {
                    self.replied(number, reply, sighting.at);
                }
            }
            Seen::Event(_) | Seen::Passed(_) | Seen::AskedIn => {}
            Seen::Shown(_) | Seen::Ended(..) => {}
        }
    }

    fn received(&mut self, host: u32, got: &ReceivedText, who: &Population) -> Result<(), String> {
        let number = got.text.split(' ').next().and_then(|word| word.parse::<u32>().ok());
        let number = number.ok_or_else(|| format!("nobody wrote {:?}", got.text))?;
        let message = self.messages.get_mut(number as usize);
        let message = message.ok_or_else(|| format!("nobody wrote {:?}", got.text))?;
        if who.user(host) != Some(message.to) {
            return Err(format!("message {number} was shown to host {host}, not its reader"));
        }
        if got.from != *who.name(message.from) {
            return Err(format!("message {number} was shown as being from {}", got.from));
        }
        if got.text != text(number, message.from, message.to) {
            return Err(format!("message {number} was shown as {:?}", got.text));
        }
        // A reader that starts again has an empty memory: its new process may be shown what the one
        // before it was, when the receipt was lost with that.
        if message.shown_on.replace(host) != Some(host) {
            message.shown = 0;
        }
        message.shown += 1;
        if message.shown > 1 {
            self.duplicates += 1;
            return Err(format!("message {number} was shown {} times", message.shown));
        }
        Ok(())
    }

    fn replied(&mut self, number: u32, reply: &Reply, at: Time) {
        let Some(message) = self.messages.get_mut(number as usize) else {
            return self.findings.add(CHECK, at, format!("a reply for message {number}: not sent"));
        };
        if message.told.is_some() {
            let what = format!("the sender of message {number} was answered twice");
            return self.findings.add(CHECK, at, what);
        }
        self.open -= usize::from(!message.closed);
        message.closed = true;
        message.told = Some(match reply {
            Reply::Delivered { hops, tries, escalated, elapsed, .. } => Told::Delivered {
                hops: *hops,
                tries: *tries,
                escalated: *escalated,
                elapsed: *elapsed,
            },
            Reply::Failed { status } => Told::Failed(*status),
            other => {
                let what = format!("message {number} was answered by {other:?}");
                self.findings.add(CHECK, at, what);
                Told::Failed(Status::INTERNAL)
            }
        });
        if message.shown == 0 && matches!(message.told, Some(Told::Delivered { .. })) {
            let what = format!("the receipt of message {number} came, which nobody was shown");
            self.findings.add(CHECK, at, what);
        }
    }

    /// Messages whose senders have no answer yet.
    pub fn open(&self) -> usize {
        self.open
    }

    /// All messages, in the order of their numbers.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Times that a message was shown beyond the first.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Messages shown exactly once to their readers.
    pub fn delivered(&self) -> usize {
        self.messages.iter().filter(|message| message.shown == 1).count()
    }
}

/// The text of a message: no two are equal, and none fits other people.
fn text(number: u32, from: usize, to: usize) -> String {
    format!("{number} from {from} to {to}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use overlay_proto::id::{MessageId, NodeId};
    use overlay_proto::time::WallTime;

    pub(in crate::checks) fn shown(host: u32, from: &str, text: &str) -> Sighting {
        let received = ReceivedText {
            id: MessageId([0; 16]),
            from: overlay_proto::name::Name::new(from).expect("canonical"),
            node: NodeId([0; 32]),
            text: text.into(),
            sent: WallTime(0),
            hops: 3,
            escalated: false,
        };
        Sighting { at: Time(9), host, what: Seen::Event(Event::Received(received)) }
    }

    pub(in crate::checks) fn told(number: u32, reply: Reply) -> Sighting {
        Sighting { at: Time(9), host: 1, what: Seen::Reply(Asked::Send(number).id(), reply) }
    }

    fn delivered() -> Reply {
        let id = MessageId([0; 16]);
        Reply::Delivered { id, hops: 3, tries: 1, escalated: false, elapsed: Span::secs(1) }
    }

    /// One message from the first user to the second, of a world with one supernode.
    pub(in crate::checks) fn one() -> (Delivery, Population, String) {
        let mut delivery = Delivery::default();
        let (number, text) = delivery.send(0, 1, Era::Before, Time(1));
        assert_eq!(number, 0);
        (delivery, Population::new(1, 3), text)
    }

    #[test]
    fn once_is_right() {
        let (mut delivery, who, text) = one();
        delivery.see(&shown(2, "u00001", &text), &who);
        delivery.see(&told(0, delivered()), &who);
        assert_eq!(delivery.verdict(Time(10), 1.0).count(), 0);
        assert_eq!((delivery.delivered(), delivery.open()), (1, 0));
        assert_eq!((delivery.share(Era::Before), delivery.share(Era::After)), (Some(1.0), None));
    }

    #[test]
    fn a_new_process_of_the_reader_has_an_empty_memory() {
        let (mut delivery, mut who, text) = one();
        delivery.see(&shown(2, "u00001", &text), &who);
        who.came_back(Some(1));
        delivery.see(&shown(4, "u00001", &text), &who);
        delivery.see(&told(0, delivered()), &who);
        assert_eq!((delivery.verdict(Time(10), 1.0).count(), delivery.delivered()), (0, 1));
        delivery.see(&shown(4, "u00001", &text), &who);
        assert_eq!(delivery.verdict(Time(10), 1.0).count(), 1, "twice to the same process");
    }

    #[test]
    fn everything_else_is_found() {
        let found = |sightings: &dyn Fn(&str) -> Vec<Sighting>| {
            let (mut delivery, who, text) = one();
            sightings(&text).iter().for_each(|sighting| delivery.see(sighting, &who));
            delivery.verdict(Time(10), 1.0).count()
        };
        let answered = told(0, delivered());
        assert_eq!(found(&|_| vec![]), 2, "lost, and never answered");
        assert_eq!(found(&|_| vec![told(0, Reply::Failed { status: Status::TIMEOUT })]), 1, "lost");
        let twice = |t: &str| vec![shown(2, "u00001", t), shown(2, "u00001", t), answered.clone()];
        assert_eq!(found(&twice), 1, "shown twice");
        assert_eq!(found(&|_| vec![answered.clone()]), 2, "a receipt for what was not shown");
        let again = |t: &str| vec![shown(2, "u00001", t), answered.clone(), answered.clone()];
        assert_eq!(found(&again), 1, "answered twice");
        for wrong in [
            |t: &str| shown(3, "u00001", t),
            |t: &str| shown(2, "u00003", t),
            |t: &str| shown(2, "u00001", &format!("{t}!")),
            |_: &str| shown(2, "u00001", "7 hello"),
            |_: &str| shown(2, "u00001", "hello"),
        ] {
            let also = |t: &str| vec![shown(2, "u00001", t), answered.clone(), wrong(t)];
            assert_eq!(found(&also), 1, "{:?}", wrong("text"));
        }
    }
}
