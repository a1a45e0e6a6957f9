//! Finding the nearest home: a few supernodes are dialled, their round-trip times measured, and the
//! nearest is asked. It may know of nearer ones, from the times and its own map of the scaffold;
//! those are measured, too.

use super::Peer;
use super::goal::Goal;
use super::session::Session;
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::{LinkId, NodeId};
use crate::identity::Contact;
use crate::time::Span;
use crate::wire::message::Rtt;

/// Supernodes measured at a time.
const PROBES: usize = 3;
/// Supernodes measured in all: after that the nearest of them will do.
pub(crate) const MEASURED_MAX: usize = 9;
/// How long one round of measuring takes at most.
const ROUND: Span = Span::millis(1_500);

/// What has been tried so far.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Supernodes dialled for their distance.
    tried: Vec<NodeId>,
    /// Those that have sent us elsewhere.
    refused: Vec<NodeId>,
}

impl Survey {
    /// A supernode has sent us elsewhere. If it is for one that is nearer, it may be asked again.
    pub fn refused_by(&mut self, node: NodeId) {
        self.refused.push(node);
    }

    pub fn knows(&self, node: NodeId) -> bool {
        self.tried.contains(&node)
    }
}

impl Peer {
    /// Whether a home is to be looked for by distance, over a first link to a supernode.
    pub(super) fn wants_survey(&self, cx: &Context, link: LinkId) -> bool {
        let first = matches!(self.goal, Goal::Online { .. }) && self.place.coordinates.is_none();
        let by_distance = cx.links.greeted(link).is_some_and(|greeted| greeted.by_distance);
        first && by_distance && self.attempts == 0 && self.survey.tried.is_empty()
    }

    /// Measures the supernode behind `link` and a few more that are known.
    pub(super) fn start_survey(&mut self, cx: &mut Context, node: NodeId) {
        self.survey.tried.push(node);
        let mut others = Vec::new();
        for _ in 0..2 * PROBES {
            let Some(contact) = self.hosts.next(cx) else { break };
            let new = contact.node != node && !others.contains(&contact);
            if new && others.len() + 1 < PROBES {
                others.push(contact);
            }
        }
        self.measure(cx, &others);
    }

    /// Measures these as well.
    pub(super) fn measure(&mut self, cx: &mut Context, contacts: &[Contact]) {
        let until = cx.now + ROUND;
        self.session = Session::Surveying { until };
        self.wake_by(until);
        for contact in contacts.iter().take(PROBES) {
            if !self.survey.knows(contact.node) {
                self.survey.tried.push(contact.node);
            }
            if !cx.links.has(contact.node) {
                cx.dial(contact);
            }
        }
        self.survey_goes_on(cx);
    }

    /// Asks the nearest supernode once all have been measured, or time is up.
    pub(crate) fn survey_goes_on(&mut self, cx: &mut Context) {
        let Session::Surveying { until } = self.session else { return };
        let rtts = self.measured(cx);
        let all = rtts.len() >= self.survey.tried.len();
        if !all && cx.now < until {
            return self.wake_by(until);
        }
        let usable = |rtt: &&Rtt| !self.survey.refused.contains(&rtt.node);
        let nearest = rtts.iter().filter(usable).min_by_key(|rtt| rtt.micros);
        match nearest.and_then(|rtt| cx.links.ready_to(rtt.node)) {
            Some(link) => self.ask(cx, link),
            None => self.retry(cx, None),
        }
    }

    /// How far the supernodes are that have been measured.
    pub(super) fn measured(&self, cx: &Context) -> Vec<Rtt> {
        let measured = self.survey.tried.iter().filter_map(|node| {
            let rtt = cx.links.get(cx.links.ready_to(*node)?)?.rtt?;
            Some(Rtt { node: *node, micros: u32::try_from(rtt.0).unwrap_or(u32::MAX) })
        });
        measured.take(MEASURED_MAX).collect()
    }
}

impl Heap for Survey {
    fn heap(&self) -> usize {
        self.tried.heap() + self.refused.heap()
    }
}
