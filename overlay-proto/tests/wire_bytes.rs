//! The bytes on the wire, pinned: whoever changes them sees it here.
//!
//! `wire/golden.txt` has one line a message. After a change that is meant, rewrite it with
//! `UPDATE_GOLDEN=1 cargo test -p overlay-proto --test wire_bytes` and read the difference.

#[path = "wire/samples.rs"]
mod samples;

use ciborium::Value;
use overlay_proto::wire::codec::{DecodeError, decode_message, encode};
use overlay_proto::wire::{Frame, Message, Packet, Payload};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Once;

const HEADING: &str = "\
# Every message on the wire, from the fixed values in samples.rs: kind, number, name, bytes, hex.
# Written by: UPDATE_GOLDEN=1 cargo test -p overlay-proto --test wire_bytes
";

fn golden_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/golden.txt")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "an odd number of digits");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

fn message_bytes(message: &Message) -> Vec<u8> {
    encode(message).expect("fits a frame")
}

fn payload_bytes(payload: &Payload) -> Vec<u8> {
    payload.encode().expect("fits a frame")
}

/// What the code writes now: kind, number and name, with the bytes.
fn written() -> Vec<(String, Vec<u8>)> {
    let messages = samples::messages().into_iter().map(|message| {
        (format!("message {} {}", message.number(), message.name()), message_bytes(&message))
    });
    let payloads = samples::payloads().into_iter().map(|payload| {
        (format!("payload {} {}", payload.number(), payload.name()), payload_bytes(&payload))
    });
    let packet = ("packet - Packet".to_owned(), samples::packet().into_frame());
    messages.chain(payloads).chain([packet]).collect()
}

/// Rewrites the file, once however many tests ask for it, before any of them reads it.
fn update() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let lines = written()
            .into_iter()
            .map(|(name, bytes)| format!("{name} {} {}\n", bytes.len(), hex(&bytes)));
        let text: String = std::iter::once(HEADING.to_owned()).chain(lines).collect();
        std::fs::write(golden_path(), text).expect("the golden file can be written");
    });
}

/// What the file says.
fn golden() -> BTreeMap<String, Vec<u8>> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        update();
    }
    let text = std::fs::read_to_string(golden_path()).expect("the golden file is there");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed: Vec<(String, Vec<u8>)> = lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [kind, number, name, length, digits] = words[..] else { panic!("{line}") };
            let bytes = unhex(digits);
            assert_eq!(bytes.len().to_string(), length, "{name}");
            (format!("{kind} {number} {name}"), bytes)
        })
        .collect();
    let count = parsed.len();
    let map: BTreeMap<_, _> = parsed.into_iter().collect();
    assert_eq!(map.len(), count, "a line stands there twice");
    map
}

#[test]
fn every_message_has_the_pinned_bytes() {
    let mut golden = golden();
    for (name, bytes) in written() {
        let pinned = golden.remove(&name).unwrap_or_else(|| panic!("no vector of {name}"));
        assert_eq!(hex(&bytes), hex(&pinned), "{name} has changed on the wire");
    }
    assert!(golden.is_empty(), "vectors of what is no more: {:?}", golden.keys());
}

#[test]
fn pinned_bytes_read_as_the_values() {
    let golden = golden();
    for message in samples::messages() {
        let bytes = &golden[&format!("message {} {}", message.number(), message.name())];
        assert_eq!(Frame::decode(bytes.clone()), Ok(Frame::Message(message)));
    }
    for payload in samples::payloads() {
        let bytes = &golden[&format!("payload {} {}", payload.number(), payload.name())];
        assert_eq!(Payload::decode(bytes), Ok(payload));
    }
    let packet = Frame::decode(golden["packet - Packet"].clone());
    assert_eq!(packet, Ok(Frame::Packet(samples::packet())));
    let parsed = Packet::parse(golden["packet - Packet"].clone()).expect("valid");
    assert_eq!(Payload::decode(parsed.payload()).as_ref(), Ok(&samples::payloads()[3]));
    assert!(parsed.is_stuck() && parsed.is_escalated() && !parsed.is_probe());
    assert_eq!((parsed.hops_left(), parsed.hops_taken(), parsed.estimate()), (62, 2, 4));
}

/// A frame of message `number` with a body that no message has.
fn bodiless(number: u8) -> Vec<u8> {
    match number {
        0..24 => vec![0x82, number, 0xf6],
        _ => vec![0x82, 0x18, number, 0xf6],
    }
}

#[test]
fn a_number_is_known_if_and_only_if_it_has_a_vector() {
    let messages: BTreeSet<u8> = samples::messages().iter().map(Message::number).collect();
    let payloads: BTreeSet<u8> = samples::payloads().iter().map(Payload::number).collect();
    assert_eq!(messages.len(), samples::messages().len());
    assert_eq!(payloads.len(), samples::payloads().len());
    for number in 0..=u8::MAX {
        let expected = |known: bool| match known {
            true => DecodeError::Malformed,
            false => DecodeError::UnknownMessage(number),
        };
        let frame = bodiless(number);
        let known = expected(messages.contains(&number));
        assert_eq!(decode_message(&frame).err(), Some(known), "message {number}");
        let known = expected(payloads.contains(&number));
        assert_eq!(Payload::decode(&frame).err(), Some(known), "payload {number}");
    }
}

#[test]
fn a_number_has_one_form() {
    let long = [&[0x82, 0x18, 2][..], &message_bytes(&samples::messages()[1])[2..]].concat();
    assert_eq!(decode_message(&long), Err(DecodeError::NoFrame));
    for head in [&[][..], &[0x82], &[0x82, 0x18], &[0x83, 2], &[0x9f, 2], &[0xa1, 2]] {
        assert_eq!(Frame::decode(head.to_vec()), Err(DecodeError::NoFrame), "{head:?}");
    }
}

/// The elements of a frame's body, and how to make a frame of others.
fn body(frame: &[u8]) -> (usize, Vec<Value>) {
    let head = if frame[1] == 0x18 { 3 } else { 2 };
    match ciborium::from_reader(&frame[head..]).expect("valid") {
        Value::Array(elements) => (head, elements),
        other => panic!("a body is an array, not {other:?}"),
    }
}

fn with_body(head: &[u8], elements: Vec<Value>) -> Vec<u8> {
    let mut frame = head.to_vec();
    ciborium::into_writer(&Value::Array(elements), &mut frame).expect("fits");
    frame
}

/// Every message and payload frame, each with the check whether a frame reads as the same value.
type Reader = Box<dyn Fn(&[u8]) -> Result<bool, DecodeError>>;

fn readers() -> Vec<(Vec<u8>, Reader)> {
    let messages = samples::messages().into_iter().map(|message| {
        let frame = message_bytes(&message);
        let read = move |bytes: &[u8]| decode_message(bytes).map(|read| read == message);
        (frame, Box::new(read) as Reader)
    });
    let payloads = samples::payloads().into_iter().map(|payload| {
        let frame = payload_bytes(&payload);
        let read = move |bytes: &[u8]| Payload::decode(bytes).map(|read| read == payload);
        (frame, Box::new(read) as Reader)
    });
    messages.chain(payloads).collect()
}

#[test]
fn later_fields_are_skipped_and_missing_ones_refused() {
    let later = [
        Value::Null,
        Value::Integer(7.into()),
        Value::Text("later".to_owned()),
        Value::Bytes(vec![1, 2, 3]),
        Value::Array(vec![Value::Bool(true), Value::Array(vec![])]),
        Value::Map(vec![(Value::Integer(1.into()), Value::Null)]),
    ];
    for (frame, read) in readers() {
        assert_eq!(read(&frame), Ok(true));
        let (head, mut elements) = body(&frame);
        let count = elements.len();
        elements.extend(later.clone());
        assert_eq!(read(&with_body(&frame[..head], elements.clone())), Ok(true), "{}", hex(&frame));
        let first = count - appended(&frame[..head]);
        for fewer in 0..count {
            let cut = with_body(&frame[..head], elements[..fewer].to_vec());
            // Without an appended field it is another value, and still a message.
            let expected = if fewer < first { Err(DecodeError::Malformed) } else { Ok(false) };
            assert_eq!(read(&cut), expected, "{fewer} of {}", hex(&frame));
        }
    }
}

/// How many of a frame's last fields a sender of the first version leaves out.
fn appended(head: &[u8]) -> usize {
    match head {
        [0x82, 12] => 1,       // Login: cookie
        [0x82, 13] => 2,       // LoginReply: retry_after_secs, cookie
        [0x82, 18] => 2,       // Lookup: nonce, careful
        [0x82, 19] => 1,       // LookupReply: denials
        [0x82, 0x18, 40] => 1, // Heartbeat: line_secs
        [0x82, 0x18, 43] => 1, // Locate: nonce
        [0x82, 0x18, 51] => 1, // Enroll: registrar
        [0x82, 0x18, 52] => 1, // EnrollReply: registrar
        _ => 0,
    }
}

#[test]
fn bytes_behind_a_message_and_cuts_in_it_are_refused() {
    for (frame, read) in readers() {
        for extra in [&[0x00][..], &[0xf6], &[0x80], frame.as_slice()] {
            let long = [frame.as_slice(), extra].concat();
            assert_eq!(read(&long), Err(DecodeError::Malformed));
        }
        for length in 0..frame.len() {
            assert!(read(&frame[..length]).is_err(), "{length} of {}", hex(&frame));
        }
    }
}
