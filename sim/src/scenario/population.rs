//! Who lives in the world.

use overlay_proto::id::NodeId;
use overlay_proto::name::Name;
use std::collections::HashMap;

/// The hosts of a world: supernodes first, then one host for each user, then one for each process
/// of somebody who came back.
#[derive(Debug, Default)]
pub struct Population {
    supernodes: usize,
    names: Vec<Name>,
    /// The host of each user's last process.
    present: Vec<u32>,
    /// The user of each host beyond the first of everybody; `None` for a supernode's.
    later: Vec<Option<usize>>,
    // Looked up, never iterated over: its order cannot reach the run.
    by_node: HashMap<NodeId, u32>,
}

impl Population {
    /// So many users, named `u00001` and on, on the hosts after those of the supernodes.
    pub fn new(supernodes: usize, users: usize) -> Population {
        let name = |number| Name::new(&format!("u{number:05}")).expect("letters and digits");
        Population {
            supernodes,
            names: (1..=users).map(name).collect(),
            present: (supernodes..supernodes + users).map(|host| host as u32).collect(),
            later: Vec::new(),
            by_node: HashMap::new(),
        }
    }

    /// Users there will be.
    pub fn users(&self) -> usize {
        self.names.len()
    }

    /// Supernodes there will be.
    pub fn supernodes(&self) -> usize {
        self.supernodes
    }

    /// The host of a user's last process.
    pub fn host(&self, user: usize) -> u32 {
        self.present[user]
    }

    /// The user of a host, if it is a user's.
    pub fn user(&self, host: u32) -> Option<usize> {
        let place = (host as usize).checked_sub(self.supernodes)?;
        match place.checked_sub(self.users()) {
            None => Some(place),
            Some(later) => self.later.get(later).copied().flatten(),
        }
    }

    /// The next host is that of a new process of `user`; `None`: of a supernode.
    pub fn came_back(&mut self, user: Option<usize>) {
        let host = self.supernodes + self.users() + self.later.len();
        self.later.push(user);
        if let Some(user) = user {
            self.present[user] = host as u32;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_has_a_new_host_and_the_old_one_stays_theirs() {
        let mut population = Population::new(2, 3);
        assert_eq!(
            (population.host(1), population.user(3), population.user(1)),
            (3, Some(1), None)
        );
        population.came_back(None);
        population.came_back(Some(1));
        assert_eq!((population.host(1), population.host(2)), (6, 4));
        let users = [3, 5, 6, 7].map(|host| population.user(host));
        assert_eq!(users, [Some(1), None, Some(1), None]);
    }
}
