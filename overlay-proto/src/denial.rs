//! "There is no such user", signed by the supernode that says so.
//!
//! A record proves itself: its device has signed it. Its absence does not, so who denies a user
//! signs that, over a number that the asker has drawn. The asker believes two supernodes or one
//! registrar, and nothing less; and who has lied can be shown to have done so
//! ([`Denial::contradicts`]).

use crate::encoding::positional::positional;
use crate::id::{IndexKey, NodeId, RealmId};
use crate::identity::verify::{Domain, Signature, Verify};
use crate::identity::{Certificate, CertificateError, Role, SecretKey, chain};
use crate::location::LocationRecord;
use crate::time::WallTime;
use std::sync::Arc;

/// Supernodes that must deny a user before that is believed.
pub const DENIALS_NEEDED: usize = 2;
/// A record signed so short a time before a denial need not have reached who signed that.
/// Milliseconds.
const ON_ITS_WAY_MS: u64 = 10_000;

positional! {
    /// A signed negative answer.
    pub struct Denial {
        /// The certificate of who says it: a supernode that keeps the key's records, or a registrar,
        /// whose store says that nobody has the name.
        pub by: Arc<Certificate>,
        /// Milliseconds since the epoch by the signer's clock. For evidence only: what is fresh
        /// shows in the asker's number.
        pub at_ms: u64,
        /// Over realm, key, the asker's number and the time.
        pub signature: Signature,
    }
}

/// Why a denial is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenialError {
    /// The certificate proves nothing.
    #[error("the certificate beneath a negative answer: {0}")]
    Certificate(#[from] CertificateError),
    /// The signature is not the signer's, or is one over another question.
    #[error("the signature of a negative answer is wrong")]
    WrongSignature,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The realm.
    pub realm: RealmId,
    /// The name's key in the index.
    pub key: IndexKey,
    /// Drawn by the asker, so that no older answer fits.
    pub nonce: u64,
}

impl Denial {
    /// Signs a denial with the key that `by` certifies.
    pub fn sign(
        key: &SecretKey,
        by: Arc<Certificate>,
        question: &Question,
        now: WallTime,
        verifier: &dyn Verify,
    ) -> Denial {
        let mut denial = Denial { by, at_ms: now.0, signature: Signature([0; 64]) };
        let text = denial.signed_bytes(question);
        denial.signature = key.sign_before(verifier, Domain::Denial, &text);
        denial
    }

    /// Who has signed it, if it answers this question.
    ///
    /// # Errors
    /// [`DenialError`].
    pub fn check(
        &self,
        question: &Question,
        verifier: &dyn Verify,
        now: WallTime,
    ) -> Result<NodeId, DenialError> {
        let (realm, signer) = (question.realm, NodeId(self.by.subject.0));
        if self.is_registrars() {
            self.by.check(verifier, realm, Role::Registrar, &realm.0, now)?;
        } else {
            chain::check_supernode(&self.by, verifier, realm, signer, now)?;
        }
        let text = self.signed_bytes(question);
        match Domain::Denial.is_signed(verifier, &signer.0, &text, &self.signature) {
            true => Ok(signer),
            false => Err(DenialError::WrongSignature),
        }
    }

    /// Whether it says to be a registrar's, who knows of every name.
    pub fn is_registrars(&self) -> bool {
        self.by.role == Role::Registrar
    }

    /// Whether a checked record shows that who has signed this denial of the record's user should
    /// have known better: it was signed well before, and its lease had not ended. As exact as the
    /// two clocks; one such case may be a mistake, a row of them is none.
    pub fn contradicts(&self, record: &LocationRecord) -> bool {
        let known_from = record.seq.saturating_add(ON_ITS_WAY_MS);
        let until = record.seq.saturating_add(1_000 * u64::from(record.lease_secs));
        (known_from..until).contains(&self.at_ms)
    }

    fn signed_bytes(&self, question: &Question) -> Vec<u8> {
        let Question { realm, key, nonce } = question;
        let numbers = [key.0, *nonce, self.at_ms].map(u64::to_be_bytes);
        [realm.0.as_slice(), &numbers.concat()].concat()
    }
}

/// Whether these denials are enough to believe that there is no such user: by as many supernodes,
/// each counted once, or by a registrar.
pub(crate) fn suffice(
    denials: &[Denial],
    question: &Question,
    needed: usize,
    verifier: &dyn Verify,
    now: WallTime,
) -> bool {
    let mut signers = std::collections::BTreeSet::new();
    for denial in denials.iter().take(DENIALS_NEEDED) {
        if let Ok(signer) = denial.check(question, verifier, now) {
            if denial.is_registrars() {
                return true;
            }
            signers.insert(signer);
        }
    }
    signers.len() >= needed
}
