//! The labels of one peer, one for each tree.

use super::label::Label;
use crate::config::TREES_MAX;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A peer's labels, in the order of the trees. Travels as a byte string of short forms, about
/// five bytes a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Box<[Label]>);

impl Labels {
    /// No place in any of `trees` trees.
    pub fn none(trees: usize) -> Labels {
        Labels(vec![Label::NONE; trees.min(TREES_MAX)].into())
    }

    /// The labels, in the order of the trees.
    pub fn as_slice(&self) -> &[Label] {
        &self.0
    }

    /// The label in `tree`; none beyond the last.
    pub fn get(&self, tree: usize) -> Label {
        self.0.get(tree).copied().unwrap_or(Label::NONE)
    }

    /// Sets the label in `tree`, if there is such a tree.
    pub fn set(&mut self, tree: usize, label: Label) {
        if let Some(place) = self.0.get_mut(tree) {
            *place = label;
        }
    }

    /// How many trees have a place.
    pub fn placed(&self) -> usize {
        self.0.iter().filter(|label| label.depth().is_some()).count()
    }

    /// Appends the number of trees and the short forms.
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        self.0.iter().for_each(|label| label.pack(out));
    }

    /// Reads what [`Labels::pack`] wrote from the front of `bytes` and moves past it.
    pub fn unpack(bytes: &mut &[u8]) -> Option<Labels> {
        let (&count, rest) = bytes.split_first()?;
        if usize::from(count) > TREES_MAX {
            return None;
        }
        *bytes = rest;
        (0..count).map(|_| Label::unpack(bytes)).collect::<Option<Box<[Label]>>>().map(Labels)
    }
}

impl From<Vec<Label>> for Labels {
    /// Labels beyond [`TREES_MAX`] are left out.
    fn from(mut labels: Vec<Label>) -> Labels {
        labels.truncate(TREES_MAX);
        Labels(labels.into())
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(1 + 6 * self.0.len());
        self.pack(&mut bytes);
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
        let bytes = crate::encoding::Blob::deserialize(deserializer)?;
        let mut rest = bytes.0.as_slice();
        match Labels::unpack(&mut rest) {
            Some(labels) if rest.is_empty() => Ok(labels),
            _ => Err(serde::de::Error::custom("labels in no known form")),
        }
    }
}
