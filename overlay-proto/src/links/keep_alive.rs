//! Whether a link lives, how far it leads, and whether both ends are in step: one end asks at
//! intervals, the other answers.

use super::{Link, Phase, in_step};
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::message::KeepAlive;

impl Link {
    /// Whether this end asks over the link, and so measures it: on a supernode's link the one that
    /// has dialled, which wants to know how far it is; else the lower node id.
    fn asks(&self, me: NodeId) -> bool {
        match &self.phase {
            Phase::Ready(greeted) if greeted.with_supernode => self.dialled,
            _ => me < self.node,
        }
    }
}

/// What a keep-alive has told of its link.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeepAliveNews {
    /// Its round-trip time has been measured.
    pub measured: bool,
    /// It costs something else now.
    pub changed: bool,
}

/// Notes that something valid came over `link`.
pub(crate) fn heard(cx: &mut Context, link: LinkId) {
    let now = cx.now;
    if let Some(link) = cx.links.by_id.get_mut(&link) {
        link.heard = now;
    }
}

/// Answers a keep-alive, or takes its answer for a round-trip time.
pub(crate) fn keep_alive(cx: &mut Context, link: LinkId, message: &KeepAlive) -> KeepAliveNews {
    let nothing = KeepAliveNews::default();
    let (now, by_time) = (cx.now, cx.near > 0);
    in_step::compare(cx, link, message.told);
    let Some(known) = cx.links.by_id.get_mut(&link) else { return nothing };
    let before = known.cost;
    if !message.answer {
        known.cost = message.cost;
        let changed = known.cost != before;
        let told = known.step.told;
        cx.send(link, KeepAlive { answer: true, told, ..message.clone() });
        return KeepAliveNews { changed, ..nothing };
    }
    let Some((_, at)) = known.asked.filter(|(seq, _)| *seq == message.seq) else { return nothing };
    known.asked = None;
    let sample = now.since(at).0;
    // Smoothed as TCP does it (RFC 6298, section 2): an eighth of each new sample.
    let rtt = Span(known.rtt.map_or(sample, |old| (7 * old.0 + sample) / 8));
    known.rtt = Some(rtt);
    if by_time {
        known.cost = known.cost.after(rtt);
    }
    let changed = known.cost != before;
    if changed {
        // The other end hears of it at once.
        known.ask_at = now;
        wake_for(cx, link);
    }
    KeepAliveNews { measured: true, changed }
}

/// Asks over quiet links whether they live; returns those that do not, for the node to end.
pub(crate) fn tick(cx: &mut Context) -> Vec<(LinkId, Status)> {
    let (now, me) = (cx.now, cx.me);
    let mut dead = silent(cx);
    let mut asks = Vec::new();
    for id in cx.links.agenda.take_due(now) {
        let Some(link) = cx.links.by_id.get_mut(&id) else { continue };
        link.moment = None;
        match &link.phase {
            Phase::Greeting { since, .. } if now.since(*since) >= cx.config.patience => {
                dead.push((id, Status::TIMEOUT));
            }
            // One end asks, so a link costs one question and one answer an interval.
            Phase::Ready(_)
                if link.asks(me)
                    && now >= link.ask_at
                    && !is_silent(link, cx.config.dead_after, now) =>
            {
                link.heard = if seeded!(SilenceUnnoticed) { now } else { link.heard };
                link.seq = link.seq.wrapping_add(1);
                link.asked = Some((link.seq, now));
                link.ask_at = now + cx.config.keep_alive;
                let (seq, cost, told) = (link.seq, link.cost, link.step.told);
                asks.push((id, KeepAlive { seq, answer: false, cost, told }));
                cx.links.agenda.note(link.ask_at, id, &mut link.moment);
            }
            _ => {}
        }
    }
    for (id, question) in asks {
        cx.send(id, question);
    }
    dead
}

fn is_silent(link: &Link, dead_after: Span, now: Time) -> bool {
    now.since(link.heard) >= dead_after
}

/// The greeted links on which nothing has come for too long.
fn silent(cx: &mut Context) -> Vec<(LinkId, Status)> {
    let mut dead = Vec::new();
    if !cx.links.agenda.take_silence(cx.now) {
        return dead;
    }
    for (id, link) in &cx.links.by_id {
        match &link.phase {
            Phase::Greeting { .. } => {}
            Phase::Ready(_) if is_silent(link, cx.config.dead_after, cx.now) => {
                dead.push((*id, Status::TIMEOUT));
            }
            Phase::Ready(_) => cx.links.agenda.note_silence(link.heard + cx.config.dead_after),
        }
    }
    dead
}

/// When [`tick`] may have something to do.
pub(crate) fn next_tick(cx: &Context) -> Time {
    cx.links.agenda.next_at()
}

/// Makes sure that [`tick`] comes in time for `link`, whose phase or next question has changed.
pub(super) fn wake_for(cx: &mut Context, link: LinkId) {
    let me = cx.me;
    let Some(known) = cx.links.by_id.get_mut(&link) else { return };
    match &known.phase {
        Phase::Greeting { since, .. } => {
            let late = *since + cx.config.patience;
            cx.links.agenda.note(late, link, &mut known.moment);
        }
        Phase::Ready(_) => {
            if known.asks(me) {
                cx.links.agenda.note(known.ask_at, link, &mut known.moment);
            }
            cx.links.agenda.note_silence(known.heard + cx.config.dead_after);
        }
    }
}
