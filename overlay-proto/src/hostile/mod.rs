//! Bytes and members that mean harm: the bodies of the fuzz targets.
//!
//! Each target is a plain function over bytes that panics where the core does not keep its word.
//! `fuzz/` hands them to libFuzzer; the tests here replay the committed corpus and some thousand
//! generated inputs on every run of `cargo test`, without a special toolchain.
//!
//! | target | what the bytes are | what must hold |
//! | --- | --- | --- |
//! | [`frame`], [`payload`], [`invitation`], [`device_code`], [`disk`] | what a decoder is given | no panic; what was read is written to what reads as the same |
//! | [`forward`] | a network of hoods and a packet | no more hops than the limit, no packet twice |
//! | [`sequence_peer`], [`sequence_supernode`] | what strangers, liars and the weather do to a living network | no panic, every limit of [`config`](crate::config), state that does not run away, and no change by an input that was refused |

mod decoders;
mod forwarding;
mod limits;
mod operations;
mod script;
mod sequence;
#[cfg(test)]
mod tests;

pub use decoders::{device_code, disk, frame, invitation, payload};
pub use forwarding::forward;
pub(crate) use limits::Count;
pub use sequence::{sequence_peer, sequence_supernode};

/// What a fuzz target is: it panics if the bytes have found a mistake.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 8] = [
    ("frame", frame),
    ("payload", payload),
    ("invitation", invitation),
    ("device_code", device_code),
    ("disk", disk),
    ("forward", forward),
    ("sequence_peer", sequence_peer),
    ("sequence_supernode", sequence_supernode),
];
