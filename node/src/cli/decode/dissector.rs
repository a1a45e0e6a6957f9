//! The dissector for Wireshark: fixed Lua, with the code's own tables in front of it.

use overlay_proto::wire::layout::{HEADER, HEADER_FLAGS};
use overlay_proto::wire::{Class, Form, Message, Payload};
use std::fmt::Write;

/// What does not depend on the tables.
const BODY: &str = include_str!("dissector.lua");

/// The dissector's text.
pub(super) fn dissector() -> String {
    let mut text = String::from(
        "-- A dissector of Trellis frames for Wireshark and tshark: docs/wire.md says how to use it.\n\
         -- Written by `peer decode --dissector` from the code's own tables; do not change it here.\n\n",
    );
    forms(&mut text, "MESSAGES", "Messages between two nodes", Message::FORMS);
    forms(&mut text, "PAYLOADS", "Payloads of packets", Payload::FORMS);
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line("-- The header of a packet: name, first byte, bytes, what it says.".to_owned());
    line("local HEADER = {".to_owned());
    for field in HEADER {
        let (name, about) = (field.name, field.about);
        line(format!("  {{ {name:?}, {}, {}, {about:?} }},", field.offset, field.bytes));
    }
    line("}\n\n-- The flags of a packet: name, bit, what it says.\nlocal FLAGS = {".to_owned());
    for flag in HEADER_FLAGS {
        line(format!("  {{ {:?}, {:#04x}, {:?} }},", flag.name, flag.mask, flag.about));
    }
    line("}\n\n-- The two low bits beside them.\nlocal CLASSES = {".to_owned());
    for class in Class::ALL {
        line(format!("  [{}] = \"{class:?}\",", class as u8));
    }
    line("}\n".to_owned());
    text.push_str(BODY);
    text
}

fn forms(text: &mut String, name: &str, about: &str, forms: &[Form]) {
    let _ = writeln!(text, "-- {about}: number, name, fields in order.\nlocal {name} = {{");
    for Form { number, name, fields, .. } in forms {
        let fields: Vec<String> = fields.iter().map(|field| format!("{field:?}")).collect();
        let _ = writeln!(text, "  [{number}] = {{ {name:?}, {{ {} }} }},", fields.join(", "));
    }
    text.push_str("}\n\n");
}
