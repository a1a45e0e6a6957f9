//! Files that are whole or not there.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Whether a file that is there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    Allowed,
    /// Keys are made once; a second file of that name is somebody's mistake.
    Refused,
}

/// Writes `bytes` to `path`, readable by the owner only. When this returns they are on the disk;
/// whatever goes wrong before, the file is as it was.
pub(super) fn write(path: &Path, bytes: &[u8], replace: Replace) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    // tempfile makes its files with mode 0600.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match replace {
        Replace::Allowed => file.persist(path).map_err(|error| error.error)?,
        Replace::Refused => file.persist_noclobber(path).map_err(|error| error.error)?,
    };
    sync_folder(folder)
}

/// Makes a rename or removal in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
