//! Whether a correspondent answers, and which neighbour to avoid if it does not.
//!
//! Both ends of a session acknowledge what comes. Who sends and hears nothing is *deaf*: somewhere on
//! the way there or back packets are lost, perhaps by a forwarder that answers keep-alives and drops
//! data. It says so in each datagram, and both ends then try another first neighbour, once a second.

use super::routing::Route;
use crate::id::ShortId;
use crate::time::{Span, Time};

/// A correspondent that is slower than this is deaf, however slow it was before.
const PATIENCE_MAX: Span = Span::secs(3);
/// A quick correspondent has so long: a lost packet and its successor.
const PATIENCE_MIN: Span = Span::millis(400);
/// How long the first answer may take: a way of ten hops of 100 ms.
const FIRST_PATIENCE: Span = Span::secs(1);
/// Datagrams that may stay without an answer.
const UNANSWERED_MAX: u32 = 3;
/// Another neighbour is tried at most this often: a way has to have had time to answer.
const TURN_GAP: Span = Span::secs(1);
/// A neighbour is avoided for so long. By then the topology has been repaired around a dead one.
const AVOIDED_FOR: Span = Span::secs(30);

/// What has been heard of one correspondent since we spoke last.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// When the first datagram that has had no answer went.
    silent_from: Option<Time>,
    unanswered: u32,
    /// The longest time from question to answer of late; zero before the first.
    slowest: Span,
    /// The neighbour that carries our datagrams.
    first_hop: Option<ShortId>,
    /// The neighbour that led nowhere, and since when it is avoided.
    avoided: Option<(ShortId, Time)>,
}

impl Hearing {
    /// A datagram goes, over this neighbour if it goes hop by hop.
    pub fn sent(&mut self, now: Time, first_hop: Option<ShortId>) {
        self.silent_from.get_or_insert(now);
        self.unanswered = self.unanswered.saturating_add(1);
        self.first_hop = first_hop;
    }

    /// Something came.
    pub fn heard(&mut self, now: Time) {
        if let Some(from) = self.silent_from.take() {
            let faded = Span(self.slowest.0 - self.slowest.0 / 8);
            self.slowest = now.since(from).max(faded).min(PATIENCE_MAX);
        }
        self.unanswered = 0;
    }

    /// Whether nothing has come for longer than this correspondent usually takes.
    pub fn is_deaf(&self, now: Time) -> bool {
        self.unanswered >= UNANSWERED_MAX && self.silence(now) >= self.patience()
    }

    /// How long nothing has come although we send.
    pub fn silence(&self, now: Time) -> Span {
        self.silent_from.map_or(Span::ZERO, |from| now.since(from))
    }

    fn patience(&self) -> Span {
        match self.slowest {
            Span::ZERO => FIRST_PATIENCE,
            Span(slowest) => Span(3 * slowest).clamp(PATIENCE_MIN, PATIENCE_MAX),
        }
    }

    /// Tries another neighbour, unless that has just been done. True if it does.
    pub fn turn(&mut self, now: Time) -> bool {
        let just_turned = self.avoided.is_some_and(|(_, since)| now.since(since) < TURN_GAP);
        match self.first_hop {
            Some(hop) if !just_turned => {
                self.avoided = Some((hop, now));
                true
            }
            _ => false,
        }
    }

    /// By which way a datagram sets out.
    pub fn route(&self, now: Time) -> Route {
        match self.avoided {
            Some((hop, since)) if now.since(since) < AVOIDED_FOR => Route::Avoiding(hop),
            _ => Route::Hops,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ShortId = ShortId([1; 8]);

    fn at(ms: u64) -> Time {
        Time(ms * 1_000)
    }

    #[test]
    fn who_answers_is_not_deaf_and_who_does_not_is_after_a_while() {
        let mut hearing = Hearing::default();
        for ms in 0..10 {
            hearing.sent(at(ms), Some(A));
        }
        assert!(!hearing.is_deaf(at(999)), "the first answer may take a second");
        assert!(hearing.is_deaf(at(1_000)));
        hearing.heard(at(1_001));
        assert!(!hearing.is_deaf(at(60_000)), "who does not ask hears nothing");
    }

    #[test]
    fn a_quick_one_is_missed_sooner_than_a_slow_one() {
        for (answer, deaf_after) in [(10, 400), (300, 900), (2_000, 3_000)] {
            let mut hearing = Hearing::default();
            hearing.sent(at(0), Some(A));
            hearing.heard(at(answer));
            (0..3).for_each(|_| hearing.sent(at(5_000), Some(A)));
            assert!(!hearing.is_deaf(at(5_000 + deaf_after - 1)), "{answer}");
            assert!(hearing.is_deaf(at(5_000 + deaf_after)), "{answer}");
        }
    }

    #[test]
    fn the_neighbour_is_avoided_for_a_while_and_turns_are_rare() {
        let mut hearing = Hearing::default();
        assert!(!hearing.turn(at(0)), "nothing has been sent hop by hop");
        hearing.sent(at(0), Some(A));
        assert!(hearing.turn(at(1)));
        assert!(!hearing.turn(at(1_000)));
        assert_eq!(hearing.route(at(30_000)), Route::Avoiding(A));
        assert_eq!(hearing.route(at(30_001)), Route::Hops);
    }
}
