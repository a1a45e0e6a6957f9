//! The directory of a run.

use super::run::LaunchError;
use std::path::{Path, PathBuf};

/// The directory of a run: temporary unless the user has named one.
pub(super) enum Ground {
    Temporary(tempfile::TempDir),
    Named(PathBuf),
}

impl Ground {
    pub(super) fn prepare(named: Option<&Path>) -> Result<Ground, LaunchError> {
        let ground = match named {
            None => {
                let made = tempfile::Builder::new().prefix("trellis-").tempdir();
                let failed = |source| LaunchError::Directory { path: std::env::temp_dir(), source };
                Ground::Temporary(made.map_err(failed)?)
            }
            Some(path) => {
                let failed = |source| LaunchError::Directory { path: path.to_owned(), source };
                std::fs::create_dir_all(path).map_err(failed)?;
                if std::fs::read_dir(path).map_err(failed)?.next().is_some() {
                    return Err(LaunchError::NotEmpty { path: path.to_owned() });
                }
                // The children must find it wherever they are.
                Ground::Named(path.canonicalize().map_err(failed)?)
            }
        };
        for part in ["logs", "supernodes", "peers"] {
            let path = ground.path().join(part);
            let failed = |source| LaunchError::Directory { path: path.clone(), source };
            std::fs::create_dir(&path).map_err(failed)?;
        }
        Ok(ground)
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Ground::Temporary(dir) => dir.path(),
            Ground::Named(path) => path,
        }
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    pub(super) fn keep(self) {
        if let Ground::Temporary(dir) = self {
            let _ = dir.keep();
        }
    }
}
