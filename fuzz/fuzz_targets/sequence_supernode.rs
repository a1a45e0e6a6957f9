//! See `overlay_proto::hostile::sequence_supernode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_proto::hostile::sequence_supernode(bytes));
