//! Rival routing designs and ours, side by side on static networks of one size and degree.

pub mod design;
pub mod graph;
pub mod greedy;
pub mod kademlia;
pub mod shortest;
pub mod symphony;
pub mod table;
pub mod tree;
pub mod trellis;
pub mod walk;

use crate::report::moore;
use design::{Design, Survivors};
use graph::{Graph, Node};
use greedy::Greedy;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use walk::{Walked, walk};

/// What is compared.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Nodes of each network.
    pub peers: usize,
    /// Links a node has at most, 3 to 16.
    pub degree: usize,
    /// Trees of ours, 1 to 32.
    pub trees: usize,
    /// The same seed gives the same figures.
    pub seed: u64,
    /// Packets sent over each design, between pairs of survivors drawn at random.
    pub pairs: usize,
    /// Share of the nodes that vanish, 0 to below 1; nobody repairs.
    pub crash: f64,
}

/// Nobody is left to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fewer than two peers would survive: lower --crash or raise --peers")]
pub struct TooFewSurvive;

/// How one design did. Hops are those of packets that arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The design.
    pub design: &'static str,
    /// Mean hops; none if nothing arrived, as below.
    pub hops_mean: Option<f64>,
    /// Mean hops over the Moore bound of the network before the crash.
    pub hops_over_moore: Option<f64>,
    /// Hops that 99 % of the packets needed at most.
    pub hops_p99: Option<f64>,
    /// Share of the packets that arrived.
    pub delivered: f64,
    /// Packets the busiest node forwarded, over the mean of the survivors.
    pub load_max_over_mean: f64,
    /// The same over those of the shortest path.
    pub over_shortest: Ratios,
}

/// A design's figures, each over that of the shortest path.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ratios {
    /// Of the mean hops; the same for hops over Moore.
    pub hops_mean: Option<f64>,
    /// Of the hops that 99 % needed at most.
    pub hops_p99: Option<f64>,
    /// Of the delivered shares.
    pub delivered: Option<f64>,
    /// Of the loads.
    pub load_max_over_mean: Option<f64>,
}

/// What was asked, and how the designs did, the bound first.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What was asked.
    pub plan: Plan,
    /// The designs.
    pub rows: Vec<Row>,
}

/// Builds every design and sends packets over it. `progress` hears of what is being done.
///
/// # Errors
/// If fewer than two nodes would survive.
pub fn compare(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Comparison, TooFewSurvive> {
    let rng = |stream| {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(stream);
        rng
    };
    let survivors = crash(plan, &mut rng(0));
    let live = survivors.list();
    if live.len() < 2 {
        return Err(TooFewSurvive);
    }
    progress("random graph");
    let (n, k) = (plan.peers, plan.degree);
    let graph = Graph::regular(n, k, &mut rng(2));
    let pairs = pairs(&live, plan.pairs, &mut rng(1));
    let mut lab = Lab { plan, live: live.len(), pairs, rows: Vec::new(), progress };
    lab.try_out("shortest", || shortest::Shortest::new(&graph, &survivors));
    let symphony = || symphony::Symphony::new(n, k, &mut rng(3));
    lab.try_out("symphony", || Greedy::new(symphony(), &survivors));
    let kademlia = || kademlia::Kademlia::new(n, k, &mut rng(4));
    lab.try_out("kademlia", || Greedy::new(kademlia(), &survivors));
    lab.try_out("tree", || Greedy::new(tree::Tree::new(&graph, &mut rng(5)), &survivors));
    let trellis = || trellis::Trellis::new(&graph, &survivors, plan.trees, &mut rng(6));
    lab.try_out("trellis", trellis);
    Ok(Comparison { plan: plan.clone(), rows: lab.rows })
}

/// Tries out one design after the other on the same pairs.
struct Lab<'a> {
    plan: &'a Plan,
    live: usize,
    pairs: Vec<(Node, Node)>,
    rows: Vec<Row>,
    progress: &'a mut dyn FnMut(&str),
}

impl Lab<'_> {
    fn try_out<D: Design>(&mut self, name: &'static str, build: impl FnOnce() -> D) {
        (self.progress)(&format!("{name}: building"));
        let design = build();
        let (all, progress) = (self.pairs.len(), &mut self.progress);
        let mut told = |done: usize| progress(&format!("{name}: {done} of {all} packets"));
        let walked = walk(&design, self.plan.peers, self.live, &self.pairs, &mut told);
        self.rows.push(row(name, self.plan, &walked, self.rows.first()));
    }
}

fn row(design: &'static str, plan: &Plan, walked: &Walked, shortest: Option<&Row>) -> Row {
    let bound = moore::mean_distance(plan.peers, plan.degree);
    let hops_mean = walked.hops.mean();
    let mut row = Row {
        design,
        hops_mean,
        hops_over_moore: hops_mean.map(|hops| hops / bound),
        hops_p99: walked.hops.quantile(0.99),
        delivered: walked.delivered,
        load_max_over_mean: walked.load,
        over_shortest: Ratios::default(),
    };
    let least = shortest.unwrap_or(&row);
    let over = |value: Option<f64>, least: Option<f64>| Some(value? / least.filter(|l| *l > 0.0)?);
    row.over_shortest = Ratios {
        hops_mean: over(row.hops_mean, least.hops_mean),
        hops_p99: over(row.hops_p99, least.hops_p99),
        delivered: over(Some(row.delivered), Some(least.delivered)),
        load_max_over_mean: over(Some(row.load_max_over_mean), Some(least.load_max_over_mean)),
    };
    row
}

fn crash(plan: &Plan, rng: &mut ChaCha8Rng) -> Survivors {
    let mut order: Vec<usize> = (0..plan.peers).collect();
    order.shuffle(rng);
    let mut lives = vec![true; plan.peers];
    let vanish = (plan.crash * plan.peers as f64).round() as usize;
    order.iter().take(vanish).for_each(|node| lives[*node] = false);
    Survivors::new(lives)
}

fn pairs(live: &[Node], count: usize, rng: &mut ChaCha8Rng) -> Vec<(Node, Node)> {
    let draw = |_| {
        let from = rng.random_range(0..live.len());
        // One of the others: as far on as that, around the end.
        let to = (from + rng.random_range(1..live.len())) % live.len();
        (live[from], live[to])
    };
    (0..count).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_600(crash: f64) -> Comparison {
        let plan = Plan { peers: 600, degree: 8, trees: 8, seed: 1, pairs: 2_000, crash };
        compare(&plan, &mut |_| {}).expect("enough survive")
    }

    fn hops(rows: &[Row], design: &str) -> f64 {
        rows.iter().find(|row| row.design == design).and_then(|r| r.hops_mean).expect("arrived")
    }

    #[test]
    fn without_failures_all_arrives_and_ours_is_next_to_the_bound() {
        let rows = at_600(0.0).rows;
        assert!(rows.iter().all(|row| row.delivered == 1.0), "{rows:?}");
        let [least, ours] = ["shortest", "trellis"].map(|design| hops(&rows, design));
        assert!(least <= ours && ours < 1.1 * least, "{least} {ours}");
        for rival in ["symphony", "tree"] {
            let [theirs, kademlia] = [rival, "kademlia"].map(|design| hops(&rows, design));
            assert!(ours < theirs && theirs < kademlia, "{rival}: {ours} {theirs} {kademlia}");
        }
    }

    #[test]
    fn a_crash_costs_hops_and_the_same_seed_gives_the_same_figures() {
        let (calm, crash) = (at_600(0.0).rows, at_600(0.2).rows);
        assert!(hops(&calm, "trellis") < hops(&crash, "trellis"));
        assert!(crash.iter().all(|row| row.delivered > 0.9), "{crash:?}");
        assert_eq!(format!("{crash:?}"), format!("{:?}", at_600(0.2).rows));
    }
}
