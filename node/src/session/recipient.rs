//! Whom a stream is for: a user, or one of a user's devices.

use overlay_proto::id::NodeId;
use overlay_proto::name::Name;
use std::fmt;
use std::str::FromStr;

/// Digits of a node id that are too few to mean a device.
const DIGITS_MIN: usize = 4;
const DIGITS_MAX: usize = 64;

/// A user by name, or one of their devices by the first digits of its node id: `bob`, `bob/1f3a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    name: Name,
    digits: Option<String>,
}

/// What is neither a user nor a device of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither a user nor a device: write bob, or bob/1f3a with the first digits of the \
     device's node id, as `peer lookup bob` shows it"
)]
pub struct NoRecipient(String);

impl Recipient {
    /// The user.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether one device is meant, and no other will do.
    pub fn is_device(&self) -> bool {
        self.digits.is_some()
    }

    /// Whether this device may be meant.
    pub(super) fn may_be(&self, node: NodeId) -> bool {
        self.digits.as_ref().is_none_or(|digits| node.to_string().starts_with(digits))
    }
}

impl From<&Name> for Recipient {
    fn from(name: &Name) -> Recipient {
        Recipient { name: name.clone(), digits: None }
    }
}

impl From<&Recipient> for Recipient {
    fn from(recipient: &Recipient) -> Recipient {
        recipient.clone()
    }
}

impl FromStr for Recipient {
    type Err = NoRecipient;

    fn from_str(text: &str) -> Result<Recipient, NoRecipient> {
        let wrong = || NoRecipient(text.to_owned());
        let (name, digits) = match text.split_once('/') {
            Some((name, digits)) => (name, Some(digits.to_ascii_lowercase())),
            None => (text, None),
        };
        let name = Name::new(name).map_err(|_| wrong())?;
        let are_digits = |digits: &String| {
            (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        match digits.as_ref().is_none_or(are_digits) {
            true => Ok(Recipient { name, digits }),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digits {
            Some(digits) => write!(f, "{}/{digits}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_device_are_told_apart() {
        let node = NodeId([0x1f; 32]);
        for (text, is_device, may_be) in [
            ("bob", false, true),
            ("bob/1f1f", true, true),
            ("bob/1F1F1f", true, true),
            ("bob/1f3a", true, false),
        ] {
            let recipient: Recipient = text.parse().expect(text);
            assert_eq!(recipient.name().as_str(), "bob");
            assert_eq!(
                (recipient.is_device(), recipient.may_be(node)),
                (is_device, may_be),
                "{text}"
            );
            assert_eq!(recipient.to_string(), text.to_ascii_lowercase());
        }
        let long = format!("bob/{}", "1".repeat(65));
        for wrong in ["", "/1f3a", "bob/", "bob/1f3", "bob/laptop", "bob/1f3a/", &long] {
            assert!(wrong.parse::<Recipient>().is_err(), "{wrong}");
        }
    }
}
