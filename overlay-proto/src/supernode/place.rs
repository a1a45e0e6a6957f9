//! Issuing places: slots and labels of each peer, signed, when they have changed.

use super::Supernode;
use super::child::{Border, Child, Phase};
use crate::config::DEGREE_MAX;
use crate::context::Context;
use crate::coordinates::Coordinates;
use crate::id::NodeId;
use crate::links;
use crate::status::Status;
use crate::wire::message::{Assign, Report, SlotReport};

impl Supernode {
    /// A peer tells what has changed around it.
    pub(super) fn on_report(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        report: Report,
    ) -> Result<(), Status> {
        if report.slots.len() > DEGREE_MAX || report.neighbours.len() > DEGREE_MAX {
            return Err(Status::TOO_LARGE);
        }
        let Some(child) = self.children.get_mut(&node) else { return Ok(()) };
        let known = |c: &&Coordinates| child.is_news(c) && cx.issuers.know(c.home);
        report.neighbours.iter().filter(known).try_for_each(|told| cx.check_place(told))?;
        child.relabel_at = cx.now;
        let lost = report.slots.iter().filter(|slot| !slot.up && child.has(slot.node)).count();
        if lost > 0 {
            self.damping.lost(node, lost, cx.config.degree, cx.now);
        }
        // The other end, if ours, may have gained or lost a parent as well.
        let changed = report.slots.iter().filter_map(|slot| take_slot_report(child, slot));
        self.stale.extend(changed.chain([node]));
        for coordinates in report.neighbours {
            let (me, short) = (node.short(), coordinates.node.short());
            if !child.is_news(&coordinates) {
                continue;
            }
            if !cx.issuers.know(coordinates.home) {
                // A member that we have yet to hear of.
                links::miss(cx, child.link);
                continue;
            }
            if let Some((_, seat)) = child.seat_of(short) {
                seat.peer.home = coordinates.home;
            }
            self.trees.observe(&coordinates);
            let slot = coordinates.slot_of(me);
            let Coordinates { seq, labels, .. } = coordinates;
            child.border.insert(short, Border { seq, slot, labels });
        }
        Ok(())
    }

    /// Issues new places to the peers for which something has changed. Labels alone are told
    /// at a pace of their own: most changes come in rows.
    pub(super) fn issue_places(&mut self, cx: &mut Context) {
        let now = cx.now;
        let due = |node: &NodeId| {
            self.children.get(node).is_none_or(|c| now >= c.pace.due().max(c.relabel_at))
        };
        let due: Vec<NodeId> = self.unissued.iter().filter(|node| due(node)).copied().collect();
        for node in due {
            self.unissued.remove(&node);
            self.issue_place(cx, node);
        }
    }

    fn issue_place(&mut self, cx: &mut Context, node: NodeId) {
        let Some(child) = self.children.get_mut(&node) else { return };
        let slots = child.slot_ids();
        let held = child.coordinates.as_ref();
        let same = held.is_some_and(|held| {
            let told = held.labels == child.labels
                || seeded!(LabelNotReissued) && held.labels.placed() == child.labels.placed();
            told && held.slots == slots && held.home == cx.me
        });
        // Above what any former home issued, also when the peer did not say what that was.
        let seq = held.map_or(0, |held| held.seq).max(cx.wall().0 << 8) + 1;
        let contacts = child.take_untold();
        if same && contacts.is_empty() {
            return;
        }
        child.pace.told(cx.now, cx.config.gossip, cx.config.gossip_max);
        let labels = child.labels.clone();
        let coordinates =
            Coordinates::issue(&cx.identity.device, cx.verifier(), node, seq, slots, labels);
        child.coordinates = Some(coordinates.clone());
        let link = child.link;
        self.counters.places += 1;
        cx.send(link, Assign { coordinates, contacts });
    }
}

/// Returns the neighbour of which the report says something new.
fn take_slot_report(child: &mut Child, report: &SlotReport) -> Option<NodeId> {
    let (slot, seat) = child.seat_of(report.node)?;
    if slot != report.slot {
        return None;
    }
    let node = seat.peer.contact.node;
    if !report.up {
        child.unseat(report.node);
    } else {
        seat.cost = report.cost;
        if matches!(seat.phase, Phase::Expected { .. }) {
            seat.phase = Phase::Up;
        }
    }
    Some(node)
}
