//! Captures: the frames of a node's links in a file, as they are before they are encrypted and after
//! they are decrypted. A capture of the network itself has ciphertext only.
//!
//! The file is pcapng (draft-ietf-opsawg-pcapng), so that Wireshark reads it. A link is an interface
//! with a name, a packet is one frame without its length, and says whether it came or went.

mod read;
mod write;

pub(crate) use read::{CaptureReader, Captured, ReadError};
pub use write::{Capture, CaptureError};

use pcap_parser::Linktype;
use pcap_parser::pcapng::OptionCode;

/// The first of the link types that nobody else gives a meaning to.
pub(crate) const LINK_TYPE: Linktype = Linktype(147);
/// The most that a capture takes of a disk, in bytes. Then it ends; the node goes on.
pub(crate) const CAPTURE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The option with an interface's name.
const IF_NAME: OptionCode = OptionCode(2);
/// The option with what an interface is.
const IF_DESCRIPTION: OptionCode = OptionCode(3);
/// The option with a packet's flags.
const EPB_FLAGS: OptionCode = OptionCode(2);

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// It came to the node that captured it.
    In,
    /// That node sent it.
    Out,
}

impl Direction {
    /// The two low bits of a packet's flags.
    fn flags(self) -> u32 {
        match self {
            Direction::In => 1,
            Direction::Out => 2,
        }
    }

    fn of(flags: u32) -> Option<Direction> {
        [Direction::In, Direction::Out].into_iter().find(|way| way.flags() == flags & 3)
    }
}

#[cfg(test)]
mod tests;
