//! The decoders: what they read they can write, and it reads as the same.

use crate::config::FRAME_BYTES_MAX;
use crate::identity::Invitation;
use crate::wire::{Frame, Payload, codec};

/// Bytes by which a message grows when the fields are written that an older sender has left out.
const DEFAULTS: usize = 16;

/// A frame from a link.
pub fn frame(bytes: &[u8]) {
    match Frame::decode(bytes.to_vec()) {
        Ok(Frame::Message(message)) => {
            match codec::encode(&message) {
                Ok(again) => assert_eq!(Frame::decode(again), Ok(Frame::Message(message))),
                Err(error) => assert!(bytes.len() + DEFAULTS > FRAME_BYTES_MAX, "{error}"),
            }
        }
        Ok(Frame::Packet(packet)) => {
            payload(packet.payload());
            assert_eq!(packet.clone().into_frame(), bytes, "a forwarder changes nothing by reading");
            assert_eq!(Frame::decode(packet.clone().into_frame()), Ok(Frame::Packet(packet)));
        }
        Err(_) => {}
    }
}

/// What a packet carries from end to end.
pub fn payload(bytes: &[u8]) {
    if let Ok(payload) = Payload::decode(bytes) {
        let again = payload.encode().expect("what came in a frame fits one");
        assert_eq!(Payload::decode(&again), Ok(payload));
    }
}

/// The text of an invitation. A checksum of 30 bits keeps chance out, so the bytes are also taken
/// for the content beneath a right one.
pub fn invitation(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        reads_again(text);
    }
    if let Some(text) = Invitation::sealed(bytes) {
        reads_again(&text);
    }
}

fn reads_again(text: &str) {
    if let Ok(invitation) = text.parse::<Invitation>() {
        let again = invitation.to_string();
        assert_eq!(again.parse::<Invitation>(), Ok(invitation), "{again}");
    }
}
