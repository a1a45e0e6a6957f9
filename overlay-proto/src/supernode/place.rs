//! Issuing places: slots and labels of each peer, signed, when they have changed.

use super::Supernode;
use super::child::{Child, Phase};
use super::labels;
use crate::config::DEGREE_MAX;
use crate::context::Context;
use crate::coordinates::{Coordinates, Label, Labels};
use crate::id::NodeId;
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
        child.relabel_at = cx.now;
        report.slots.iter().for_each(|slot| take_slot_report(child, slot));
        for coordinates in report.neighbours {
            let short = coordinates.node.short();
            let newer = child.around.get(&short).is_none_or(|held| coordinates.seq > held.seq);
            if !newer || !child.has(short) {
                continue;
            }
            coordinates
                .check(cx.verifier(), cx.identity.realm, cx.wall())
                .map_err(|_| Status::UNPROVEN)?;
            if let Some((_, seat)) = child.seat_of(short) {
                seat.peer.home = coordinates.home();
            }
            self.trees.observe(&coordinates);
            child.around.insert(short, coordinates);
            child.stale = true;
        }
        Ok(())
    }

    /// Issues new places to the peers for which something has changed.
    pub(super) fn issue_places(&mut self, cx: &mut Context) {
        let stale: Vec<NodeId> = self
            .children
            .iter()
            .filter(|(_, child)| child.stale && cx.now >= child.relabel_at)
            .map(|(node, _)| *node)
            .collect();
        for node in stale {
            self.issue_place(cx, node);
        }
    }

    fn issue_place(&mut self, cx: &mut Context, node: NodeId) {
        let Some(keys) = &cx.identity.supernode else { return };
        let trees = &self.trees;
        let Some(child) = self.children.get_mut(&node) else { return };
        child.stale = false;
        let labels = relabel(child, cx.config.trees, |tree| trees.root_label(tree, node));
        let slots = child.slot_ids();
        let held = child.coordinates.as_ref();
        let same = held.is_some_and(|held| {
            held.labels == labels && held.slots == slots && held.home() == cx.me
        });
        // Above what any former home issued, also when the peer did not say what that was.
        let seq = held.map_or(0, |held| held.seq).max(cx.wall().0 << 8) + 1;
        let contacts = child.take_untold();
        if same && contacts.is_empty() {
            return;
        }
        let certificate = keys.certificate.clone();
        let coordinates =
            Coordinates::issue(&cx.identity.device, certificate, node, seq, slots, labels);
        child.coordinates = Some(coordinates.clone());
        let link = child.link;
        cx.send(link, Assign { coordinates, contacts });
    }
}

fn take_slot_report(child: &mut Child, report: &SlotReport) {
    let Some((slot, seat)) = child.seat_of(report.node) else { return };
    if slot != report.slot {
        return;
    }
    if !report.up {
        return child.unseat(report.node);
    }
    if matches!(seat.phase, Phase::Expected { .. }) {
        seat.phase = Phase::Up;
    }
    child.stale = true;
}

fn relabel(child: &Child, trees: usize, root: impl Fn(usize) -> Option<Label>) -> Labels {
    let present = child.labels();
    let live = || {
        child
            .seats()
            .filter(|(_, seat)| !matches!(seat.phase, Phase::Expected { .. }))
            .filter_map(|(_, seat)| child.around.get(&seat.peer.contact.node.short()))
    };
    let short = child.node().short();
    let label = |tree| {
        let chosen = labels::choose(tree, short, present.get(tree), live());
        let outdone = |root: Label| match (chosen.epoch(), root.epoch()) {
            (Some(chosen), Some(root)) => chosen.is_newer_than(root),
            _ => false,
        };
        root(tree).filter(|root| !outdone(*root)).unwrap_or(chosen)
    };
    Labels::from((0..trees).map(label).collect::<Vec<_>>())
}
