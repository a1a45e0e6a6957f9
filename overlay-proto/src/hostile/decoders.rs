//! The decoders: what they read they can write, and it reads as the same.

use crate::config::FRAME_BYTES_MAX;
use crate::identity::pairing::DeviceCode;
use crate::identity::{Certificate, Contact, DeviceChain, Invitation, RevocationList};
use crate::io::DeviceEntry;
use crate::wire::{Frame, Payload, codec};

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Bytes by which a message grows when the fields are written that an older sender has left out.
const DEFAULTS: usize = 16;

/// A frame from a link.
pub fn frame(bytes: &[u8]) {
    match Frame::decode(bytes.to_vec()) {
        Ok(Frame::Message(message)) => match codec::encode(&message) {
            Ok(again) => assert_eq!(Frame::decode(again), Ok(Frame::Message(message))),
            Err(error) => assert!(bytes.len() + DEFAULTS > FRAME_BYTES_MAX, "{error}"),
        },
        Ok(Frame::Packet(packet)) => {
            payload(packet.payload());
            assert_eq!(
                packet.clone().into_frame(),
                bytes,
                "a forwarder changes nothing by reading"
            );
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
    texts(bytes, Invitation::sealed).for_each(|text| reads_again::<Invitation>(&text));
}

/// The text of a device code, likewise.
pub fn device_code(bytes: &[u8]) {
    texts(bytes, DeviceCode::sealed).for_each(|text| reads_again::<DeviceCode>(&text));
}

/// The bytes as a text, and as what is under a right checksum.
fn texts(bytes: &[u8], sealed: fn(&[u8]) -> Option<String>) -> impl Iterator<Item = String> {
    let plain = std::str::from_utf8(bytes).ok().map(str::to_owned);
    plain.into_iter().chain(sealed(bytes))
}

/// What reads is written to a text that reads and is written as the same. (It need not equal the
/// first: contacts beyond what a code has room for are left out.)
fn reads_again<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let once = read.to_string();
        let again = once.parse::<T>().ok().map(|read| read.to_string());
        assert_eq!(again.as_deref(), Some(once.as_str()));
    }
}

/// What a node reads from its own disk, where a fault or another program may have written: the
/// certificates of its identity, the lists of who is out, the devices that it has let in.
pub fn disk(bytes: &[u8]) {
    kept::<DeviceChain>(bytes);
    kept::<Certificate>(bytes);
    kept::<Vec<RevocationList>>(bytes);
    kept::<Vec<DeviceEntry>>(bytes);
    kept::<Vec<Contact>>(bytes);
}

fn kept<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(read) = ciborium::from_reader::<T, _>(bytes) else { return };
    let mut written = Vec::new();
    ciborium::into_writer(&read, &mut written).expect("memory takes it");
    let again = ciborium::from_reader::<T, _>(written.as_slice());
    assert_eq!(again.expect("what was written reads"), read);
}
