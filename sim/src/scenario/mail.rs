//! Users write messages that wait for their recipients, in bad weather.

use super::asked::Asked;
use super::file::{Scenario, span};
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Step, Traffic, natural, share};
use crate::checks::Era;
use crate::world::{Crash, Weather};
use overlay_proto::io::Command;
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Others to whom each user writes.
const CORRESPONDENTS: usize = 3;
/// Users draw so often for one who is able to write.
const DRAWS_MAX: usize = 100;

/// Messages that wait, and what happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letters {
    /// How many are written.
    pub count: usize,
    /// Seconds over which they are.
    pub over_secs: f64,
    /// Share of the users that come and go, 0 to 1: half of their ends are crashes in silence, half
    /// killed processes. Default 0.
    #[serde(default)]
    pub away: f64,
    /// Mean seconds that each of these is there. Default 30.
    #[serde(default = "half_a_minute")]
    pub up_secs: f64,
    /// Mean seconds that it is not. Default 20.
    #[serde(default = "twenty")]
    pub down_secs: f64,
    /// Supernodes, and so mailboxes, that are down at a time. Default 0.
    #[serde(default)]
    pub supernodes_down: usize,
    /// Seconds that they are down, and then up, in turns. Default 20.
    #[serde(default = "twenty")]
    pub supernodes_secs: f64,
    /// Share of the frames that are lost beneath the streams, which stall for 200 ms. Default 0.
    #[serde(default)]
    pub loss: f64,
    /// Share of the frames that vanish. Default 0.
    #[serde(default)]
    pub lose: f64,
    /// Share of those that come twice. Default 0.
    #[serde(default)]
    pub duplicate: f64,
    /// Share of those that later ones overtake. Default 0.
    #[serde(default)]
    pub reorder: f64,
    /// Share of the returns at which the ratchets are older ones, as after a restored backup.
    /// Default 0.
    #[serde(default)]
    pub restored: f64,
    /// Seconds until a message expires. Default thirty days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_secs: Option<f64>,
    /// Seconds after which all must have ended. Default 1800.
    #[serde(default = "half_an_hour")]
    pub limit_secs: f64,
}

fn half_a_minute() -> f64 {
    30.0
}

fn twenty() -> f64 {
    20.0
}

fn half_an_hour() -> f64 {
    1_800.0
}

impl Letters {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        for (key, value) in [
            ("away", self.away),
            ("loss", self.loss),
            ("lose", self.lose),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("restored", self.restored),
        ] {
            share(key, value)?;
        }
        for (key, value) in [
            ("over_secs", self.over_secs),
            ("up_secs", self.up_secs),
            ("down_secs", self.down_secs),
            ("supernodes_secs", self.supernodes_secs),
            ("life_secs", self.life_secs.unwrap_or(0.0)),
            ("limit_secs", self.limit_secs),
        ] {
            natural(key, value)?;
        }
        Ok(())
    }

    /// So many messages, in as much more time.
    pub(super) fn scale(&mut self, count: usize) {
        self.over_secs *= count as f64 / self.count.max(1) as f64;
        self.count = count;
    }
}

impl Scenario {
    /// Whether anybody writes messages that wait.
    pub(super) fn writes(&self) -> bool {
        self.step.iter().any(|step| matches!(step.get_ref(), Step::Mail(_)))
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Write,
    Leave(usize),
    Return(usize),
    SupernodesEnd,
    SupernodesReturn,
}

type Agenda = BinaryHeap<Reverse<(Time, Act)>>;

impl Stage<'_> {
    /// Has messages written while all that the step says goes wrong; then all must end well.
    pub(super) fn mail(&mut self, letters: &Letters) -> Result<(), Interrupted> {
        let end = self.begin("mail", letters.over_secs);
        let dice = self.fault_dice();
        let weather = Weather {
            stalled: letters.loss,
            stall: Span::millis(200),
            lost: letters.lose,
            doubled: letters.duplicate,
            late: letters.reorder,
            ..Weather::default()
        };
        self.world.set_weather(weather, dice.clone());
        let mut agenda = self.mail_agenda(letters);
        while let Some(Reverse((at, act))) = agenda.pop() {
            if at >= end && act != Act::Write {
                continue;
            }
            self.wait(at)?;
            self.mail_act(letters, act, &mut agenda);
        }
        self.world.set_weather(Weather::default(), dice);
        self.restart_supernodes();
        for user in 0..self.population.users() {
            if !self.world.is_alive(self.population.host(user)) {
                self.return_user(user);
            }
        }
        let limit = self.now() + span(letters.limit_secs);
        self.wait_for(limit, |stage| stage.mail.open() == 0)?;
        let silence = Traffic { per_peer: 0.0, at_least: 0, over_secs: 1.0 };
        self.settle_after("mail", &silence, span(letters.limit_secs))?;
        self.era = Era::After;
        Ok(())
    }

    fn mail_agenda(&mut self, letters: &Letters) -> Agenda {
        let over = span(letters.over_secs);
        let times = self.times(letters.count, over);
        let mut agenda: Agenda = times.into_iter().map(|at| Reverse((at, Act::Write))).collect();
        for user in self.draw_victims(letters.away) {
            let at = self.now() + self.about(letters.up_secs);
            agenda.push(Reverse((at, Act::Leave(user))));
        }
        if letters.supernodes_down > 0 {
            let at = self.now() + span(letters.supernodes_secs);
            agenda.push(Reverse((at, Act::SupernodesEnd)));
        }
        agenda
    }

    /// A span of this mean.
    fn about(&mut self, mean_secs: f64) -> Span {
        Span(self.dice.random_range(0..=2 * span(mean_secs).0) + 1)
    }

    fn mail_act(&mut self, letters: &Letters, act: Act, agenda: &mut Agenda) {
        match act {
            Act::Write => self.write_letter(letters),
            Act::Leave(user) => {
                let how = if self.dice.random() { Crash::Vanish } else { Crash::Kill };
                self.end_users(&[user], how);
                let at = self.now() + self.about(letters.down_secs);
                agenda.push(Reverse((at, Act::Return(user))));
            }
            Act::Return(user) => {
                let node = self.users[user].node();
                if self.dice.random::<f64>() < letters.restored {
                    self.world.restore_letters(node);
                }
                self.world.back_up_letters(node);
                self.return_user(user);
                let at = self.now() + self.about(letters.up_secs);
                agenda.push(Reverse((at, Act::Leave(user))));
            }
            Act::SupernodesEnd => {
                let live = self.live_supernodes();
                let struck = letters.supernodes_down.min(live.len().saturating_sub(1));
                let struck = self.draw(struck, live);
                let hosts: Vec<u32> =
                    struck.into_iter().map(|index| self.supernode_host(index)).collect();
                let how = if self.dice.random() { Crash::Vanish } else { Crash::Kill };
                self.world.crash(&hosts, how);
                let at = self.now() + span(letters.supernodes_secs);
                agenda.push(Reverse((at, Act::SupernodesReturn)));
            }
            Act::SupernodesReturn => {
                self.restart_supernodes();
                let at = self.now() + span(letters.supernodes_secs);
                agenda.push(Reverse((at, Act::SupernodesEnd)));
            }
        }
    }

    /// Somebody whose process runs writes to one of those to whom it always writes.
    fn write_letter(&mut self, letters: &Letters) {
        let users = self.population.users();
        let drawn = (0..DRAWS_MAX).map(|_| self.dice.random_range(0..users)).collect::<Vec<_>>();
        let is_up = |user: &usize| self.world.is_alive(self.population.host(*user));
        let Some(from) = drawn.into_iter().find(is_up) else { return };
        let to = (from + 1 + self.dice.random_range(0..CORRESPONDENTS.min(users - 1))) % users;
        let (number, text) = self.mail.write(from, to, self.now());
        let to = self.population.name(to).clone();
        let host = self.population.host(from);
        let (body, life) = (text.into_bytes(), letters.life_secs.map(span));
        self.world.command(host, Asked::Write(number).id(), Command::Write { to, body, life });
        self.look();
    }
}
