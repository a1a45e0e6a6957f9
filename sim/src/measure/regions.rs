//! Whether peers have as many links within their region as the realm wants.

use crate::scenario::population::Population;
use crate::world::World;
use overlay_proto::Node;
use std::collections::BTreeMap;

/// Share of the live peers that have fewer than `near` neighbours under their own home; `None` if
/// nobody has a home. A peer's region is its home (ARCHITECTURE, "Near and far").
pub fn lacking_near(world: &World<Node>, population: &Population, near: usize) -> Option<f64> {
    let users = (0..population.users()).map(|user| population.host(user));
    let live = users.take_while(|host| *host < world.next_host());
    let home = |host| Some((host, world.machine(host)?.peer_view()?.home?));
    let homes: BTreeMap<u32, String> = live.filter_map(home).collect();
    let lacks = |host: &u32, own: &String| {
        let routes = world.machine(*host).into_iter().flat_map(Node::routes);
        let homes_around = routes.filter_map(|other| homes.get(&population.host_of(&other.node)?));
        homes_around.filter(|home| *home == own).count() < near
    };
    let lacking = homes.iter().filter(|(host, own)| lacks(host, own)).count();
    (!homes.is_empty()).then(|| lacking as f64 / homes.len() as f64)
}
