//! Each message reaches its reader exactly once, as it was written.

use super::Findings;
use crate::scenario::asked::Asked;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::io::{Event, ReceivedText, Reply};
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time};
use std::collections::BTreeMap;

const CHECK: &str = "delivery";

/// Both ends of a message must stay on line for so long from its sending, unless it is there
/// earlier: then it has to arrive.
pub const STAY: Span = Span::secs(30);

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
    /// Whether one of its ends left before it was there, within [`STAY`] from its sending: then it
    /// may be lost.
    pub excused: bool,
    /// Whether nobody waits for what the sender will be told: it has been told, or it has left.
    closed: bool,
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
    messages: Vec<Message>,
    open: usize,
    duplicates: u64,
    findings: Findings,
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

    /// A user leaves: what it has sent will not be answered, and what was under way from or to it
    /// may be lost.
    pub fn left(&mut self, user: usize, at: Time) {
        // No message lives longer than a few times this; older ones have been answered.
        let young = |message: &&mut Message| at.since(message.sent) < Span(8 * STAY.0);
        for message in self.messages.iter_mut().rev().take_while(young) {
            let is_end = message.from == user || message.to == user;
            if is_end && message.shown == 0 && at.since(message.sent) < STAY {
                message.excused = true;
            }
            if message.from == user && !message.closed {
                message.closed = true;
                self.open -= 1;
            }
        }
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
            Seen::Event(_) | Seen::Passed(_) => {}
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

    /// The share, from 0 to 1, of an era's messages that were shown exactly once; `None` if it had
    /// none.
    pub fn share(&self, era: Era) -> Option<f64> {
        let (mut sent, mut delivered) = (0_u64, 0_u64);
        let counts =
            |message: &&Message| message.era == era && (!message.excused || message.shown > 0);
        for message in self.messages.iter().filter(counts) {
            sent += 1;
            delivered += u64::from(message.shown == 1);
        }
        (sent > 0).then(|| delivered as f64 / sent as f64)
    }

    /// What senders were told when it did not work, and how often.
    pub fn failures(&self) -> BTreeMap<Status, u64> {
        let mut failures = BTreeMap::new();
        for message in &self.messages {
            if let Some(Told::Failed(status)) = message.told {
                *failures.entry(status).or_default() += 1;
            }
        }
        failures
    }

    /// The verdict at the end: all that was found, and every message that is missing though its
    /// era allows no loss. `during_at_least` is the share of messages sent during repair that must
    /// arrive.
    pub fn verdict(&self, at: Time, during_at_least: f64) -> Findings {
        let mut findings = self.findings.clone();
        let missing = self.messages.iter().enumerate().filter(|(_, message)| message.shown == 0);
        for (number, message) in missing.filter(|(_, m)| m.era != Era::During && !m.excused) {
            let Message { from, to, era, sent, told, .. } = message;
            let what = format!(
                "message {number}, u{:05} to u{:05}, sent {era:?} at {:.3} s, never arrived; the \
                 sender was told {told:?}",
                from + 1,
                to + 1,
                sent.0 as f64 / 1e6,
            );
            findings.add(CHECK, at, what);
        }
        if let Some(share) = self.share(Era::During).filter(|share| *share < during_at_least) {
            let what = format!("{share:.5} of the messages sent during repair arrived");
            findings.add(CHECK, at, what);
        }
        if self.open > 0 {
            findings.add(CHECK, at, format!("{} senders were never answered", self.open));
        }
        findings
    }
}

/// The text of a message: no two are equal, and none fits other people.
fn text(number: u32, from: usize, to: usize) -> String {
    format!("{number} from {from} to {to}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::{MessageId, NodeId};
    use overlay_proto::time::WallTime;

    fn shown(host: u32, from: &str, text: &str) -> Sighting {
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

    fn told(number: u32, reply: Reply) -> Sighting {
        Sighting { at: Time(9), host: 1, what: Seen::Reply(Asked::Send(number).id(), reply) }
    }

    fn delivered() -> Reply {
        let id = MessageId([0; 16]);
        Reply::Delivered { id, hops: 3, tries: 1, escalated: false, elapsed: Span::secs(1) }
    }

    /// One message from the first user to the second, of a world with one supernode.
    fn one() -> (Delivery, Population, String) {
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
    fn who_leaves_early_excuses_and_who_leaves_late_does_not() {
        let verdict = |user, after| {
            let (mut delivery, _, _) = one();
            delivery.left(user, Time(1) + after);
            delivery.verdict(Time(10), 1.0).count()
        };
        assert_eq!(verdict(0, Span::secs(29)), 0, "the sender: excused, and nobody to answer");
        assert_eq!(verdict(1, Span::secs(29)), 1, "the reader: the sender must still be answered");
        assert_eq!(verdict(2, Span::secs(29)), 2, "somebody else");
        assert_eq!(verdict(0, Span::secs(30)), 1, "it should have been there");
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

    #[test]
    fn loss_during_repair_is_measured_against_the_bar() {
        let who = Population::new(1, 3);
        let mut delivery = Delivery::default();
        for number in 0..10 {
            let (_, text) = delivery.send(0, 1, Era::During, Time(1));
            if number > 0 {
                delivery.see(&shown(2, "u00001", &text), &who);
            }
            delivery.see(&told(number, Reply::Failed { status: Status::TIMEOUT }), &who);
        }
        assert_eq!(delivery.verdict(Time(10), 0.9).count(), 0);
        assert_eq!(delivery.verdict(Time(10), 0.91).count(), 1);
        assert_eq!(delivery.failures(), BTreeMap::from([(Status::TIMEOUT, 10)]));
    }
}
