//! The labels of one peer, one for each tree.

use super::label::{HopLabel, Label};
use crate::config::TREES_MAX;
use crate::footprint::Heap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A peer's labels, in the order of the trees. Travels as a byte string of short forms, about
/// five bytes a tree.
#[derive(Clone, PartialEq, Eq)]
pub struct Labels(Form);

/// How labels are kept: a peer holds those of all around it, hundreds of them.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// Every link of every path costs a hop: the paths alone, eight bytes each.
    Hops(Box<[HopLabel]>),
    /// Some links cost something else.
    Costs(Box<[Label]>),
}

impl Labels {
    /// No place in any of `trees` trees.
    pub fn none(trees: usize) -> Labels {
        Labels(Form::Hops(vec![HopLabel::NONE; trees.min(TREES_MAX)].into()))
    }

    /// How many trees there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Hops(labels) => labels.len(),
            Form::Costs(labels) => labels.len(),
        }
    }

    /// Whether there are no trees at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels, in the order of the trees.
    pub fn iter(&self) -> impl Iterator<Item = Label> + '_ {
        let (hops, costs): (&[HopLabel], &[Label]) = match &self.0 {
            Form::Hops(labels) => (labels, &[]),
            Form::Costs(labels) => (&[], labels),
        };
        hops.iter().map(|label| Label::from(*label)).chain(costs.iter().copied())
    }

    /// Calls `with` for each tree with its number and label: what the hot path does, with the form
    /// asked for once.
    #[inline]
    pub(crate) fn for_each(&self, mut with: impl FnMut(usize, Label)) {
        match &self.0 {
            Form::Hops(labels) => {
                labels.iter().enumerate().for_each(|(tree, label)| with(tree, Label::from(*label)));
            }
            Form::Costs(labels) => {
                labels.iter().enumerate().for_each(|(tree, label)| with(tree, *label));
            }
        }
    }

    /// The label in `tree`; none beyond the last.
    pub fn get(&self, tree: usize) -> Label {
        match &self.0 {
            Form::Hops(labels) => labels.get(tree).map_or(Label::NONE, |label| Label::from(*label)),
            Form::Costs(labels) => labels.get(tree).copied().unwrap_or(Label::NONE),
        }
    }

    /// Sets the label in `tree`, if there is such a tree.
    pub fn set(&mut self, tree: usize, label: Label) {
        if let (Form::Hops(labels), Some(label)) = (&mut self.0, label.as_hops()) {
            if let Some(place) = labels.get_mut(tree) {
                *place = label;
            }
            return;
        }
        let mut labels: Vec<Label> = self.iter().collect();
        if let Some(place) = labels.get_mut(tree) {
            *place = label;
        }
        *self = Labels::from(labels);
    }

    /// The trees in which this place differs from `other`, one bit each.
    pub fn differing(&self, other: &Labels) -> u32 {
        let trees = self.len().max(other.len());
        (0..trees).filter(|tree| self.get(*tree) != other.get(*tree)).fold(0, |m, t| m | 1 << t)
    }

    /// How many trees have a place.
    pub fn placed(&self) -> usize {
        self.iter().filter(|label| label.depth().is_some()).count()
    }

    /// Appends the number of trees and the short forms.
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.push(self.len() as u8);
        self.for_each(|_, label| label.pack(out));
    }

    /// Reads what [`Labels::pack`] wrote from the front of `bytes` and moves past it.
    pub fn unpack(bytes: &mut &[u8]) -> Option<Labels> {
        let (&count, rest) = bytes.split_first()?;
        if usize::from(count) > TREES_MAX {
            return None;
        }
        *bytes = rest;
        (0..count).map(|_| Label::unpack(bytes)).collect::<Option<Vec<Label>>>().map(Labels::from)
    }
}

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

    /// Writes the changes into `labels`, which grow as needed.
    pub fn apply_to(&self, labels: &mut Labels) {
        let trees = self.0.iter().map(|(tree, _)| usize::from(*tree) + 1).max().unwrap_or(0);
        if trees > labels.len() {
            let missing = trees.min(TREES_MAX) - labels.len();
            let none = std::iter::repeat_n(Label::NONE, missing);
            *labels = Labels::from(labels.iter().chain(none).collect::<Vec<_>>());
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
        let hops: Option<Box<[HopLabel]>> = labels.iter().map(|label| label.as_hops()).collect();
        Labels(hops.map_or_else(|| Form::Costs(labels.into()), Form::Hops))
    }
}

impl Default for Labels {
    fn default() -> Labels {
        Labels::none(0)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Heap for Labels {
    fn heap(&self) -> usize {
        match &self.0 {
            Form::Hops(labels) => size_of_val(&**labels),
            Form::Costs(labels) => size_of_val(&**labels),
        }
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(1 + 6 * self.len());
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
