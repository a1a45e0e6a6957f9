//! The end of a run: the network comes to rest, and what its peers hold must agree.

use super::stage::{Interrupted, Stage};
use crate::checks::{convergence, labels, one_realm, places};
use overlay_proto::Node;
use overlay_proto::id::NodeId;
use overlay_proto::time::Span;
use overlay_proto::view::{IssuedView, PlaceView};
use std::collections::BTreeMap;

/// Between two looks.
const LOOK: Span = Span::secs(1);
/// Labels come to rest within this: a change is told each second, and crosses a tree in a dozen.
const REST: Span = Span::secs(30);

impl Stage<'_> {
    /// Waits until labels and beliefs agree, and no link is being swapped for another; what still
    /// does not after a while is found.
    pub(super) fn agree(&mut self) -> Result<(), Interrupted> {
        self.phase("labels come to rest");
        let limit = self.now() + REST;
        loop {
            let issued = self.issued();
            let parts = labels::parts(&issued);
            let flaws = self.flaws(&issued, parts);
            self.parts = Some(parts);
            let whole = self.standing.broken().next().is_none();
            if flaws.is_empty() && (whole || self.now() >= limit) {
                // Who is out of place is found by the check of standing.
                return Ok(());
            }
            if self.now() >= limit {
                flaws.into_iter().for_each(|(check, what)| self.complain(check, what));
                return Ok(());
            }
            self.wait(self.now() + LOOK)?;
        }
    }

    /// What homes have issued to each live peer.
    fn issued(&self) -> BTreeMap<NodeId, IssuedView> {
        let nodes = self.live_users().into_iter().filter_map(|user| self.node_of(user));
        nodes.filter_map(|node| Some((node.id(), node.issued()?))).collect()
    }

    fn node_of(&self, user: usize) -> Option<&Node> {
        self.world.machine(self.population.host(user))
    }

    fn place(&self, user: usize) -> Option<PlaceView> {
        self.node_of(user)?.place()
    }

    fn flaws(
        &self,
        issued: &BTreeMap<NodeId, IssuedView>,
        parts: usize,
    ) -> Vec<(&'static str, String)> {
        let trees = labels::flaws(issued, self.scenario.trees(), parts);
        let trees = trees.into_iter().map(|flaw| (labels::CHECK, flaw));
        let places = self.live_users().into_iter().filter_map(|user| self.place(user));
        let beliefs = places.flat_map(|peer| {
            let forged = places::forged(&peer, issued);
            forged.into_iter().chain(places::stale(&peer, issued))
        });
        let split = (parts > 1).then(|| format!("the links fall into {parts} parts"));
        let split = split.map(|flaw| (labels::CHECK, flaw));
        let (now, wall) = (self.now(), self.realm.wall_at_start().0);
        // In several parts there are several roots of a tree, and as many owners.
        let owned = if parts == 1 { self.scenario.trees() } else { 0 };
        let realm = one_realm::flaws(now, wall, &self.holders(), &self.on_line(), owned);
        let realm = realm.into_iter().map(|flaw| (convergence::CHECK, flaw));
        let beliefs = beliefs.map(|flaw| (places::CHECK, flaw));
        split.into_iter().chain(trees).chain(beliefs).chain(realm).collect()
    }
}
