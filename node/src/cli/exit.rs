//! How a command ends: the one place for exit codes.

use crate::api::{ClientError, Problem, ServeError};
use crate::client::ClientStartError;
use crate::data::DataError;
use crate::driver::StartError;
use crate::mail::KeeperError;
use overlay_proto::identity::{DeviceCodeError, InvitationError};
use overlay_proto::status::Status;

/// Something is wrong on this machine.
const LOCAL: u8 = 1;
/// The command line or the settings cannot be followed; clap's own code.
pub(super) const USAGE: u8 = 2;
/// The request was refused.
const REFUSED: u8 = 3;
/// The network or the other side failed.
const ELSEWHERE: u8 = 4;
/// No node runs here, or it is not logged in.
const NOT_THERE: u8 = 5;
/// Not refused, not done: somebody has to decide, and the same command again tells.
const WAITING: u8 = 6;

/// Why a command did not succeed: one line with its code and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What, and what to do about it.
    pub problem: Problem,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A failure with a text and a way out of its own.
    pub fn new(status: Status, text: impl Into<String>, way_out: impl Into<String>) -> Failure {
        let problem = Problem { status, text: text.into(), way_out: way_out.into() };
        Failure { problem, code: code_of(status) }
    }

    /// A failure of this machine. The text names the way out.
    pub fn local(text: impl Into<String>) -> Failure {
        Failure::new(Status::INTERNAL, text, "")
    }

    /// A command line or settings that cannot be followed. The text names the way out.
    pub fn usage(text: impl Into<String>) -> Failure {
        Failure { code: USAGE, ..Failure::new(Status::MALFORMED, text, "") }
    }

    /// The line for people.
    pub fn line(&self) -> String {
        let Problem { status, text, way_out } = &self.problem;
        match way_out.is_empty() {
            true => format!("error {}: {text}", status.0),
            false => format!("error {}: {text}: {way_out}", status.0),
        }
    }
}

/// The exit code for a status.
fn code_of(status: Status) -> u8 {
    match status {
        Status::INTERNAL => LOCAL,
        Status::NOT_LOGGED_IN => NOT_THERE,
        Status::ACCEPTED => WAITING,
        Status::TIMEOUT | Status::OFFLINE | Status::HOP_LIMIT => ELSEWHERE,
        Status(400..500) => REFUSED,
        _ => ELSEWHERE,
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Problem::from(status).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure { code: code_of(problem.status), problem }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Failure {
        Failure { code: LOCAL, ..Failure::new(error.status(), error.to_string(), "") }
    }
}

impl From<KeeperError> for Failure {
    fn from(error: KeeperError) -> Failure {
        Failure::local(error.to_string())
    }
}

impl From<ClientStartError> for Failure {
    fn from(error: ClientStartError) -> Failure {
        match error {
            ClientStartError::Data(error) => error.into(),
            ClientStartError::Supernode => Failure::new(
                Status::WRONG_ROLE,
                "this data folder is a supernode's",
                "use `supernode run`, or join as a peer in another folder with --data DIR",
            ),
            error => Failure::local(error.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        Failure::local(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        Failure::local(error.to_string())
    }
}

impl From<InvitationError> for Failure {
    fn from(error: InvitationError) -> Failure {
        Failure::new(error.status(), error.to_string(), "")
    }
}

impl From<DeviceCodeError> for Failure {
    fn from(error: DeviceCodeError) -> Failure {
        Failure::new(error.status(), error.to_string(), "")
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Problem(problem) => problem.into(),
            ClientError::NotRunning { .. } => Failure::new(
                Status::NOT_LOGGED_IN,
                error.to_string(),
                "start it with `run` in another terminal, or choose the right folder with --data DIR",
            ),
            ClientError::Broken { .. } => Failure::local(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_code_of_its_kind() {
        let codes = |code| {
            let with = |status: &&Status| Failure::from(**status).code == code;
            Status::ALL.iter().filter(with).map(|status| status.0).collect::<Vec<_>>()
        };
        assert_eq!(codes(LOCAL), [500]);
        assert_eq!(codes(NOT_THERE), [481]);
        assert_eq!(codes(WAITING), [202]);
        assert_eq!(codes(ELSEWHERE)[..3], [100, 200, 302]);
        assert_eq!(codes(ELSEWHERE)[3..], [408, 480, 483, 501, 502, 503, 504, 507]);
        let refused = [
            400, 401, 403, 404, 409, 410, 412, 413, 414, 419, 421, 422, 426, 429, 437, 438, 452,
            488,
        ];
        assert_eq!(codes(REFUSED), refused);
        assert!(codes(USAGE).is_empty(), "only the command line is wrong usage");
    }

    #[test]
    fn a_line_has_the_code_the_cause_and_the_way_out() {
        let line = Failure::from(Status::UNKNOWN_NAME).line();
        assert_eq!(
            line,
            "error 404: no such user: check the spelling; the user may never have joined"
        );
        assert_eq!(
            Failure::local("the disk is full: free some").line(),
            "error 500: the disk is full: free some"
        );
    }
}
