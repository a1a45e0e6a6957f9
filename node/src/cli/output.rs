//! What a command shows: tables and lines for people, one JSON value a line for programs.

use super::exit::Failure;
use comfy_table::{ContentArrangement, Table, presets};
use overlay_proto::time::WallTime;
use owo_colors::OwoColorize;
use serde::Serialize;
use std::process::ExitCode;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether they are for a program.
    pub json: bool,
}

impl Output {
    /// For a program or for people.
    pub fn new(json: bool) -> Output {
        Output { json }
    }

    /// Shows a result: `value` to a program, the text that `people` makes to people.
    pub fn show<T: Serialize>(&self, value: &T, people: impl FnOnce() -> String) {
        if self.json {
            match serde_json::to_string(value) {
                Ok(line) => anstream::println!("{line}"),
                Err(error) => tracing::error!(%error, "a result is not shown"),
            }
        } else {
            anstream::println!("{}", people());
        }
    }

    /// Says something in passing, to people only.
    pub fn note(&self, text: &str) {
        if !self.json {
            anstream::eprintln!("{}", text.dimmed());
        }
    }

    /// Shows why a command did not succeed, if it did not, and gives its exit code.
    pub fn end(&self, done: Result<(), Failure>) -> ExitCode {
        let Err(failure) = done else { return ExitCode::SUCCESS };
        if self.json {
            self.show(&failure.problem, String::new);
        } else {
            anstream::eprintln!("{}", printable(&failure.line()).red());
        }
        ExitCode::from(failure.code)
    }
}

/// An empty table with these headings.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// The lines of a table of names and values, without headings.
pub fn table_of(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {}", printable(value));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The first eight digits of a node id: enough to tell nodes apart.
pub fn short(node: &str) -> &str {
    node.get(..8).unwrap_or(node)
}

/// A length of time in its largest unit.
pub fn duration(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7_200 => format!("{} min", secs / 60),
        7_200..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

/// Hours and minutes of `at` where this machine stands; with the day if it is not that of `now`.
pub(super) fn clock(at: WallTime, now: WallTime) -> String {
    let local = |time: WallTime| {
        let time = jiff::Timestamp::from_millisecond(time.0.cast_signed()).unwrap_or_default();
        time.to_zoned(jiff::tz::TimeZone::system())
    };
    let (at, now) = (local(at), local(now));
    let form = if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}

/// The day of `at` where this machine stands, with hours and minutes.
pub fn day(at: WallTime) -> String {
    // Of another day than the beginning of time, so that the day is shown.
    clock(at, WallTime(0))
}

/// `text` from a remote, made safe for a terminal: what moves the cursor, changes colours or turns
/// the direction of writing is replaced, and further lines are indented so that none of them looks
/// like a message of its own.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\n    "),
            '\t' => safe.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_terminal_or_fake_a_line() {
        assert_eq!(printable("plain ünïcode"), "plain ünïcode");
        assert_eq!(printable("a\x1b[31mb\r\u{9b}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
        assert_eq!(printable("hi\n[12:00] eve: lie"), "hi\n    [12:00] eve: lie");
        assert_eq!(printable("\u{202e}evil"), "\u{fffd}evil");
    }

    #[test]
    fn times_are_in_their_largest_unit() {
        assert_eq!(
            [0, 119, 120, 7_199, 7_200, 172_800].map(duration),
            ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]
        );
    }
}
