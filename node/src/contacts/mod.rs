//! Contacts: requests between users, and the book that is kept of them.
//!
//! A stranger can do one thing: ask once, with a short greeting. Everything else that a peer serves
//! is for contacts, unless the user says otherwise.

mod book;
mod presence;

pub use book::{Answer, Book, CONTACTS_MAX, Entry, GREETING_CHARS_MAX, Refusal, Standing};

use crate::data::{DataError, Folder};
use crate::driver;
use crate::session::{Access, AlreadyServed, Service, SessionError, Sessions};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use presence::Presences;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// The service by which contacts are asked for.
const SERVICE: &str = "contacts";
/// The answer that says yes; anything else says that the request is kept.
const YES: &[u8] = b"yes";
/// How long the other side may take to answer a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often those who were off line are asked again.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Changes that wait for the slowest listener.
const CHANGES_MAX: usize = 64;

/// Why the book was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// The book says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is said with the request is too long.
    #[error("a greeting has at most {GREETING_CHARS_MAX} characters")]
    GreetingTooLong,
    /// Nobody has that name.
    #[error("there is no user \"{0}\"")]
    NoSuchUser(Name),
    /// It could not be kept.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl ContactError {
    /// The status code.
    pub fn status(&self) -> Status {
        match self {
            ContactError::Refused(Refusal::Blocked) => Status::FORBIDDEN,
            ContactError::Refused(Refusal::Full) => Status::TOO_MANY,
            ContactError::Refused(Refusal::Unknown) => Status::UNKNOWN_NAME,
            ContactError::GreetingTooLong => Status::TOO_LARGE,
            ContactError::NoSuchUser(_) => Status::UNKNOWN_NAME,
            ContactError::Data(error) => error.status(),
        }
    }
}

/// The book of a running peer, kept in its folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Contacts {
    book: Arc<Mutex<Book>>,
    folder: Folder,
    changes: broadcast::Sender<Name>,
    presences: Presences,
}

impl Contacts {
    /// The book of `folder`.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn open(folder: &Folder) -> Result<Contacts, DataError> {
        let book = Arc::new(Mutex::new(folder.book()?));
        let changes = broadcast::channel(CHANGES_MAX).0;
        let presences = Presences::default();
        Ok(Contacts { book, folder: folder.clone(), changes, presences })
    }

    /// The book as it is.
    pub fn book(&self) -> Book {
        self.lock().clone()
    }

    /// Whether `user` is a contact.
    pub fn has(&self, user: &Name) -> bool {
        self.lock().standing(user) == Some(Standing::Contact)
    }

    /// Serves contacts only.
    pub fn access(&self) -> Access {
        let contacts = self.clone();
        Access::If(Arc::new(move |user| contacts.has(user)))
    }

    /// The users whose standing changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Name> {
        self.changes.subscribe()
    }

    /// Changes the book. The change is on the disk when this returns; if it cannot be, there is none.
    ///
    /// # Errors
    /// [`ContactError`].
    pub fn change<T>(
        &self,
        user: &Name,
        change: impl FnOnce(&mut Book) -> Result<T, Refusal>,
    ) -> Result<T, ContactError> {
        let mut book = self.lock();
        let mut changed = book.clone();
        let done = change(&mut changed)?;
        if changed != *book {
            self.folder.keep_book(&changed)?;
            *book = changed;
            if book.standing(user) != Some(Standing::Contact) {
                self.presences.forget(user);
            }
            // Nobody may be listening.
            let _ = self.changes.send(user.clone());
        }
        Ok(done)
    }

    /// Takes `user` as a contact: accepts their request, or asks them, with a greeting. Answers
    /// whether they have been told; else they are asked again later.
    ///
    /// # Errors
    /// [`ContactError`]; nothing has changed then.
    pub async fn add(
        &self,
        sessions: &Sessions,
        user: &Name,
        greeting: &str,
    ) -> Result<bool, ContactError> {
        if greeting.chars().count() > GREETING_CHARS_MAX {
            return Err(ContactError::GreetingTooLong);
        }
        let now = driver::wall().0;
        if !self.change(user, |book| book.add(user, greeting, now))? {
            return Ok(true);
        }
        match self.ask(sessions, user, greeting).await {
            Ok(()) => Ok(true),
            Err(error) if error.status() == Status::UNKNOWN_NAME => {
                self.change(user, |book| book.remove(user))?;
                Err(ContactError::NoSuchUser(user.clone()))
            }
            Err(_) => Ok(false),
        }
    }

    /// Asks `user` for what stands in the book, over a session.
    ///
    /// # Errors
    /// [`SessionError`]: they are off line or say no. They are asked again later.
    pub async fn ask(
        &self,
        sessions: &Sessions,
        user: &Name,
        greeting: &str,
    ) -> Result<(), SessionError> {
        let service = service();
        let answer = sessions.request(user, &service, greeting.as_bytes(), PATIENCE).await?;
        if answer == YES {
            let accepted = self.change(user, |book| {
                book.accepted_by(user, driver::wall().0);
                Ok(())
            });
            accepted.map_err(refused)?;
        }
        Ok(())
    }

    /// Answers the requests of others, asks those again who were off line, and tells contacts whether
    /// this user is away.
    ///
    /// # Errors
    /// [`AlreadyServed`].
    pub fn serve(&self, sessions: &Sessions) -> Result<[JoinHandle<()>; 3], AlreadyServed> {
        let telling = self.serve_presence(sessions)?;
        let contacts = self.clone();
        let answering = sessions.serve(service(), Access::Everyone, move |user, greeting| {
            let contacts = contacts.clone();
            async move { contacts.answer(&user, &greeting) }
        })?;
        let (contacts, sessions) = (self.clone(), sessions.clone());
        let asking = tokio::spawn(async move {
            let mut every = interval(ASK_AGAIN);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                for (user, greeting) in contacts.unanswered() {
                    if let Err(error) = contacts.ask(&sessions, &user, &greeting).await {
                        tracing::debug!(%user, %error, "not asked");
                    }
                }
            }
        });
        Ok([answering, asking, telling])
    }

    fn answer(&self, user: &Name, greeting: &[u8]) -> Result<Vec<u8>, SessionError> {
        let greeting = String::from_utf8_lossy(greeting);
        let now = driver::wall().0;
        match self.change(user, |book| book.asked_by(user, &greeting, now)).map_err(refused)? {
            Answer::Accepted => Ok(YES.to_vec()),
            Answer::Kept(_) => Ok(Vec::new()),
        }
    }

    fn unanswered(&self) -> Vec<(Name, String)> {
        let book = self.lock();
        book.unanswered().map(|(user, greeting)| (user.clone(), greeting.to_owned())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Changed as a whole or not at all.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn service() -> Service {
    SERVICE.parse().expect("a service's name")
}

fn refused(error: ContactError) -> SessionError {
    // What is wrong with this disk is not the other side's to know.
    let status = match error {
        ContactError::Data(_) => Status::INTERNAL,
        _ => error.status(),
    };
    SessionError::refused(status)
}
