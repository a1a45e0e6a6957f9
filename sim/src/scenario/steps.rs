//! What each step of a scenario does.

use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Step, Traffic};
use crate::checks::Era;
use crate::world::Crash;
use overlay_proto::time::{Span, Time};
use overlay_proto::wire::Class;
use rand::RngExt;

/// Between the starts of two supernodes, at most.
const SUPERNODE_GAP: Span = Span::millis(100);
/// Within this all have started, however many they are.
const SUPERNODES_START: Span = Span::secs(20);
/// From the last supernode's start to the first user's: the scaffold finds itself.
const SCAFFOLD_TIME: Span = Span::secs(5);
/// All peers must have been whole for this long before they count as settled.
const CALM: Span = Span::secs(3);
/// A message's sender has given up before this, whatever the core's settings.
const ANSWER_LIMIT: Span = Span::secs(120);
/// Draws for a user on line: with one in a hundred there, one draw series in 20,000 finds none.
const DRAWS_MAX: usize = 1_000;
/// Peers named in a complaint about many.
const EXAMPLES: usize = 3;

impl Stage<'_> {
    /// Starts the scaffold, then the users, paced.
    pub(super) fn arrive(&mut self) -> Result<(), Interrupted> {
        self.phase("supernodes start");
        let count = self.scenario.population.supernodes;
        let gap = SUPERNODE_GAP.min(Span(SUPERNODES_START.0 / count as u64));
        for _ in 0..count {
            self.start_supernode();
            self.wait(self.now() + gap)?;
        }
        self.wait(self.now() + SCAFFOLD_TIME)?;
        self.phase("users log in");
        let times = self.times(self.population.users(), self.scenario.arrival());
        for (user, at) in times.into_iter().enumerate() {
            self.wait(at)?;
            self.start_user(user);
        }
        Ok(())
    }

    /// Plays one step.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), Interrupted> {
        match *step {
            Step::Churn(ref churn) => self.churn(churn),
            Step::Revoke(ref revoke) => self.revoke(revoke),
            Step::Mail(ref letters) => self.mail(letters),
            Step::CrashSupernodes { count, how, under } => {
                self.crash_supernodes(count, how, &under)
            }
            Step::Flood(ref flood) => self.flood(flood),
            Step::Hot(ref hot) => self.hot(hot),
            Step::Sybil(ref sybil) => self.sybil(sybil),
            Step::SplitScaffold(ref split) => self.split_scaffold(split),
            Step::OneWayLinks(ref cut) => self.one_way_links(cut),
            Step::Pause(ref pause) => self.pause(pause),
            Step::Outage(ref outage) => self.outage(outage),
            Step::Restart { under } => self.restart(&under),
            Step::Scaffold(ref deaths) => self.scaffold(deaths),
            Step::Settle { limit_secs } => self.settle(span(limit_secs)),
            Step::Lookups { count, over_secs } => self.lookups(count, span(over_secs)),
            Step::Messages(traffic) => self.messages(traffic),
            Step::Crash { share, how, per_peer, at_least, over_secs, limit_secs } => {
                let traffic = Traffic { per_peer, at_least, over_secs };
                self.crash(share, how, traffic, span(limit_secs))
            }
            ref fault => self.strain(fault),
        }
    }

    pub(super) fn settle(&mut self, limit: Span) -> Result<(), Interrupted> {
        self.phase("peers find their places");
        let from = self.now();
        if !self.wait_for(from + limit, |stage| stage.is_calm())? {
            self.complain_of_the_broken("settle", from);
        }
        let control = self.world.tally().class(Class::Control).bytes;
        self.changes.joined(self.standing.logged_in());
        self.settled.get_or_insert((self.world.now(), control));
        Ok(())
    }

    pub(super) fn is_calm(&self) -> bool {
        self.standing.whole_for(self.now()).is_some_and(|calm| calm >= CALM)
    }

    pub(super) fn complain_of_the_broken(&mut self, check: &'static str, from: Time) {
        let secs = self.now().since(from).as_millis_f64() / 1e3;
        let mut broken: Vec<String> =
            self.standing.broken().map(|(h, w)| format!("{h}: {w}")).collect();
        let count = broken.len();
        broken.truncate(EXAMPLES);
        let what = format!(
            "after {secs:.0} s, {count} of {} peers are not in their places: {}",
            self.standing.here(),
            broken.join("; ")
        );
        self.complain(check, what);
    }

    fn lookups(&mut self, count: usize, over: Span) -> Result<(), Interrupted> {
        self.phase("look-ups");
        let live = self.live_users();
        // Who is gone is looked up as well: nobody may be shown as on line who is not.
        let all = self.population.users();
        for at in self.times(count, over) {
            self.wait(at)?;
            if live.is_empty() || all < 2 {
                break;
            }
            let from = live[self.dice.random_range(0..live.len())];
            let whom = (from + self.dice.random_range(1..all)) % all;
            self.look_up(from, whom);
        }
        self.wait(self.now() + CALM)
    }

    fn messages(&mut self, traffic: Traffic) -> Result<(), Interrupted> {
        self.phase("messages");
        let live = self.live_users();
        for at in self.times(count(traffic, live.len()), span(traffic.over_secs)) {
            self.wait(at)?;
            if let Some((from, to)) = self.pair(&live) {
                self.send(from, to);
            }
        }
        self.wait_for_answers()
    }

    pub(super) fn wait_for_answers(&mut self) -> Result<(), Interrupted> {
        let limit = self.now() + ANSWER_LIMIT;
        self.wait_for(limit, |stage| stage.delivery.open() == 0).map(|_| ())
    }

    fn crash(
        &mut self,
        share: f64,
        how: Crash,
        traffic: Traffic,
        limit: Span,
    ) -> Result<(), Interrupted> {
        let victims = self.draw_victims(share);
        self.phase("crash and repair");
        let from = self.now();
        let wound = self.changes.crashed(from);
        self.end_users(&victims, how);
        self.survey_the_crash();
        (self.crashed, self.era) = (true, Era::During);
        let live = self.live_users();
        let repaired = loop {
            let next = (self.now() + self.gap(&traffic, live.len())).min(from + limit);
            if self.wait_for(next, |stage| stage.is_calm())? {
                break true;
            }
            if self.now() >= from + limit {
                break false;
            }
            if let Some((from, to)) = self.pair(&live) {
                self.send(from, to);
            }
        };
        if repaired {
            self.changes.repaired(&wound, victims.len());
        } else {
            self.complain_of_the_broken("repair", from);
        }
        self.era = Era::After;
        self.wait_for_answers()
    }

    /// Until the next message, evenly spread in the mean and never in step with anybody's timer.
    pub(super) fn gap(&mut self, talk: &Traffic, peers: usize) -> Span {
        let messages = count(*talk, peers);
        if messages == 0 {
            return Span::secs(3_600);
        }
        let mean = span(talk.over_secs).0 / messages as u64;
        // Never at once: the world must go on between two messages.
        Span(self.dice.random_range(1..=2 * mean + 1))
    }

    /// One message between two users that are on line, if there are two.
    pub(super) fn chat(&mut self) {
        if let Some((from, to)) = self.draw_on_line(None).and_then(|from| {
            let to = self.draw_on_line(Some(from))?;
            Some((from, to))
        }) {
            self.send(from, to);
        }
    }

    /// A user on line other than `but`; `None` if none is found by many draws.
    fn draw_on_line(&mut self, but: Option<usize>) -> Option<usize> {
        (0..DRAWS_MAX).find_map(|_| {
            let user = self.dice.random_range(0..self.population.users());
            let on_line = self.standing.is_on_line(self.population.host(user));
            (on_line && Some(user) != but).then_some(user)
        })
    }

    pub(super) fn draw_victims(&mut self, share: f64) -> Vec<usize> {
        let users = self.live_users();
        let struck = (share * users.len() as f64).round() as usize;
        self.draw(struck, users)
    }

    /// So many of them, each equally likely.
    pub(super) fn draw(&mut self, count: usize, mut all: Vec<usize>) -> Vec<usize> {
        for place in 0..count {
            let drawn = self.dice.random_range(place..all.len());
            all.swap(place, drawn);
        }
        all.truncate(count);
        all
    }

    /// Two different users out of `live`, if there are two.
    fn pair(&mut self, live: &[usize]) -> Option<(usize, usize)> {
        if live.len() < 2 {
            return None;
        }
        let from = self.dice.random_range(0..live.len());
        let to = (from + self.dice.random_range(1..live.len())) % live.len();
        Some((live[from], live[to]))
    }

    /// So many times from now on, in order, spread at random.
    pub(super) fn times(&mut self, count: usize, over: Span) -> Vec<Time> {
        let now = self.now();
        let mut times: Vec<Time> =
            (0..count).map(|_| now + Span(self.dice.random_range(0..=over.0))).collect();
        times.sort_unstable();
        times
    }
}

fn count(traffic: Traffic, peers: usize) -> usize {
    ((traffic.per_peer * peers as f64) as usize).max(traffic.at_least)
}
