//! See `overlay_proto::hostile::sequence_peer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_proto::hostile::sequence_peer(bytes));
