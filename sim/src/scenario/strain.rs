//! The network fails for a while, or supernodes do, and heals; everybody goes on talking.

use super::file::span;
use super::stage::{Interrupted, Stage};
use super::step::{Step, Under};
use crate::checks::Era;
use crate::world::{Ailment, Crash, Mischief, Weather};
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Seconds after which everybody has noticed that somebody vanished: 12 s of silence, and a little
/// for the news to get around.
const NOTICED_SECS: f64 = 15.0;

/// Look-ups have their answers by then: three tries of five seconds each, and some.
const ANSWERED: Span = Span::secs(20);

impl Stage<'_> {
    /// One fault, from its first moment until all is whole after it.
    pub(super) fn strain(&mut self, fault: &Step) -> Result<(), Interrupted> {
        let (name, under) = match *fault {
            Step::Partition { share, supernodes_too, parts, for_secs, under } => {
                let end = self.begin("partition", for_secs);
                self.partition(share, supernodes_too, parts, (end, &under))?;
                ("partition", under)
            }
            Step::OneWay { share, supernodes_too, for_secs, under } => {
                let end = self.begin("one_way", for_secs);
                let hosts = self.draw_hosts(share, supernodes_too);
                // Peers come first, then supernodes: of both every other one.
                let every_other = |first| hosts.iter().copied().skip(first).step_by(2);
                let (deaf, mute): (Vec<u32>, Vec<u32>) =
                    (every_other(0).collect(), every_other(1).collect());
                self.world.ail(&mute, |ailment| ailment.mute = true);
                self.while_ailing(&deaf, end, &under, |ailment| ailment.deaf = true)?;
                self.world.ail(&mute, |ailment| *ailment = Ailment::default());
                self.converge(&under)?;
                ("one_way", under)
            }
            Step::Slow { share, delay_secs, for_secs, under } => {
                let end = self.begin("slow", for_secs);
                let (hosts, delay) = (self.draw_hosts(share, false), span(delay_secs));
                self.while_ailing(&hosts, end, &under, |ailment| ailment.delay = delay)?;
                ("slow", under)
            }
            Step::Flap { share, down_secs, up_secs, for_secs, under } => {
                let end = self.begin("flap", for_secs);
                let hosts = self.draw_hosts(share, false);
                self.flap(&hosts, (span(down_secs), span(up_secs)), end, &under)?;
                ("flap", under)
            }
            Step::Loss { share, stall_ms, for_secs, under } => {
                let stall = span(stall_ms / 1e3);
                let weather = Weather { stalled: share, stall, ..Weather::default() };
                let end = self.begin("loss", for_secs);
                self.in_weather(weather, end, &under)?;
                ("loss", under)
            }
            Step::Chaos { lose, duplicate, reorder, for_secs, under } => {
                let end = self.begin("chaos", for_secs);
                let calm = Weather::default();
                let weather = Weather { lost: lose, doubled: duplicate, late: reorder, ..calm };
                self.in_weather(weather, end, &under)?;
                ("chaos", under)
            }
            Step::Adversaries { share, kind, rate, for_secs, under } => {
                let end = self.begin("adversaries", for_secs);
                self.suspects = self.draw_hosts(share, false);
                let dice = self.fault_dice();
                let lies = kind == Mischief::Lie;
                let before = lies.then(|| self.routes_through_suspects());
                self.world.corrupt(&self.suspects, kind, rate, dice);
                self.talk_until(end, &under)?;
                self.lured = before.map(|before| (before, self.routes_through_suspects()));
                self.world.reform();
                self.suspects.clear();
                ("adversaries", under)
            }
            Step::Clock { share, shift_secs, for_secs, under } => {
                let end = self.begin("clock", for_secs);
                let hosts = self.draw_hosts(share, true);
                let shift = (1e3 * shift_secs) as i64;
                hosts.iter().for_each(|host| self.world.set_clock(*host, shift));
                self.talk_until(end, &under)?;
                hosts.iter().for_each(|host| self.world.set_clock(*host, 0));
                ("clock", under)
            }
            Step::LyingIndex { share, how, lookups, for_secs, under } => {
                let end = self.begin("lying_index", for_secs);
                let live = self.live_supernodes();
                let count = ((share * live.len() as f64).round() as usize).clamp(1, live.len());
                let liars: Vec<_> = self.draw(count, live);
                let liars = liars.into_iter().map(|liar| self.supernode_hosts[liar].clone());
                self.world.deceive(liars.collect(), how);
                self.index.may_hide = count > 1;
                self.consult(lookups, end)?;
                self.world.recant();
                ("lying_index", under)
            }
            _ => return Ok(()),
        };
        self.settle_after(name, &under.talk(), span(under.limit_secs))
    }

    /// Random users look up random others until `end`, and wait for the answers.
    fn consult(&mut self, lookups: usize, end: Time) -> Result<(), Interrupted> {
        let live = self.live_users();
        let over = end.since(self.now());
        for at in self.times(lookups, over) {
            self.wait(at)?;
            if live.len() < 2 {
                break;
            }
            let from = self.dice.random_range(0..live.len());
            let whom = (from + self.dice.random_range(1..live.len())) % live.len();
            self.consult_one(live[from], live[whom]);
        }
        self.wait(self.now() + ANSWERED)
    }

    pub(super) fn begin(&mut self, name: &'static str, for_secs: f64) -> Time {
        self.phase(name);
        (self.crashed, self.era) = (true, Era::During);
        self.now() + span(for_secs)
    }

    /// Random supernodes end; their peers find other homes.
    pub(super) fn crash_supernodes(
        &mut self,
        count: usize,
        how: Crash,
        under: &Under,
    ) -> Result<(), Interrupted> {
        let noticed = self.begin("crash_supernodes", NOTICED_SECS);
        let live = self.live_supernodes();
        let struck = count.min(live.len().saturating_sub(1));
        let hosts: Vec<u32> =
            self.draw(struck, live).into_iter().map(|index| self.supernode_host(index)).collect();
        self.world.crash(&hosts, how);
        // Until then everybody looks whole, and the scaffold asks the dead.
        self.talk_until(noticed, under)?;
        self.settle_after("crash_supernodes", &under.talk(), span(under.limit_secs))
    }

    /// Who is down starts again: supernodes first, then users at the pace at which they arrive.
    pub(super) fn restart(&mut self, under: &Under) -> Result<(), Interrupted> {
        self.begin("restart", 0.0);
        self.restart_supernodes();
        let is_down = |user: &usize| !self.world.is_alive(self.population.host(*user));
        let down: Vec<usize> = (0..self.population.users()).filter(is_down).collect();
        let pace = self.scenario.pace();
        for at in self.times(down.len(), Span(down.len() as u64 * pace.0)).into_iter().zip(down) {
            self.wait(at.0)?;
            self.return_user(at.1);
        }
        self.settle_after("restart", &under.talk(), span(under.limit_secs))
    }

    fn while_ailing(
        &mut self,
        hosts: &[u32],
        end: Time,
        under: &Under,
        change: impl Fn(&mut Ailment),
    ) -> Result<(), Interrupted> {
        self.world.ail(hosts, change);
        self.talk_until(end, under)?;
        self.world.ail(hosts, |ailment| *ailment = Ailment::default());
        Ok(())
    }

    fn in_weather(
        &mut self,
        weather: Weather,
        end: Time,
        under: &Under,
    ) -> Result<(), Interrupted> {
        let dice = self.fault_dice();
        self.world.set_weather(weather, dice.clone());
        self.talk_until(end, under)?;
        self.world.set_weather(Weather::default(), dice);
        Ok(())
    }

    /// Each host is cut off and back again, again and again, each in a rhythm of its own.
    fn flap(
        &mut self,
        hosts: &[u32],
        (down, up): (Span, Span),
        end: Time,
        under: &Under,
    ) -> Result<(), Interrupted> {
        let now = self.now();
        let mut turns: BinaryHeap<Reverse<(Time, u32, bool)>> = BinaryHeap::new();
        for host in hosts {
            let first = now + Span(self.dice.random_range(0..=(down + up).0));
            turns.push(Reverse((first, *host, true)));
        }
        while let Some(Reverse((at, host, cut))) = turns.pop() {
            if at >= end {
                break;
            }
            self.talk_until(at, under)?;
            self.world.ail(&[host], |ailment| (ailment.deaf, ailment.mute) = (cut, cut));
            turns.push(Reverse((at + if cut { down } else { up }, host, !cut)));
        }
        self.talk_until(end, under)?;
        self.world.ail(hosts, |ailment| *ailment = Ailment::default());
        Ok(())
    }

    /// Messages at an even rate until then.
    pub(super) fn talk_until(&mut self, end: Time, under: &Under) -> Result<(), Interrupted> {
        loop {
            let next = self.now() + self.gap(&under.talk(), self.population.users());
            self.glance_at_the_index();
            if next >= end {
                return self.wait(end);
            }
            self.wait(next)?;
            self.chat();
        }
    }

    /// Random live users' hosts, and as great a share of the supernodes' if they are concerned.
    pub(super) fn draw_hosts(&mut self, share: f64, supernodes_too: bool) -> Vec<u32> {
        let users = self.draw_victims(share);
        let mut hosts: Vec<u32> = users.iter().map(|user| self.population.host(*user)).collect();
        if supernodes_too {
            let supernodes = self.live_supernodes();
            let struck = (share * supernodes.len() as f64).round() as usize;
            let drawn = self.draw(struck, supernodes);
            hosts.extend(drawn.into_iter().map(|index| self.supernode_host(index)));
        }
        hosts
    }
}
