//! The report as one page that needs nothing but itself.

use super::chart::{self, ChartError};
use super::{Figures, table};
use crate::checks::Findings;
use crate::measure::{Moment, Record};
use overlay_proto::time::Time;
use std::fmt::Write;

/// What a page tells of.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The figures.
    pub figures: &'a Figures,
    /// What the checks have found.
    pub findings: &'a Findings,
    /// What was measured on the way.
    pub record: &'a Record,
    /// The command that plays the run again.
    pub replay: &'a str,
}

const STYLE: &str = "
:root { color-scheme: light dark; --ground: #fff; --text: #1c2733; --line: #d5dbe1;
  --quiet: #5c6b7a; --good: #15803d; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ground: #14191f; --text: #dde4ea;
  --line: #2f3943; --quiet: #93a1af; --good: #4ade80; --bad: #f87171; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--ground);
  color: var(--text); font: 16px/1.5 sans-serif; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.5rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .75rem; }
figcaption { font-weight: 600; }
figcaption small, .quiet, td:last-child { color: var(--quiet); font-weight: 400; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0; }
td { border-top: 1px solid var(--line); padding: .25rem .5rem; }
td:nth-child(2) { text-align: right; white-space: nowrap; }
code { overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); }
";

/// The page.
///
/// # Errors
/// [`ChartError`].
pub fn page(told: &Told<'_>) -> Result<String, ChartError> {
    let name = escaped(&told.figures.scenario);
    let mut page = String::new();
    let head = "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">";
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head>{head}<title>{name}</title><style>{STYLE}</style>\
         </head><body>\n<h1>{name}</h1>\n{}<p>Again with: <code>{}</code></p>\n<main>\n",
        verdict(told),
        escaped(told.replay),
    );
    figures_drawn(told.record, &mut page)?;
    page.push_str("</main>\n<table>\n");
    for (name, value, note) in table::rows(told.figures) {
        let (value, note) = (escaped(&value), escaped(&note));
        let _ = writeln!(page, "<tr><td>{name}</td><td>{value}</td><td>{note}</td></tr>");
    }
    page.push_str("</table>\n</body></html>\n");
    Ok(page)
}

fn verdict(told: &Told<'_>) -> String {
    if told.figures.partial {
        return "<p class=\"bad\">Partial: the run was interrupted, and this is what was done until \
                then.</p>\n"
            .into();
    }
    let count = told.findings.count();
    if count == 0 {
        return "<p class=\"good\">Every check holds.</p>\n".into();
    }
    let mut text = format!("<p class=\"bad\">{count} violations:</p>\n<ul>\n");
    for violation in told.findings.kept() {
        let _ = writeln!(text, "<li>{}</li>", escaped(&violation.to_string()));
    }
    text + "</ul>\n"
}

fn figures_drawn(record: &Record, page: &mut String) -> Result<(), ChartError> {
    let walks = "random pairs walked over the network at the end";
    if let Some(survey) = &record.survey {
        let hops = chart::whole_numbers(survey.hops.values(), "hops", "share of walks")?;
        figure(page, "Hops", walks, &[], &hops);
        let most = survey.stretch.quantile(0.99).unwrap_or(1.0);
        let axis = "delay over the direct way's";
        let stretch = chart::histogram(survey.stretch.values(), most, axis, "share of walks")?;
        figure(page, "Stretch", walks, &[], &stretch);
        let mean = survey.load.mean().filter(|mean| *mean > 0.0).unwrap_or(1.0);
        let load: Vec<f64> = survey.load.values().iter().map(|load| load / mean).collect();
        let most = load.last().copied().unwrap_or(1.0);
        let load = chart::histogram(&load, most, "forwards over the mean", "share of peers")?;
        figure(page, "Load", walks, &[], &load);
    }
    over_time(record, page)?;
    if let Some(topology) = &record.topology {
        let ring = chart::ring(&topology.homes, &topology.links)?;
        let about = "peers, coloured by home; links within a home in its colour";
        figure(page, "Topology", about, &[], &ring);
    }
    Ok(())
}

fn over_time(record: &Record, page: &mut String) -> Result<(), ChartError> {
    let moments = record.series.moments();
    let line = |value: &dyn Fn(&Moment) -> usize| -> Vec<(f64, f64)> {
        moments.iter().map(|moment| (moment.secs(), value(moment) as f64)).collect()
    };
    let messages = [line(&|moment| moment.sent), line(&|moment| moment.delivered)];
    let messages = chart::over_time(&messages, "messages")?;
    figure(page, "Delivered", "since the beginning", &["sent", "delivered once"], &messages);
    let peers = [line(&|moment| moment.here), line(&|moment| moment.whole)];
    let peers = chart::over_time(&peers, "peers")?;
    figure(page, "Repair", "peers in their places", &["alive", "in their places"], &peers);
    if let Some(begun) = record.storm {
        storm_over_time(record, begun, page)?;
    }
    let control = record.series.rate_per_peer(|moment| moment.control_bytes);
    let control = chart::over_time(&[control], "bytes per peer and second")?;
    figure(page, "Control traffic", "sent by all nodes", &[], &control);
    let labels = record.series.rate_per_peer(|moment| moment.labels);
    let labels = chart::over_time(&[labels], "labels per peer and second")?;
    figure(page, "Labels changed", "by homes", &[], &labels);
    Ok(())
}

/// A storm of log-ins, from its beginning.
fn storm_over_time(record: &Record, begun: Time, page: &mut String) -> Result<(), ChartError> {
    let moments: Vec<&Moment> =
        record.series.moments().iter().filter(|moment| moment.at >= begun).collect();
    let all = moments.iter().map(|moment| moment.supernodes).max().unwrap_or(0).max(1);
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    let line = |value: &dyn Fn(&Moment) -> f64| -> Vec<(f64, f64)> {
        moments.iter().map(|moment| (moment.secs(), value(moment))).collect()
    };
    let shares = [line(&|m| share(m.on_line, m.here)), line(&|m| share(m.supernodes, all))];
    let shares = chart::over_time(&shares, "percent")?;
    let about = "peers logged in, supernodes alive";
    figure(page, "Outage", about, &["logged in", "supernodes alive"], &shares);
    let rate = |count: fn(&Moment) -> u64| -> Vec<(f64, f64)> {
        let pairs = moments.windows(2);
        pairs
            .map(|pair| {
                let secs = (pair[1].secs() - pair[0].secs()).max(1e-6);
                (pair[1].secs(), (count(pair[1]) - count(pair[0])) as f64 / secs)
            })
            .collect()
    };
    let lines = [rate(|m| m.asked), rate(|m| m.refused), rate(|m| m.logins)];
    let lines = chart::over_time(&lines, "a second")?;
    let names = ["asked for", "put off or refused", "given"];
    figure(page, "Log-ins", "sessions", &names, &lines);
    Ok(())
}

fn figure(page: &mut String, title: &str, about: &str, lines: &[&str], svg: &str) {
    let mut legend = String::new();
    for (number, line) in lines.iter().enumerate() {
        let _ = write!(legend, " <span style=\"color:{}\">● {line}</span>", chart::colour(number));
    }
    let _ = writeln!(
        page,
        "<figure><figcaption>{title} <small>{about}{legend}</small></figcaption>\n{svg}\n</figure>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_cannot_write_the_page() {
        let figures = Figures { scenario: "<script>".into(), partial: true, ..Figures::default() };
        let (findings, record) = (Findings::default(), Record::default());
        let told =
            Told { figures: &figures, findings: &findings, record: &record, replay: "sim run a&b" };
        let page = page(&told).expect("drawn");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
        assert!(page.contains("Partial") && page.contains("a&amp;b"));
    }
}
