//! See `overlay_proto::hostile::invitation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_proto::hostile::invitation(bytes));
