//! Reading captures: pcapng and the older pcap.

use super::{Direction, EPB_FLAGS, IF_NAME, LINK_TYPE};
use overlay_proto::config::FRAME_BYTES_MAX;
use pcap_parser::pcapng::{Block, EnhancedPacketBlock, InterfaceDescriptionBlock};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Linktype, PcapBlockOwned, PcapError, create_reader};
use std::io::Read;

/// The largest block that is read. Larger ones, such as comments of other programs, are not ours.
const BLOCK_BYTES_MAX: usize = 16 * FRAME_BYTES_MAX;

/// Why a capture cannot be read on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// It is something else.
    #[error("this is neither pcapng nor pcap")]
    NoCapture,
    /// It was captured elsewhere.
    #[error(
        "the packets are of link type {0}, not {ours}: links are encrypted, so only what a node itself \
         has captured can be read (`peer run --capture FILE`)",
        ours = LINK_TYPE.0
    )]
    OtherLinkType(i32),
    /// It ends within a block, as of a node that was killed.
    #[error("the file ends within a block")]
    CutShort,
    /// A block in no known form.
    #[error("a block in no known form")]
    Malformed,
    /// The file could not be read.
    #[error("the file cannot be read")]
    Io,
}

/// One frame of a capture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// When, in milliseconds since the epoch.
    pub(crate) at_ms: Option<u64>,
    /// The link, as the node that captured it calls it.
    pub(crate) link: Option<String>,
    /// Which way.
    pub(crate) direction: Option<Direction>,
    /// The frame, without its length.
    pub(crate) frame: Vec<u8>,
}

/// What is known of an interface.
struct Interface {
    link_type: Linktype,
    name: Option<String>,
    /// Units of time in a second.
    resolution: Option<u64>,
}

/// The frames of a capture, in order.
pub(crate) struct CaptureReader {
    blocks: Box<dyn PcapReaderIterator>,
    interfaces: Vec<Interface>,
}

impl CaptureReader {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`ReadError::NoCapture`], [`ReadError::Io`].
    pub(crate) fn new(from: impl Read + 'static) -> Result<CaptureReader, ReadError> {
        let blocks = create_reader(BLOCK_BYTES_MAX, from).map_err(|error| match error {
            PcapError::ReadError => ReadError::Io,
            _ => ReadError::NoCapture,
        })?;
        Ok(CaptureReader { blocks, interfaces: Vec::new() })
    }

    /// The next frame; none at the end.
    ///
    /// # Errors
    /// [`ReadError`]. There is nothing behind it.
    pub(crate) fn next(&mut self) -> Result<Option<Captured>, ReadError> {
        loop {
            match self.blocks.next() {
                Ok((used, block)) => {
                    let captured = take(&mut self.interfaces, &block);
                    self.blocks.consume(used);
                    if let Some(captured) = captured? {
                        return Ok(Some(captured));
                    }
                    continue;
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {}
                Err(PcapError::UnexpectedEof) => return Err(ReadError::CutShort),
                Err(PcapError::ReadError) => return Err(ReadError::Io),
                Err(_) => return Err(ReadError::Malformed),
            }
            if self.blocks.reader_exhausted() {
                return Err(ReadError::CutShort);
            }
            self.blocks.refill().map_err(|_| ReadError::Io)?;
        }
    }
}

fn take(
    interfaces: &mut Vec<Interface>,
    block: &PcapBlockOwned<'_>,
) -> Result<Option<Captured>, ReadError> {
    match block {
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            Ok(None)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
            interfaces.push(interface(block));
            Ok(None)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
            let interface = usize::try_from(block.if_id).ok().and_then(|id| interfaces.get(id));
            packet(interface.ok_or(ReadError::Malformed)?, block).map(Some)
        }
        PcapBlockOwned::NG(Block::SimplePacket(block)) => {
            ours(interfaces.first().ok_or(ReadError::Malformed)?.link_type)?;
            let length = block.origlen as usize;
            let frame = block.data.get(..length).unwrap_or(block.data).to_vec();
            Ok(Some(Captured { at_ms: None, link: None, direction: None, frame }))
        }
        PcapBlockOwned::NG(_) => Ok(None),
        PcapBlockOwned::LegacyHeader(header) => {
            ours(header.network)?;
            Ok(None)
        }
        PcapBlockOwned::Legacy(block) => {
            let at_ms = u64::from(block.ts_sec) * 1_000 + u64::from(block.ts_usec / 1_000);
            let frame = block.data.to_vec();
            Ok(Some(Captured { at_ms: Some(at_ms), link: None, direction: None, frame }))
        }
    }
}

fn ours(link_type: Linktype) -> Result<(), ReadError> {
    match link_type == LINK_TYPE {
        true => Ok(()),
        false => Err(ReadError::OtherLinkType(link_type.0)),
    }
}

fn interface(block: &InterfaceDescriptionBlock<'_>) -> Interface {
    let name = block.options.iter().find(|option| option.code == IF_NAME);
    let name = name.and_then(|option| option.as_bytes());
    Interface {
        link_type: block.linktype,
        name: name.map(|name| String::from_utf8_lossy(name).into_owned()),
        resolution: block.ts_resolution(),
    }
}

fn packet(from: &Interface, block: &EnhancedPacketBlock<'_>) -> Result<Captured, ReadError> {
    ours(from.link_type)?;
    let units = u128::from(block.ts_high) << 32 | u128::from(block.ts_low);
    let at_ms = from.resolution.and_then(|resolution| {
        let ms = (units * 1_000).checked_div(u128::from(resolution))?;
        u64::try_from(ms).ok()
    });
    let flags = block.options.iter().find(|option| option.code == EPB_FLAGS);
    let flags = flags.and_then(|option| option.value().first_chunk()).copied();
    // The data are padded.
    let frame = block.data.get(..block.caplen as usize).ok_or(ReadError::Malformed)?.to_vec();
    Ok(Captured {
        at_ms,
        link: from.name.clone(),
        direction: flags.and_then(|flags| Direction::of(u32::from_le_bytes(flags))),
        frame,
    })
}
