//! The forwarding rule's inner loop: the smallest tree distance over all candidates and trees.

#![allow(missing_docs, reason = "the macros of criterion write functions without")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use overlay_proto::coordinates::{Epoch, Label};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;

/// Neighbours' neighbours of a peer: eight of each of eight.
const CANDIDATES: usize = 64;
/// Trees of a realm of 10,000 to 100,000 peers.
const TREES: usize = 16;
/// Levels at which most of 100,000 peers of degree 8 stand.
const LEVELS: std::ops::RangeInclusive<usize> = 4..=8;

fn labels(rng: &mut ChaCha8Rng) -> [Label; TREES] {
    std::array::from_fn(|_| {
        let levels = rng.random_range(LEVELS);
        (0..levels).fold(Label::root(Epoch(1)), |label, _| {
            label.child(rng.random_range(0..8)).expect("shallow")
        })
    })
}

fn closest(destination: &[Label; TREES], candidates: &[[Label; TREES]]) -> Option<(u32, usize)> {
    candidates
        .iter()
        .enumerate()
        .filter_map(|(at, labels)| {
            let distances = labels.iter().zip(destination).filter_map(|(a, b)| a.distance(*b));
            distances.min().map(|distance| (distance, at))
        })
        .min()
}

fn distances(c: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let destination = labels(&mut rng);
    let candidates: Vec<[Label; TREES]> = (0..CANDIDATES).map(|_| labels(&mut rng)).collect();
    assert!(closest(&destination, &candidates).is_some());
    let mut group = c.benchmark_group("labels");
    group.throughput(Throughput::Elements((CANDIDATES * TREES) as u64));
    group.bench_function("closest of 64 candidates in 16 trees", |b| {
        b.iter(|| black_box(closest(black_box(&destination), black_box(&candidates))));
    });
    group.bench_function("distance and prefix, 64 by 16", |b| {
        b.iter(|| {
            let all = candidates.iter().flat_map(|labels| labels.iter().zip(&destination));
            let best = all.filter_map(|(a, b)| a.distance_and_prefix(*b)).min();
            black_box(best)
        });
    });
    group.finish();
}

criterion_group!(benches, distances);
criterion_main!(benches);
