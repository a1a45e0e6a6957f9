//! Peers come and go while the others talk.

use super::file::span;
use super::lives::Weibull;
use super::stage::{Interrupted, Stage};
use super::step::{Churn, Traffic};
use crate::checks::Era;
use crate::world::Crash;
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// From the command to log out to the end of the process: its goodbyes are on their way.
const GOODBYE: Span = Span::secs(2);

/// What somebody does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    /// Its process ends one way or another.
    Leave,
    /// The process of somebody who has logged out ends.
    Exit,
    /// It comes back.
    Return,
}

/// What is going to happen: when, to whom, what.
type Agenda = BinaryHeap<Reverse<(Time, usize, Act)>>;

impl Stage<'_> {
    /// Lets peers come and go for as long as the step says; then those that are up must become
    /// whole.
    pub(super) fn churn(&mut self, churn: &Churn) -> Result<(), Interrupted> {
        self.phase("peers come and go");
        let end = self.now() + span(churn.over_secs);
        let mut agenda = self.agenda(churn);
        let talk = Traffic {
            per_peer: churn.per_peer,
            at_least: churn.at_least,
            over_secs: churn.over_secs,
        };
        let users = self.population.users();
        let mut next_message = self.now() + self.gap(&talk, users);
        loop {
            let next_act = agenda.peek().map_or(Time::NEVER, |Reverse((at, ..))| *at);
            self.wait(next_act.min(next_message).min(end))?;
            if self.now() >= end {
                break;
            }
            if next_act > next_message {
                self.chat();
                next_message = self.now() + self.gap(&talk, users);
            } else if let Some(Reverse((_, user, act))) = agenda.pop() {
                self.act(churn, user, act, &mut agenda);
            }
        }
        self.end_goodbyes(agenda)?;
        self.settle_after("churn", &talk, span(churn.limit_secs))
    }

    /// What is known of the future when it begins.
    fn agenda(&mut self, churn: &Churn) -> Agenda {
        let now = self.now();
        if let Some(name) = &churn.trace {
            let act = |up| if up { Act::Return } else { Act::Leave };
            let turns = self.scenario.trace(name).iter();
            return turns.map(|t| Reverse((now + t.after, t.user, act(t.up)))).collect();
        }
        let lives = Weibull::new(churn.mean_up_secs, churn.shape);
        let live = self.live_users();
        let first = live.into_iter().map(|user| (now + lives.rest(&mut self.dice), user));
        first.map(|(at, user)| Reverse((at, user, Act::Leave))).collect()
    }

    /// One act, and what follows from it.
    fn act(&mut self, churn: &Churn, user: usize, act: Act, agenda: &mut Agenda) {
        let up = self.world.is_alive(self.population.host(user));
        match act {
            Act::Leave if up => {
                let now = self.now();
                let gone = if self.dice.random::<f64>() < churn.logout_share {
                    self.log_out(user);
                    agenda.push(Reverse((now + GOODBYE, user, Act::Exit)));
                    now + GOODBYE
                } else {
                    let how = if self.dice.random() { Crash::Vanish } else { Crash::Kill };
                    self.end_users(&[user], how);
                    now
                };
                if churn.trace.is_none() {
                    let away = Weibull::new(churn.mean_down_secs, churn.down_shape);
                    let back = gone + away.draw(&mut self.dice);
                    agenda.push(Reverse((back, user, Act::Return)));
                }
            }
            Act::Exit if up => self.end_users(&[user], Crash::Kill),
            Act::Return => {
                if up && !self.standing.is_on_line(self.population.host(user)) {
                    // A trace brings it back before its goodbyes are said.
                    self.end_users(&[user], Crash::Kill);
                }
                if !self.world.is_alive(self.population.host(user)) {
                    self.return_user(user);
                }
                if churn.trace.is_none() {
                    let lives = Weibull::new(churn.mean_up_secs, churn.shape);
                    let until = self.now() + lives.draw(&mut self.dice);
                    agenda.push(Reverse((until, user, Act::Leave)));
                }
            }
            // Who is gone already does not leave.
            Act::Leave | Act::Exit => {}
        }
    }

    /// Nobody stays half-way out of the door.
    fn end_goodbyes(&mut self, agenda: Agenda) -> Result<(), Interrupted> {
        let mut exits: Vec<(Time, usize)> = Vec::new();
        for Reverse((at, user, act)) in agenda {
            if act == Act::Exit {
                exits.push((at, user));
            }
        }
        exits.sort_unstable();
        for (at, user) in exits {
            self.wait(at)?;
            self.end_users(&[user], Crash::Kill);
        }
        Ok(())
    }

    /// Goes on talking until everybody that is up is whole, which has to be within `limit`.
    pub(super) fn settle_after(
        &mut self,
        what: &'static str,
        talk: &Traffic,
        limit: Span,
    ) -> Result<(), Interrupted> {
        let from = self.now();
        while !self.is_calm() {
            if self.now() >= from + limit {
                self.complain_of_the_broken(what, from);
                break;
            }
            let gap = self.gap(talk, self.standing.here());
            let next = (self.now() + gap).min(from + limit);
            if !self.wait_for(next, |stage| stage.is_calm())? {
                self.chat();
            }
        }
        self.wait_for_answers()?;
        self.era = if self.crashed { Era::After } else { Era::Before };
        Ok(())
    }
}
