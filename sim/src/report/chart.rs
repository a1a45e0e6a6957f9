//! Charts as SVG, to stand in a page: its ink is the text's, so that it reads in light and dark.

use plotters::prelude::*;

/// Width and height of a chart, in the units of its drawing.
const SIZE: (u32, u32) = (520, 260);
/// Width and height of a topology.
const SQUARE: (u32, u32) = (520, 520);
/// Stands for the text's colour until the drawing is done.
const INK: RGBColor = RGBColor(1, 2, 3);
/// The same in the drawing.
const INK_TEXT: &str = "#010203";
/// Bars of a histogram of what is not whole numbers.
const BARS: usize = 40;

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a chart could not be drawn: {0}; please report this with the command")]
pub struct ChartError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for ChartError {
    fn from(error: DrawingAreaErrorKind<E>) -> ChartError {
        ChartError(error.to_string())
    }
}

/// Colours that read on white and on black, told apart by those who see no red or green, too.
const PALETTE: [RGBColor; 7] = [
    RGBColor(46, 134, 222),
    RGBColor(230, 126, 34),
    RGBColor(22, 160, 133),
    RGBColor(192, 87, 156),
    RGBColor(160, 140, 30),
    RGBColor(120, 110, 200),
    RGBColor(200, 80, 70),
];

/// The colour of the series, or the home, with this number.
pub fn colour(number: usize) -> String {
    let RGBColor(r, g, b) = shade(number);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn shade(number: usize) -> RGBColor {
    PALETTE[number % PALETTE.len()]
}

/// A bar of a histogram: from, to, and the share of all values there.
type Bar = (f64, f64, f64);

/// The shares of whole numbers, a bar each.
///
/// # Errors
/// [`ChartError`].
pub fn whole_numbers(values: &[f64], x: &str, y: &str) -> Result<String, ChartError> {
    let most = values.iter().copied().fold(0.0, f64::max) as usize;
    let mut counts = vec![0_usize; most + 1];
    values.iter().for_each(|value| counts[*value as usize] += 1);
    let share = |count: usize| count as f64 / values.len().max(1) as f64;
    let bar = |(at, count)| (at as f64 - 0.4, at as f64 + 0.4, share(count));
    bars(&counts.into_iter().enumerate().map(bar).collect::<Vec<Bar>>(), (x, whole), y)
}

/// The shares of values from 0 to `most`; larger ones are counted in the last bar.
///
/// # Errors
/// [`ChartError`].
pub fn histogram(values: &[f64], most: f64, x: &str, y: &str) -> Result<String, ChartError> {
    let width = (most / BARS as f64).max(f64::MIN_POSITIVE);
    let mut counts = [0_usize; BARS];
    values.iter().for_each(|value| counts[((value / width) as usize).min(BARS - 1)] += 1);
    let share = |count: usize| count as f64 / values.len().max(1) as f64;
    let bar = |(at, count)| (at as f64 * width, (at as f64 + 0.9) * width, share(count));
    bars(&counts.into_iter().enumerate().map(bar).collect::<Vec<Bar>>(), (x, plain), y)
}

fn bars(bars: &[Bar], x: (&str, fn(&f64) -> String), y: &str) -> Result<String, ChartError> {
    let left = bars.first().map_or(0.0, |bar| bar.0.min(0.0));
    let right = bars.last().map_or(1.0, |bar| bar.1);
    let top = bars.iter().map(|bar| bar.2).fold(0.0, f64::max);
    drawn(SIZE, |area| {
        let mut chart = axes(area, (left, right), top, x, y)?;
        let shape = |(from, to, share): &Bar| {
            Rectangle::new([(*from, 0.0), (*to, *share)], shade(0).filled())
        };
        chart.draw_series(bars.iter().filter(|bar| bar.2 > 0.0).map(shape))?;
        Ok(())
    })
}

/// Lines over time, the first in the first colour; each a list of seconds and values.
///
/// # Errors
/// [`ChartError`].
pub fn over_time(lines: &[Vec<(f64, f64)>], y: &str) -> Result<String, ChartError> {
    let points = || lines.iter().flatten();
    let right = points().map(|point| point.0).fold(0.0, f64::max);
    let top = points().map(|point| point.1).fold(0.0, f64::max);
    drawn(SIZE, |area| {
        let mut chart = axes(area, (0.0, right), top, ("simulated seconds", plain), y)?;
        for (number, line) in lines.iter().enumerate() {
            let style = shade(number).stroke_width(2);
            chart.draw_series(LineSeries::new(line.iter().copied(), style))?;
        }
        Ok(())
    })
}

/// Nodes on a circle, coloured by a number each, or in ink without one, and lines between them.
///
/// # Errors
/// [`ChartError`].
pub fn ring(nodes: &[Option<usize>], lines: &[(usize, usize)]) -> Result<String, ChartError> {
    let centre = f64::from(SQUARE.0) / 2.0;
    let at = |node: usize| {
        let angle = std::f64::consts::TAU * node as f64 / nodes.len() as f64;
        let away = |part: f64| (centre + (centre - 12.0) * part) as i32;
        (away(angle.cos()), away(angle.sin()))
    };
    drawn(SQUARE, |area| {
        for (a, b) in lines {
            let style = match (nodes[*a], nodes[*b]) {
                (Some(a), Some(b)) if a == b => shade(a).mix(0.5).stroke_width(1),
                _ => INK.mix(0.18).stroke_width(1),
            };
            area.draw(&PathElement::new([at(*a), at(*b)], style))?;
        }
        for (node, number) in nodes.iter().enumerate() {
            area.draw(&Circle::new(at(node), 5, number.map_or(INK, shade).filled()))?;
        }
        Ok(())
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Axes<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn axes<'a, 'b>(
    area: &'a Area<'b>,
    (left, right): (f64, f64),
    top: f64,
    (x, ticks): (&str, fn(&f64) -> String),
    y: &str,
) -> Result<Axes<'a, 'b>, ChartError> {
    let right = if right > left { right } else { left + 1.0 };
    let top = if top > 0.0 { 1.05 * top } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(72)
        .build_cartesian_2d(left..right, 0.0..top)?;
    chart
        .configure_mesh()
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_style(INK.mix(0.5))
        .bold_line_style(INK.mix(0.12))
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&ticks)
        .y_label_formatter(&plain)
        .x_desc(x)
        .y_desc(y)
        .draw()?;
    Ok(chart)
}

/// A number without zeros at its end.
fn plain(value: &f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number; nothing for the ticks between.
fn whole(value: &f64) -> String {
    if value.fract() == 0.0 { plain(value) } else { String::new() }
}

/// Draws, and makes of the drawing what can stand in a page.
fn drawn(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    let svg = svg.replace(INK_TEXT, "currentColor");
    // In a page the name space is known; without it nothing there looks like an address.
    Ok(svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_for_shares() {
        let svg = whole_numbers(&[1.0, 2.0, 2.0, 3.0], "hops", "share").expect("drawn");
        let fill = format!("fill=\"{}\"", colour(0).to_uppercase());
        assert_eq!(svg.matches(&fill).count(), 3);
        assert!(svg.contains("hops") && svg.contains("currentColor"));
        assert!(!svg.contains("http") && !svg.contains(INK_TEXT));
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!([0.0, 0.25, 1_400.0].map(|v| plain(&v)), ["0", "0.25", "1400"]);
        assert_eq!([2.0, 2.5].map(|v| whole(&v)), ["2", ""]);
    }

    #[test]
    fn nothing_measured_is_drawn_as_nothing() {
        for svg in [
            whole_numbers(&[], "x", "y"),
            histogram(&[], 0.0, "x", "y"),
            over_time(&[Vec::new()], "y"),
            ring(&[], &[]),
        ] {
            assert!(svg.expect("drawn").contains("</svg>"));
        }
    }
}
