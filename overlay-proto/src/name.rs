//! User names in their one canonical form.
//!
//! Canonical is: Unicode NFKC, lower case, 1 to 32 bytes, letters and digits of one script, with
//! single `-`, `_` or `.` between them. Two spellings that a reader would take for the same name
//! (`Alice`, `ａｌｉｃｅ`, `ALICE`) have the same canonical form; a name that mixes scripts, as
//! look-alikes do, is refused (Unicode UTS 39, sections 3 and 5). Names that look alike within one
//! script, or are written in another script from end to end, have one [skeleton](Name::skeleton):
//! a registrar gives only one name of a skeleton out.

use crate::config::NAME_BYTES_MAX;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;
use unicode_security::{GeneralSecurityProfile, MixedScript};

/// From a character to its prototype, to lower case, to that one's prototype: two rounds suffice
/// with the tables of today, and nobody waits for ever with those of tomorrow.
const SKELETON_ROUNDS: usize = 4;

/// A canonical user name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

/// Why a text is not a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left of it.
    #[error("a name needs at least one letter or digit")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("a name has at most {NAME_BYTES_MAX} bytes in canonical form")]
    TooLong,
    /// It holds this character, which names may not have, or not there.
    #[error("{0:?} may not stand there: use letters and digits, with single - _ or . between them")]
    Character(char),
    /// It mixes letters of scripts that are not written together.
    #[error("the name mixes scripts, as look-alikes do: write it in one")]
    MixedScripts,
}

impl Name {
    /// The canonical form of `text`.
    ///
    /// # Errors
    /// [`NameError`], when there is none.
    pub fn new(text: &str) -> Result<Name, NameError> {
        // Canonicalising can only shrink a text so far; refuse bombs before the work.
        if text.len() > 8 * NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        let canonical: String = text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect();
        check(&canonical)?;
        Ok(Name(canonical.into()))
    }

    /// What a reader may take the name for (UTS 39, section 4): names that look alike have the same
    /// skeleton, such as `paypal`, `paypa1` and `раураӏ` in Cyrillic. For comparison only, never
    /// shown, and not a name itself.
    pub fn skeleton(&self) -> String {
        let mut text = self.0.to_string();
        // The tables lead from a digit to a capital, which no name has: once more from there.
        for _ in 0..SKELETON_ROUNDS {
            let next: String =
                skeleton(&text).collect::<String>().nfkc().flat_map(char::to_lowercase).collect();
            if next == text {
                break;
            }
            text = next;
        }
        text
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let mut after_letter = false;
    for c in name.chars() {
        let separator = matches!(c, '-' | '_' | '.');
        let letter = c.is_alphanumeric() && c.identifier_allowed();
        if !(letter || separator && after_letter) {
            return Err(NameError::Character(c));
        }
        after_letter = letter;
    }
    if !after_letter {
        return Err(NameError::Character(name.chars().last().unwrap_or('.')));
    }
    if !name.is_single_script() {
        return Err(NameError::MixedScripts);
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Name {
    /// Accepts only what is canonical already: a remote never makes us guess.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Name::new(&text) {
            Ok(name) if name.as_str() == text => Ok(name),
            Ok(_) => Err(serde::de::Error::custom("the name is not in canonical form")),
            Err(error) => Err(serde::de::Error::custom(error)),
        }
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Name, NameError> {
        Name::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_meet() {
        for text in ["alice", "Alice", " ALICE ", "ａｌｉｃｅ"] {
            assert_eq!(Name::new(text).expect("valid").as_str(), "alice");
        }
        assert_eq!(Name::new("Жанна").expect("valid").as_str(), "жанна");
        assert_eq!(Name::new("a.b-c_d1").expect("valid").as_str(), "a.b-c_d1");
    }

    #[test]
    fn refused_names_say_why() {
        assert_eq!(Name::new("  "), Err(NameError::Empty));
        assert_eq!(Name::new(&"a".repeat(33)), Err(NameError::TooLong));
        assert_eq!(Name::new("a b"), Err(NameError::Character(' ')));
        assert_eq!(Name::new("-a"), Err(NameError::Character('-')));
        assert_eq!(Name::new("a--b"), Err(NameError::Character('-')));
        assert_eq!(Name::new("a."), Err(NameError::Character('.')));
        assert_eq!(Name::new("a\u{0}b"), Err(NameError::Character('\u{0}')));
        // Latin letters with a Cyrillic а.
        assert_eq!(Name::new("\u{430}lice"), Err(NameError::MixedScripts));
    }

    /// Row 61: every character that a name may have, beside what it may be taken for.
    #[test]
    fn look_alikes_have_one_skeleton_and_other_forms_one_name() {
        let (mut alike, mut apart, mut forms) = (0, 0, 0);
        for c in '\0'..=char::MAX {
            let text = c.to_string().repeat(3);
            // Only what is shown can be mistaken: a capital is shown as its small letter.
            let Some(name) = Name::new(&text).ok().filter(|name| name.as_str() == text) else {
                continue;
            };
            let prototype = skeleton(&c.to_string()).collect::<String>().repeat(3);
            if let Ok(other) = Name::new(&prototype)
                && other != name
            {
                alike += 1;
                apart += usize::from(name.skeleton() != other.skeleton());
            }
            for form in [
                name.as_str().to_uppercase(),
                name.as_str().nfd().collect(),
                name.as_str().nfkd().collect(),
            ] {
                // Not every letter comes back from its capital: ß does not.
                if form.to_lowercase().nfc().collect::<String>() == name.as_str() {
                    forms += 1;
                    assert_eq!(Name::new(&form).as_ref(), Ok(&name), "{form:?}");
                }
            }
        }
        println!("look-alikes: {alike} pairs, {apart} with two skeletons; {forms} other forms");
        assert_eq!(apart, 0);
        assert!(alike > 400 && forms > 50_000, "{alike} pairs, {forms} forms");
        let same = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| Name::new(text).expect("valid").skeleton());
            a == b
        };
        assert!(same("paypal", "paypa1") && same("modern", "rnodern") && same("bob", "b0b"));
        assert!(same("сосо", "coco"), "Cyrillic from end to end");
        assert!(!same("alice", "alicia") && !same("anna", "анна"));
    }

    proptest::proptest! {
        #[test]
        fn canonical_is_a_fixed_point(text in ".{0,40}") {
            if let Ok(name) = Name::new(&text) {
                proptest::prop_assert_eq!(Name::new(name.as_str()), Ok(name.clone()));
            }
        }
    }
}
