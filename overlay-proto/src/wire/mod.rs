//! What travels: CBOR messages and packets, each in one frame (DESIGN, section 9).

pub mod address;
pub mod blob;
pub mod codec;
pub mod end_to_end;
pub mod message;
pub mod packet;
pub(crate) mod positional;

pub use address::TransportAddress;
pub use blob::Blob;
pub use codec::{DecodeError, Frame};
pub use end_to_end::Payload;
pub use message::Message;
pub use packet::{Class, Packet, PacketError};
