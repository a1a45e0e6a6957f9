//! Texts that came, one line of JSON each, in `inbox.jsonl`.
//!
//! A text is on the disk before anybody sees it. The file is cut at a size: the part before is
//! kept as `inbox.old.jsonl`, and what was there before that is forgotten.

use super::{DataError, FILE_MODE, Folder};
use overlay_proto::io::ReceivedText;
use overlay_proto::time::WallTime;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of one inbox file; two are kept. Some ten thousand messages of a line each.
const FILE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// Messages in one answer: a few megabytes at the very most.
pub const INBOX_PAGE: usize = 500;

/// One text in the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxEntry {
    /// Counts up from 1, for this folder.
    pub number: u64,
    /// The message's id in hex.
    pub id: String,
    /// The sender's name, by certificate.
    pub from: String,
    /// The sender's node id in hex.
    pub node: String,
    /// What is said.
    pub text: String,
    /// Milliseconds since the epoch on the sender's clock.
    pub sent_ms: u64,
    /// Milliseconds since the epoch on this machine's clock.
    pub received_ms: u64,
    /// Hops it took.
    pub hops: u8,
    /// Whether it came over the scaffold.
    pub escalated: bool,
}

/// The inbox of a running node.
#[derive(Debug)]
pub struct Inbox {
    current: PathBuf,
    old: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
    last: u64,
}

impl Folder {
    /// Opens the inbox for writing. A last line that a crash has torn is cut off.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn inbox(&self) -> Result<Inbox, DataError> {
        let (old, current) = self.inbox_paths();
        Inbox::open(old, current.clone())
            .map_err(|source| DataError::NoAccess { path: current, source })
    }

    /// The oldest texts with a number above `after`, at most [`INBOX_PAGE`].
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn read_inbox(&self, after: u64) -> Result<Vec<InboxEntry>, DataError> {
        let (old, current) = self.inbox_paths();
        let mut page = Vec::new();
        for path in [old, current] {
            for entry in read(&path).map_err(|source| DataError::NoAccess { path, source })? {
                if entry.number > after && page.len() < INBOX_PAGE {
                    page.push(entry);
                }
            }
        }
        Ok(page)
    }

    fn inbox_paths(&self) -> (PathBuf, PathBuf) {
        (self.file("inbox.old.jsonl"), self.file("inbox.jsonl"))
    }
}

impl Inbox {
    fn open(old: PathBuf, current: PathBuf) -> io::Result<Inbox> {
        let before = read(&old)?.last().map_or(0, |entry| entry.number);
        let last = read(&current)?.last().map_or(before, |entry| entry.number);
        let mut file = append(&current)?;
        let whole = whole_lines(&current)?;
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Inbox { current, old, file, bytes: whole, bytes_max: FILE_BYTES_MAX, last })
    }

    /// Adds a text that came at `now`; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the system says; then the text is not in the inbox.
    pub fn add(&mut self, text: &ReceivedText, now: WallTime) -> io::Result<InboxEntry> {
        if self.bytes >= self.bytes_max {
            std::fs::rename(&self.current, &self.old)?;
            self.file = append(&self.current)?;
            self.bytes = 0;
        }
        let entry = InboxEntry {
            number: self.last + 1,
            id: text.id.to_string(),
            from: text.from.to_string(),
            node: text.node.to_string(),
            text: text.text.clone(),
            sent_ms: text.sent.0,
            received_ms: now.0,
            hops: text.hops,
            escalated: text.escalated,
        };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is half there must not swallow the next line.
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += line.len() as u64;
        self.last += 1;
        Ok(entry)
    }

    /// The number of the newest text; 0 if there was never one.
    pub fn last(&self) -> u64 {
        self.last
    }

    #[cfg(test)]
    pub(super) fn cut_at(mut self, bytes: u64) -> Inbox {
        self.bytes_max = bytes;
        self
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

/// The entries of one file; lines that are none are passed over.
fn read(path: &Path) -> io::Result<Vec<InboxEntry>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut entries = Vec::new();
    for (index, line) in BufReader::new(file).split(b'\n').enumerate() {
        match serde_json::from_slice(&line?) {
            Ok(entry) => entries.push(entry),
            Err(_) => tracing::warn!(file = %path.display(), line = index + 1, "not a message"),
        }
    }
    Ok(entries)
}

/// The length of a file up to its last whole line.
fn whole_lines(path: &Path) -> io::Result<u64> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1))
}
