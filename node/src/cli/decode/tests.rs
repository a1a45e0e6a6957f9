use super::*;
use std::path::PathBuf;

const OUT: Output = Output { json: true };

fn path(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// Kind, number, name and bytes of every golden vector.
fn vectors() -> Vec<(String, String, String, Vec<u8>)> {
    let text = std::fs::read_to_string(path("../overlay-proto/tests/wire/golden.txt"));
    let text = text.expect("the golden file is there");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let vectors = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, number, name, _, digits] = words[..] else { panic!("{line}") };
        let bytes = unhex(digits).expect("digits");
        (kind.to_owned(), number.to_owned(), name.to_owned(), bytes)
    });
    vectors.collect()
}

fn shown(frame: Vec<u8>) -> Shown {
    let length = frame.len();
    Shown { frame: 1, at_ms: None, link: None, direction: None, length, what: What::of(frame) }
}

fn args() -> DecodeArgs {
    DecodeArgs { frames: Vec::new(), file: None, capture: None, dissector: false }
}

#[test]
fn every_golden_message_is_shown_with_the_names_of_its_fields() {
    for (kind, number, name, bytes) in vectors() {
        if kind != "message" {
            continue;
        }
        let shown = shown(bytes);
        assert!(!shown.what.is_faulty(), "{name}");
        let json = serde_json::to_value(&shown).expect("JSON");
        assert_eq!((&json["kind"], &json["name"]), (&"message".into(), &name.as_str().into()));
        assert_eq!(json["number"].to_string(), number);
        let form = overlay_proto::wire::Message::FORMS.iter().find(|form| form.name == name);
        let fields = form.expect("in the table").fields;
        let lines = lines::text(&shown);
        for field in fields {
            assert!(json["fields"].get(field).is_some(), "{name}.{field} is not in {json}");
            assert!(lines.contains(&format!("\n    {field}:")), "{field} is not in {lines}");
        }
    }
}

#[test]
fn a_packet_is_shown_with_what_it_carries() {
    let (.., bytes) = vectors().into_iter().find(|(kind, ..)| kind == "packet").expect("there");
    let shown = shown(bytes);
    let json = serde_json::to_value(&shown).expect("JSON");
    assert_eq!(json["kind"], "packet");
    assert_eq!((&json["hops_left"], &json["hops_taken"]), (&62.into(), &2.into()));
    assert_eq!(json["payload"]["name"], "EchoReply");
    assert_eq!(json["visited"].as_array().map(Vec::len), Some(2), "{json}");
    let text = lines::text(&shown);
    assert!(text.starts_with("1  packet: EchoReply, payload 63, "), "{text}");
}

#[test]
fn a_message_reads_well() {
    let frame = unhex("8202841a00011170f5001acbf43926").expect("digits");
    let text = "1  KeepAlive, message 2, 15 bytes\n    seq: 70000\n    answer: yes\n    cost: 0\n    \
                told: 3421780262";
    assert_eq!(lines::text(&shown(frame)), text);
}

#[test]
fn what_does_not_decode_is_refused_with_place_and_reason() {
    let frame = shown(vec![0x82, 3, 0x81, 0x20]);
    let json = serde_json::to_value(&frame).expect("JSON");
    assert_eq!((&json["kind"], frame.what.is_faulty()), (&"fault".into(), true));
    assert!(json["offset"].as_u64().is_some_and(|offset| (3..=4).contains(&offset)), "{json}");
    let failure = decode(&DecodeArgs { frames: vec!["82038120".into()], ..args() }, &OUT);
    let failure = failure.expect_err("it does not decode");
    assert_eq!((failure.code, failure.problem.status), (3, Status::MALFORMED));
    let failure = decode(&DecodeArgs { frames: vec!["82zz".into()], ..args() }, &OUT);
    assert_eq!(failure.expect_err("no digits").code, 2);
    let failure = decode(&DecodeArgs { file: Some("no such file".into()), ..args() }, &OUT);
    assert_eq!(failure.expect_err("no file").code, 1);
}

#[test]
fn digits_may_be_written_in_all_the_usual_ways() {
    let bytes = Some(vec![0x82, 0x05, 0x81, 0xf4]);
    for text in ["820581f4", " 0x820581F4 ", "82:05:81:f4", "82 05 81 f4"] {
        assert_eq!(unhex(text), bytes, "{text}");
    }
    for text in ["8", "82g5", "zz", "é0"] {
        assert_eq!(unhex(text), None, "{text}");
    }
}

#[test]
fn a_file_has_one_frame_or_many_as_on_a_link() {
    let dir = tempfile::tempdir().expect("a folder");
    let place = dir.path().join("frames");
    let read = |bytes: &[u8]| {
        std::fs::write(&place, bytes).expect("written");
        let mut reader = Reader { out: &OUT, frames: 0, faults: 0 };
        reader.file(&place).map(|()| (reader.frames, reader.faults))
    };
    let frame = [0x82, 5, 0x81, 0xf4];
    let behind_its_length = [&[0, 0, 0, 4], frame.as_slice()].concat();
    assert_eq!(read(&frame), Ok((1, 0)));
    assert_eq!(read(&behind_its_length.repeat(3)), Ok((3, 0)));
    let torn = [behind_its_length.as_slice(), &[0, 0, 0, 9, 1]].concat();
    let failure = read(&torn).expect_err("torn");
    assert!(failure.line().contains("at byte 8"), "{}", failure.line());
}

/// After a change that is meant: `UPDATE_GOLDEN=1 cargo test -p overlay-node --lib dissector`.
#[test]
fn the_dissector_in_the_documents_is_the_one_of_the_code() {
    let place = path("../docs/trellis.lua");
    let text = dissector::dissector();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&place, &text).expect("docs/trellis.lua can be written");
    }
    let there = std::fs::read_to_string(&place).unwrap_or_default();
    assert_eq!(there, text, "docs/trellis.lua is not the dissector of this code");
}
