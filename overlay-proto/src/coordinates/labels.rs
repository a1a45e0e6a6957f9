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

    /// The trees in which this place differs from `other`, one bit each.
    pub fn differing(&self, other: &Labels) -> u32 {
        let trees = self.0.len().max(other.0.len());
        (0..trees).filter(|tree| self.get(*tree) != other.get(*tree)).fold(0, |m, t| m | 1 << t)
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

/// The labels of some trees: what has changed of a peer's place. Travels as a byte string of tree
/// numbers and short forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChanges(Vec<(u8, Label)>);

impl LabelChanges {
    /// The labels of `labels` in the trees of which `trees` has the bit.
    pub fn of(labels: &Labels, trees: u32) -> LabelChanges {
        let numbered = (0..).zip(labels.as_slice().iter().copied());
        LabelChanges(numbered.filter(|(tree, _)| trees >> tree & 1 == 1).collect())
    }

    /// Writes the changes into `labels`, which grow as needed.
    pub fn apply_to(&self, labels: &mut Labels) {
        let trees = self.0.iter().map(|(tree, _)| usize::from(*tree) + 1).max().unwrap_or(0);
        if trees > labels.0.len() {
            let mut grown = std::mem::take(&mut labels.0).into_vec();
            grown.resize(trees.min(TREES_MAX), Label::NONE);
            labels.0 = grown.into();
        }
        self.0.iter().for_each(|(tree, label)| labels.set(usize::from(*tree), *label));
    }

    fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 7 * self.0.len());
        bytes.push(self.0.len() as u8);
        for (tree, label) in &self.0 {
            bytes.push(*tree);
            label.pack(&mut bytes);
        }
        bytes
    }

    fn unpack(mut bytes: &[u8]) -> Option<LabelChanges> {
        let (&count, rest) = bytes.split_first()?;
        bytes = rest;
        let mut changes = Vec::with_capacity(usize::from(count).min(TREES_MAX));
        for _ in 0..count {
            let (&tree, rest) = bytes.split_first()?;
            bytes = rest;
            // In the order of the trees, each once: one set of changes has one form.
            let in_order = changes.last().is_none_or(|(last, _)| *last < tree);
            if usize::from(tree) >= TREES_MAX || !in_order {
                return None;
            }
            changes.push((tree, Label::unpack(&mut bytes)?));
        }
        bytes.is_empty().then_some(LabelChanges(changes))
    }
}

impl Serialize for LabelChanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.pack())
    }
}

impl<'de> Deserialize<'de> for LabelChanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LabelChanges, D::Error> {
        let bytes = crate::encoding::Blob::deserialize(deserializer)?;
        LabelChanges::unpack(&bytes.0)
            .ok_or_else(|| serde::de::Error::custom("label changes in no known form"))
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
