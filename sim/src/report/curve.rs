//! A storm of log-ins over time, as a table for a terminal.

use crate::measure::{Moment, Series};
use comfy_table::{Cell, CellAlignment, Table, presets};
use overlay_proto::time::Time;

/// Rows of the table, at most.
const ROWS: usize = 24;
/// The longest bar, in characters.
const BAR: usize = 20;

/// The curve from `begun` until everybody is logged in for good.
pub fn curve(series: &Series, begun: Time) -> String {
    let moments: Vec<&Moment> = series.moments().iter().filter(|m| m.at >= begun).collect();
    let missing = |m: &&Moment| m.on_line < m.here || m.supernodes == 0;
    let end = moments.iter().rposition(missing).map_or(moments.len(), |last| last + 2);
    let moments = &moments[..end.min(moments.len())];
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "seconds",
        "supernodes",
        "logged in",
        "",
        "asked a second",
        "refused a second",
        "log-ins a second",
    ]);
    let step = moments.len().div_ceil(ROWS).max(1);
    let mut points: Vec<&Moment> = moments.iter().copied().step_by(step).collect();
    // However the steps fall, the last row tells how it ended.
    points.extend(moments.last().filter(|last| points.last().is_some_and(|p| p.at < last.at)));
    for pair in points.windows(2) {
        table.add_row(row(begun, pair[0], pair[1]));
    }
    table.to_string()
}

fn row(begun: Time, before: &Moment, after: &Moment) -> Vec<Cell> {
    let secs = (after.secs() - before.secs()).max(1e-6);
    let rate = |count: fn(&Moment) -> u64| (count(after) - count(before)) as f64 / secs;
    let share = after.on_line as f64 / after.here.max(1) as f64;
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    vec![
        number(format!("{:.0}", after.at.since(begun).0 as f64 / 1e6)),
        number(after.supernodes.to_string()),
        number(format!("{:.1} %", 100.0 * share)),
        Cell::new("█".repeat((share * BAR as f64).round() as usize)),
        number(format!("{:.0}", rate(|m| m.asked))),
        number(format!("{:.0}", rate(|m| m.refused))),
        number(format!("{:.0}", rate(|m| m.logins))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_ends_when_all_are_in() {
        let mut series = Series::default();
        for secs in 0..100_u64 {
            let on_line = (secs as usize).min(10);
            let at = Time(secs * 1_000_000);
            series.keep(Moment { at, here: 10, on_line, supernodes: 2, ..Moment::default() });
        }
        let text = curve(&series, Time(2_000_000));
        assert_eq!(text.lines().count(), 3 + 8 + 1, "{text}");
        assert!(text.contains("100.0 %") && text.contains(&"█".repeat(BAR)));
    }
}
