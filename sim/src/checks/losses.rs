//! Which messages may be lost, and the verdict on those that were.

use super::Findings;
use super::delivery::{CHECK, Delivery, Era, Message, Told};
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time};
use std::collections::BTreeMap;

/// Both ends of a message must stay on line for so long from its sending, unless it is there
/// earlier: then it has to arrive.
pub const STAY: Span = Span::secs(30);

impl Delivery {
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

#[cfg(test)]
mod tests {
    use super::super::delivery::tests::{one, shown, told};
    use super::*;
    use crate::scenario::population::Population;
    use overlay_proto::io::Reply;

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
