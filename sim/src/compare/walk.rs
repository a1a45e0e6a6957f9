//! The walker: sends packets over a design's network and counts.

use super::design::{Design, Step};
use super::graph::Node;
use crate::report::Sample;
use overlay_proto::config::HOP_LIMIT;

/// Packets between two reports of progress.
const REPORT_EVERY: usize = 1_000;

/// What packets over one design have shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked {
    /// Hops of those that arrived.
    pub hops: Sample,
    /// Share of all that arrived, 0 to 1.
    pub delivered: f64,
    /// Packets that the busiest node forwarded for others, over the mean of the survivors.
    pub load: f64,
}

/// Sends a packet from the first to the second node of each pair; no node is paired with itself.
/// `survivors` nodes share the load. `progress` hears how many packets are through.
pub fn walk<D: Design>(
    design: &D,
    nodes: usize,
    survivors: usize,
    pairs: &[(Node, Node)],
    progress: &mut dyn FnMut(usize),
) -> Walked {
    let mut load = vec![0_u32; nodes];
    let mut hops = Vec::new();
    for (number, (from, to)) in pairs.iter().enumerate() {
        if number % REPORT_EVERY == 0 {
            progress(number);
        }
        hops.extend(send(design, *from, *to, &mut load));
    }
    let most = load.iter().copied().max().unwrap_or(0);
    let mean = load.iter().map(|count| f64::from(*count)).sum::<f64>() / survivors.max(1) as f64;
    let delivered = hops.len() as f64 / pairs.len().max(1) as f64;
    let load = if mean > 0.0 { f64::from(most) / mean } else { 1.0 };
    Walked { hops: Sample::new(hops), delivered, load }
}

/// The hops of one packet, if it arrived.
fn send<D: Design>(design: &D, from: Node, to: Node, load: &mut [u32]) -> Option<f64> {
    let mut packet = design.packet(from, to);
    let (mut at, mut came) = (from, None);
    for hop in 1..=HOP_LIMIT {
        let Step::Forward(next) = design.step(at, came, &mut packet) else { return None };
        if came.is_some() {
            load[at as usize] += 1;
        }
        if next == to {
            return Some(f64::from(hop));
        }
        (came, at) = (Some(at), next);
    }
    None
}
