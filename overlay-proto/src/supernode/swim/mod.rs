//! Which supernodes live, by the SWIM protocol (Das, Gupta, Motivala, 2002) with suspicion, as the
//! library `foca` carries it out.
//!
//! Each second a supernode asks one other, in a random order of its own, whether it lives. Who does
//! not answer is asked through three more, is then suspected, and dies if it has not said otherwise
//! within a few seconds. What is found out travels with these questions and answers. A supernode so
//! asks as much in a realm of thousands as in one of three, and one broken link kills nobody.
//!
//! The library knows only members whose certificates are known: news of anybody else is left out
//! before it sees a message. So it holds no more than the list of members does.

mod codec;
#[cfg(test)]
mod tests;

use crate::config::{Config, SWIM_BYTES_MAX};
use crate::id::NodeId;
use crate::time::{Span, Time};
use codec::{WhoCodec, Word};
use foca::{AccumulatingRuntime, Foca, Identity, Member, NoCustomBroadcast, OwnedNotification};
use foca::{PeriodicParams, State, Timer};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

/// Members through whom one that does not answer is asked again, and to whom news is told at a
/// time. Three, as in the paper: if each of them fails one time in ten, all do one time in 1,000.
const HELPERS: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");
/// While there is news, it is told this often: to all of 2,000 within seven rounds.
const GOSSIP: Span = Span::millis(200);

/// A supernode in one of its lives. A newer life replaces an older one, and what was said of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub node: NodeId,
    /// When it started, in milliseconds of its wall clock, or later.
    pub life: u64,
}

/// What the membership protocol says of a supernode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has told nothing of itself yet.
    Unheard,
    /// It lives, or is only suspected not to.
    Alive,
    /// Its newest life has ended.
    Dead,
}

/// The message that has come is none, or speaks for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a word of the membership protocol that its sender may not say")]
pub(super) struct Unfit;

/// The membership protocol of one supernode.
pub(super) struct Swim {
    foca: Foca<Who, WhoCodec, ChaCha8Rng, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Who>,
    /// What is due when; those of one moment in the order in which they were asked for.
    timers: BTreeMap<(Time, u64), Timer<Who>>,
    next_timer: u64,
    /// How long a timer may be late before the time that was slept is left out of account.
    late: Span,
    /// The timers were put off once, and none has come since.
    put_off: bool,
    verdicts: BTreeMap<NodeId, Verdict>,
    turns: VecDeque<NodeId>,
    /// Our own life is another than the others were told of.
    reborn: bool,
    settings: foca::Config,
}

impl Identity for Who {
    type Addr = NodeId;

    fn renew(&self) -> Option<Who> {
        Some(Who { life: self.life.checked_add(1)?, ..*self })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, other: &Who) -> bool {
        self.life > other.life
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_micros(span.0)
}

fn span(duration: Duration) -> Span {
    Span(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// How often one piece of news is told on, so that it reaches all of `members` almost surely: four
/// times the decimal logarithm, as memberlist does it.
fn tellings(members: usize) -> NonZeroU8 {
    let doublings = (members + 1).ilog2();
    let tellings = u8::try_from(doublings + doublings / 4).unwrap_or(u8::MAX);
    NonZeroU8::new(tellings.max(3)).expect("at least three")
}

/// A question every heartbeat; from the first unanswered one a member has until
/// `member_dead_after`, but for the two heartbeats that pass until then, to say that it lives.
fn settings(config: &Config) -> foca::Config {
    let period = config.heartbeat;
    let suspicion = config.member_dead_after.0.saturating_sub(2 * period.0).max(period.0);
    foca::Config {
        probe_period: duration(period),
        probe_rtt: duration(Span(period.0 / 2)),
        num_indirect_probes: HELPERS,
        max_transmissions: tellings(1),
        suspect_to_down_after: duration(Span(suspicion)),
        // One entry a member, and a list of members that is bounded: there is nothing to forget.
        remove_down_after: None,
        max_packet_size: NonZeroUsize::new(SWIM_BYTES_MAX).expect("not zero"),
        notify_down_members: true,
        periodic_announce: None,
        periodic_announce_to_down_members: None,
        periodic_gossip: Some(PeriodicParams { frequency: duration(GOSSIP), num_members: HELPERS }),
    }
}

impl Swim {
    /// The protocol of `node`, which starts its `life` now.
    pub fn new(node: NodeId, life: u64, rng: ChaCha8Rng, config: &Config) -> Swim {
        let settings = settings(config);
        Swim {
            foca: Foca::new(Who { node, life }, settings.clone(), rng, WhoCodec),
            runtime: AccumulatingRuntime::default(),
            timers: BTreeMap::new(),
            next_timer: 0,
            late: Span(config.heartbeat.0 / 2),
            put_off: false,
            verdicts: BTreeMap::new(),
            turns: VecDeque::new(),
            reborn: false,
            settings,
        }
    }

    /// Our own life.
    pub fn life(&self) -> u64 {
        self.foca.identity().life
    }

    /// What is known of a member.
    pub fn verdict(&self, node: NodeId) -> Verdict {
        self.verdicts.get(&node).copied().unwrap_or(Verdict::Unheard)
    }

    /// The life of `node` that is known, if it has ended; else zero.
    pub fn buried(&self, node: NodeId) -> u64 {
        let is_it = |member: &&Member<Who>| member.id().node == node;
        let known = self.foca.iter_membership_state().find(is_it);
        known.filter(|member| member.state() == State::Down).map_or(0, |member| member.id().life)
    }

    /// A member says on its own link which life it lives.
    pub fn met(&mut self, now: Time, node: NodeId, life: u64) {
        // It tells everybody itself: there is nothing to pass on.
        let alive = std::iter::once(Member::alive(Who { node, life }));
        let _ = self.foca.apply_many(alive, false, &mut self.runtime);
        self.settle(now);
    }

    /// Another supernode holds our life `buried` for ended: we begin one after it.
    pub fn rise(&mut self, now: Time, buried: u64) {
        let Some(life) = buried.checked_add(1).filter(|_| buried >= self.life()) else { return };
        let who = Who { life, ..*self.foca.identity() };
        let _ = self.foca.change_identity(who, &mut self.runtime);
        self.reborn = true;
        self.settle(now);
    }

    /// Takes a message that member `from` has sent over its own link. `believed` says which news
    /// may be taken in.
    ///
    /// # Errors
    /// [`Unfit`]: nothing has changed.
    pub fn hear(
        &mut self,
        now: Time,
        from: NodeId,
        data: &[u8],
        believed: impl Fn(NodeId, Verdict) -> bool,
    ) -> Result<(), Unfit> {
        if data.len() > SWIM_BYTES_MAX {
            return Err(Unfit);
        }
        let mut word = Word::read(data).map_err(|_| Unfit)?;
        if word.header.src.node != from || from == self.foca.identity().node {
            return Err(Unfit);
        }
        let (me, to) = (*self.foca.identity(), word.header.dst);
        if to.node == me.node && to.life != me.life {
            // Who asks for a life of ours that is over has not heard of the new one.
            self.reborn = true;
        }
        let us = |node: NodeId| node == me.node;
        if word.other().is_some_and(|who| us(who.node) || !believed(who.node, Verdict::Alive)) {
            return Ok(());
        }
        if let Some(news) = &mut word.news {
            news.retain(|member| {
                let dead = member.state() == State::Down;
                let said = if dead { Verdict::Dead } else { Verdict::Alive };
                let who = member.id();
                if dead && seeded!(DeathUnheard) {
                    return false;
                }
                // Of our earlier lives we know best.
                if us(who.node) { who.life == me.life } else { believed(who.node, said) }
            });
        }
        let data = word.write().map_err(|_| Unfit)?;
        // What it refuses is a message for a life of ours that is over, or late.
        let _ = self.foca.handle_data(&data, &mut self.runtime);
        self.settle(now);
        Ok(())
    }

    /// `node` is no member any more: nobody is asked about it, and nothing is kept of it.
    pub fn forget(&mut self, node: NodeId) {
        let is_it = |member: &&Member<Who>| member.id().node == node;
        let known = self.foca.iter_membership_state().find(is_it).map(|member| *member.id());
        if let Some(who) = known {
            let down = std::iter::once(Member::down(who));
            let _ = self.foca.apply_many(down, false, &mut self.runtime);
            let _ = self.foca.handle_timer(Timer::RemoveDown(who), &mut self.runtime);
        }
        self.verdicts.remove(&node);
    }

    /// Does what is due. Who `speaks` is not buried: a crowded member may leave questions unanswered
    /// for longer than it has, and still say all else.
    pub fn tick(&mut self, now: Time, speaks: impl Fn(NodeId) -> bool) {
        let slept = now.since(self.next_at());
        if slept >= self.late && !self.put_off {
            if seeded!(SleeperBuries) {
                self.bury_all(now);
            }
            return self.put_off(slept);
        }
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            let timer = first.remove();
            self.put_off = false;
            let is_reprieved = |who: &Who| speaks(who.node) && !seeded!(SuspectIsDead);
            if matches!(&timer, Timer::ChangeSuspectToDown { member_id, .. } if is_reprieved(member_id))
            {
                self.schedule(now + span(self.settings.probe_period), timer);
                continue;
            }
            // Timers of an earlier state are told apart by the library.
            let _ = self.foca.handle_timer(timer, &mut self.runtime);
            self.settle(now);
        }
    }

    /// This process was not run for a while. Answers to its questions may lie waiting: whoever it
    /// was going to suspect or to bury gets that time, and a little more, on top.
    fn put_off(&mut self, slept: Span) {
        let more = slept + self.late;
        let timers = std::mem::take(&mut self.timers);
        self.timers = timers.into_iter().map(|((at, n), timer)| ((at + more, n), timer)).collect();
        self.put_off = true;
    }

    /// The mistake of who takes its own sleep for the silence of the others.
    fn bury_all(&mut self, now: Time) {
        let down: Vec<_> =
            self.foca.iter_members().map(|member| Member::down(*member.id())).collect();
        let _ = self.foca.apply_many(down.into_iter(), true, &mut self.runtime);
        self.settle(now);
    }

    /// When [`Swim::tick`] has something to do.
    pub fn next_at(&self) -> Time {
        self.timers.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at)
    }

    /// A message to send, and to whom.
    pub fn pop_word(&mut self) -> Option<(NodeId, Vec<u8>)> {
        self.runtime.to_send().map(|(to, data)| (to.node, data.to_vec()))
    }

    /// A member whose verdict has changed.
    pub fn pop_turn(&mut self) -> Option<NodeId> {
        self.turns.pop_front()
    }

    /// Whether the others are to be told of our life again.
    pub fn take_reborn(&mut self) -> bool {
        std::mem::take(&mut self.reborn)
    }

    /// Takes over what the library has found out and wants done later.
    fn settle(&mut self, now: Time) {
        while let Some((after, timer)) = self.runtime.to_schedule() {
            let doomed = matches!(timer, Timer::ChangeSuspectToDown { .. });
            let hasty = doomed && seeded!(SuspectIsDead);
            let after = if hasty { Span::ZERO } else { span(after) };
            self.schedule(now + after, timer);
        }
        while let Some(turn) = self.runtime.to_notify() {
            match turn {
                OwnedNotification::MemberUp(who) => self.turn(who.node, Verdict::Alive),
                OwnedNotification::MemberDown(who) => self.turn(who.node, Verdict::Dead),
                OwnedNotification::Rejoin(_) => self.reborn = true,
                _ => {}
            }
        }
        let tellings = tellings(self.foca.num_members());
        if tellings != self.settings.max_transmissions {
            self.settings.max_transmissions = tellings;
            let _ = self.foca.set_config(self.settings.clone());
        }
    }

    fn schedule(&mut self, at: Time, timer: Timer<Who>) {
        self.timers.insert((at, self.next_timer), timer);
        self.next_timer += 1;
    }

    fn turn(&mut self, node: NodeId, verdict: Verdict) {
        self.verdicts.insert(node, verdict);
        self.turns.push_back(node);
    }
}

impl fmt::Debug for Swim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = self.foca.iter_membership_state().collect();
        f.debug_struct("Swim")
            .field("who", self.foca.identity())
            .field("known", &known)
            .field("news", &self.foca.updates_backlog())
            .field("timers", &self.timers)
            .field("reborn", &self.reborn)
            .finish_non_exhaustive()
    }
}
