//! What travels: CBOR messages and packets, each in one frame (DESIGN, section 9).

pub mod codec;
pub mod datagram;
pub mod end_to_end;
pub mod fault;
pub mod layout;
pub mod message;
pub mod packet;

pub use crate::address::TransportAddress;
pub use crate::encoding::Blob;
pub use codec::{DecodeError, Frame};
pub use end_to_end::Payload;
pub use message::{Form, Message};
pub use packet::{Class, Packet, PacketError};
