//! What was promised, written down beside the store's file.
//!
//! A log that ends early looks like one that was never longer: SQLite drops the rest of its log
//! after a damaged frame, and a file that was lost or put back from an old copy is a good database,
//! too. So each commit counts one up in the store, and the count is written here, synced, before
//! anybody is answered. A store that has counted less than this file says has lost something.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// What the file's name adds to the store's.
pub(super) const SUFFIX: &str = "-promised";
/// The two slots are written in turn, each in a sector of its own: a write that is torn by a loss
/// of power leaves the other.
const SLOT_BYTES: u64 = 512;
const SLOTS: u64 = 2;

/// The count of commits that were promised.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
}

impl Witness {
    /// Opens the file at `path`, or makes it. Whoever makes it syncs the folder.
    pub(super) fn open(path: &Path) -> io::Result<Witness> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Ok(Witness { file: options.open(path)? })
    }

    /// The highest count promised; none in a new file.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if nothing in it can be believed.
    pub(super) fn promised(&self) -> io::Result<Option<u64>> {
        if self.file.metadata()?.len() == 0 {
            return Ok(None);
        }
        let slots = (0..SLOTS).filter_map(|slot| self.read(slot));
        slots.max().map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Writes down that the commit `count` is promised. When this returns it is on the disk.
    pub(super) fn promise(&self, count: u64) -> io::Result<()> {
        let mut slot = [0; 16];
        slot[..8].copy_from_slice(&count.to_be_bytes());
        slot[8..].copy_from_slice(&check(count));
        self.file.write_all_at(&slot, count % SLOTS * SLOT_BYTES)?;
        self.file.sync_data()
    }

    fn read(&self, slot: u64) -> Option<u64> {
        let mut bytes = [0; 16];
        self.file.read_exact_at(&mut bytes, slot * SLOT_BYTES).ok()?;
        let (count, found) = bytes.split_at(8);
        let count = u64::from_be_bytes(count.try_into().ok()?);
        (check(count) == found).then_some(count)
    }
}

fn check(count: u64) -> [u8; 8] {
    let hash = blake3::derive_key("trellis 2026 store promised count", &count.to_be_bytes());
    let mut check = [0; 8];
    check.copy_from_slice(&hash[..8]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_promise_is_read_back_and_a_torn_one_leaves_the_one_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("store-promised");
        let witness = Witness::open(&path).expect("made");
        assert_eq!(witness.promised().expect("read"), None);
        for count in 1..=5 {
            witness.promise(count).expect("written");
            assert_eq!(witness.promised().expect("read"), Some(count));
        }
        let good = std::fs::read(&path).expect("read");
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).expect("written");
            let promised =
                Witness::open(&path).expect("there").promised().expect("one slot is good");
            assert!(matches!(promised, Some(4 | 5)), "byte {at}: {promised:?}");
        }
        std::fs::write(&path, [0xaa; 1_024]).expect("written");
        let error = Witness::open(&path).expect("there").promised().expect_err("garbage");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
