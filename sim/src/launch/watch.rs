//! Looks at every living peer until all are in their places.

use super::plan::Options;
use super::population::{Population, Resident};
use super::progress::Show;
use futures::{StreamExt, stream};
use overlay_node::api::PeerStatus;
use overlay_proto::view::NeighbourView;
use overlay_supernode::api::SupernodeStatus;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest wait until all are in their places: several times what detection of silent links, a
/// lease and repair take together.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks: fine enough to time a repair, coarse enough not to slow it down.
const PAUSE: Duration = Duration::from_millis(100);
/// Peers looked at at a time.
const AT_ONCE: usize = 8;
/// How the core calls a peer that has a session.
const ONLINE: &str = "online";

/// One look at a peer.
#[derive(Debug, Clone)]
struct Sight {
    status: PeerStatus,
    neighbours: Vec<NeighbourView>,
}

/// What a peer in its place has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place<'a> {
    /// Nodes that are dead, in hex: they do not count as neighbours or homes.
    dead: &'a BTreeSet<String>,
    neighbours: usize,
    trees: usize,
}

impl Place<'_> {
    /// What the peer lacks; `None` if it is in its place.
    fn lacking(&self, sight: &Sight) -> Option<String> {
        let peer = &sight.status.peer;
        if peer.state != ONLINE {
            return Some(format!("is {}", peer.state));
        }
        if peer.home.as_ref().is_none_or(|home| self.dead.contains(home)) {
            return Some("has a dead home".to_owned());
        }
        let is_live = |n: &&NeighbourView| n.up && !self.dead.contains(&n.node);
        let live = sight.neighbours.iter().filter(is_live).count();
        if live < self.neighbours {
            return Some(format!("has {live} of {} neighbours", self.neighbours));
        }
        if peer.labels < self.trees {
            return Some(format!("has its place in {} of {} trees", peer.labels, self.trees));
        }
        None
    }
}

/// What watching has shown.
#[derive(Debug, Default)]
pub struct Watched {
    /// Milliseconds from the beginning until each peer that lacked something lacked nothing more.
    pub ms: BTreeMap<usize, f64>,
    /// Most neighbours seen at a peer.
    pub degree_max: usize,
    /// Packets handed to the scaffold, by node.
    pub escalated: BTreeMap<String, u64>,
    /// Names of the living that are not in their places at the end, with what they lack.
    pub lacking: Vec<(String, String)>,
    /// By peer at the end: its neighbours and its home.
    pub ties: BTreeMap<usize, BTreeSet<String>>,
}

/// Watches until every living peer is in its place, beginning at `began`. `affected` peers, and
/// those seen lacking something, are timed.
pub async fn until_all_in_place(
    population: &Population,
    options: &Options,
    began: Instant,
    affected: &BTreeSet<usize>,
    show: &dyn Show,
) -> Watched {
    let everyone = population.peers.iter().chain(&population.supernodes);
    let (dead, _): (Vec<&Resident>, Vec<&Resident>) =
        everyone.partition(|node| node.process.exit().is_some());
    let dead: BTreeSet<String> = dead.into_iter().map(|node| node.node.clone()).collect();
    let living: Vec<usize> = (0..population.peers.len())
        .filter(|number| !dead.contains(&population.peers[*number].node))
        .collect();
    // With an odd number of free slots, one is left over somewhere.
    let neighbours = options.degree.min(living.len().saturating_sub(1)).saturating_sub(1);
    let place = Place { dead: &dead, neighbours, trees: options.trees };
    let mut watched = Watched::default();
    let mut was_lacking = affected.clone();
    loop {
        watched.lacking.clear();
        let sights = look(population, &living).await;
        for (number, sight) in sights {
            let lacking = match &sight {
                Ok(sight) => {
                    watched.note(number, sight);
                    place.lacking(sight)
                }
                Err(error) => Some(error.clone()),
            };
            if let Some(what) = lacking {
                watched.lacking.push((population.peers[number].name.clone(), what));
                watched.ms.remove(&number);
                was_lacking.insert(number);
            } else if was_lacking.contains(&number) {
                watched.ms.entry(number).or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
            }
        }
        let placed = living.len() - watched.lacking.len();
        show.at(placed, "");
        watched.lacking.extend(scaffold_lacking(population, &dead, options.trees).await);
        if watched.lacking.is_empty() || began.elapsed() > PATIENCE {
            return watched;
        }
        sleep(PAUSE).await;
    }
}

impl Watched {
    /// Mean neighbours of a living peer at the end.
    pub fn degree_mean(&self) -> Option<f64> {
        // A home is a tie, too.
        let neighbours = self.ties.values().map(|ties| ties.len().saturating_sub(1));
        (!self.ties.is_empty()).then(|| neighbours.sum::<usize>() as f64 / self.ties.len() as f64)
    }

    fn note(&mut self, number: usize, sight: &Sight) {
        let up: BTreeSet<String> =
            sight.neighbours.iter().filter(|n| n.up).map(|n| n.node.clone()).collect();
        self.degree_max = self.degree_max.max(up.len()).max(sight.status.peer.neighbours);
        let peer = &sight.status.peer;
        self.escalated.insert(peer.node.clone(), peer.escalated);
        self.ties.insert(number, up.into_iter().chain(peer.home.clone()).collect());
    }
}

async fn look(population: &Population, living: &[usize]) -> Vec<(usize, Result<Sight, String>)> {
    let one = async |&number: &usize| {
        let client = &population.peers[number].client;
        let sight = async {
            let status = client.get("/v1/status").await?;
            Ok(Sight { status, neighbours: client.get("/v1/neighbours").await? })
        };
        let sight: Result<Sight, overlay_node::api::ClientError> = sight.await;
        (number, sight.map_err(|error| error.to_string()))
    };
    stream::iter(living).map(one).buffered(AT_ONCE).collect().await
}

/// What the scaffold lacks: it must know who is dead, and every tree must have its owner.
async fn scaffold_lacking(
    population: &Population,
    dead: &BTreeSet<String>,
    trees: usize,
) -> Vec<(String, String)> {
    let mut lacking = Vec::new();
    let mut owned = 0;
    let living = population.supernodes.iter().filter(|node| !dead.contains(&node.node));
    for supernode in living.clone() {
        let name = supernode.name.clone();
        match supernode.client.get::<SupernodeStatus>("/v1/status").await {
            Err(error) => lacking.push((name, error.to_string())),
            Ok(status) => {
                owned += status.supernode.trees_owned;
                let members = &status.supernode.members;
                if members.iter().any(|member| member.alive && dead.contains(&member.node)) {
                    lacking.push((name, "takes a dead supernode for alive".to_owned()));
                }
            }
        }
    }
    if owned != trees {
        let first = living.map(|node| node.name.clone()).next().unwrap_or_default();
        lacking.push((first, format!("and the other supernodes own {owned} trees, not {trees}")));
    }
    lacking
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::view::PeerView;

    fn sight(up: &[&str], home: &str) -> Sight {
        let neighbours: Vec<NeighbourView> = up
            .iter()
            .enumerate()
            .map(|(slot, node)| NeighbourView {
                slot: slot as u8,
                node: (*node).to_owned(),
                up: true,
                rtt_ms: None,
                address: String::new(),
                neighbours: 0,
            })
            .collect();
        let peer = PeerView {
            node: "me".to_owned(),
            name: None,
            state: ONLINE.to_owned(),
            home: Some(home.to_owned()),
            standbys: Vec::new(),
            lease_secs: 60,
            neighbours: neighbours.len(),
            degree: 8,
            labels: 4,
            trees: 4,
            forwarded: 0,
            escalated: 0,
            received: 0,
            arrived: 0,
            arrived_stale: 0,
        };
        let (version, addresses) = (String::new(), Vec::new());
        let away = false;
        Sight {
            status: PeerStatus { version, process: 1, addresses, inbox: 0, away, peer },
            neighbours,
        }
    }

    #[test]
    fn the_dead_do_not_count() {
        let dead = BTreeSet::from(["x".to_owned()]);
        let place = Place { dead: &dead, neighbours: 2, trees: 4 };
        assert_eq!(place.lacking(&sight(&["a", "b"], "home")), None);
        assert!(place.lacking(&sight(&["a", "x"], "home")).is_some());
        assert!(place.lacking(&sight(&["a", "b"], "x")).is_some());
        let mut without = sight(&["a", "b"], "home");
        without.status.peer.labels = 3;
        assert!(place.lacking(&without).is_some());
        without.status.peer.labels = 4;
        without.status.peer.state = "connecting".to_owned();
        assert!(place.lacking(&without).is_some());
    }
}
