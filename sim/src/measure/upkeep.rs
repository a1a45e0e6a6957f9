//! What peers keep and what they know, asked of them at the end.

use crate::scenario::population::Population;
use crate::world::World;
use overlay_proto::Node;

/// Peers whose memory is reckoned: the mean of all is within a percent.
const SIZED_PEERS: usize = 1_000;

/// Mean bytes that a live user's peer keeps between inputs; `None` if nobody lives.
pub fn state_bytes(world: &World<Node>, population: &Population) -> Option<f64> {
    let live: Vec<&Node> = users(world, population).collect();
    let step = live.len().div_ceil(SIZED_PEERS).max(1);
    let sizes: Vec<usize> =
        live.into_iter().step_by(step).filter_map(|node| node.state_bytes()).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum::<usize>() as f64 / sizes.len() as f64)
}

/// Share, 0 to 1, of the texts that came to live peers whose packet named a label that was not the
/// peer's any more; `None` if none came.
pub fn stale_addresses(world: &World<Node>, population: &Population) -> Option<f64> {
    let (mut arrived, mut stale) = (0, 0);
    for view in users(world, population).filter_map(|node| node.peer_view()) {
        arrived += view.arrived;
        stale += view.arrived_stale;
    }
    (arrived > 0).then(|| stale as f64 / arrived as f64)
}

fn users<'a>(world: &'a World<Node>, population: &Population) -> impl Iterator<Item = &'a Node> {
    let hosts = population.supernodes() as u32..world.next_host();
    hosts.filter_map(|host| world.machine(host))
}
