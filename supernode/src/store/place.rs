//! Where a store is: a file, or a PostgreSQL database.

use sqlx::any::AnyConnectOptions;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a store is. Shown without the password, in errors and logs alike.
#[derive(Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// An embedded SQLite file, for one registrar.
    File(PathBuf),
    /// A PostgreSQL database that several registrars may share.
    Postgres(PostgresUrl),
}

/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, kept from eyes. What it leaves out comes from
/// `PGHOST`, `PGUSER`, `PGPASSWORD` and the like, and from `~/.pgpass`, as everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

/// Why a text names no store. It never repeats the text, in which there may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorePlaceError {
    /// A URL of something else.
    #[error("--store takes postgres://USER:PASSWORD@HOST/DATABASE, or the path of a file")]
    UnknownScheme,
    /// It cannot be read as a URL.
    #[error(
        "the URL of the store cannot be read: write it like postgres://USER:PASSWORD@HOST/DATABASE, with special characters of the password as %XX"
    )]
    NotAUrl,
}

impl StorePlace {
    /// Reads what `--store` takes. A path that is not absolute begins at `folder`.
    ///
    /// # Errors
    /// [`StorePlaceError`].
    pub fn parse(text: &str, folder: &Path) -> Result<StorePlace, StorePlaceError> {
        match text.split_once("://").map(|(scheme, _)| scheme) {
            None if text.is_empty() => Err(StorePlaceError::UnknownScheme),
            None => Ok(StorePlace::File(folder.join(text))),
            Some("postgres" | "postgresql") => {
                text.parse::<AnyConnectOptions>().map_err(|_| StorePlaceError::NotAUrl)?;
                Ok(StorePlace::Postgres(PostgresUrl(text.to_owned())))
            }
            Some(_) => Err(StorePlaceError::UnknownScheme),
        }
    }

    /// Whether whoever reads this place reads a password with it.
    pub fn holds_secret(&self) -> bool {
        match self {
            StorePlace::File(_) => false,
            StorePlace::Postgres(url) => url.options().is_some_and(|options| {
                let url = options.database_url;
                url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password")
            }),
        }
    }
}

impl PostgresUrl {
    /// As the database library takes it; none if it cannot be read, which was checked before.
    pub(super) fn options(&self) -> Option<AnyConnectOptions> {
        self.0.parse().ok()
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(AnyConnectOptions { database_url: mut url, .. }) = self.options() else {
            return f.write_str("postgres://...");
        };
        // A URL without a host has no password either, and this does nothing then.
        let _ = url.set_password(None);
        let pairs = url.query_pairs().into_owned();
        let shown: Vec<(String, String)> = pairs.filter(|(key, _)| key != "password").collect();
        url.set_query(None);
        if !shown.is_empty() {
            url.query_pairs_mut().extend_pairs(shown);
        }
        write!(f, "{url}")
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorePlace::File(path) => write!(f, "{}", path.display()),
            StorePlace::Postgres(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<StorePlace, StorePlaceError> {
        StorePlace::parse(text, Path::new("/data"))
    }

    #[test]
    fn a_store_is_a_path_or_a_postgres_url() {
        assert_eq!(place("names.db"), Ok(StorePlace::File("/data/names.db".into())));
        assert_eq!(place("/var/names.db"), Ok(StorePlace::File("/var/names.db".into())));
        assert!(matches!(place("postgresql://h/d"), Ok(StorePlace::Postgres(_))));
        assert_eq!(place("mysql://h/d"), Err(StorePlaceError::UnknownScheme));
        assert_eq!(place(""), Err(StorePlaceError::UnknownScheme));
        assert_eq!(place("postgres://u:pw@[/d"), Err(StorePlaceError::NotAUrl));
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://ann:sesame@db.example.org:5433/realm?sslmode=require",
            "postgres://ann:ses%61me@db.example.org:5433/realm?sslmode=require&password=sesame",
        ] {
            let place = place(text).expect("a place");
            let shown = "postgres://ann@db.example.org:5433/realm?sslmode=require";
            assert!(place.holds_secret());
            assert_eq!(place.to_string(), shown);
            assert_eq!(format!("{place:?}"), format!("{shown:?}"));
        }
        assert!(!place("postgres://ann@h/d").expect("a place").holds_secret());
    }
}
