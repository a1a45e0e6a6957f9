//! The operator's page, the unit and the dashboard say what is so.

use super::{Seen, render, samples};
use overlay_node::driver::Counters;
use overlay_proto::io::Event;
use serde_json::Value;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/operating.md");
const UNIT: &str = include_str!("../../../systemd/trellis-supernode.service");
const DASHBOARD: &str = include_str!("../../../grafana/trellis.json");

/// The names of all metrics that are served.
fn served() -> BTreeSet<String> {
    let view = serde_json::json!({
        "node": "n", "realm": "r", "registrar": true, "children": 0, "locations": 0, "links": 0,
        "free_slots": 0, "trees_owned": 0, "escalated": 0, "logins": 0, "refused": 0, "members": [],
    });
    let supernode = serde_json::from_value(view).expect("a view");
    let seen = Seen { supernode, counters: Counters::default(), addresses: 1, ready: true };
    let page = render(&seen).expect("a text");
    let name = |sample: &String| sample.split('{').next().unwrap_or_default().to_owned();
    samples(&page).keys().map(name).collect()
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("trellis_")).map(str::to_owned).collect()
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "expr" || key == "query" => {
                        found.push(text.clone());
                    }
                    value => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_served_and_leaves_few_out() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() > 30, "{asked:?}");
    for text in &asked {
        let (open, close) = (text.matches('(').count(), text.matches(')').count());
        assert_eq!(open, close, "{text}");
    }
    let (asked, served) = (named(&asked.join(" ")), served());
    let unknown: Vec<_> = asked.difference(&served).collect();
    assert!(unknown.is_empty(), "nobody serves {unknown:?}");
    let left_out: Vec<_> = served.difference(&asked).collect();
    assert!(left_out.len() <= 5, "not on the dashboard: {left_out:?}");
}

#[test]
fn the_operators_page_names_metrics_that_are_served() {
    let served = served();
    let unknown: Vec<String> =
        named(PAGE).into_iter().filter(|name| !served.contains(name)).collect();
    assert!(unknown.is_empty(), "nobody serves {unknown:?}");
    assert!(named(PAGE).len() >= 12, "{:?}", named(PAGE));
}

#[test]
fn the_operators_page_lists_every_event_of_the_log_and_no_other() {
    let section = PAGE.split("\n## The log\n").nth(1).expect("a section on the log");
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let listed: Vec<String> = section.lines().filter_map(row).collect();
    let listed_once: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(listed.len(), listed_once.len(), "an event is listed twice");
    let all: BTreeSet<&str> = Event::NAMES.iter().copied().collect();
    assert_eq!(listed_once, all);
}

#[test]
fn the_unit_sets_what_the_program_reads_and_is_hardened() {
    let read = ["TRELLIS_DATA", "TRELLIS_METRICS", "TRELLIS_LOG_FORMAT", "RUST_LOG"];
    let set = UNIT.lines().filter_map(|line| line.strip_prefix("Environment=")?.split('=').next());
    assert!(set.eq(read));
    for line in [
        "StateDirectory=trellis-supernode",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "LimitNOFILE=16384",
        "Restart=on-failure",
        "TimeoutStopSec=30",
    ] {
        assert!(UNIT.lines().any(|other| other == line), "{line} is missing");
    }
}
