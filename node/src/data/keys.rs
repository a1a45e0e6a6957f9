//! Secret keys in files of their own.
//!
//! A key file holds its public half too: a key that does not give that public half is damaged, and
//! so is one of another kind.

use super::write::{Replace, sync_folder, write};
use super::{DataError, Folder};
use overlay_proto::id::NodeId;
use overlay_proto::identity::SecretKey;
use rand::CryptoRng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// What a key is for. Each has one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The machine's own key; its public half is the node id.
    Device,
    /// The user's key, which certifies devices.
    User,
    /// The realm's root key, on one machine of the realm.
    Root,
    /// The registrar's key, which certifies users.
    Registrar,
}

/// Longer than any key file: more is not read.
const KEY_FILE_BYTES_MAX: u64 = 1_024;
/// The end of the name of a key that belongs to a join not yet granted.
const JOINING: &str = ".joining";

/// The randomness of the operating system. Panics when there is none: without it there is no key
/// worth having.
pub fn system_rng() -> impl CryptoRng {
    UnwrapErr(SysRng)
}

impl KeyKind {
    /// The kind in one word.
    fn word(self) -> &'static str {
        match self {
            KeyKind::Device => "device",
            KeyKind::User => "user",
            KeyKind::Root => "root",
            KeyKind::Registrar => "registrar",
        }
    }

    /// The name of its file.
    pub fn file(self) -> String {
        format!("{}.key", self.word())
    }

    fn way_out(self) -> &'static str {
        match self {
            KeyKind::Device | KeyKind::User => {
                "put back a copy of the file; without one this user's name is lost: move the folder away and join with a new name"
            }
            KeyKind::Root | KeyKind::Registrar => {
                "put back a copy of the file; without one the realm can take nobody in any more"
            }
        }
    }

    fn render(self, key: &SecretKey) -> Zeroizing<String> {
        // A node id and a key have the same form in hex.
        let secret = NodeId(*key.to_bytes());
        let public = NodeId(key.public());
        let word = self.word();
        Zeroizing::new(format!("trellis {word} key 1\nsecret {secret}\npublic {public}\n"))
    }

    fn parse(self, text: &str) -> Result<SecretKey, String> {
        let mut lines = text.lines();
        let head = format!("trellis {} key 1", self.word());
        if lines.next() != Some(head.as_str()) {
            return Err(format!("it does not begin with \"{head}\""));
        }
        let mut field = |name: &str| {
            let value = lines.next()?.strip_prefix(name)?.strip_prefix(' ')?;
            value.parse::<NodeId>().ok()
        };
        let secret = field("secret").ok_or("its secret is not 64 hexadecimal digits")?;
        let public = field("public").ok_or("its public half is not 64 hexadecimal digits")?;
        let key = SecretKey::from_bytes(secret.0);
        match key.public() == public.0 {
            true => Ok(key),
            false => Err("the two halves of the key do not fit".to_owned()),
        }
    }
}

impl Folder {
    /// Reads a key.
    ///
    /// # Errors
    /// [`DataError`]; a missing file is [`DataError::Missing`].
    pub fn key(&self, kind: KeyKind) -> Result<SecretKey, DataError> {
        let path = self.file(&kind.file());
        match read_key(kind, &path)? {
            Some(key) => Ok(key),
            None => Err(DataError::Missing { path, way_out: kind.way_out() }),
        }
    }

    /// Reads a key, if it is there.
    ///
    /// # Errors
    /// [`DataError`], if it is there and cannot be used.
    pub fn key_if_there(&self, kind: KeyKind) -> Result<Option<SecretKey>, DataError> {
        read_key(kind, &self.file(&kind.file()))
    }

    /// Writes a new key.
    ///
    /// # Errors
    /// [`DataError::Exists`], [`DataError::NoAccess`].
    pub fn write_key(&self, kind: KeyKind, key: &SecretKey) -> Result<(), DataError> {
        let path = self.file(&kind.file());
        write_key(kind, key, &path)
    }

    /// A key for a join: the one in force if there is one, the one of a join that did not end, or
    /// a new one. It is on the disk when this returns, so that a name granted to it is never lost.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn joining_key(&self, kind: KeyKind) -> Result<SecretKey, DataError> {
        if let Some(key) = self.key_if_there(kind)? {
            return Ok(key);
        }
        let path = self.joining_path(kind);
        // Nothing was ever granted to a damaged one for sure; but it may have been, so ask.
        if let Some(key) = read_key(kind, &path)? {
            return Ok(key);
        }
        let key = SecretKey::generate(&mut system_rng());
        write_key(kind, &key, &path)?;
        Ok(key)
    }

    /// Puts a key of a join that was granted in force.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn keep_joining_key(&self, kind: KeyKind) -> Result<(), DataError> {
        let path = self.joining_path(kind);
        let no_access = |source| DataError::NoAccess { path: path.clone(), source };
        if !path.try_exists().map_err(no_access)? {
            return Ok(());
        }
        std::fs::rename(&path, self.file(&kind.file())).map_err(no_access)?;
        sync_folder(self.path()).map_err(no_access)
    }

    /// Removes a key of a join that was refused.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn drop_joining_key(&self, kind: KeyKind) -> Result<(), DataError> {
        let path = self.joining_path(kind);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(DataError::NoAccess { path, source })
            }
            _ => Ok(()),
        }
    }

    fn joining_path(&self, kind: KeyKind) -> std::path::PathBuf {
        self.file(&(kind.file() + JOINING))
    }
}

fn write_key(kind: KeyKind, key: &SecretKey, path: &Path) -> Result<(), DataError> {
    write(path, kind.render(key).as_bytes(), Replace::Refused).map_err(|source| {
        match source.kind() {
            io::ErrorKind::AlreadyExists => DataError::Exists { path: path.to_owned() },
            _ => DataError::NoAccess { path: path.to_owned(), source },
        }
    })
}

fn read_key(kind: KeyKind, path: &Path) -> Result<Option<SecretKey>, DataError> {
    let Some(bytes) = read_private(path, KEY_FILE_BYTES_MAX)? else { return Ok(None) };
    let damaged =
        |reason| DataError::Damaged { path: path.to_owned(), reason, way_out: kind.way_out() };
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not text".to_owned()))?;
    kind.parse(text).map(Some).map_err(damaged)
}

/// Reads a file that only its owner may read, up to `most` bytes; none if it is not there.
pub(super) fn read_private(path: &Path, most: u64) -> Result<Option<Vec<u8>>, DataError> {
    use std::io::Read;
    let no_access = |source| DataError::NoAccess { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(no_access)?,
    };
    let mode = file.metadata().map_err(no_access)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DataError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(no_access)?;
    Ok(Some(bytes))
}
