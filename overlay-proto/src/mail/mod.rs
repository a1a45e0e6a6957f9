//! Messages that wait for their recipient: letters, the keys they are sealed to, and what senders,
//! recipients and mailboxes decide of them. Nothing here sends; the roles do.
//!
//! A *message* is what a user writes; it travels as one or more *letters*. Of each letter every
//! device of the recipient gets a *copy* of its own, sealed for it alone and known by a random id,
//! which is all that a mailbox sees of it beside recipient, size and expiry.

pub(crate) mod inbox;
pub mod letter;
pub(crate) mod mailbox;
pub(crate) mod outbox;
pub mod prekeys;
pub(crate) mod records;
pub mod vault;

pub use letter::{Letter, LetterReceipts, ReceiptEntry, SealedLetter, ShownLetter};
pub use outbox::{MessageState, MessageView};
pub use prekeys::DeviceKeys;
pub use vault::{Batch, MailKey, Opened, PublicKeys, SessionId, VaultAnswer, VaultRequest};
