//! Who lives in the world.

use overlay_proto::id::NodeId;
use overlay_proto::name::Name;
use std::collections::HashMap;

/// The hosts of a world: supernodes first, then one host for each user.
#[derive(Debug, Default)]
pub struct Population {
    supernodes: usize,
    names: Vec<Name>,
    // Looked up, never iterated over: its order cannot reach the run.
    by_node: HashMap<NodeId, u32>,
}

impl Population {
    /// So many users, named `u00001` and on, on the hosts after those of the supernodes.
    pub fn new(supernodes: usize, users: usize) -> Population {
        let name = |number| Name::new(&format!("u{number:05}")).expect("letters and digits");
        Population { supernodes, names: (1..=users).map(name).collect(), by_node: HashMap::new() }
    }

    /// Users there will be.
    pub fn users(&self) -> usize {
        self.names.len()
    }

    /// Supernodes there will be.
    pub fn supernodes(&self) -> usize {
        self.supernodes
    }

    /// The host of a user.
    pub fn host(&self, user: usize) -> u32 {
        (self.supernodes + user) as u32
    }

    /// The user of a host, if it is a user's.
    pub fn user(&self, host: u32) -> Option<usize> {
        (host as usize).checked_sub(self.supernodes).filter(|user| *user < self.users())
    }

    /// The name of a user.
    pub fn name(&self, user: usize) -> &Name {
        &self.names[user]
    }

    /// Notes that `node` runs on `host`.
    pub fn runs(&mut self, node: NodeId, host: u32) {
        self.by_node.insert(node, host);
    }

    /// The host of a node.
    pub fn host_of(&self, node: &NodeId) -> Option<u32> {
        self.by_node.get(node).copied()
    }
}
