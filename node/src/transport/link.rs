//! One link at work: frames from its substream to the loop, and from its outbox to the substream.
//!
//! A frame is its length as four bytes, big-endian, and its bytes.

use super::limits::{
    ARRIVALS_PER_LINK_MAX, HANG_UP_PATIENCE, READ_BUFFER_BYTES, WRITE_BYTES_MAX, WRITE_STALL_MAX,
};
use super::outbox::{LENGTH_BYTES, Outbox};
use super::tally::Tally;
use super::{Arrival, Arrivals};
use crate::capture::{Capture, Direction};
use futures::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use overlay_proto::config::FRAME_BYTES_MAX;
use overlay_proto::id::LinkId;
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

/// One link and what it works with.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) arrivals: Arrivals,
    pub(crate) tally: Arc<Tally>,
    /// Where its frames are noted.
    pub(crate) capture: Option<Arc<Capture>>,
}

/// Why a link is at its end.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The other end has closed it, or it is broken.
    #[error("{0}")]
    Closed(#[from] io::Error),
    /// It sent a length that no frame may have.
    #[error("a frame of {0} bytes was announced, more than {FRAME_BYTES_MAX}")]
    TooLarge(u32),
    /// It does not take what is sent, or next to nothing of it.
    #[error("the other end has not taken {0} bytes in {secs} s", secs = WRITE_STALL_MAX.as_secs())]
    Stalled(usize),
    /// This end has hung up.
    #[error("hung up")]
    HungUp,
    /// The loop is gone.
    #[error("the node has ended")]
    NodeEnded,
}

impl Link {
    /// Carries frames until the link ends, then tells the loop. What came before the end reaches
    /// the loop before the end does.
    pub(crate) async fn run<S: AsyncRead + AsyncWrite>(self, stream: S) {
        let (reader, writer) = stream.split();
        let end = self.carry(reader, writer).await;
        match end {
            End::TooLarge(_) => info!(link = self.id.0, %end, "link refused"),
            End::Stalled(_) => {
                info!(link = self.id.0, %end, "link stalled");
                Tally::add(&self.tally.links_stalled, 1);
            }
            _ => debug!(link = self.id.0, %end, "link down"),
        }
        self.outbox.close();
        if let Some(capture) = &self.capture {
            capture.link_down(self.id);
        }
        // If the loop is gone, nobody needs to know.
        let _ = self.arrivals.send(Arrival::Down { link: self.id }).await;
    }

    async fn carry<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        reader: R,
        writer: W,
    ) -> End {
        let reading = self.read(reader);
        let writing = self.write(writer);
        let overdue = async {
            self.outbox.closed().await;
            sleep(HANG_UP_PATIENCE).await;
        };
        tokio::pin!(reading, writing);
        tokio::select! {
            end = &mut reading => end,
            // Either all is sent and our direction is closed, and the other end closes its own
            // when it has read all: QUIC would throw away what is still under way if we closed
            // the connection now. Or the link is broken: what came before may still be read.
            sent = &mut writing => match (sent, timeout(HANG_UP_PATIENCE, reading).await) {
                (End::Stalled(bytes), _) => End::Stalled(bytes),
                (_, Ok(End::TooLarge(bytes))) => End::TooLarge(bytes),
                (sent, _) => sent,
            },
            // The other end does not read.
            () = overdue => End::HungUp,
        }
    }

    async fn read<R: AsyncRead + Unpin>(&self, reader: R) -> End {
        match self.read_frames(reader).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn read_frames<R: AsyncRead + Unpin>(
        &self,
        reader: R,
    ) -> Result<std::convert::Infallible, End> {
        let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
        let room = Arc::new(Semaphore::new(ARRIVALS_PER_LINK_MAX));
        loop {
            let frames = next_frames(&mut reader).await?;
            self.count(&frames);
            let permit = Arc::clone(&room).acquire_owned().await.map_err(|_| End::NodeEnded)?;
            let arrival = Arrival::Frames { link: self.id, frames, _room: permit };
            self.arrivals.send(arrival).await.map_err(|_| End::NodeEnded)?;
        }
    }

    fn count(&self, frames: &[Vec<u8>]) {
        Tally::add(&self.tally.frames_in, frames.len() as u64);
        Tally::add(&self.tally.bytes_in, bytes_of(frames) as u64);
        if let Some(capture) = &self.capture {
            frames.iter().for_each(|frame| capture.frame(self.id, Direction::In, frame));
        }
    }

    async fn write<W: AsyncWrite + Unpin>(&self, writer: W) -> End {
        match self.write_frames(writer).await {
            Ok(()) => End::HungUp,
            Err(end) => end,
        }
    }

    async fn write_frames<W: AsyncWrite + Unpin>(&self, mut writer: W) -> Result<(), End> {
        let mut buffer = Vec::new();
        loop {
            let frames = self.outbox.fill(&mut buffer).await;
            if frames == 0 {
                return Ok(writer.close().await?);
            }
            let taken = async {
                writer.write_all(&buffer).await?;
                writer.flush().await
            };
            // All of it, not a byte: who takes a little now and then would keep its queues for ever.
            let taken = timeout(WRITE_STALL_MAX, taken).await;
            taken.map_err(|_| End::Stalled(buffer.len()))??;
            Tally::add(&self.tally.frames_out, frames);
            Tally::add(&self.tally.bytes_out, buffer.len() as u64);
            if let Some(capture) = &self.capture {
                frames_of(&buffer).for_each(|frame| capture.frame(self.id, Direction::Out, frame));
            }
            settle(&mut buffer);
        }
    }
}

/// Waits for a frame, and takes those that have come as a whole with the same read.
async fn next_frames<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> Result<Vec<Vec<u8>>, End> {
    let mut frames = vec![next_frame(reader).await?];
    frames.extend(frames_of(reader.buffer()).map(<[u8]>::to_vec));
    reader.consume_unpin(bytes_of(&frames[1..]));
    Ok(frames)
}

// What is buffered as a whole is no larger than a frame may be: only the next one has to be looked at.
const _: () = assert!(READ_BUFFER_BYTES <= FRAME_BYTES_MAX);

async fn next_frame<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> Result<Vec<u8>, End> {
    let mut length = [0; LENGTH_BYTES];
    reader.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length);
    if length as usize > FRAME_BYTES_MAX {
        return Err(End::TooLarge(length));
    }
    let mut frame = vec![0; length as usize];
    reader.read_exact(&mut frame).await?;
    Ok(frame)
}

/// The bytes of frames with their lengths before them.
fn bytes_of(frames: &[Vec<u8>]) -> usize {
    frames.iter().map(|frame| LENGTH_BYTES + frame.len()).sum()
}

/// Empties a buffer that was written. One that was much too large halves: a transfer keeps its buffer, and
/// of thousands of links that were busy once none does, after a few keep-alives.
fn settle(buffer: &mut Vec<u8>) {
    let (written, capacity) = (buffer.len(), buffer.capacity());
    buffer.clear();
    if written < capacity / 4 {
        buffer.shrink_to((capacity / 2).max(WRITE_BYTES_MAX / 16));
    }
}

/// The whole frames at the beginning of a buffer, each after its length.
fn frames_of(buffer: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (frame, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after;
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_stays_while_it_is_used_and_goes_when_it_is_not() {
        let mut buffer = vec![0; WRITE_BYTES_MAX];
        for _ in 0..100 {
            settle(&mut buffer);
            assert!(buffer.is_empty() && buffer.capacity() >= WRITE_BYTES_MAX);
            buffer.resize(WRITE_BYTES_MAX / 2, 0);
        }
        for _ in 0..4 {
            settle(&mut buffer);
            buffer.resize(20, 0);
        }
        assert!(buffer.capacity() <= WRITE_BYTES_MAX / 8, "{}", buffer.capacity());
    }
}
