//! Transport addresses: texts that only the driver understands.

use crate::config::ADDRESS_BYTES_MAX;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::sync::Arc;

/// Where a node can be dialled, in the driver's own notation: a multiaddr for libp2p, a number in
/// the virtual world. The core carries it and never looks inside. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TransportAddress(Arc<str>);

/// The text is longer than an address may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transport address has at most {ADDRESS_BYTES_MAX} bytes")]
pub struct AddressTooLong;

impl TransportAddress {
    /// The address written `text`.
    ///
    /// # Errors
    /// [`AddressTooLong`].
    pub fn new(text: impl Into<Arc<str>>) -> Result<TransportAddress, AddressTooLong> {
        let text = text.into();
        if text.len() > ADDRESS_BYTES_MAX {
            Err(AddressTooLong)
        } else {
            Ok(TransportAddress(text))
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for TransportAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TransportAddress, D::Error> {
        TransportAddress::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for TransportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TransportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
