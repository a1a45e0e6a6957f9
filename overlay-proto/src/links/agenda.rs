//! When a link is to be looked at again, so that a node with thousands of them looks at few.
//!
//! A greeting that may be late and a question to be asked have their moments. Silence has one bound for
//! all links: what is heard only puts it off, and between two looks at all of them lie seconds, however
//! many links come and go meanwhile.

use crate::footprint::Heap;
use crate::id::LinkId;
use crate::time::Time;
use std::collections::BTreeSet;

/// What is due when.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Each link once at most, at the moment that the link itself knows, and none that is gone.
    moments: BTreeSet<(Time, LinkId)>,
    /// No link has been silent for too long before this.
    silence: Option<Time>,
}

impl Agenda {
    /// `link`, which was to be looked at at `moment`, if at all, is to be looked at then instead.
    pub fn note(&mut self, at: Time, link: LinkId, moment: &mut Option<Time>) {
        self.forget(link, moment.replace(at));
        self.moments.insert((at, link));
    }

    /// `link`, which was to be looked at at `moment`, is gone.
    pub fn forget(&mut self, link: LinkId, moment: Option<Time>) {
        if let Some(moment) = moment {
            self.moments.remove(&(moment, link));
        }
    }

    /// A link may have been silent for too long from then on.
    pub fn note_silence(&mut self, at: Time) {
        self.silence = Some(self.silence.map_or(at, |bound| bound.min(at)));
    }

    /// Whether some link may have been silent for too long. If so, whoever asks looks at all of them
    /// and notes anew what it finds.
    pub fn take_silence(&mut self, now: Time) -> bool {
        self.silence.take_if(|bound| *bound <= now).is_some()
    }

    /// The links whose moment has come, in order.
    pub fn take_due(&mut self, now: Time) -> BTreeSet<LinkId> {
        let mut due = BTreeSet::new();
        while let Some((_, link)) = self.moments.first().copied().filter(|(at, _)| *at <= now) {
            self.moments.pop_first();
            due.insert(link);
        }
        due
    }

    /// When there may be something to do.
    pub fn next_at(&self) -> Time {
        let moment = self.moments.first().map_or(Time::NEVER, |(at, _)| *at);
        moment.min(self.silence.unwrap_or(Time::NEVER))
    }
}

impl Heap for Agenda {
    fn heap(&self) -> usize {
        // Both halves of an entry are plain numbers.
        crate::footprint::tree(self.moments.len(), size_of::<(Time, LinkId)>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_due_comes_and_each_link_once() {
        let mut agenda = Agenda::default();
        let mut moments = [None; 3];
        for (at, link) in [(9, 0), (3, 1), (3, 2), (4, 1)] {
            agenda.note(Time(at), LinkId(link), &mut moments[link as usize]);
        }
        assert_eq!((agenda.next_at(), moments[1]), (Time(3), Some(Time(4))));
        assert_eq!(agenda.take_due(Time(4)), BTreeSet::from([LinkId(1), LinkId(2)]));
        assert_eq!((agenda.take_due(Time(8)), agenda.next_at()), (BTreeSet::new(), Time(9)));
        agenda.forget(LinkId(0), moments[0]);
        assert_eq!(agenda.next_at(), Time::NEVER, "nothing is kept of who is gone");
    }

    #[test]
    fn silence_is_looked_for_at_the_first_bound_and_then_noted_anew() {
        let mut agenda = Agenda::default();
        agenda.note_silence(Time(12));
        agenda.note_silence(Time(15));
        assert!(!agenda.take_silence(Time(11)) && agenda.next_at() == Time(12));
        assert!(agenda.take_silence(Time(12)) && !agenda.take_silence(Time(20)));
        assert_eq!(agenda.next_at(), Time::NEVER);
    }
}
