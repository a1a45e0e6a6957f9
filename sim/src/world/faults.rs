//! What goes wrong in the network while everybody's process runs.

use super::links::EndAt;
use super::queue::Happening;
use super::{Machine, World};
use overlay_proto::id::LinkId;
use overlay_proto::time::{Span, Time};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with one host's access to the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ailment {
    /// On which side of a partition it is: nothing passes between different sides.
    pub side: u8,
    /// Nothing that it sends arrives.
    pub mute: bool,
    /// Nothing arrives at it.
    pub deaf: bool,
    /// All that it sends and is sent takes longer by this.
    pub delay: Span,
    /// Of a supernode, from 1: in which part of a scaffold that has fallen apart it is. Supernodes
    /// of different parts do not reach each other; everybody else reaches all of them.
    pub scaffold: u8,
}

/// What is wrong with all streams. Shares are of the frames, from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// Frames that are lost beneath the stream: it stalls until they have been sent again.
    pub stalled: f64,
    /// For so long.
    pub stall: Span,
    /// Frames that vanish though the stream goes on: no real transport does that.
    pub lost: f64,
    /// Frames that come twice.
    pub doubled: f64,
    /// Frames that are overtaken by later ones.
    pub late: f64,
    /// Frames of the membership protocol that vanish: it reckons with that, and a driver whose queue
    /// is full drops them.
    pub unasked: f64,
}

/// How a frame of the membership protocol begins: an array of two, the first the message's number.
const SWIM: [u8; 3] = [0x82, 0x18, 70];

/// Longest time by which chaos holds a frame back.
const LATE_MAX: Span = Span::millis(500);

/// The present faults, and what they hold back.
#[derive(Debug, Default)]
pub(super) struct Faults {
    ailments: BTreeMap<u32, Ailment>,
    /// Nothing passes from the first of each pair to the second.
    one_way: BTreeSet<(u32, u32)>,
    weather: Weather,
    held: Vec<(LinkId, usize, Happening)>,
    /// There are none before there is weather.
    dice: Option<ChaCha8Rng>,
}

impl Faults {
    /// Whether nothing passes from one host to another.
    fn cuts(&self, from: u32, to: u32) -> bool {
        if self.one_way.contains(&(from, to)) {
            return true;
        }
        if self.ailments.is_empty() {
            return false;
        }
        let (from, to) = (self.of(from), self.of(to));
        let in_scaffold = from.scaffold != 0 && to.scaffold != 0;
        let torn = in_scaffold && from.scaffold != to.scaffold;
        from.side != to.side || from.mute || to.deaf || torn
    }

    /// Whether two hosts cannot shake hands: that takes both ways.
    pub(super) fn part(&self, one: u32, other: u32) -> bool {
        self.cuts(one, other) || self.cuts(other, one)
    }

    fn of(&self, host: u32) -> Ailment {
        self.ailments.get(&host).copied().unwrap_or_default()
    }

    fn delay(&self, one: u32, other: u32) -> Span {
        if self.ailments.is_empty() {
            return Span(0);
        }
        self.of(one).delay + self.of(other).delay
    }

    fn strikes(&mut self, share: f64) -> bool {
        share > 0.0 && self.dice.as_mut().is_some_and(|dice| dice.random::<f64>() < share)
    }

    fn lateness(&mut self) -> Span {
        let dice = self.dice.as_mut();
        dice.map_or(Span(0), |dice| Span(dice.random_range(0..=LATE_MAX.0)))
    }
}

impl<M: Machine> World<M> {
    /// Changes what is wrong with these hosts. What was held back and may pass now does, in order.
    pub fn ail(&mut self, hosts: &[u32], change: impl Fn(&mut Ailment)) {
        for host in hosts {
            change(self.faults.ailments.entry(*host).or_default());
        }
        self.faults.ailments.retain(|_, ailment| *ailment != Ailment::default());
        self.send_held();
    }

    /// From now on nothing passes from the first of each of these pairs to the second, and everything
    /// between all others. What was held back and may pass now does.
    pub fn cut_ways(&mut self, ways: impl IntoIterator<Item = (u32, u32)>) {
        self.faults.one_way = ways.into_iter().collect();
        self.send_held();
    }

    fn send_held(&mut self) {
        for (link, bytes, what) in std::mem::take(&mut self.faults.held) {
            if let Some(to) = self.links.find(link) {
                self.post(to, bytes, what);
            }
        }
    }

    /// Changes what is wrong with all streams; `dice` decide which frames are struck.
    pub fn set_weather(&mut self, weather: Weather, dice: ChaCha8Rng) {
        (self.faults.weather, self.faults.dice) = (weather, Some(dice));
    }

    /// Puts something into the stream of a link, to arrive at the end `to` after all before it,
    /// as far as faults allow.
    pub(super) fn post(&mut self, to: EndAt, bytes: usize, what: Happening) {
        let hosts = (self.links.host(to.other()), self.links.host(to));
        if self.faults.cuts(hosts.0, hosts.1) {
            // Sent again and again by the stream beneath, until it gets through.
            let link = self.links.id(to);
            return self.faults.held.push((link, bytes, what));
        }
        let rate = self.transport.bytes_per_second.max(1);
        let busy = Span(bytes as u64 * 1_000_000 / rate);
        let delay = self.faults.delay(hosts.0, hosts.1);
        let (now, weather) = (self.now, self.faults.weather);
        let stall = if self.faults.strikes(weather.stalled) { weather.stall } else { Span(0) };
        let link = self.links.get_mut(to);
        let direct = now + link.delay + delay + stall + busy;
        let arrival = direct.max(link.last_arrival[to.end] + busy);
        match what {
            Happening::Frame { link, frame } => self.post_frame(to, link, frame, arrival),
            other => {
                self.links.get_mut(to).last_arrival[to.end] = arrival;
                self.queue.push(arrival, other);
            }
        }
    }

    fn post_frame(&mut self, to: EndAt, link: LinkId, frame: Vec<u8>, arrival: Time) {
        let weather = self.faults.weather;
        let unasked = if frame.starts_with(&SWIM) { weather.unasked } else { 0.0 };
        if self.faults.strikes(weather.lost) || self.faults.strikes(unasked) {
            return self.tally.lost(frame.len());
        }
        if self.faults.strikes(weather.doubled) {
            let again = arrival + self.faults.lateness();
            self.queue.push(again, Happening::Frame { link, frame: frame.clone() });
        }
        if self.faults.strikes(weather.late) {
            // Later ones do not wait for it.
            let late = arrival + self.faults.lateness();
            return self.queue.push(late, Happening::Frame { link, frame });
        }
        self.links.get_mut(to).last_arrival[to.end] = arrival;
        self.queue.push(arrival, Happening::Frame { link, frame });
    }
}
