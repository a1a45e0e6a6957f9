//! Everybody wants one user at once; the others talk as before.

use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Flaw, Under, natural};
use crate::checks::delivery::Told;
use crate::report::{Figures, Sample};
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A hot user (row 23 of the failure catalogue): first the others talk for as long without one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hot {
    /// Look-ups of the hot user a second, by random others.
    pub lookups_per_sec: f64,
    /// Messages to the hot user a second, by random others.
    pub messages_per_sec: f64,
    /// Seconds that it lasts, and before it the same time in peace.
    pub for_secs: f64,
    /// What the others ask of each other all the while, and the limit for everybody to be whole.
    #[serde(default)]
    pub under: Under,
}

impl Hot {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        natural("lookups_per_sec", self.lookups_per_sec)?;
        natural("messages_per_sec", self.messages_per_sec)?;
        natural("for_secs", self.for_secs)?;
        self.under.check()
    }
}

/// Who is hot.
const HOT: usize = 0;

/// Which messages were sent in peace, and which while one user was hot.
#[derive(Debug, Clone)]
pub(super) struct Heat {
    peace: Range<usize>,
    heat: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Talk,
    LookUp,
    Send,
}

impl Stage<'_> {
    /// Plays a while in peace, then as long with a hot user.
    pub(super) fn hot(&mut self, hot: &Hot) -> Result<(), Interrupted> {
        let none = Hot { lookups_per_sec: 0.0, messages_per_sec: 0.0, ..*hot };
        let peace = self.crowd("peace", &none)?;
        let heat = self.crowd("a hot user", hot)?;
        self.heat = Some(Heat { peace, heat });
        self.settle_after("hot", &hot.under.talk(), span(hot.under.limit_secs))
    }

    /// Returns the numbers of the messages that were sent.
    fn crowd(&mut self, name: &'static str, hot: &Hot) -> Result<Range<usize>, Interrupted> {
        self.begin(name, hot.for_secs);
        let first = self.delivery.messages().len();
        let lasts = span(hot.for_secs);
        let talk = hot.under.per_peer * self.population.users() as f64 / hot.under.over_secs;
        let mut agenda: Vec<(Time, Act)> = Vec::new();
        for (act, per_sec) in [
            (Act::Talk, talk),
            (Act::LookUp, hot.lookups_per_sec),
            (Act::Send, hot.messages_per_sec),
        ] {
            let times = self.times((per_sec * hot.for_secs) as usize, lasts);
            agenda.extend(times.into_iter().map(|at| (at, act)));
        }
        agenda.sort_unstable();
        for (at, act) in agenda {
            self.wait(at)?;
            let from = self.dice.random_range(1..self.population.users());
            match act {
                Act::LookUp => self.look_up(from, HOT),
                Act::Send => self.send(from, HOT),
                Act::Talk => {
                    let others = self.population.users() - 1;
                    let to = 1 + (from + self.dice.random_range(0..others - 1)) % others;
                    self.send(from, to);
                }
            }
        }
        let sent = first..self.delivery.messages().len();
        self.wait_for_answers()?;
        Ok(sent)
    }

    /// What the others noticed, and what became of what was for the hot user.
    pub(super) fn tell_of_heat(&self, figures: &mut Figures) {
        let Some(Heat { peace, heat }) = self.heat.clone() else { return };
        let elapsed = |sent: Range<usize>, to_hot: bool| -> (usize, Vec<Span>) {
            let all = &self.delivery.messages()[sent];
            let of = || all.iter().filter(|message| (message.to == HOT) == to_hot);
            let told = of().filter_map(|message| match message.told {
                Some(Told::Delivered { elapsed, .. }) => Some(elapsed),
                _ => None,
            });
            (of().count(), told.collect())
        };
        let (quiet, (others, busy)) = (elapsed(peace, false).1, elapsed(heat.clone(), false));
        let (wanted, served) = elapsed(heat, true);
        figures.hot_others_ms_p99_before = Sample::millis(&quiet).quantile(0.99);
        figures.hot_others_ms_p99 = Sample::millis(&busy).quantile(0.99);
        figures.hot_others_lost = Some(others - busy.len());
        figures.hot_served_share = (wanted > 0).then(|| served.len() as f64 / wanted as f64);
        figures.hot_line_secs_max = Some(self.world.longest_line().0 as f64 / 1e6);
    }
}
