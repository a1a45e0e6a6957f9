//! Bytes from nowhere: whatever comes, the decoders answer and never panic.

#[path = "wire/samples.rs"]
#[allow(dead_code, reason = "shared with wire_bytes.rs, which uses more of it")]
mod samples;

use overlay_proto::config::FRAME_BYTES_MAX;
use overlay_proto::identity::Invitation;
use overlay_proto::wire::codec::{DecodeError, decode_message, encode};
use overlay_proto::wire::{Frame, Payload};
use proptest::prelude::*;

/// Every valid frame and payload.
fn valid() -> Vec<Vec<u8>> {
    let messages = samples::messages().into_iter().map(|m| encode(&m).expect("fits"));
    let payloads = samples::payloads().into_iter().map(|p| p.encode().expect("fits"));
    messages.chain(payloads).chain([samples::packet().into_frame()]).collect()
}

/// Reads `bytes` in every way. What reads must write to something that reads as the same.
fn feed(bytes: &[u8]) {
    match Frame::decode(bytes.to_vec()) {
        Ok(Frame::Message(message)) => {
            let again = encode(&message).expect("what came in a frame fits one");
            assert_eq!(Frame::decode(again), Ok(Frame::Message(message)));
        }
        Ok(Frame::Packet(packet)) => {
            let _ = Payload::decode(packet.payload());
            assert_eq!(Frame::decode(packet.clone().into_frame()), Ok(Frame::Packet(packet)));
        }
        Err(_) => {}
    }
    if let Ok(payload) = Payload::decode(bytes) {
        let again = payload.encode().expect("what came in a frame fits one");
        assert_eq!(Payload::decode(&again), Ok(payload));
    }
}

/// The head of message `number`.
fn head(number: u8) -> Vec<u8> {
    if number < 24 { vec![0x82, number] } else { vec![0x82, 0x18, number] }
}

fn numbers() -> Vec<u8> {
    let messages = samples::messages().into_iter().map(|message| message.number());
    messages.chain(samples::payloads().iter().map(Payload::number)).collect()
}

#[test]
fn every_cut_and_every_flipped_bit_is_survived() {
    for frame in valid() {
        for at in 0..frame.len() {
            feed(&frame[..at]);
            for bit in 0..8 {
                let mut flipped = frame.clone();
                flipped[at] ^= 1 << bit;
                feed(&flipped);
            }
        }
    }
}

/// Heads that promise more than there is, and containers within containers.
fn bombs() -> Vec<Vec<u8>> {
    let room = FRAME_BYTES_MAX - 16;
    let mut bombs = Vec::new();
    for major in [0x40_u8, 0x60, 0x80, 0xa0] {
        for length in [u64::MAX, u64::MAX >> 1, 1 << 40, 1 << 32, 0xffff_ffff] {
            bombs.push([&[major | 0x1b][..], &length.to_be_bytes()].concat());
        }
        bombs.push(vec![major | 0x1f]);
        bombs.push(vec![major | 0x1f; room]);
    }
    // Arrays, maps and tags as deep as a frame is long.
    bombs.push(vec![0x81; room]);
    bombs.push(vec![0x9f; room]);
    bombs.push([0xa1, 0x00].repeat(room / 2));
    bombs.push(vec![0xc0; room]);
    bombs
}

/// Empty strings in as many pieces as a frame has room for: well formed, but work to read.
fn confetti() -> [Vec<u8>; 2] {
    [(0x5f, 0x40), (0x7f, 0x60)].map(|(head, piece)| {
        let mut bytes = vec![piece; 32 * 1024];
        bytes[0] = head;
        bytes.push(0xff);
        bytes
    })
}

#[test]
fn bombs_as_a_body_are_refused() {
    for number in numbers() {
        for bomb in bombs() {
            let frame = [head(number), bomb].concat();
            assert!(frame.len() <= FRAME_BYTES_MAX);
            let (message, payload) = (decode_message(&frame), Payload::decode(&frame));
            assert!(message.is_err() && payload.is_err(), "number {number}");
        }
    }
}

#[test]
fn bombs_in_place_of_each_field_are_refused() {
    for frame in valid().into_iter().filter(|frame| frame[0] == 0x82) {
        let head = if frame[1] == 0x18 { 3 } else { 2 };
        let body: ciborium::Value = ciborium::from_reader(&frame[head..]).expect("valid");
        let elements = body.into_array().expect("an array");
        for at in 0..elements.len() {
            let mut start = frame[..head].to_vec();
            start.push(0x80 | u8::try_from(elements.len()).expect("few"));
            for element in &elements[..at] {
                ciborium::into_writer(element, &mut start).expect("fits");
            }
            for mut bomb in bombs() {
                bomb.truncate(FRAME_BYTES_MAX - start.len());
                let bytes = [start.as_slice(), &bomb].concat();
                assert!(Frame::decode(bytes.clone()).is_err() && Payload::decode(&bytes).is_err());
            }
            for confetti in confetti() {
                let mut bytes = [start.as_slice(), &confetti].concat();
                for element in &elements[at + 1..] {
                    ciborium::into_writer(element, &mut bytes).expect("fits");
                }
                // Read as an empty string or refused, as the field wants it.
                feed(&bytes);
            }
        }
    }
}

/// What a later version appends is skipped, but not at any depth or length.
#[test]
fn bombs_behind_the_known_fields_are_refused() {
    for frame in valid().into_iter().filter(|frame| frame[0] == 0x82) {
        let head = if frame[1] == 0x18 { 3 } else { 2 };
        let mut longer = frame.clone();
        // One more element than the message has.
        longer[head] += 1;
        for bomb in bombs() {
            let room = FRAME_BYTES_MAX - longer.len();
            let bytes = [longer.as_slice(), &bomb[..bomb.len().min(room)]].concat();
            assert!(Frame::decode(bytes.clone()).is_err() && Payload::decode(&bytes).is_err());
        }
        for confetti in confetti() {
            let bytes = [longer.as_slice(), &confetti].concat();
            assert!(Frame::decode(bytes.clone()).is_ok() || Payload::decode(&bytes).is_ok());
        }
    }
}

#[test]
fn frames_beyond_the_limit_are_refused_unread() {
    let mut frame = encode(&samples::messages()[1]).expect("fits");
    frame.resize(FRAME_BYTES_MAX + 1, 0);
    assert_eq!(Frame::decode(frame), Err(DecodeError::TooLarge));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        feed(&bytes);
    }

    #[test]
    fn arbitrary_bodies_never_panic(
        number in prop::sample::select(numbers()),
        count in 0_u8..9,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = head(number);
        bytes.push(0x80 | count);
        bytes.extend(body);
        feed(&bytes);
    }

    #[test]
    fn damaged_frames_never_panic(
        frame in prop::sample::select(valid()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        whole: bool,
    ) {
        let mut frame = frame;
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if !whole {
            frame.truncate(cut.index(frame.len()));
        }
        feed(&frame);
    }

    #[test]
    fn arbitrary_texts_are_no_invitations(text in ".{0,200}", prefixed: bool) {
        let text = if prefixed { format!("trellis1{text}") } else { text };
        // A checksum of 30 bits is met by chance once in 10^9.
        prop_assert!(text.parse::<Invitation>().is_err());
    }
}
