//! See `overlay_proto::hostile::device_code`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_proto::hostile::device_code(bytes));
