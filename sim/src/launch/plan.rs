//! What a run will do, drawn from the seed before anything starts.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// Peers killed at once, where there are enough of them.
const VICTIMS_MAX: usize = 4;
/// One of so many peers is killed at most: the rest must still be a network.
const VICTIM_OF: usize = 4;

/// Names for people; after the last one they come again, with a number.
const NAMES: [&str; 26] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim",
    "leo", "mallory", "nina", "oscar", "peggy", "quinn", "rupert", "sybil", "trent", "uma",
    "victor", "walter", "xena", "yuri", "zoe",
];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Supernodes; at least 1.
    pub supernodes: usize,
    /// Users, one peer each; at least 2.
    pub peers: usize,
    /// Neighbours of a peer at most, `k`.
    pub degree: usize,
    /// Spanning trees, `T`.
    pub trees: usize,
    /// Messages sent before the crash, and as many again during repair and after it.
    pub messages: usize,
    /// All choices come from it; what the processes do in the meantime does not.
    pub seed: u64,
    /// Peers that start and log in at a time.
    pub parallel: usize,
    /// Leave the network running until the user ends it.
    pub keep: bool,
    /// Instead of killing some, kill every supernode at once and start them again.
    pub storm: bool,
    /// Where the data folders and logs go; without it, a temporary directory.
    pub dir: Option<PathBuf>,
}

/// One message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// The sender's number.
    pub from: usize,
    /// The recipient's number.
    pub to: usize,
    /// What to say: no two are the same.
    pub text: String,
}

/// All choices of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The users' names, by the number of the peer.
    pub names: Vec<String>,
    /// The supernode to be killed, if there is one to spare. Never the first: it alone holds the
    /// root and the registrar.
    pub supernode_victim: Option<usize>,
    /// The peers to be killed, in order.
    pub peer_victims: Vec<usize>,
    /// Messages before the crash.
    pub before: Vec<Errand>,
    /// Messages among survivors during repair.
    pub during: Vec<Errand>,
    /// Messages among survivors after repair.
    pub after: Vec<Errand>,
    /// Who looks up whom before the first message, so that nobody knows the answer.
    pub lookups: Vec<(usize, usize)>,
}

impl Plan {
    /// Draws everything from the seed.
    pub fn draw(options: &Options) -> Plan {
        let mut dice = ChaCha8Rng::seed_from_u64(options.seed);
        let everyone: Vec<usize> = (0..options.peers).collect();
        let supernode_victim = match options.supernodes {
            many if many > 1 && !options.storm => Some(dice.random_range(1..many)),
            _ => None,
        };
        let victims = if options.storm { 0 } else { VICTIMS_MAX.min(options.peers / VICTIM_OF) };
        let mut peer_victims = Vec::new();
        while peer_victims.len() < victims {
            let victim = dice.random_range(0..options.peers);
            if !peer_victims.contains(&victim) {
                peer_victims.push(victim);
            }
        }
        peer_victims.sort_unstable();
        let survivors: Vec<usize> =
            everyone.iter().copied().filter(|peer| !peer_victims.contains(peer)).collect();
        let mut errands = |phase: &str, among: &[usize]| -> Vec<Errand> {
            let pairs = pairs(&mut dice, options.messages, among);
            let text = |number: usize| format!("{phase} {number} of seed {}", options.seed);
            pairs
                .into_iter()
                .enumerate()
                .map(|(number, (from, to))| Errand { from, to, text: text(number) })
                .collect()
        };
        let before = errands("before the crash", &everyone);
        let during = errands("during repair", &survivors);
        let after = errands("after repair", &survivors);
        let mut lookups: Vec<(usize, usize)> = before.iter().map(|e| (e.from, e.to)).collect();
        lookups.sort_unstable();
        lookups.dedup();
        let names = (0..options.peers).map(name).collect();
        Plan { names, supernode_victim, peer_victims, before, during, after, lookups }
    }
}

fn pairs(dice: &mut ChaCha8Rng, count: usize, among: &[usize]) -> Vec<(usize, usize)> {
    if among.len() < 2 {
        return Vec::new();
    }
    let pair = |_| {
        let from = dice.random_range(0..among.len());
        // Any of the others: one step to at most all but oneself further on.
        let to = (from + dice.random_range(1..among.len())) % among.len();
        (among[from], among[to])
    };
    (0..count).map(pair).collect()
}

fn name(number: usize) -> String {
    let (round, at) = (number / NAMES.len(), number % NAMES.len());
    if round == 0 { NAMES[at].to_owned() } else { format!("{}{}", NAMES[at], round + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::name::Name;
    use std::collections::BTreeSet;

    fn options(peers: usize, supernodes: usize, seed: u64) -> Options {
        let (degree, trees, parallel) = (8, 8, 4);
        let messages = 40;
        Options {
            supernodes,
            peers,
            degree,
            trees,
            messages,
            seed,
            parallel,
            keep: false,
            storm: false,
            dir: None,
        }
    }

    #[test]
    fn the_seed_decides() {
        let one = Plan::draw(&options(24, 3, 1));
        assert_eq!(one, Plan::draw(&options(24, 3, 1)));
        assert_ne!(one, Plan::draw(&options(24, 3, 2)));
    }

    #[test]
    fn victims_leave_a_network() {
        for seed in 0..50 {
            let plan = Plan::draw(&options(24, 3, seed));
            assert_eq!(plan.peer_victims.len(), 4);
            assert!(matches!(plan.supernode_victim, Some(1 | 2)));
            for errand in plan.during.iter().chain(&plan.after) {
                assert!(!plan.peer_victims.contains(&errand.from), "{errand:?}");
                assert!(!plan.peer_victims.contains(&errand.to), "{errand:?}");
            }
        }
        let small = Plan::draw(&options(3, 1, 1));
        assert_eq!((small.supernode_victim, small.peer_victims.len()), (None, 0));
        assert_eq!(Plan::draw(&options(8, 2, 1)).supernode_victim, Some(1));
        let storm = Plan::draw(&Options { storm: true, ..options(24, 3, 1) });
        assert_eq!((storm.supernode_victim, storm.peer_victims.len()), (None, 0), "all die");
    }

    #[test]
    fn texts_and_names_are_unique_and_nobody_writes_to_himself() {
        let plan = Plan::draw(&options(80, 2, 7));
        let all: Vec<&Errand> = plan.before.iter().chain(&plan.during).chain(&plan.after).collect();
        assert_eq!(all.len(), 120);
        assert_eq!(all.iter().map(|e| &e.text).collect::<BTreeSet<_>>().len(), 120);
        assert!(all.iter().all(|e| e.from != e.to && e.from < 80 && e.to < 80));
        let names: BTreeSet<String> = plan
            .names
            .iter()
            .map(|name| Name::new(name).expect("a valid name").to_string())
            .collect();
        assert_eq!(names.len(), 80);
    }
}
