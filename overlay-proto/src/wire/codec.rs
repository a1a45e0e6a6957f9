//! Bytes to frames and back, with every limit checked before anything is built.
//!
//! A frame is either a message, the CBOR array `[number, body]`, or a packet, whose header has a
//! fixed layout (see [`packet`](super::packet)) so that a forwarder need not decode the payload.
//! The first byte tells them apart. The driver adds the length before each frame.

use super::message::{Message, is_news};
use super::packet::{PACKET_MARK, Packet, PacketError};
use crate::config::FRAME_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The head of a CBOR array of two elements.
const PAIR: u8 = 0x82;
/// The head of a CBOR unsigned number that follows in one byte.
const ONE_BYTE: u8 = 0x18;
/// Containers within containers. The deepest message has five levels.
pub(super) const DEPTH_MAX: usize = 16;

/// What one frame holds.
#[expect(
    clippy::large_enum_variant,
    reason = "a frame lives for one call; a box would cost each message an allocation"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message for the receiver.
    Message(Message),
    /// A packet for the receiver or for somebody else.
    Packet(Packet),
}

/// Why a frame cannot be read. Nothing has changed when this is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame has at most {FRAME_BYTES_MAX} bytes")]
    TooLarge,
    /// It begins as neither a message nor a packet does.
    #[error("neither a message nor a packet")]
    NoFrame,
    /// A message of a later version.
    #[error("unknown message {0}")]
    UnknownMessage(u8),
    /// The body does not have the message's form.
    #[error("the body of the message is malformed")]
    Malformed,
    /// The packet's header is wrong.
    #[error("the packet's header: {0}")]
    Packet(#[from] PacketError),
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It would not fit a frame.
    #[error("the message does not fit a frame of {FRAME_BYTES_MAX} bytes")]
    TooLarge,
}

impl Frame {
    /// Reads one frame. A packet keeps the bytes as they are.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: Vec<u8>) -> Result<Frame, DecodeError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge);
        }
        match bytes.first() {
            Some(&PACKET_MARK) => Ok(Frame::Packet(Packet::parse(bytes)?)),
            _ => decode_message(&bytes).map(Frame::Message),
        }
    }
}

/// Writes `message` as a frame.
///
/// # Errors
/// [`EncodeError::TooLarge`].
pub fn encode(message: &Message) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(128);
    write_head(message.number(), &mut out);
    message.write_body(&mut out)?;
    if out.len() > FRAME_BYTES_MAX { Err(EncodeError::TooLarge) } else { Ok(out) }
}

/// Reads a message frame.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_message(bytes: &[u8]) -> Result<Message, DecodeError> {
    let (number, body) = read_head(bytes)?;
    Message::read_body(number, body)
}

/// Whether the frame is a message of which the receiver keeps what it says.
pub(crate) fn tells_news(frame: &[u8]) -> bool {
    read_head(frame).is_ok_and(|(number, _)| is_news(number))
}

pub(super) fn write_head(number: u8, out: &mut Vec<u8>) {
    out.push(PAIR);
    if number >= 24 {
        out.push(ONE_BYTE);
    }
    out.push(number);
}

pub(super) fn read_head(bytes: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    match bytes {
        [PAIR, ONE_BYTE, number @ 24..=u8::MAX, body @ ..] => Ok((*number, body)),
        [PAIR, number @ 0..24, body @ ..] => Ok((*number, body)),
        _ => Err(DecodeError::NoFrame),
    }
}

pub(super) fn write<T: Serialize>(body: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    ciborium::into_writer(body, out).map_err(|_| EncodeError::TooLarge)
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    let mut rest = body;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_MAX)
        .map_err(|_| DecodeError::Malformed)?;
    // One frame, one message: bytes behind it would be a second reading of the same frame.
    if rest.is_empty() { Ok(value) } else { Err(DecodeError::Malformed) }
}
