//! How a stream begins: the one end says what it wants, the other one whether it gets it.
//!
//! ```text
//! opening:  length (2, big-endian), CBOR [service, deadline in ms or 0]
//! answer:   length (2, big-endian), CBOR [status, sentence]
//! ```
//!
//! What follows belongs to the service.

use crate::prefixed::{self, PrefixedError};
use overlay_proto::status::Status;
use quinn::{RecvStream, SendStream};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Longest sentence of an answer, in bytes; what is longer is cut.
const SENTENCE_BYTES_MAX: usize = 496;
/// Longest name of a service, in bytes.
pub const SERVICE_BYTES_MAX: usize = 64;

/// What a stream is for: `file`, `tcp/80`, or whatever an application serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service(String);

/// A service's name is too long, empty, or has characters that none may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a service's name has 1 to {SERVICE_BYTES_MAX} of the characters a-z, 0-9, `-`, `.`, `_`, `/`"
)]
pub struct NoService;

impl FromStr for Service {
    type Err = NoService;

    fn from_str(text: &str) -> Result<Service, NoService> {
        let fits = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._/".contains(&byte)
        };
        match !text.is_empty() && text.len() <= SERVICE_BYTES_MAX && text.bytes().all(fits) {
            true => Ok(Service(text.to_owned())),
            false => Err(NoService),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Service {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the one end says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) service: Service,
    /// How long the one who asks waits for the answer of the service.
    pub(super) deadline: Option<Duration>,
}

impl Opening {
    pub(super) async fn send(&self, stream: &mut SendStream) -> Result<(), PrefixedError> {
        let millis = self.deadline.map_or(0, |deadline| deadline.as_millis() as u64);
        prefixed::write(stream, &(self.service.as_str(), millis)).await
    }

    pub(super) async fn receive(stream: &mut RecvStream) -> Result<Opening, PrefixedError> {
        let (service, millis): (String, u64) = prefixed::read(stream).await?;
        let service = service.parse().map_err(|_| PrefixedError::Malformed)?;
        let deadline = (millis > 0).then(|| Duration::from_millis(millis));
        Ok(Opening { service, deadline })
    }
}

pub(super) async fn send_answer(
    stream: &mut SendStream,
    status: Status,
    sentence: &str,
) -> Result<(), PrefixedError> {
    let end = (0..=sentence.len().min(SENTENCE_BYTES_MAX))
        .rev()
        .find(|end| sentence.is_char_boundary(*end));
    prefixed::write(stream, &(status, &sentence[..end.unwrap_or(0)])).await
}

pub(super) async fn receive_answer(
    stream: &mut RecvStream,
) -> Result<(Status, String), PrefixedError> {
    prefixed::read(stream).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_short_and_plain() {
        for good in ["file", "tcp/80", "a.b_c-d/1"] {
            assert_eq!(good.parse::<Service>().map(|service| service.to_string()), Ok(good.into()));
        }
        let long = "x".repeat(SERVICE_BYTES_MAX + 1);
        for bad in ["", "Tcp", "a b", "tcp:80", "ü", &long] {
            assert_eq!(bad.parse::<Service>(), Err(NoService), "{bad}");
        }
    }
}
