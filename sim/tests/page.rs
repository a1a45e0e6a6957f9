//! The page of a small run.

use overlay_sim::report::page::{Told, page};
use overlay_sim::scenario::{Change, Outcome, Scenario, play};
use std::sync::atomic::AtomicBool;

fn play_and_tell(stop: bool) -> (Outcome, String) {
    let change = Change { peers: Some(60), supernodes: Some(3), ..Change::default() };
    let scenario = Scenario::load("crash20", &change).expect("built in");
    let outcome = play(&scenario, &mut (), &AtomicBool::new(stop));
    let told = Told {
        figures: &outcome.figures,
        findings: &outcome.findings,
        record: &outcome.record,
        replay: &scenario.replay(),
    };
    let page = page(&told).expect("drawn");
    (outcome, page)
}

fn demand_self_contained(page: &str) {
    for reference in ["http", "//", "src=", "href", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn a_page_shows_all_that_was_measured_and_needs_nothing_else() {
    let (outcome, page) = play_and_tell(false);
    assert!(outcome.passed());
    for title in ["Hops", "Stretch", "Load", "Delivered", "Repair", "Control", "Labels", "Topology"]
    {
        assert!(page.contains(&format!("<figcaption>{title}")), "{title}");
    }
    assert_eq!(page.matches("<svg").count(), 8);
    assert_eq!(page.matches("<circle").count(), 48, "a fifth of 60 has gone");
    let links = outcome.record.topology.expect("small").links.len();
    assert!((48 * 3..=48 * 4).contains(&links), "{links}");
    assert!(page.contains("Every check holds") && page.contains("--peers 60"));
    assert!(page.contains("prefers-color-scheme: dark"));
    demand_self_contained(&page);
}

#[test]
fn an_interrupted_run_has_a_page_marked_as_partial() {
    let (outcome, page) = play_and_tell(true);
    assert!(outcome.figures.partial && outcome.record.survey.is_none());
    assert!(page.contains("Partial") && page.contains("<figcaption>Control"));
    demand_self_contained(&page);
}
