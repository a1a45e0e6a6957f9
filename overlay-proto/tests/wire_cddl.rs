//! `docs/wire.cddl` says what the code does: the golden bytes have its forms, and the code's table
//! has its numbers, names and fields.

use cddl_cat::cbor::validate_cbor;
use cddl_cat::context::BasicContext;
use cddl_cat::flatten::flatten_from_str;
use ciborium::Value;
use overlay_proto::wire::codec::decode_message;
use overlay_proto::wire::{Form, Message, Payload};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document() -> String {
    read("../docs/wire.cddl")
}

/// Every golden vector that is CBOR: kind and name, with the value.
fn vectors() -> Vec<(String, String, Value)> {
    let text = read("tests/wire/golden.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let vectors = lines.filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, _, name, _, digits] = words[..] else { panic!("{line}") };
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        let value = ciborium::from_reader(bytes.as_slice()).expect("CBOR");
        (kind != "packet").then(|| (kind.to_owned(), name.to_owned(), value))
    });
    vectors.collect()
}

/// The document, to check values by.
fn parsed() -> BasicContext {
    BasicContext::new(flatten_from_str(&document()).expect("the document is CDDL"))
}

/// Checks that `value` has the form of the rule `name`.
fn check(rules: &BasicContext, name: &str, value: &Value) -> Result<(), String> {
    let rule = rules.rules.get(name).ok_or_else(|| format!("no rule {name}"))?;
    validate_cbor(rule, value, rules).map_err(|error| error.to_string())
}

/// The elements of a frame's body.
fn body(frame: &mut Value) -> &mut Vec<Value> {
    match frame {
        Value::Array(parts) => match parts.as_mut_slice() {
            [_, Value::Array(fields)] => fields,
            other => panic!("a frame is a number and a body, not {other:?}"),
        },
        other => panic!("a frame is an array, not {other:?}"),
    }
}

/// Where in `value` something stands, at all depths: the positions in the arrays down to it.
fn places(value: &Value) -> Vec<Vec<usize>> {
    let Value::Array(parts) = value else { return vec![Vec::new()] };
    let below = parts.iter().enumerate().flat_map(|(position, part)| {
        places(part).into_iter().map(move |place| [vec![position], place].concat())
    });
    below.chain([Vec::new()]).collect()
}

/// What stands there.
fn at<'a>(value: &'a mut Value, place: &[usize]) -> &'a mut Value {
    place.iter().fold(value, |value, position| match value {
        Value::Array(parts) => &mut parts[*position],
        other => panic!("no array: {other:?}"),
    })
}

fn bytes(frame: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(frame, &mut bytes).expect("written to memory");
    bytes
}

/// Whether the code takes such a frame.
fn is_read(kind: &str, frame: &Value) -> bool {
    let bytes = bytes(frame);
    match kind {
        "message" => decode_message(&bytes).is_ok(),
        _ => Payload::decode(&bytes).is_ok(),
    }
}

/// A rule of the document for a message or payload.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rule<'a> {
    number: u8,
    fields: Vec<&'a str>,
    /// Of them, those that may be left out.
    optional: usize,
}

/// The rules of the form `Name = [number, [fields]]`.
fn rules(document: &str) -> BTreeMap<&str, Rule<'_>> {
    let mut rules = BTreeMap::new();
    let mut lines = document.lines().filter(|line| !line.trim_start().starts_with(';'));
    while let Some(line) = lines.next() {
        let Some((name, rest)) = line.split_once(" = [") else { continue };
        let Some(number) = rest.strip_suffix(", [") else { continue };
        let mut rule = Rule { number: number.parse().expect("a number"), ..Rule::default() };
        for line in lines.by_ref().take_while(|line| *line != "]]") {
            let (field, _) = line.trim().split_once(": ").expect("a field and its type");
            rule.optional += usize::from(field.starts_with("? "));
            rule.fields.push(field.trim_start_matches("? "));
        }
        assert_eq!(rules.insert(name, rule), None, "two rules {name}");
    }
    rules
}

/// The names of a rule that is a choice: `name = A / B`.
fn choice<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (_, after) = document.split_once(&format!("\n{name} = ")).expect("the rule is there");
    let (rule, _) = after.split_once("\n\n").expect("an empty line behind it");
    rule.split('/').map(str::trim).collect()
}

#[test]
fn the_document_has_the_numbers_names_and_fields_of_the_code() {
    let document = document();
    let mut rules = rules(&document);
    for (root, forms) in [("message", Message::FORMS), ("payload", Payload::FORMS)] {
        let names: Vec<&str> = forms.iter().map(|form| form.name).collect();
        assert_eq!(choice(&document, root), names, "what may be a {root}");
        for Form { number, name, fields, .. } in forms {
            let rule = rules.remove(name).unwrap_or_else(|| panic!("no rule of {name}"));
            assert_eq!((rule.number, rule.fields.as_slice()), (*number, *fields), "{name}");
        }
    }
    assert!(rules.is_empty(), "rules of what is not in the code: {rules:?}");
}

#[test]
fn every_golden_vector_has_the_form_of_its_rule_and_no_other_type_does() {
    let rules = parsed();
    for (kind, name, frame) in vectors() {
        check(&rules, &name, &frame).unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        for place in places(&frame) {
            // Nothing in any message is a fraction.
            let mut wrong = frame.clone();
            *at(&mut wrong, &place) = Value::Float(1.5);
            assert!(check(&rules, &name, &wrong).is_err(), "{place:?} of {name} may be anything");
            assert!(!is_read(&kind, &wrong), "the code takes a fraction at {place:?} of {name}");
        }
        let mut longer = frame.clone();
        body(&mut longer).push(Value::Null);
        assert!(
            check(&rules, &name, &longer).is_err(),
            "{name} has fields that the rule does not have"
        );
    }
}

#[test]
fn what_may_be_left_out_is_what_the_code_does_without() {
    let document = document();
    let (known, rules) = (rules(&document), parsed());
    for (kind, name, frame) in vectors() {
        let rule = &known[name.as_str()];
        for fewer in 0..rule.fields.len() {
            let mut cut = frame.clone();
            body(&mut cut).truncate(fewer);
            let may = fewer >= rule.fields.len() - rule.optional;
            assert_eq!(
                check(&rules, &name, &cut).is_ok(),
                may,
                "{fewer} fields of {name} by the rule"
            );
            assert_eq!(is_read(&kind, &cut), may, "{fewer} fields of {name} by the code");
        }
    }
}

#[test]
fn a_number_has_the_rule_of_its_own_body() {
    let rules = parsed();
    for (kind, name, frame) in vectors() {
        assert_eq!(check(&rules, &kind, &frame), Ok(()), "{name}");
        let Value::Array(mut parts) = frame else { panic!("{name}") };
        parts[0] = Value::Integer(255.into());
        let other = Value::Array(parts);
        assert!(check(&rules, &kind, &other).is_err(), "{name} under an unknown number");
    }
}
