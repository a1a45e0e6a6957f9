//! Why a data folder cannot be used, and the way out.

use overlay_proto::identity::CertificateError;
use overlay_proto::status::Status;
use std::path::PathBuf;

/// Why a data folder, or a file in it, cannot be used. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The system says no.
    #[error(
        "{} cannot be used ({source}): give this user the right to read and write it, or choose another folder with --data DIR",
        path.display()
    )]
    NoAccess {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no home directory to put a folder in.
    #[error("there is no home directory for the data folder: name a folder with --data DIR")]
    NoHome,
    /// Another process works in the folder.
    #[error(
        "the data folder {} is in use by {}: stop that one first, or choose another folder with --data DIR",
        path.display(),
        process.map_or("another process".to_owned(), |id| format!("process {id}"))
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The number of the process, if it could be read.
        process: Option<u32>,
    },
    /// A file is there that cannot be what it should.
    #[error("{} is damaged ({reason}): {way_out}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        way_out: &'static str,
    },
    /// A file is not there.
    #[error("{} is missing: {way_out}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        way_out: &'static str,
    },
    /// A file would be overwritten.
    #[error("{} is there already: move it away, or choose another folder with --data DIR", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read a secret.
    #[error(
        "{} may be read by others (mode {mode:03o}): if nobody has, run `chmod 600 {}`; else move the folder away and join again",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A certificate in the folder proves nothing now.
    #[error("{} cannot be used ({source}): {}", path.display(), certificate_way_out(*source))]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: CertificateError,
    },
}

impl DataError {
    /// The status code of this error.
    pub fn status(&self) -> Status {
        match self {
            DataError::Certificate { source, .. } => source.status(),
            DataError::Exists { .. } => Status::FORBIDDEN,
            _ => Status::INTERNAL,
        }
    }
}

fn certificate_way_out(error: CertificateError) -> &'static str {
    match error {
        CertificateError::Expired => {
            "check the clock; if it is right, join again with the same name"
        }
        CertificateError::NotYetValid => "the clock of this machine is behind: set it",
        _ => "put back a copy of the file, or move it away and join again with the same name",
    }
}
