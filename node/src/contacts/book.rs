//! The address book: who may reach this user, who asks to, and who may not.

use overlay_proto::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// People in the book.
pub const CONTACTS_MAX: usize = 10_000;
/// Strangers whose requests are kept: anybody in the realm may send one.
pub const REQUESTS_MAX: usize = 100;
/// Longest greeting of a request, in characters.
pub const GREETING_CHARS_MAX: usize = 140;

/// How somebody stands to this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Both want it.
    Contact,
    /// We have asked; there is no answer yet.
    Asked,
    /// They have asked; it is for this user to answer.
    Wants,
    /// Nothing comes through.
    Blocked,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How they stand to this user.
    pub standing: Standing,
    /// What was said with the request, theirs or ours.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub greeting: String,
    /// Since when, in milliseconds since the epoch on this machine's clock.
    pub since_ms: u64,
}

/// Why a change of the book was refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They are blocked.
    #[error("they are blocked")]
    Blocked,
    /// There is no room for one more.
    #[error("the address book is full: remove somebody first")]
    Full,
    /// They are not in the book.
    #[error("there is no such contact")]
    Unknown,
}

/// What becomes of a request that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Contacts from now on, or already: this user has asked too.
    Accepted,
    /// Kept until this user decides; `true` if it is new.
    Kept(bool),
}

/// The book.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Book(BTreeMap<Name, Entry>);

impl Book {
    /// Everybody in it, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&Name, &Entry)> {
        self.0.iter()
    }

    /// How `user` stands to this one.
    pub fn standing(&self, user: &Name) -> Option<Standing> {
        self.0.get(user).map(|entry| entry.standing)
    }

    /// This user wants `user` for a contact. True if the other side has to be asked.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn add(&mut self, user: &Name, greeting: &str, now_ms: u64) -> Result<bool, Refusal> {
        let standing = match self.standing(user) {
            Some(Standing::Contact) => return Ok(false),
            Some(Standing::Wants) => Standing::Contact,
            None if self.0.len() >= CONTACTS_MAX => return Err(Refusal::Full),
            None | Some(Standing::Asked | Standing::Blocked) => Standing::Asked,
        };
        self.put(user, standing, greeting, now_ms);
        // They learn of a yes by the same request.
        Ok(true)
    }

    /// `user` has asked.
    ///
    /// # Errors
    /// [`Refusal::Blocked`], [`Refusal::Full`].
    pub fn asked_by(
        &mut self,
        user: &Name,
        greeting: &str,
        now_ms: u64,
    ) -> Result<Answer, Refusal> {
        match self.standing(user) {
            Some(Standing::Blocked) => Err(Refusal::Blocked),
            Some(Standing::Contact) => Ok(Answer::Accepted),
            Some(Standing::Asked) => {
                self.accepted_by(user, now_ms);
                Ok(Answer::Accepted)
            }
            Some(Standing::Wants) => Ok(Answer::Kept(false)),
            None if self.waiting() >= REQUESTS_MAX || self.0.len() >= CONTACTS_MAX => {
                Err(Refusal::Full)
            }
            None => {
                self.put(user, Standing::Wants, greeting, now_ms);
                Ok(Answer::Kept(true))
            }
        }
    }

    /// `user` has said yes to our request. Nothing changes if there was none.
    pub fn accepted_by(&mut self, user: &Name, now_ms: u64) {
        if self.standing(user) == Some(Standing::Asked) {
            self.put(user, Standing::Contact, "", now_ms);
        }
    }

    /// Nothing comes through from `user` any more.
    pub fn block(&mut self, user: &Name, now_ms: u64) {
        self.put(user, Standing::Blocked, "", now_ms);
    }

    /// `user` is a stranger again.
    ///
    /// # Errors
    /// [`Refusal::Unknown`].
    pub fn remove(&mut self, user: &Name) -> Result<(), Refusal> {
        self.0.remove(user).map(drop).ok_or(Refusal::Unknown)
    }

    /// Those who have been asked and have not answered.
    pub fn unanswered(&self) -> impl Iterator<Item = (&Name, &str)> {
        let asked = self.0.iter().filter(|(_, entry)| entry.standing == Standing::Asked);
        asked.map(|(user, entry)| (user, entry.greeting.as_str()))
    }

    fn waiting(&self) -> usize {
        self.0.values().filter(|entry| entry.standing == Standing::Wants).count()
    }

    fn put(&mut self, user: &Name, standing: Standing, greeting: &str, since_ms: u64) {
        let greeting = greeting.chars().take(GREETING_CHARS_MAX).collect();
        self.0.insert(user.clone(), Entry { standing, greeting, since_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("valid")
    }

    #[test]
    fn contacts_are_those_whom_both_sides_want() {
        let (mut alices, mut bobs) = (Book::default(), Book::default());
        let (alice, bob) = (name("alice"), name("bob"));
        assert_eq!(alices.add(&bob, "it's me", 1), Ok(true));
        assert_eq!(bobs.asked_by(&alice, "it's me", 2), Ok(Answer::Kept(true)));
        assert_eq!(bobs.asked_by(&alice, "again", 3), Ok(Answer::Kept(false)));
        assert_eq!(alices.standing(&bob), Some(Standing::Asked));
        assert_eq!(bobs.add(&alice, "", 4), Ok(true));
        assert_eq!(alices.asked_by(&bob, "", 5), Ok(Answer::Accepted));
        assert_eq!(alices.standing(&bob), Some(Standing::Contact));
        assert_eq!(bobs.standing(&alice), Some(Standing::Contact));
        assert_eq!(alices.add(&bob, "", 6), Ok(false));
    }

    #[test]
    fn a_yes_that_nobody_asked_for_makes_no_contact() {
        let mut book = Book::default();
        book.accepted_by(&name("mallory"), 1);
        assert_eq!(book.standing(&name("mallory")), None);
    }

    #[test]
    fn strangers_and_the_blocked_are_bounded() {
        let mut book = Book::default();
        book.block(&name("mallory"), 1);
        assert_eq!(book.asked_by(&name("mallory"), "hi", 2), Err(Refusal::Blocked));
        for n in 0..REQUESTS_MAX {
            let long = "x".repeat(1_000);
            assert!(book.asked_by(&name(&format!("s{n}")), &long, 3).is_ok());
        }
        assert_eq!(book.asked_by(&name("late"), "hi", 4), Err(Refusal::Full));
        assert!(book.entries().all(|(_, entry)| entry.greeting.len() <= GREETING_CHARS_MAX));
        book.remove(&name("s3")).expect("there");
        assert!(book.asked_by(&name("late"), "hi", 5).is_ok());
        assert_eq!(book.remove(&name("nobody")), Err(Refusal::Unknown));
    }
}
