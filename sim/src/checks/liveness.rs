//! Everybody gets in, stays in and has a place.

use super::{Findings, Standing};
use crate::scenario::asked::Asked;
use crate::world::{Seen, Sighting};
use overlay_proto::io::{Event, Reply};
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time};
use std::collections::BTreeSet;

const CHECK: &str = "liveness";
/// What a command hears that has waited long enough while its peer goes on trying.
const PUT_OFF: [Status; 4] =
    [Status::TIMEOUT, Status::TOO_MANY, Status::OVERLOADED, Status::NO_ROUTE];

/// Who asked for what, and when it was granted.
#[derive(Debug)]
pub struct Liveness {
    asked: Vec<Option<Time>>,
    leaving: BTreeSet<u32>,
    /// Whether so many want to log in at once that some are told so.
    stormy: bool,
    /// Those that were: they go on trying.
    waiting: BTreeSet<u32>,
    logins: Vec<Span>,
    lookups: Vec<Span>,
    sessions_lost: u64,
    findings: Findings,
}

impl Liveness {
    /// For so many hosts.
    pub fn new(hosts: usize) -> Liveness {
        Liveness {
            asked: vec![None; hosts],
            leaving: BTreeSet::new(),
            stormy: false,
            waiting: BTreeSet::new(),
            logins: Vec::new(),
            lookups: Vec::new(),
            sessions_lost: 0,
            findings: Findings::default(),
        }
    }

    /// A host has been told to log in.
    pub fn told_to_log_in(&mut self, host: u32, at: Time) {
        self.asked.resize(self.asked.len().max(host as usize + 1), None);
        self.asked[host as usize] = Some(at);
    }

    /// A host has been told to log out.
    pub fn told_to_log_out(&mut self, host: u32) {
        self.leaving.insert(host);
    }

    /// A host is nobody's: it gets nothing, and may say so.
    pub fn is_nobodys(&mut self, host: u32) {
        self.leaving.insert(host);
    }

    /// From now on a log-in may take longer than its command waits, if it succeeds in the end.
    pub fn expects_a_storm(&mut self) {
        self.stormy = true;
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting) {
        let (host, at) = (sighting.host, sighting.at);
        match &sighting.what {
            Seen::Reply(id, reply) => self.replied(Asked::of(*id), reply, host, at),
            // Who is leaving loses nothing.
            Seen::Event(Event::LoggedOut { .. }) if self.leaving.contains(&host) => {}
            Seen::Event(Event::LoggedOut { .. }) => self.sessions_lost += 1,
            Seen::Event(Event::LoggedIn { .. }) if self.waiting.remove(&host) => {
                let asked = self.asked[host as usize].take();
                self.logins.extend(asked.map(|asked| at.since(asked)));
            }
            Seen::Event(_) | Seen::Passed(_) | Seen::AskedIn => {}
            Seen::Shown(_) | Seen::Ended(..) => {}
        }
    }

    fn replied(&mut self, asked: Option<Asked>, reply: &Reply, host: u32, at: Time) {
        match (asked, reply) {
            (Some(Asked::Login), Reply::LoggedIn { .. }) => {
                match self.asked[host as usize].take() {
                    Some(asked) => self.logins.push(at.since(asked)),
                    None => self.findings.add(CHECK, at, format!("host {host} logged in twice")),
                }
            }
            (Some(Asked::Lookup), Reply::Located { elapsed, .. }) => self.lookups.push(*elapsed),
            (Some(Asked::Send(_) | Asked::Write(_)), _)
            | (Some(Asked::Register), Reply::Registered { .. }) => {}
            (Some(Asked::Login), Reply::Failed { status })
                if self.stormy && PUT_OFF.contains(status) =>
            {
                self.waiting.insert(host);
            }
            (Some(Asked::Logout | Asked::Revoke), Reply::Done) => {}
            // Judged by checks of their own.
            (Some(Asked::Seek | Asked::Consult(_) | Asked::Compare(_) | Asked::Meet), _) => {}
            // What it was about when it was told to leave is over.
            (Some(Asked::Login | Asked::Lookup | Asked::Register), Reply::Failed { .. })
                if self.leaving.contains(&host) => {}
            (asked, reply) => {
                let what = format!("host {host}: {asked:?} was answered by {reply:?}");
                self.findings.add(CHECK, at, what);
            }
        }
    }

    /// From the command to the session, of every log-in.
    pub fn logins(&self) -> &[Span] {
        &self.logins
    }

    /// From the command to the answer, of every look-up.
    pub fn lookups(&self) -> &[Span] {
        &self.lookups
    }

    /// Sessions that ended though nobody wanted it: each was renewed or is a finding at the end.
    pub fn sessions_lost(&self) -> u64 {
        self.sessions_lost
    }

    /// The verdict at the end, when everybody should be in and whole.
    pub fn verdict(&self, standing: &Standing, at: Time) -> Findings {
        let mut findings = self.findings.clone();
        for (host, what) in standing.broken() {
            findings.add(CHECK, at, format!("host {host} is not in its place: {what}"));
        }
        for (one, other) in standing.one_sided() {
            findings.add(CHECK, at, format!("host {one} has {other} as neighbour, not vice versa"));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::NodeId;

    fn replied(asked: Asked, reply: Reply) -> Sighting {
        Sighting { at: Time(9), host: 0, what: Seen::Reply(asked.id(), reply) }
    }

    fn logged_in() -> Sighting {
        let (home, elapsed) = (NodeId([0; 32]), Span(0));
        replied(Asked::Login, Reply::LoggedIn { home, elapsed })
    }

    #[test]
    fn log_ins_are_timed_and_refusals_are_found() {
        let standing = Standing::new(8, 8, 1);
        let found = |sightings: &[Sighting]| {
            let mut liveness = Liveness::new(1);
            liveness.told_to_log_in(0, Time(2));
            sightings.iter().for_each(|sighting| liveness.see(sighting));
            (liveness.verdict(&standing, Time(10)).count(), liveness.logins().to_vec())
        };
        assert_eq!(found(&[logged_in()]), (0, vec![Span(7)]));
        assert_eq!(found(&[logged_in(), logged_in()]).0, 1);
        let refused = Reply::Failed { status: Status::FORBIDDEN };
        assert_eq!(found(&[replied(Asked::Login, refused.clone())]).0, 1);
        assert_eq!(found(&[replied(Asked::Lookup, refused)]).0, 1);
        assert_eq!(found(&[replied(Asked::Register, Reply::Done)]).0, 1);
    }

    #[test]
    fn who_never_gets_in_is_found() {
        let mut standing = Standing::new(8, 8, 1);
        standing.started(0, Time(0));
        assert_eq!(Liveness::new(1).verdict(&standing, Time(10)).count(), 1);
    }
}
