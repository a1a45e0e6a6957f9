//! Where bytes stop being a frame, and why: for people who look at a wire. A node only needs to know
//! that they are none.

use super::codec::{DEPTH_MAX, DecodeError, Frame, read_head};
use super::end_to_end::Payload;
use super::message::Message;
use super::packet::{PacketError, fault_offset};
use crate::config::FRAME_BYTES_MAX;
use ciborium::de::Error;
use serde::de::DeserializeOwned;

/// Where and why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct Fault {
    /// Bytes from the beginning up to the place. Of a value that has the wrong form this may be its
    /// beginning or its end.
    pub offset: usize,
    /// Why. It may repeat a text that stands in the bytes.
    pub reason: String,
}

/// Why `frame` is no frame, if it is none.
pub fn frame_fault(frame: &[u8]) -> Option<Fault> {
    let error = Frame::decode(frame.to_vec()).err()?;
    Some(match error {
        DecodeError::TooLarge => at(FRAME_BYTES_MAX, error),
        DecodeError::Packet(packet) => at(packet_offset(packet, frame), error),
        other => body_fault(frame, other, Message::fault_in),
    })
}

/// Why `payload` is no end-to-end message, if it is none. A datagram of a session is none.
pub fn payload_fault(payload: &[u8]) -> Option<Fault> {
    let error = Payload::decode(payload).err()?;
    Some(body_fault(payload, error, Payload::fault_in))
}

/// The fault of what begins with a number.
fn body_fault(
    bytes: &[u8],
    error: DecodeError,
    fault_in: impl FnOnce(u8, &[u8]) -> Option<Fault>,
) -> Fault {
    let Ok((number, body)) = read_head(bytes) else { return at(0, error) };
    let head = bytes.len() - body.len();
    match fault_in(number, body) {
        Some(fault) => Fault { offset: head + fault.offset, ..fault },
        // The number is the last byte of the head.
        None => at(head - 1, error),
    }
}

fn packet_offset(error: PacketError, frame: &[u8]) -> usize {
    fault_offset(error, frame).min(frame.len())
}

fn at(offset: usize, reason: DecodeError) -> Fault {
    Fault { offset, reason: reason.to_string() }
}

/// Why `body` does not have the form of `T`, if it does not.
pub(super) fn of_body<T: DeserializeOwned>(body: &[u8]) -> Option<Fault> {
    let mut rest = body;
    let read = ciborium::de::from_reader_with_recursion_limit::<T, _>(&mut rest, DEPTH_MAX);
    let read_up_to = body.len() - rest.len();
    let (offset, reason) = match read {
        Ok(_) if rest.is_empty() => return None,
        Ok(_) => (read_up_to, "bytes behind the end of the body".to_owned()),
        Err(Error::Io(_)) => (body.len(), "cut short".to_owned()),
        Err(Error::Syntax(offset)) => (offset, "not CBOR".to_owned()),
        Err(Error::Semantic(offset, reason)) => (offset.unwrap_or(read_up_to), reason),
        Err(Error::RecursionLimitExceeded) => {
            (read_up_to, format!("more than {DEPTH_MAX} containers within each other"))
        }
    };
    Some(Fault { offset, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::wire::codec::encode;
    use crate::wire::message::KeepAlive;
    use crate::wire::packet::{Class, Destination, Packet};
    use proptest::prelude::*;

    fn keep_alive() -> Vec<u8> {
        let cost = crate::coordinates::LinkCost::HOP_ONLY;
        encode(&KeepAlive { seq: 1, answer: true, cost, told: 2 }.into()).expect("small")
    }

    fn found(bytes: &[u8]) -> (usize, String) {
        let fault = frame_fault(bytes).expect("no frame");
        (fault.offset, fault.reason)
    }

    #[test]
    fn a_sound_frame_has_no_fault() {
        assert_eq!(frame_fault(&keep_alive()), None);
    }

    #[test]
    fn a_fault_is_where_it_is() {
        let sound = keep_alive();
        assert_eq!(found(&[]), (0, "neither a message nor a packet".to_owned()));
        assert_eq!(found(&[0x82, 0x18, 250, 0x80]), (2, "unknown message 250".to_owned()));
        assert_eq!(found(&sound[..5]), (5, "cut short".to_owned()));
        let behind = [sound.as_slice(), &[0]].concat();
        assert_eq!(found(&behind), (7, "bytes behind the end of the body".to_owned()));
        // The second field is no truth value.
        let mut wrong = sound.clone();
        wrong[4] = 0x07;
        let (offset, reason) = found(&wrong);
        assert!((4..=5).contains(&offset), "{offset}");
        assert!(reason.contains("bool"), "{reason}");
        assert_eq!(found(&vec![0x82; FRAME_BYTES_MAX + 1]).0, FRAME_BYTES_MAX);
    }

    #[test]
    fn a_packet_s_fault_is_where_it_is() {
        let to = Destination {
            node: NodeId([2; 32]),
            key: crate::id::IndexKey(3),
            labels: crate::coordinates::Labels::none(2),
        };
        let mut packet = Packet::new(Class::Bulk, NodeId([1; 32]), &to, b"hello");
        assert!(packet.visit(crate::id::ShortId([4; 8])));
        let sound = packet.into_frame();
        assert_eq!(frame_fault(&sound), None);
        let changed = |place: usize, byte: u8| {
            let mut frame = sound.clone();
            frame[place] = byte;
            found(&frame).0
        };
        assert_eq!(found(&sound[..40]).0, 40, "cut short");
        assert_eq!(changed(2, 65), 2, "hops left");
        assert_eq!(changed(5, 200), 5, "visited nodes that are not there");
        assert_eq!(changed(83, 33), 83, "too many trees");
        assert_eq!(changed(85, 0xff), 85, "a label in no known form");
        assert_eq!(changed(sound.len() - 9, 2), sound.len() - 9, "a visit of no known kind");
    }

    #[test]
    fn a_datagram_is_no_payload() {
        assert_eq!(payload_fault(&[2, 0, 9]).expect("none").offset, 0);
    }

    proptest! {
        #[test]
        fn what_is_no_frame_has_a_fault_within_it(
            mark in prop::sample::select(vec![1_u8, 0x82]),
            number in 0_u8..24,
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [vec![mark, number], rest].concat();
            let fault = frame_fault(&bytes);
            prop_assert_eq!(fault.is_some(), Frame::decode(bytes.clone()).is_err());
            prop_assert!(fault.is_none_or(|fault| fault.offset <= bytes.len()));
        }
    }
}
