//! Datagrams of encrypted sessions: what a packet carries that is no end-to-end message.
//!
//! ```text
//!  0  mark 0x02       1  flags: deaf
//!  2  the bytes of the session, opaque to everybody but its two ends
//! ```
//!
//! No CBOR: a session's packet goes through hundreds of thousands of times a second, and the core
//! has nothing to read in it.

/// The first byte of a session's datagram. No end-to-end message begins with it.
pub const DATAGRAM_MARK: u8 = 0x02;
/// Bytes before those of the session.
pub const DATAGRAM_HEAD: usize = 2;

const DEAF: u8 = 0b0000_0001;

/// The head of a datagram. `deaf` says that its sender has heard nothing for a while although it
/// sends: the way back does not work.
pub fn head(deaf: bool) -> [u8; DATAGRAM_HEAD] {
    [DATAGRAM_MARK, if deaf { DEAF } else { 0 }]
}

/// Whether the sender is deaf, if `payload` is a datagram. Unknown flags are passed over.
pub fn read(payload: &[u8]) -> Option<bool> {
    match payload {
        [DATAGRAM_MARK, flags, ..] => Some(flags & DEAF != 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Payload;

    #[test]
    fn a_datagram_is_no_message_and_says_whether_its_sender_is_deaf() {
        for deaf in [false, true] {
            let head = head(deaf);
            assert_eq!(read(&head), Some(deaf));
            assert!(Payload::decode(&head).is_err());
        }
        assert_eq!(read(&[DATAGRAM_MARK]), None);
        assert_eq!(read(&[0x82, 0x18, 60]), None);
        assert_eq!(read(&[DATAGRAM_MARK, 0xfe]), Some(false));
    }
}
