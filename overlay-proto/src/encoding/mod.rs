//! How values become CBOR, whatever they mean.

pub mod blob;
pub(crate) mod hex;
pub(crate) mod positional;

pub use blob::Blob;
