//! `peer decode`: frames for people.

mod dissector;
mod lines;
mod shown;
#[cfg(test)]
mod tests;

use super::args::DecodeArgs;
use super::exit::Failure;
use super::output::Output;
use crate::capture::{CaptureReader, Captured};
use overlay_proto::config::FRAME_BYTES_MAX;
use overlay_proto::status::Status;
use serde::Serialize;
use shown::What;
use std::fs::File;
use std::io::BufRead;
use std::path::Path;

/// Bytes of a frame's length, where it stands before the frame.
const LENGTH_BYTES: usize = 4;

/// One frame, as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    /// Its number, from 1.
    frame: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<crate::capture::Direction>,
    /// Its bytes.
    length: usize,
    #[serde(flatten)]
    what: What,
}

/// What was shown so far.
struct Reader<'a> {
    out: &'a Output,
    frames: u64,
    faults: u64,
}

pub(super) fn decode(args: &DecodeArgs, out: &Output) -> Result<(), Failure> {
    if args.dissector {
        anstream::print!("{}", dissector::dissector());
        return Ok(());
    }
    let mut reader = Reader { out, frames: 0, faults: 0 };
    match (&args.file, &args.capture) {
        (Some(path), _) => reader.file(path)?,
        (None, Some(path)) => reader.capture(path)?,
        (None, None) if args.frames.is_empty() => reader.lines(std::io::stdin().lock())?,
        (None, None) => args.frames.iter().try_for_each(|frame| reader.digits(frame))?,
    }
    reader.end()
}

impl Reader<'_> {
    fn show(&mut self, captured: Captured) {
        let Captured { at_ms, link, direction, frame } = captured;
        self.frames += 1;
        let (frames, length) = (self.frames, frame.len());
        let what = What::of(frame);
        self.faults += u64::from(what.is_faulty());
        let shown = Shown { frame: frames, at_ms, link, direction, length, what };
        self.out.show(&shown, || lines::text(&shown));
    }

    fn bytes(&mut self, frame: Vec<u8>) {
        self.show(Captured { at_ms: None, link: None, direction: None, frame });
    }

    fn digits(&mut self, text: &str) -> Result<(), Failure> {
        let frame = unhex(text).ok_or_else(|| {
            Failure::usage("a frame is written as hexadecimal digits, two a byte, such as 820581f4")
        })?;
        self.bytes(frame);
        Ok(())
    }

    fn lines(&mut self, from: impl BufRead) -> Result<(), Failure> {
        for line in from.lines() {
            let line = line.map_err(|error| {
                Failure::usage(format!("standard input cannot be read ({error}): give digits"))
            })?;
            if !line.trim().is_empty() {
                self.digits(&line)?;
            }
        }
        Ok(())
    }

    /// A frame, or several as on a link: those begin with a length, whose first byte is zero, and
    /// no frame begins so.
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
        if bytes.first() != Some(&0) {
            self.bytes(bytes);
            return Ok(());
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (frame, after) = split(rest).ok_or_else(|| {
                let offset = bytes.len() - rest.len();
                malformed(format!("{} has no whole frame at byte {offset}", path.display()))
            })?;
            rest = after;
            self.bytes(frame.to_vec());
        }
        Ok(())
    }

    fn capture(&mut self, path: &Path) -> Result<(), Failure> {
        let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
        let failed =
            |error: crate::capture::ReadError| malformed(format!("{}: {error}", path.display()));
        let mut frames = CaptureReader::new(file).map_err(failed)?;
        while let Some(captured) = frames.next().map_err(failed)? {
            self.show(captured);
        }
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        match self.faults {
            0 => Ok(()),
            faults => Err(malformed(format!("{faults} of {} frames do not decode", self.frames))),
        }
    }
}

/// The frame at the front of `bytes`, behind its length, and what is behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = bytes.split_at_checked(LENGTH_BYTES)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    if length > FRAME_BYTES_MAX {
        return None;
    }
    after.split_at_checked(length)
}

fn unreadable(path: &Path, error: &str) -> Failure {
    Failure::local(format!("{} cannot be read ({error}): check the name", path.display()))
}

fn malformed(text: String) -> Failure {
    Failure::new(
        Status::MALFORMED,
        text,
        "see docs/wire.md for what a frame is, or decode with the version that has written it",
    )
}

/// Digits to bytes. Blanks and colons between them, and a `0x` before them, are passed over.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits = text.chars().filter(|c| !c.is_whitespace() && *c != ':');
    let digits: Vec<u8> = digits.map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let pairs = digits.chunks(2);
    pairs.map(|pair| <[u8; 2]>::try_from(pair).ok().map(|[high, low]| high << 4 | low)).collect()
}
