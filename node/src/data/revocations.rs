//! What a node knows of those who are out, in `revocations.cbor`: so that it refuses them from the
//! first moment after a start, with nobody to ask.

use super::keys::read_private;
use super::{DataError, Folder};
use overlay_proto::config::{REVOCATIONS_MAX, REVOKERS_MAX};
use overlay_proto::identity::RevocationList;
use std::sync::Arc;

/// The name of the file.
const FILE: &str = "revocations.cbor";
/// The most that there can be, at 128 bytes an entry and a kilobyte a head.
const BYTES_MAX: u64 = (REVOKERS_MAX * (128 * REVOCATIONS_MAX + 1_024)) as u64;

impl Folder {
    /// The lists of the last start. What is damaged is passed over: each list is signed and is
    /// fetched again from the other supernodes.
    pub fn revocations(&self) -> Vec<Arc<RevocationList>> {
        let read = read_private(&self.file(FILE), BYTES_MAX);
        let lists = match read {
            Ok(Some(bytes)) => ciborium::from_reader(bytes.as_slice()).map_err(|e| e.to_string()),
            Ok(None) => return Vec::new(),
            Err(error) => Err(error.to_string()),
        };
        lists.unwrap_or_else(|error| {
            tracing::warn!(%error, "the lists of revocations are fetched anew");
            Vec::new()
        })
    }

    /// Keeps the lists in place of those before.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn keep_revocations(&self, lists: &[Arc<RevocationList>]) -> Result<(), DataError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(lists, &mut bytes).expect("writing to memory does not fail");
        self.replace(FILE, &bytes)
    }
}
