//! The labels of several peers in one piece of memory, a row each: what forwarding reads through
//! for every packet.

use super::label::{HopLabel, Label};
use super::labels::{LabelsRef, Row};
use crate::config::TREES_MAX;
use crate::footprint::Heap;

/// Rows of labels, all over the same trees.
#[derive(Debug, Default, Clone)]
pub(crate) struct LabelTable {
    trees: usize,
    rows: usize,
    cells: Cells,
}

#[derive(Debug, Clone)]
enum Cells {
    /// Every link of every path costs a hop.
    Hops(Vec<HopLabel>),
    /// Some links cost something else.
    Costs(Vec<Label>),
}

impl Default for Cells {
    fn default() -> Cells {
        Cells::Hops(Vec::new())
    }
}

impl LabelTable {
    /// The labels in `row`; no trees if there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> LabelsRef<'_> {
        let cells = row * self.trees..(row + 1) * self.trees;
        LabelsRef(match &self.cells {
            Cells::Hops(labels) => Row::Hops(labels.get(cells).unwrap_or_default()),
            Cells::Costs(labels) => Row::Costs(labels.get(cells).unwrap_or_default()),
        })
    }

    /// Adds a row without a place in any tree.
    pub fn push(&mut self) {
        self.rows += 1;
        let cells = self.rows * self.trees;
        match &mut self.cells {
            Cells::Hops(labels) => extend_to(labels, cells, HopLabel::NONE),
            Cells::Costs(labels) => extend_to(labels, cells, Label::NONE),
        }
    }

    /// Empties a row that there is.
    pub fn clear_row(&mut self, row: usize) {
        (0..self.trees).for_each(|tree| self.set(row, tree, Label::NONE));
    }

    /// Sets the label of a row in a tree below [`TREES_MAX`]; the table grows wider as needed.
    pub fn set(&mut self, row: usize, tree: usize, label: Label) {
        if row >= self.rows || tree >= TREES_MAX {
            return;
        }
        if tree >= self.trees {
            self.reshape(tree + 1);
        }
        let cell = row * self.trees + tree;
        match (&mut self.cells, label.as_hops()) {
            (Cells::Hops(labels), Some(label)) => labels[cell] = label,
            (Cells::Costs(labels), _) => labels[cell] = label,
            (Cells::Hops(labels), None) => {
                let mut costs: Vec<Label> = labels.iter().map(|hops| Label::from(*hops)).collect();
                costs[cell] = label;
                self.cells = Cells::Costs(costs);
            }
        }
    }

    /// Puts the last row in the place of this one.
    pub fn swap_remove(&mut self, row: usize) {
        let Some(last) = self.rows.checked_sub(1).filter(|last| row <= *last) else { return };
        let (row, cells) = (row * self.trees, last * self.trees);
        match &mut self.cells {
            Cells::Hops(labels) => fill_from_behind(labels, row, cells),
            Cells::Costs(labels) => fill_from_behind(labels, row, cells),
        }
        self.rows = last;
    }

    /// Takes over all rows, with so many trees.
    fn reshape(&mut self, trees: usize) {
        let rows: Vec<Vec<Label>> =
            (0..self.rows).map(|row| self.row(row).iter().collect()).collect();
        let wide = rows.into_iter().flat_map(|mut row| {
            row.resize(trees, Label::NONE);
            row
        });
        let cells: Vec<Label> = wide.collect();
        let hops: Option<Vec<HopLabel>> = cells.iter().map(|label| label.as_hops()).collect();
        self.trees = trees;
        self.cells = hops.map_or(Cells::Costs(cells), Cells::Hops);
    }
}

/// Brings the labels up to so many. Rows are few and stay long: no room beyond them.
fn extend_to<L: Clone>(labels: &mut Vec<L>, cells: usize, none: L) {
    labels.reserve_exact(cells - labels.len());
    labels.resize(cells, none);
}

/// Puts the row that begins at the cell `last` and ends the table where another begins.
fn fill_from_behind<L: Copy>(labels: &mut Vec<L>, row: usize, last: usize) {
    labels.copy_within(last.., row);
    labels.truncate(last);
}

impl Heap for LabelTable {
    fn heap(&self) -> usize {
        match &self.cells {
            Cells::Hops(labels) => labels.capacity() * size_of::<HopLabel>(),
            Cells::Costs(labels) => labels.capacity() * size_of::<Label>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinates::{Epoch, LinkCost};
    use proptest::prelude::*;

    fn label(slot: u8, class: u8) -> Label {
        let cost = LinkCost::new(class).expect("a class");
        Label::root(Epoch(1)).child_over(slot, cost).expect("shallow")
    }

    proptest! {
        /// Against the plainest table there is.
        #[test]
        fn rows_hold_what_was_set(steps in prop::collection::vec((0u8..8, 0usize..6, 0usize..20, 0u8..16, 0u8..4), 0..60)) {
            let (mut table, mut plain) = (LabelTable::default(), Vec::<Vec<Label>>::new());
            for (step, row, tree, slot, class) in steps {
                match step {
                    0 | 1 => {
                        table.push();
                        plain.push(vec![Label::NONE; TREES_MAX]);
                    }
                    2 if row < plain.len() => {
                        table.swap_remove(row);
                        plain.swap_remove(row);
                    }
                    3 if row < plain.len() => {
                        table.clear_row(row);
                        plain[row].fill(Label::NONE);
                    }
                    _ => {
                        table.set(row, tree, label(slot, class));
                        if let Some(row) = plain.get_mut(row) {
                            row[tree] = label(slot, class);
                        }
                    }
                }
                for (row, labels) in plain.iter().enumerate() {
                    prop_assert!((0..TREES_MAX).all(|tree| table.row(row).get(tree) == labels[tree]));
                }
                prop_assert!(table.row(plain.len()).is_empty());
            }
        }
    }
}
