//! The address book, in `contacts.json`.

use super::{DataError, Folder};
use crate::contacts::Book;

/// The name of the file.
const FILE: &str = "contacts.json";

impl Folder {
    /// The address book; empty if there is none yet.
    ///
    /// # Errors
    /// [`DataError::NoAccess`]; [`DataError::Damaged`]: a book of which half is lost would let in
    /// whom the user has blocked.
    pub fn book(&self) -> Result<Book, DataError> {
        let path = self.file(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Book::default());
            }
            Err(source) => return Err(DataError::NoAccess { path, source }),
        };
        serde_json::from_slice(&bytes).map_err(|error| DataError::Damaged {
            path,
            reason: error.to_string(),
            way_out: "put back a copy, or move it away and add your contacts again",
        })
    }

    /// Replaces the address book.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn keep_book(&self, book: &Book) -> Result<(), DataError> {
        let bytes = serde_json::to_vec_pretty(book).expect("texts are JSON");
        self.replace(FILE, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::name::Name;

    #[test]
    fn a_book_is_kept_whole_and_a_damaged_one_is_no_empty_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(dir.path().to_owned());
        let mut book = folder.book().expect("none yet");
        book.add(&Name::new("bob").expect("valid"), "it's me", 7).expect("room");
        folder.keep_book(&book).expect("kept");
        assert_eq!(folder.book().expect("kept"), book);
        let text = std::fs::read(dir.path().join(FILE)).expect("there");
        std::fs::write(dir.path().join(FILE), &text[..text.len() / 2]).expect("written");
        assert!(matches!(folder.book(), Err(DataError::Damaged { .. })));
    }
}
