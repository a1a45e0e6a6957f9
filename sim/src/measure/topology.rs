//! The graph of links at the end of a small run, to be drawn.

use crate::scenario::population::Population;
use crate::world::World;
use overlay_proto::Node;

/// Peers of the largest world that is drawn: with more, links cannot be told apart.
pub const DRAWN_MAX: usize = 300;

/// Live peers, those of one home together, and the links that either end has up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// The home of each peer, by the number of the supernode; `None` for one without a session.
    pub homes: Vec<Option<usize>>,
    /// Links, each once, by the peers' places in `homes`.
    pub links: Vec<(usize, usize)>,
}

impl Topology {
    /// The graph as it stands; `None` if there is nobody to draw, or too many.
    pub fn of(world: &World<Node>, population: &Population) -> Option<Topology> {
        let supernodes = population.supernodes() as u32;
        let users = supernodes..world.next_host();
        if users.len() > DRAWN_MAX {
            return None;
        }
        let named: Vec<Option<String>> = (0..supernodes.min(world.next_host()))
            .map(|host| Some(world.machine(host)?.id().to_string()))
            .collect();
        let home = |node: &Node| {
            let home = node.peer_view()?.home?;
            named.iter().position(|name| name.as_ref() == Some(&home))
        };
        let mut peers: Vec<(Option<usize>, u32, &Node)> = users
            .filter_map(|host| world.machine(host).map(|node| (home(node), host, node)))
            .collect();
        peers.sort_by_key(|(home, host, _)| (*home, *host));
        let place = |host: u32| peers.iter().position(|(_, other, _)| *other == host);
        let mut links = Vec::new();
        for (at, (_, _, node)) in peers.iter().enumerate() {
            for near in node.routes() {
                let other = population.host_of(&near.node).and_then(place);
                links.extend(other.map(|other| (at.min(other), at.max(other))));
            }
        }
        links.sort_unstable();
        links.dedup();
        let homes: Vec<_> = peers.iter().map(|(home, _, _)| *home).collect();
        (!homes.is_empty()).then_some(Topology { homes, links })
    }
}
