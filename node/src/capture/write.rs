//! Writing a capture while links are at work.

use super::{CAPTURE_BYTES_MAX, Direction, EPB_FLAGS, IF_DESCRIPTION, IF_NAME, LINK_TYPE};
use overlay_proto::config::FRAME_BYTES_MAX;
use overlay_proto::id::{LinkId, NodeId};
use overlay_proto::wire::TransportAddress;
use pcap_parser::pcapng::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, OptionCode, PcapNGOption, SectionHeaderBlock,
};
use pcap_parser::{EPB_MAGIC, IDB_MAGIC, SHB_MAGIC, ToVec};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A block waits no longer than this and the next one before it is in the file, so that a capture
/// can be read while it grows.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// What is written at once. The largest block fits in.
const BUFFER_BYTES: usize = 2 * FRAME_BYTES_MAX;
/// Digits behind the point of a second in times: microseconds.
const MICROSECONDS: u8 = 6;

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// There is such a file. It is not overwritten: others might read it, or it is wanted.
    #[error("{} is there already: name another file for the capture, or move it away", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("cannot write a capture to {}: {source}; name a file in a folder of yours", path.display())]
    Io {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file into which the frames of all links go, of at most 256 MiB, which only its owner can read. What
/// it holds is not encrypted.
#[derive(Debug)]
pub struct Capture {
    sink: Mutex<Sink>,
}

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    /// Nothing once the capture has ended.
    out: Option<BufWriter<File>>,
    /// The number of each link's interface.
    links: HashMap<LinkId, u32>,
    interfaces: u32,
    left: u64,
    flushed: Instant,
}

impl Capture {
    /// Makes the file, which must not be there, and says so in the log.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn create(path: &Path) -> Result<Capture, CaptureError> {
        Capture::bounded(path, CAPTURE_BYTES_MAX)
    }

    pub(super) fn bounded(path: &Path, bytes: u64) -> Result<Capture, CaptureError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => CaptureError::Exists { path: path.to_owned() },
            _ => CaptureError::Io { path: path.to_owned(), source },
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(failed)?;
        let mut sink = Sink {
            path: path.to_owned(),
            out: Some(BufWriter::with_capacity(BUFFER_BYTES, file)),
            links: HashMap::new(),
            interfaces: 0,
            left: bytes,
            flushed: Instant::now(),
        };
        sink.write(&section());
        sink.flush();
        tracing::warn!(
            file = %path.display(),
            "capture: all frames of all links are written to this file, not encrypted"
        );
        Ok(Capture { sink: Mutex::new(sink) })
    }

    /// A link is up: an interface of its own.
    pub(crate) fn link_up(&self, link: LinkId, node: NodeId, remote: &TransportAddress) {
        let mut sink = self.lock();
        let number = sink.interfaces;
        if sink.write(&interface(link, node, remote)) {
            sink.interfaces += 1;
            sink.links.insert(link, number);
        }
    }

    /// A link is gone.
    pub(crate) fn link_down(&self, link: LinkId) {
        self.lock().links.remove(&link);
    }

    /// Notes a frame, without its length.
    pub(crate) fn frame(&self, link: LinkId, direction: Direction, frame: &[u8]) {
        let mut sink = self.lock();
        let Some(interface) = sink.links.get(&link).copied() else { return };
        sink.write(&packet(interface, direction, frame));
        if sink.flushed.elapsed() >= FLUSH_AFTER {
            sink.flush();
        }
    }

    /// Puts into the file what waits.
    pub(crate) fn flush(&self) {
        self.lock().flush();
    }

    fn lock(&self) -> MutexGuard<'_, Sink> {
        // Nothing in here panics half-way.
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// Writes a block, whole or not at all. False if it was not written: the capture has ended.
    fn write(&mut self, block: &[u8]) -> bool {
        let Some(out) = &mut self.out else { return false };
        let size = block.len() as u64;
        if block.is_empty() || size > self.left {
            tracing::warn!(file = %self.path.display(), "capture: the file is full, it ends here");
            self.end();
            return false;
        }
        // What fits into the buffer is not torn: the buffer goes out whole before it.
        if let Err(error) = out.write_all(block) {
            tracing::warn!(file = %self.path.display(), %error, "capture: it ends here");
            self.out = None;
            return false;
        }
        self.left -= size;
        true
    }

    fn flush(&mut self) {
        self.flushed = Instant::now();
        if let Some(Err(error)) = self.out.as_mut().map(Write::flush) {
            tracing::warn!(file = %self.path.display(), %error, "capture: it ends here");
            self.out = None;
        }
    }

    fn end(&mut self) {
        self.flush();
        self.out = None;
        self.links.clear();
    }
}

fn option(code: OptionCode, value: &[u8]) -> PcapNGOption<'_> {
    // None of ours is longer than a few hundred bytes.
    PcapNGOption { code, len: u16::try_from(value.len()).unwrap_or(u16::MAX), value: value.into() }
}

fn section() -> Vec<u8> {
    let program = concat!("trellis ", env!("CARGO_PKG_VERSION"));
    let mut block = SectionHeaderBlock {
        block_type: SHB_MAGIC,
        block_len1: 0,
        bom: 0,
        major_version: 1,
        minor_version: 0,
        // Not known before its end.
        section_len: -1,
        options: vec![option(OptionCode::ShbUserAppl, program.as_bytes())],
        block_len2: 0,
    };
    block.to_vec().unwrap_or_default()
}

fn interface(link: LinkId, node: NodeId, remote: &TransportAddress) -> Vec<u8> {
    let (name, about) = (format!("link {}", link.0), format!("node {node} at {remote}"));
    let mut block = InterfaceDescriptionBlock {
        block_type: IDB_MAGIC,
        block_len1: 0,
        linktype: LINK_TYPE,
        reserved: 0,
        snaplen: FRAME_BYTES_MAX as u32,
        options: vec![option(IF_NAME, name.as_bytes()), option(IF_DESCRIPTION, about.as_bytes())],
        block_len2: 0,
        if_tsresol: MICROSECONDS,
        if_tsoffset: 0,
    };
    block.to_vec().unwrap_or_default()
}

fn packet(interface: u32, direction: Direction, frame: &[u8]) -> Vec<u8> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let flags = direction.flags().to_le_bytes();
    // At most FRAME_BYTES_MAX, as every frame of a link.
    let length = frame.len() as u32;
    let mut block = EnhancedPacketBlock {
        block_type: EPB_MAGIC,
        block_len1: 0,
        if_id: interface,
        ts_high: (micros >> 32) as u32,
        ts_low: micros as u32,
        caplen: length,
        origlen: length,
        data: frame,
        options: vec![option(EPB_FLAGS, &flags)],
        block_len2: 0,
    };
    block.to_vec().unwrap_or_default()
}
