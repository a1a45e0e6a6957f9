//! A frame as lines for people: one heading, then its fields, one a line and indented.

use super::Shown;
use super::shown::{Carried, What};
use crate::capture::Direction;
use crate::cli::output::printable;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// The text of a frame.
pub(super) fn text(shown: &Shown) -> String {
    let (title, fields) = match &shown.what {
        What::Message { number, name, fields } => {
            (format!("{name}, message {number}"), lines_of(fields))
        }
        What::Packet(header) => {
            let carried = match &header.payload {
                Carried::Message { name, number, .. } => format!("{name}, payload {number}"),
                Carried::Datagram { .. } => "datagram".to_owned(),
                Carried::Fault { .. } => "payload does not decode".to_owned(),
            };
            (format!("packet: {carried}"), lines_of(header))
        }
        What::Fault { offset, reason } => {
            (format!("does not decode: at byte {offset}: {}", printable(reason)), String::new())
        }
    };
    format!("{}  {title}, {} bytes{}{fields}", shown.frame, shown.length, whence(shown))
}

fn whence(shown: &Shown) -> String {
    let direction = match shown.direction {
        Some(Direction::In) => ", received",
        Some(Direction::Out) => ", sent",
        None => "",
    };
    let link = shown.link.as_ref().map(|link| format!(" on {}", printable(link)));
    let at = shown.at_ms.map(|at| {
        let at = jiff::Timestamp::from_millisecond(at.cast_signed()).unwrap_or_default();
        let at = at.to_zoned(jiff::tz::TimeZone::system());
        format!(" at {}", at.strftime("%H:%M:%S%.3f"))
    });
    format!("{direction}{}{}", link.unwrap_or_default(), at.unwrap_or_default())
}

/// The fields of `value` in their order, each line after a line break.
fn lines_of<T: Serialize>(value: &T) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Lines::default());
    // Written to memory, from values with plain keys.
    if value.serialize(&mut serializer).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(|line| printable(line.trim_end())).collect::<Vec<_>>().join("\n")
}

/// Writes names and values a line each, instead of JSON's signs.
#[derive(Default)]
struct Lines {
    depth: usize,
    /// A list has begun, and nothing of it is written yet.
    empty: bool,
}

impl Lines {
    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        write!(writer, "\n{:width$}", "", width = 2 + 2 * self.depth)
    }
}

impl Formatter for Lines {
    fn write_null<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"none")
    }

    fn write_bool<W: ?Sized + Write>(&mut self, writer: &mut W, value: bool) -> io::Result<()> {
        writer.write_all(if value { b"yes" } else { b"no" })
    }

    fn begin_string<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }

    fn end_string<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.empty = true;
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if std::mem::take(&mut self.empty) { writer.write_all(b"none") } else { Ok(()) }
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, _: bool) -> io::Result<()> {
        self.empty = false;
        self.line(writer)?;
        writer.write_all(b"- ")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.depth += 1;
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.depth -= 1;
        Ok(())
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, _: bool) -> io::Result<()> {
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
