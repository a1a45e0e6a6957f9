//! What has changed of a peer's labels.

use super::label::Label;
use super::labels::Labels;
use crate::config::TREES_MAX;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The labels of some trees: what has changed of a peer's place. Travels as a byte string of tree
/// numbers and short forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChanges(Vec<(u8, Label)>);

impl LabelChanges {
    /// The labels of `labels` in the trees of which `trees` has the bit.
    pub fn of(labels: &Labels, trees: u32) -> LabelChanges {
        let numbered = (0..).zip(labels.iter());
        LabelChanges(numbered.filter(|(tree, _)| trees >> tree & 1 == 1).collect())
    }

    /// The trees and their labels, in the order of the trees.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Label)> + '_ {
        self.0.iter().map(|(tree, label)| (usize::from(*tree), *label))
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
        if serializer.is_human_readable() {
            let changes = self.iter().map(|(tree, label)| (tree, format!("{label:?}")));
            return serializer.collect_seq(changes);
        }
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
