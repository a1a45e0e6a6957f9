//! Who may have a name that nobody has.

use super::ledger::Ledger;
use overlay_proto::id::UserKey;
use overlay_proto::io::{Remote, StoreAnswer};
use overlay_proto::name::Name;
use std::fmt;

/// Who may register a new name. Whoever has one keeps it, whatever the policy becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RegistrationPolicy {
    /// Everybody
    #[default]
    Open,
    /// Whoever shows a code: the one of the settings, or one of `supernode codes new`
    Code,
    /// Whom the operator approves with `supernode approve`, or who shows a code
    Approve,
}

impl fmt::Display for RegistrationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RegistrationPolicy::Open => "open",
            RegistrationPolicy::Code => "code",
            RegistrationPolicy::Approve => "approve",
        })
    }
}

/// The settings of a registrar.
#[derive(Clone, Default)]
pub struct Registration {
    /// Who may register a new name.
    pub policy: RegistrationPolicy,
    /// A code of the settings, good for any number of names, beside those in the store.
    pub code: Option<String>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The code is a secret and has no place in a log.
        let fixed = if self.code.is_some() { ", with a code of the settings" } else { "" };
        write!(f, "{:?}{fixed}", self.policy)
    }
}

/// The settings in the form that decisions need.
#[derive(Debug)]
pub(super) struct Policy {
    kind: RegistrationPolicy,
    /// The hash of the settings' code. Hashes are compared in constant time and have one length,
    /// so the time of an answer tells nothing of the code.
    code: Option<blake3::Hash>,
}

impl Policy {
    pub(super) fn new(registration: &Registration) -> Policy {
        let code = registration.code.as_deref().map(hash);
        Policy { kind: registration.policy, code }
    }
}

/// The form in which a code is kept and compared.
pub(super) fn hash(code: &str) -> blake3::Hash {
    blake3::hash(code.as_bytes())
}

impl Ledger<'_> {
    /// Why `user` cannot have `name`, which nobody owns, now; none if it can.
    pub(super) async fn refusal(
        &mut self,
        policy: &Policy,
        name: &Name,
        user: UserKey,
        code: Option<&str>,
        origin: Option<Remote>,
    ) -> Result<Option<StoreAnswer>, sqlx::Error> {
        if policy.kind == RegistrationPolicy::Open {
            return Ok(None);
        }
        // An invitation may hold a code that has run out meanwhile; that is no reason not to ask.
        if let Some(shown) = code.map(hash)
            && (policy.code == Some(shown) || self.use_code(shown).await?)
        {
            self.forget_request(user).await?;
            return Ok(None);
        }
        match policy.kind {
            RegistrationPolicy::Approve => self.ask_operator(name, user, origin).await.map(Some),
            _ => Ok(Some(StoreAnswer::WrongCode)),
        }
    }
}
