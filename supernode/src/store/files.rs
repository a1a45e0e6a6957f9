//! The files of an embedded store: made for their owner alone, and known to their folder.

use super::witness;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only the owner reads and writes: the store says who has which key.
const FILE_MODE: u32 = 0o600;
/// Only the owner enters.
const FOLDER_MODE: u32 = 0o700;

/// Makes the folder and an empty file, so that SQLite never makes one that others may read.
pub(super) fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?.sync_all()?;
    witness::Witness::open(&companion(path, witness::SUFFIX))?;
    // SQLite syncs what is in its files; that there is a file by this name, the folders must know.
    for folder in folder.into_iter().flat_map(|folder| folder.ancestors().take(2)) {
        match File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) {
            // A folder above that may be passed but not read is not ours to sync.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            opened => opened?.sync_all()?,
        }
    }
    Ok(())
}

/// Takes the file and its companions from everybody but the owner, whatever the umask was.
pub(super) fn restrict(path: &Path) -> io::Result<()> {
    for file in ["", "-wal", "-shm", witness::SUFFIX].map(|suffix| companion(path, suffix)) {
        match std::fs::set_permissions(&file, Permissions::from_mode(FILE_MODE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

/// The file beside `path` whose name ends in `suffix`.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// `path` as a URL for SQLite. Whatever is not plain is escaped.
pub(super) fn url(path: &Path) -> io::Result<String> {
    use std::fmt::Write;
    // A URL has `..` taken out of it by its letters; the file system follows links first.
    let path = path.canonicalize()?;
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' => {
                url.push(char::from(*byte));
            }
            byte => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    Ok(url)
}
