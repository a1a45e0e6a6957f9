//! The one table of status codes: the same numbers on the wire, in the API and on the command
//! line. Classes as in HTTP (RFC 9110, section 15) and SIP (RFC 3261, section 21): 1xx on its
//! way, 2xx done, 3xx ask there instead, 4xx your request, 5xx our side.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A status code. Unknown codes are kept as they came and judged by their class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($name:ident = $code:literal, $text:literal, $way_out:literal;)*) => {
        impl Status {
            $(#[doc = concat!("`", stringify!($code), "` ", $text, ": ", $way_out)]
            pub const $name: Status = Status($code);)*

            /// Every code of the table, in order.
            pub const ALL: &'static [Status] = &[$(Status::$name),*];

            /// What the code says, in a few words.
            pub fn text(self) -> &'static str {
                match self.0 { $($code => $text,)* _ => "unknown status" }
            }

            /// What to do about it.
            pub fn way_out(self) -> &'static str {
                match self.0 { $($code => $way_out,)* _ => "the other side speaks a newer version: update" }
            }
        }
    };
}

statuses! {
    TRYING = 100, "trying", "wait";
    OK = 200, "done", "nothing to do";
    ACCEPTED = 202, "accepted", "the answer follows";
    ASK_THERE = 302, "ask another supernode", "go to one of the supernodes in the answer";
    MALFORMED = 400, "malformed", "the request could not be read: update both sides";
    UNPROVEN = 401, "not proven", "the signature does not match the key: check the data folder";
    FORBIDDEN = 403, "not allowed", "ask the operator of the realm for an invitation or a code";
    UNKNOWN_NAME = 404, "no such user", "check the spelling; the user may never have joined";
    TIMEOUT = 408, "no answer in time", "try again";
    NAME_TAKEN = 409, "the name is taken", "choose another name";
    EXPIRED = 410, "the certificate has expired or is not valid yet", "check the clock, then join again";
    CHANGED = 412, "changed meanwhile", "what was sent is not what was announced: send it again";
    TOO_LARGE = 413, "too large", "send less at a time";
    INVALID_NAME = 414, "not a valid name", "use 1 to 32 letters and digits of one script, with - _ or . between";
    MESSAGE_EXPIRED = 419, "the message expired before it was fetched", "send it again, with a longer life";
    FOREIGN_REALM = 421, "of another realm", "use an invitation of this realm";
    WRONG_ROLE = 422, "a certificate of the wrong kind", "join again with the right invitation";
    VERSION = 426, "no common protocol version", "update the older side";
    TOO_MANY = 429, "too many requests", "wait a little and try again";
    REVOKED = 437, "revoked", "this user or device was shut out: ask the operator of the realm, or join again with another device";
    SEAL_BROKEN = 438, "the seal cannot be opened", "nothing to do: it is sealed again with fresh keys; if that fails, send the message again";
    MAILBOX_FULL = 452, "the mailbox is full", "wait until the recipient has fetched what is there: the message stays in the outbox and is tried again";
    OFFLINE = 480, "the user is off line", "try again when the user is back";
    NOT_LOGGED_IN = 481, "not logged in", "start `peer run` and wait until it says that you are on line";
    HOP_LIMIT = 483, "too many hops", "try again: the topology is being repaired";
    STALE = 488, "superseded", "fetch the newest state and try again";
    INTERNAL = 500, "internal error", "see the log of the node";
    NOT_SERVED = 501, "not served here", "ask a supernode that has this role";
    UNREACHABLE = 502, "nothing answers behind it", "start the program that should listen there, then try again";
    OVERLOADED = 503, "overloaded", "wait a little, or ask another supernode";
    NO_ROUTE = 504, "no way there", "try again: the topology is being repaired";
    STORE_FAILED = 507, "the store failed", "see the log of the supernode: its disk may be full";
}

impl Status {
    /// Whether the request was done or accepted (2xx).
    pub fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// Whether another place should be asked (3xx).
    pub fn is_redirect(self) -> bool {
        self.0 / 100 == 3
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_sorted_and_explained() {
        assert!(Status::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        for status in Status::ALL {
            assert!(!status.text().is_empty() && !status.way_out().is_empty());
        }
        assert_eq!(Status(299).text(), "unknown status");
        assert!(Status(299).is_success());
    }
}
