//! A forwarder's work on one packet's header: the fixed layout against the same fields in CBOR.
//!
//! Both read the header, take a hop and look at every label; the CBOR side then writes the header
//! back, as it must for the next hop, while the payload is moved along as bytes. The lengths of
//! both frames are printed first.

#![allow(missing_docs, reason = "the macros of criterion write functions without")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use overlay_proto::config::{HOP_LIMIT, TREES_MAX};
use overlay_proto::coordinates::{Epoch, Label, Labels};
use overlay_proto::encoding::Blob;
use overlay_proto::id::{IndexKey, NodeId};
use overlay_proto::wire::packet::Destination;
use overlay_proto::wire::{Class, Packet};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// Trees of a realm of 10,000 to 100,000 peers.
const TREES: u8 = 16;

/// The header's fields as a positional CBOR array, in the order of the fixed layout.
#[derive(Serialize, Deserialize)]
struct CborHeader(u8, u8, u8, u8, NodeId, NodeId, u64, Labels, Blob);

fn destination() -> Destination {
    let label = |tree: u8| {
        let path = [tree % 8, 3, 7, 1, 0, 5];
        path.iter().fold(Label::root(Epoch(tree)), |at, slot| at.child(*slot).expect("shallow"))
    };
    let labels = Labels::from((0..TREES).map(label).collect::<Vec<Label>>());
    Destination { node: NodeId([2; 32]), key: IndexKey(0x0123_4567_89ab_cdef), labels }
}

fn fixed(payload: &[u8]) -> Vec<u8> {
    Packet::new(Class::Message, NodeId([1; 32]), &destination(), payload).into_frame()
}

fn cbor(payload: &[u8]) -> Vec<u8> {
    let to = destination();
    let payload = Blob(payload.to_vec());
    let class = Class::Message as u8;
    let source = NodeId([1; 32]);
    let header =
        CborHeader(class, HOP_LIMIT, 0, u8::MAX, source, to.node, to.key.0, to.labels, payload);
    write(&header, 256)
}

fn write(header: &CborHeader, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room);
    ciborium::into_writer(header, &mut out).expect("memory does not fail");
    out
}

/// What a forwarder looks at: every label.
fn depths(labels: impl Iterator<Item = Label>) -> u32 {
    labels.filter_map(Label::depth).sum()
}

fn hop_fixed(frame: Vec<u8>) -> (u32, Vec<u8>) {
    let mut packet = Packet::parse(frame).expect("valid");
    assert!(packet.take_hop());
    let mut room = [Label::NONE; TREES_MAX];
    let depths = depths(packet.labels(&mut room).iter().copied());
    (depths, packet.into_frame())
}

fn hop_cbor(frame: Vec<u8>) -> (u32, Vec<u8>) {
    let mut header: CborHeader = ciborium::from_reader(frame.as_slice()).expect("valid");
    header.1 -= 1;
    header.2 += 1;
    (depths(header.7.iter()), write(&header, frame.len()))
}

/// Reading alone, as if CBOR could be changed in place.
fn read_cbor(frame: &[u8]) -> u32 {
    let header: CborHeader = ciborium::from_reader(frame).expect("valid");
    depths(header.7.iter())
}

fn one_hop(c: &mut Criterion) {
    let mut group = c.benchmark_group("one hop of a packet");
    for bytes in [64, 1_200, 16 * 1_024] {
        let payload = vec![0x5a; bytes];
        let (fixed, cbor) = (fixed(&payload), cbor(&payload));
        assert_eq!(hop_fixed(fixed.clone()).0, hop_cbor(cbor.clone()).0, "both see the same");
        println!("payload {bytes}: fixed {} bytes, CBOR {} bytes", fixed.len(), cbor.len());
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("fixed", bytes), &fixed, |b, frame| {
            b.iter_batched(|| frame.clone(), |f| black_box(hop_fixed(f)), BatchSize::SmallInput);
        });
        group.bench_with_input(BenchmarkId::new("cbor", bytes), &cbor, |b, frame| {
            b.iter_batched(|| frame.clone(), |f| black_box(hop_cbor(f)), BatchSize::SmallInput);
        });
        group.bench_with_input(BenchmarkId::new("cbor read only", bytes), &cbor, |b, frame| {
            b.iter(|| black_box(read_cbor(black_box(frame))));
        });
    }
    group.finish();
}

criterion_group!(benches, one_hop);
criterion_main!(benches);
