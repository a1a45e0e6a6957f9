//! Messages that wait, where something is full, too late or gone for ever.

use overlay_sim::report::Figures;
use overlay_sim::scenario::{Change, Outcome, Scenario, play};
use std::sync::atomic::AtomicBool;

const REALM: &str = "
    name = 'mail'
    [population]
    peers = 4
    supernodes = 3
    degree = 3
    trees = 2
    arrive_over_secs = 10
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
";

fn played(step: &str) -> Outcome {
    let text = format!("{REALM}{step}");
    let scenario = Scenario::parse("test", &text, &Change::default()).expect("valid");
    play(&scenario, &mut (), &AtomicBool::new(false))
}

fn well(outcome: &Outcome) -> &Figures {
    let found: Vec<String> = outcome.findings.kept().iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{found:#?}");
    let figures = &outcome.figures;
    let wrong = (figures.mail_lost, figures.mail_duplicates, figures.mail_out_of_order);
    assert_eq!((wrong, figures.mail_open), ((Some(0), Some(0), Some(0)), Some(0)));
    figures
}

/// Row 22 of the catalogue: far more is written to who is away than a mailbox takes: each of four
/// users some 330 letters to each other one, of whom two are away all the while, where a box takes
/// 128 of one sender.
#[test]
fn a_full_mailbox_is_not_stormed() {
    let outcome = played(
        "mail = { count = 4000, over_secs = 400, away = 0.5, up_secs = 60, down_secs = 900 }",
    );
    let figures = well(&outcome);
    let why = &figures.mail_returned_why;
    assert_eq!(figures.mail_delivered, figures.mail_written, "{why:?}");
    let all = outcome.tally.messages();
    let asked =
        all.iter().find(|(name, _)| *name == "Deposit").map_or(0, |(_, count)| count.frames);
    let useful = figures.mail_written.expect("some") as f64;
    println!("{asked} deposits for {useful} messages: {:.2}", asked as f64 / useful);
    assert!(asked as f64 <= 1.5 * useful, "{asked} deposits for {useful} messages");
}

/// Row 11: what nobody fetches in time expires, and its sender is told.
#[test]
fn what_nobody_fetches_expires() {
    let outcome = played(
        "mail = { count = 200, over_secs = 60, away = 0.5, up_secs = 5, down_secs = 120, life_secs = 30 }",
    );
    let figures = well(&outcome);
    let count = |v: Option<usize>| v.expect("mail was written");
    let (delivered, expired) = (count(figures.mail_delivered), count(figures.mail_expired));
    assert!(expired > 0 && delivered > 0, "{delivered} delivered, {expired} expired");
    assert_eq!(delivered + expired, count(figures.mail_written));
}
