//! The comparison as a table for a terminal.

use super::{Comparison, Row};
use comfy_table::{Cell, CellAlignment, Table, presets};

/// One line a design; in brackets what each figure is of the shortest path's.
pub fn table(comparison: &Comparison) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["design", "mean hops", "over Moore", "hops, 99 %", "delivered", "max load"]);
    for row in &comparison.rows {
        let cells = cells(row).map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        table.add_row(std::iter::once(Cell::new(row.design)).chain(cells));
    }
    table.to_string()
}

fn cells(row: &Row) -> [String; 5] {
    let of = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!(" ({ratio:.3})"));
    let text = |value: Option<f64>, digits: usize| {
        value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let over = &row.over_shortest;
    [
        text(row.hops_mean, 2) + &of(over.hops_mean),
        text(row.hops_over_moore, 3),
        text(row.hops_p99, 0) + &of(over.hops_p99),
        format!("{:.3} %", 100.0 * row.delivered) + &of(over.delivered),
        format!("{:.1}", row.load_max_over_mean) + &of(over.load_max_over_mean),
    ]
}
