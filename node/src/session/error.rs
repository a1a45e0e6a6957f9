//! Why there is no session, or no stream.

use crate::prefixed::PrefixedError;
use overlay_proto::status::Status;

/// What happened to a stream or a session, with the status code that says it to programs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The other user cannot be reached, or the other side has said no.
    #[error("{status}: {sentence}")]
    Refused {
        /// The code.
        status: Status,
        /// What the other side, or this one, says of it.
        sentence: String,
    },
    /// The session broke before all was said.
    #[error("{}: the session broke ({reason}); try again", Status::TIMEOUT)]
    Broken {
        /// What happened.
        reason: String,
    },
}

impl SessionError {
    /// Refused with the code's own sentence.
    pub fn refused(status: Status) -> SessionError {
        SessionError::Refused { status, sentence: status.way_out().to_owned() }
    }

    pub(super) fn broken(reason: impl ToString) -> SessionError {
        SessionError::Broken { reason: reason.to_string() }
    }

    /// The status code.
    pub fn status(&self) -> Status {
        match self {
            SessionError::Refused { status, .. } => *status,
            SessionError::Broken { .. } => Status::TIMEOUT,
        }
    }
}

impl From<PrefixedError> for SessionError {
    fn from(error: PrefixedError) -> SessionError {
        SessionError::broken(error)
    }
}

impl From<quinn::ConnectionError> for SessionError {
    fn from(error: quinn::ConnectionError) -> SessionError {
        SessionError::broken(error)
    }
}
