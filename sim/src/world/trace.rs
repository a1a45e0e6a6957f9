//! The hash of all that happened: equal runs, equal hashes.

use overlay_proto::time::Time;

/// Bytes gathered before they are hashed: blake3 is fastest on many chunks at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Folds every delivered event into one hash.
#[derive(Debug)]
pub(super) struct Trace {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Trace {
    pub(super) fn new() -> Trace {
        Trace { hasher: blake3::Hasher::new(), buffer: Vec::with_capacity(2 * BUFFER_BYTES) }
    }

    /// At this time this node was given an input of this kind, with these bytes.
    pub(super) fn fold(&mut self, at: Time, host: u32, kind: u8, bytes: &[u8]) {
        self.buffer.extend_from_slice(&at.0.to_le_bytes());
        self.buffer.extend_from_slice(&host.to_le_bytes());
        self.buffer.push(kind);
        // The length before the bytes: two different traces never read the same.
        self.buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// The hash so far, in hex.
    pub(super) fn hex(&self) -> String {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.buffer);
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counts() {
        let of = |at, host, kind, bytes: &[u8]| {
            let mut trace = Trace::new();
            trace.fold(Time(at), host, kind, bytes);
            trace.hex()
        };
        let base = of(1, 2, 3, b"ab");
        assert_eq!(base, of(1, 2, 3, b"ab"));
        let others =
            [of(2, 2, 3, b"ab"), of(1, 3, 3, b"ab"), of(1, 2, 4, b"ab"), of(1, 2, 3, b"a")];
        assert!(others.iter().all(|other| *other != base));
    }
}
