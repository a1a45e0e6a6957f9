//! What a user's device keeps of the others that it has let in, in `devices.cbor`.

use super::keys::read_private;
use super::{DataError, Folder};
use overlay_proto::io::DeviceEntry;

/// The name of the file.
const FILE: &str = "devices.cbor";
/// A device takes some 300 bytes and there are a few dozen at most.
const BYTES_MAX: u64 = 256 * 1_024;
const WAY_OUT: &str = "put back a copy of the file, or move it away: the devices stay in, but this one cannot shut them out any more";

impl Folder {
    /// The devices that this one has let in; none before the first.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn devices(&self) -> Result<Vec<DeviceEntry>, DataError> {
        let path = self.file(FILE);
        let Some(bytes) = read_private(&path, BYTES_MAX)? else { return Ok(Vec::new()) };
        ciborium::from_reader(bytes.as_slice()).map_err(|_| DataError::Damaged {
            path,
            reason: "it cannot be read".to_owned(),
            way_out: WAY_OUT,
        })
    }

    /// Keeps the list in place of the one before. Durable when this returns.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn keep_devices(&self, devices: &[DeviceEntry]) -> Result<(), DataError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(devices, &mut bytes).expect("writing to memory does not fail");
        self.replace(FILE, &bytes)
    }
}
