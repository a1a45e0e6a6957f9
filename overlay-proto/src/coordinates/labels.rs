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

/// Labels to be read, wherever they are kept.
#[derive(Clone, Copy)]
pub struct LabelsRef<'a>(pub(super) Row<'a>);

#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Hops(&'a [HopLabel]),
    Costs(&'a [Label]),
}

impl<'a> LabelsRef<'a> {
    /// How many trees there are.
    pub fn len(self) -> usize {
        match self.0 {
            Row::Hops(labels) => labels.len(),
            Row::Costs(labels) => labels.len(),
        }
    }

    /// Whether there are no trees at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The label in `tree`; none beyond the last.
    pub fn get(self, tree: usize) -> Label {
        match self.0 {
            Row::Hops(labels) => labels.get(tree).map_or(Label::NONE, |label| Label::from(*label)),
            Row::Costs(labels) => labels.get(tree).copied().unwrap_or(Label::NONE),
        }
    }

    /// The labels, in the order of the trees.
    pub fn iter(self) -> impl Iterator<Item = Label> + 'a {
        let (hops, costs): (&[HopLabel], &[Label]) = match self.0 {
            Row::Hops(labels) => (labels, &[]),
            Row::Costs(labels) => (&[], labels),
        };
        hops.iter().map(|label| Label::from(*label)).chain(costs.iter().copied())
    }

    /// Calls `with` for each tree with its number and label: what the hot path does, with the form
    /// asked for once.
    #[inline]
    pub(crate) fn for_each(self, mut with: impl FnMut(usize, Label)) {
        match self.0 {
            Row::Hops(labels) => {
                labels.iter().enumerate().for_each(|(tree, label)| with(tree, Label::from(*label)));
            }
            Row::Costs(labels) => {
                labels.iter().enumerate().for_each(|(tree, label)| with(tree, *label));
            }
        }
    }
}

impl Default for LabelsRef<'_> {
    /// No trees.
    fn default() -> Self {
        LabelsRef(Row::Hops(&[]))
    }
}

impl fmt::Debug for LabelsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Labels {
    /// No place in any of `trees` trees.
    pub fn none(trees: usize) -> Labels {
        Labels(Form::Hops(vec![HopLabel::NONE; trees.min(TREES_MAX)].into()))
    }

    /// The labels, to be read.
    pub fn view(&self) -> LabelsRef<'_> {
        LabelsRef(match &self.0 {
            Form::Hops(labels) => Row::Hops(labels),
            Form::Costs(labels) => Row::Costs(labels),
        })
    }

    /// How many trees there are.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are no trees at all.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// The labels, in the order of the trees.
    pub fn iter(&self) -> impl Iterator<Item = Label> + '_ {
        self.view().iter()
    }

    /// The label in `tree`; none beyond the last.
    pub fn get(&self, tree: usize) -> Label {
        self.view().get(tree)
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
        self.view().for_each(|_, label| label.pack(out));
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
        if serializer.is_human_readable() {
            return serializer.collect_seq(self.iter().map(|label| format!("{label:?}")));
        }
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
