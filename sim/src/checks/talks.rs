//! Sessions with who is revoked end at the other end, within the deadline, whoever carries them.

use super::Findings;
use crate::world::{Seen, Sighting};
use overlay_proto::id::NodeId;
use overlay_proto::io::{Event, Reply};
use overlay_proto::time::{Span, Time};
use std::collections::BTreeMap;

/// The check's name.
pub const CHECK: &str = "talks";

/// Sessions of users with others who are to be shut out, each seen from the end that stays.
#[derive(Debug, Default)]
pub struct Talks {
    /// By the device that is to go.
    talks: BTreeMap<NodeId, Talk>,
    findings: Findings,
}

#[derive(Debug)]
struct Talk {
    /// The host at the end that stays.
    host: u32,
    /// Whether the word cannot reach that end before a heal.
    beyond: bool,
    /// Whether that end has met the other one.
    met: bool,
    /// When the registrar was told to shut the other end out.
    since: Option<Time>,
    over: Option<Time>,
}

impl Talks {
    /// This host begins a session with that device.
    pub fn begin(&mut self, node: NodeId, host: u32, beyond: bool) {
        self.talks.insert(node, Talk { host, beyond, met: false, since: None, over: None });
    }

    /// The word is given against this device.
    pub fn named(&mut self, node: NodeId, now: Time) {
        if let Some(talk) = self.talks.get_mut(&node) {
            talk.since = Some(now);
        }
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting) {
        let (node, over) = match &sighting.what {
            Seen::Reply(_, Reply::Met { node, .. }) => (node, false),
            Seen::Event(Event::ShutOut { node, .. }) => (node, true),
            _ => return,
        };
        let Some(talk) = self.talks.get_mut(node).filter(|talk| talk.host == sighting.host) else {
            return;
        };
        match (over, talk.since) {
            (false, _) => talk.met = true,
            (true, Some(_)) => talk.over = talk.over.or(Some(sighting.at)),
            (true, None) => {
                let what = format!("host {} ends a session with {node:?}, who is in", talk.host);
                self.findings.add(CHECK, sighting.at, what);
            }
        }
    }

    /// How many sessions with outcasts there still are.
    pub fn open(&self) -> usize {
        let open = |talk: &&Talk| talk.met && talk.since.is_some() && talk.over.is_none();
        self.talks.values().filter(open).count()
    }

    /// Judges who took how long, from the word or, beyond its reach, from the heal.
    pub fn judge(&mut self, healed: Time, deadline: Span, after_heal: Span) {
        for (node, talk) in self.talks.iter().filter(|(_, talk)| talk.met) {
            let limit = if talk.beyond { after_heal } else { deadline };
            let took = talk.took(healed);
            if took.is_none_or(|took| took > limit) {
                let host = talk.host;
                let what = format!("host {host}'s session with {node:?} ends after {took:?}");
                self.findings.add(CHECK, healed, what);
            }
        }
    }

    /// How long each took: of those within reach from the word, of the others from the heal.
    pub fn waits(&self, healed: Time) -> (Vec<Span>, Vec<Span>) {
        let (beyond, reached): (Vec<&Talk>, Vec<&Talk>) =
            self.talks.values().partition(|talk| talk.beyond);
        let took = |talks: Vec<&Talk>| talks.into_iter().filter_map(|t| t.took(healed)).collect();
        (took(reached), took(beyond))
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}

impl Talk {
    fn took(&self, healed: Time) -> Option<Span> {
        let since = self.since?;
        let from = if self.beyond { since.max(healed) } else { since };
        Some(self.over?.since(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::CommandId;
    use overlay_proto::name::Name;

    const NODE: NodeId = NodeId([7; 32]);

    fn sighting(at: u64, over: bool) -> Sighting {
        let name = Name::new("u00003").expect("canonical");
        let what = match over {
            true => Seen::Event(Event::ShutOut { node: NODE, name }),
            false => Seen::Reply(CommandId(1), Reply::Met { node: NODE, name }),
        };
        Sighting { at: Time(at), host: 4, what }
    }

    fn judged(over_at: Option<u64>) -> usize {
        let mut talks = Talks::default();
        talks.begin(NODE, 4, false);
        talks.see(&sighting(5, false));
        talks.named(NODE, Time(10));
        over_at.iter().for_each(|at| talks.see(&sighting(*at, true)));
        assert_eq!(talks.open(), usize::from(over_at.is_none()));
        talks.judge(Time(0), Span(20), Span(99));
        talks.verdict().count() as usize
    }

    #[test]
    fn a_session_must_end_and_in_time() {
        assert_eq!([judged(Some(30)), judged(Some(31)), judged(None)], [0, 1, 1]);
    }

    #[test]
    fn one_that_never_began_is_none_and_one_that_ends_too_early_is_found() {
        let mut talks = Talks::default();
        talks.begin(NODE, 4, false);
        talks.named(NODE, Time(10));
        talks.judge(Time(0), Span(20), Span(99));
        assert_eq!((talks.open(), talks.verdict().count()), (0, 0));
        let mut talks = Talks::default();
        talks.begin(NODE, 4, true);
        talks.see(&sighting(5, true));
        assert_eq!(talks.verdict().count(), 1);
    }
}
