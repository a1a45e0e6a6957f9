//! What a routing design must answer, and what a crash leaves of its network.

use super::graph::Node;

/// What a node does with a packet that is not for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It goes to this neighbour, which lives.
    Forward(Node),
    /// It ends here, and has not arrived.
    Lost,
}

/// A network and the rule by which its nodes forward, after a crash that nobody has repaired.
pub trait Design {
    /// What a packet carries.
    type Packet;

    /// A packet from `from` to `to`, which are not the same.
    fn packet(&self, from: Node, to: Node) -> Self::Packet;

    /// Where the packet, which is at `at` and came from `came`, goes on to.
    fn step(&self, at: Node, came: Option<Node>, packet: &mut Self::Packet) -> Step;
}

/// Which nodes have survived. A node knows which of its own neighbours have.
#[derive(Debug, Clone)]
pub struct Survivors(Vec<bool>);

impl Survivors {
    /// Those nodes of which `lives` says yes.
    pub fn new(lives: Vec<bool>) -> Survivors {
        Survivors(lives)
    }

    /// Whether this node lives.
    pub fn has(&self, node: Node) -> bool {
        self.0[node as usize]
    }

    /// Those that live, in order.
    pub fn list(&self) -> Vec<Node> {
        (0..self.0.len() as Node).filter(|node| self.has(*node)).collect()
    }
}
