//! A sweep as a table for a terminal: one row a run, and the figures that the scenario has.

use super::Row;
use crate::report::Figures;
use comfy_table::{Cell, CellAlignment, Table, presets};

type Column = (&'static str, fn(&Figures) -> Option<String>);

/// The columns; one that no run has anything for is left out.
const COLUMNS: [Column; 14] = [
    ("50 %", |f| secs(f.storm_secs_to_50)),
    ("99 %", |f| secs(f.storm_secs_to_99)),
    ("all logged in", |f| secs(f.storm_secs_to_100)),
    ("as usual after", |f| secs(f.storm_secs_to_normal)),
    ("least useful", |f| f.storm_goodput_min.map(|v| format!("{v:.2}"))),
    ("attempts", |f| f.storm_attempts_per_client.map(|v| format!("{v:.1}"))),
    ("refused", |f| f.storm_refused.map(|v| v.to_string())),
    ("supernodes lost", |f| f.storm_supernodes_lost.map(|v| v.to_string())),
    ("homes lost", |f| f.storm_homes_given_up.map(|v| v.to_string())),
    ("core line", |f| f.storm_line_secs_max.map(|v| format!("{v:.1} s"))),
    ("death known, 99 %", |f| secs(f.membership_secs_p99)),
    ("at most", |f| secs(f.membership_secs_max)),
    ("false deaths", |f| f.membership_false_deaths.map(|v| v.to_string())),
    ("B/s a supernode", |f| f.membership_bytes_per_second.map(|v| format!("{v:.0}"))),
];

fn secs(value: Option<f64>) -> Option<String> {
    value.map(|secs| format!("{secs:.0} s"))
}

/// The runs, one a row.
pub fn table(key: &str, rows: &[Row]) -> String {
    let has = |(_, of): &&Column| rows.iter().any(|row| of(&row.figures).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(has).collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let ends = [key, "seed"].into_iter();
    let header = ends.chain(columns.iter().map(|(name, _)| *name));
    table.set_header(header.chain(["delivered", "verdict"]));
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for row in rows {
        let f = &row.figures;
        let mut cells = vec![number(row.value.clone()), number(row.seed.to_string())];
        cells.extend(columns.iter().map(|(_, of)| number(of(f).unwrap_or_default())));
        cells.push(number(format!("{} of {}", f.messages_delivered, f.messages_sent)));
        cells.push(Cell::new(verdict(row)));
        table.add_row(cells);
    }
    table.to_string()
}

/// One run in one line, as it ends.
pub fn line(key: &str, row: &Row) -> String {
    let wall = row.figures.wall_seconds;
    format!("{key} = {}, seed {}: {} ({wall:.0} s)", row.value, row.seed, verdict(row))
}

fn verdict(row: &Row) -> String {
    match row.findings.first() {
        _ if row.holds => "holds".to_owned(),
        Some(first) => first.clone(),
        None => "interrupted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_has_a_column() {
        let figures = Figures { storm_secs_to_100: Some(34.4), ..Figures::default() };
        let row = Row {
            value: "0.3".into(),
            seed: 2,
            holds: false,
            findings: vec!["storm at 3.000 s: bad".into()],
            replay: String::new(),
            figures,
        };
        let text = table("outage.load", &[row]);
        assert!(text.contains("34 s") && text.contains("storm at 3.000 s: bad"), "{text}");
        assert!(!text.contains("false deaths"), "{text}");
    }
}
