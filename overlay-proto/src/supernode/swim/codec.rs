//! What supernodes say to each other of who lives, in bytes: fixed fields in a fixed order, numbers
//! with the high byte first.
//!
//! ```text
//! message  kind (1) src (40) incarnation (2) dst (40) [probe (1)] [other (40)] [count (2) count × news]
//! news     who (40) incarnation (2) state (1)
//! who      node id (32) life (8)
//! ```

use super::Who;
use crate::id::NodeId;
use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member, Message, State};

/// Not such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a word of the membership protocol, or too long")]
pub(super) struct BadWord;

/// Reads and writes [`Who`] for the library.
#[derive(Clone, Copy, Debug)]
pub(super) struct WhoCodec;

/// A whole message, checked.
#[derive(Debug)]
pub(super) struct Word {
    pub header: Header<Who>,
    /// None if messages of this kind carry no news.
    pub news: Option<Vec<Member<Who>>>,
}

const WHO_BYTES: usize = 40;
const NEWS_BYTES: usize = WHO_BYTES + 3;

impl Word {
    /// Reads a message. All of `data` has to belong to it.
    pub fn read(mut data: &[u8]) -> Result<Word, BadWord> {
        let header = WhoCodec.decode_header(&mut data)?;
        let bare = matches!(header.message, Message::Announce | Message::TurnUndead);
        if bare || data.is_empty() {
            return if data.is_empty() { Ok(Word { header, news: None }) } else { Err(BadWord) };
        }
        need(&data, 2)?;
        let count = usize::from(data.get_u16());
        if data.len() != count * NEWS_BYTES {
            return Err(BadWord);
        }
        let news =
            (0..count).map(|_| WhoCodec.decode_member(&mut data)).collect::<Result<_, _>>()?;
        Ok(Word { header, news: Some(news) })
    }

    pub fn write(&self) -> Result<Vec<u8>, BadWord> {
        let mut out = Vec::new();
        WhoCodec.encode_header(&self.header, &mut out)?;
        if let Some(news) = &self.news {
            out.put_u16(u16::try_from(news.len()).map_err(|_| BadWord)?);
            news.iter().try_for_each(|member| WhoCodec.encode_member(member, &mut out))?;
        }
        Ok(out)
    }

    /// Everybody else whom the message's kind, not its news, speaks of.
    pub fn other(&self) -> Option<&Who> {
        match &self.header.message {
            Message::PingReq { target: who, .. }
            | Message::IndirectPing { origin: who, .. }
            | Message::IndirectAck { target: who, .. }
            | Message::ForwardedAck { origin: who, .. } => Some(who),
            _ => None,
        }
    }
}

fn need(buf: &impl Buf, bytes: usize) -> Result<(), BadWord> {
    if buf.remaining() < bytes { Err(BadWord) } else { Ok(()) }
}

fn room(buf: &impl BufMut, bytes: usize) -> Result<(), BadWord> {
    if buf.remaining_mut() < bytes { Err(BadWord) } else { Ok(()) }
}

fn read_who(buf: &mut impl Buf) -> Result<Who, BadWord> {
    need(buf, WHO_BYTES)?;
    let mut node = [0; 32];
    buf.copy_to_slice(&mut node);
    Ok(Who { node: NodeId(node), life: buf.get_u64() })
}

fn write_who(who: &Who, buf: &mut impl BufMut) {
    buf.put_slice(&who.node.0);
    buf.put_u64(who.life);
}

impl Codec<Who> for WhoCodec {
    type Error = BadWord;

    fn encode_header(&mut self, header: &Header<Who>, mut buf: impl BufMut) -> Result<(), BadWord> {
        let (kind, probe, other) = match &header.message {
            Message::Ping(probe) => (0, Some(*probe), None),
            Message::Ack(probe) => (1, Some(*probe), None),
            Message::PingReq { target, probe_number } => (2, Some(*probe_number), Some(target)),
            Message::IndirectPing { origin, probe_number } => {
                (3, Some(*probe_number), Some(origin))
            }
            Message::IndirectAck { target, probe_number } => (4, Some(*probe_number), Some(target)),
            Message::ForwardedAck { origin, probe_number } => {
                (5, Some(*probe_number), Some(origin))
            }
            Message::Announce => (6, None, None),
            Message::Feed => (7, None, None),
            Message::Gossip => (8, None, None),
            Message::TurnUndead => (9, None, None),
            Message::Broadcast => return Err(BadWord),
        };
        room(&buf, 1 + 2 * WHO_BYTES + 2 + 1 + WHO_BYTES)?;
        buf.put_u8(kind);
        write_who(&header.src, &mut buf);
        buf.put_u16(header.src_incarnation);
        write_who(&header.dst, &mut buf);
        probe.into_iter().for_each(|probe| buf.put_u8(probe));
        other.into_iter().for_each(|who| write_who(who, &mut buf));
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Who>, BadWord> {
        need(&buf, 1 + 2 * WHO_BYTES + 2)?;
        let kind = buf.get_u8();
        let src = read_who(&mut buf)?;
        let src_incarnation = buf.get_u16();
        let dst = read_who(&mut buf)?;
        let probe_number = if kind <= 5 {
            need(&buf, 1)?;
            buf.get_u8()
        } else {
            0
        };
        let message = match kind {
            0 => Message::Ping(probe_number),
            1 => Message::Ack(probe_number),
            2 => Message::PingReq { target: read_who(&mut buf)?, probe_number },
            3 => Message::IndirectPing { origin: read_who(&mut buf)?, probe_number },
            4 => Message::IndirectAck { target: read_who(&mut buf)?, probe_number },
            5 => Message::ForwardedAck { origin: read_who(&mut buf)?, probe_number },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            9 => Message::TurnUndead,
            _ => return Err(BadWord),
        };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, member: &Member<Who>, mut buf: impl BufMut) -> Result<(), BadWord> {
        room(&buf, NEWS_BYTES)?;
        write_who(member.id(), &mut buf);
        buf.put_u16(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Who>, BadWord> {
        need(&buf, NEWS_BYTES)?;
        let who = read_who(&mut buf)?;
        let incarnation = buf.get_u16();
        let state = match buf.get_u8() {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            _ => return Err(BadWord),
        };
        Ok(Member::new(who, incarnation, state))
    }
}
