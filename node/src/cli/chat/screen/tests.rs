//! The screen without a terminal: what is heard and typed, and what is drawn of it.

use super::*;
use crate::cli::chat::draw::draw;
use overlay_proto::status::Status;
use overlay_proto::time::WallTime;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn drawn(screen: &ChatScreen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("in memory");
    terminal.draw(|frame| draw(screen, frame, WallTime(1_000))).expect("in memory");
    terminal.backend().to_string()
}

fn screen(names: &[&str]) -> ChatScreen {
    let mut screen = ChatScreen { me: "alice".to_owned(), ..ChatScreen::default() };
    names.iter().for_each(|name| screen.know(name));
    screen
}

fn press(screen: &mut ChatScreen, code: KeyCode) -> Option<Wish> {
    screen.press(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn type_line(screen: &mut ChatScreen, line: &str) -> Option<Wish> {
    for c in line.chars() {
        assert_eq!(press(screen, KeyCode::Char(c)), None);
    }
    press(screen, KeyCode::Enter)
}

fn mail(from: &str, id: &str, text: &str) -> ApiEvent {
    ApiEvent::Mail { id: id.to_owned(), from: from.to_owned(), text: text.to_owned() }
}

#[test]
fn a_message_is_typed_and_its_receipts_are_shown_as_they_come() {
    let mut screen = screen(&["bob"]);
    let wish = type_line(&mut screen, "see you on friday");
    let text = "see you on friday".to_owned();
    assert_eq!(wish, Some(Wish::Write { to: "bob".to_owned(), text: text.clone() }));
    screen.wrote("1".to_owned(), "bob", text, 1_000);
    let receipt = |screen: &ChatScreen| {
        let shown = drawn(screen, 80, 10);
        let line = shown.lines().find(|line| line.contains("friday")).expect("shown").to_owned();
        line.split("friday").nth(1).expect("after it").trim_matches([' ', '"']).to_owned()
    };
    assert_eq!(receipt(&screen), "·");
    let (id, to) = ("1".to_owned(), "bob".to_owned());
    screen.hear(&ApiEvent::MailKept { id: id.clone(), to: to.clone(), copies: 2 }, 0);
    assert_eq!(receipt(&screen), "✓");
    screen.hear(&ApiEvent::MailEnded { id: id.clone(), to: to.clone(), status: Status::OK }, 0);
    assert_eq!(receipt(&screen), "✓✓");
    screen.hear(&ApiEvent::MailEnded { id, to, status: Status(404) }, 0);
    assert_eq!(receipt(&screen), "✗ came back");
    assert!(drawn(&screen, 80, 10).contains("404"), "and why");
}

#[test]
fn what_was_written_in_another_terminal_is_read_if_its_conversation_is_open() {
    let mut screen = screen(&["bob", "carol"]);
    let kept = |to: &str| ApiEvent::MailKept { id: "7".to_owned(), to: to.to_owned(), copies: 2 };
    assert!(screen.hear(&kept("bob"), 0));
    assert!(!screen.hear(&kept("carol"), 0), "it is read when it is opened");
    screen.wrote("7".to_owned(), "bob", "from elsewhere".to_owned(), 1_000);
    assert!(!screen.hear(&kept("bob"), 0));
}

#[test]
fn what_comes_elsewhere_is_counted_until_it_is_looked_at() {
    let mut screen = screen(&["bob", "carol"]);
    screen.hear(&mail("carol", "1", "hello"), 0);
    screen.hear(&mail("carol", "1", "hello"), 0);
    screen.hear(&mail("dave", "2", "who are you?"), 0);
    let shown = drawn(&screen, 80, 10);
    assert!(shown.contains("carol (1)") && shown.contains("dave (1)"), "{shown}");
    assert!(!shown.contains("hello"), "bob's conversation is open: {shown}");
    assert_eq!(press(&mut screen, KeyCode::Tab), Some(Wish::Read { with: "carol".to_owned() }));
    let shown = drawn(&screen, 80, 10);
    assert!(shown.contains("carol: hello") && !shown.contains("carol (1)"), "{shown}");
    assert_eq!(press(&mut screen, KeyCode::Up), Some(Wish::Read { with: "bob".to_owned() }));
    assert_eq!(press(&mut screen, KeyCode::Up), Some(Wish::Read { with: "dave".to_owned() }));
}

#[test]
fn presence_and_way_stand_in_the_title() {
    let mut screen = screen(&["bob"]);
    let contact = |online, away, seen_ms_ago| ContactEntry {
        name: "bob".to_owned(),
        standing: crate::contacts::Standing::Contact,
        greeting: String::new(),
        since_ms: 0,
        online,
        away: Some(away),
        seen_ms_ago,
    };
    screen.book(&[contact(Some(true), false, None)]);
    screen.way("bob", Some(Way::Hops(5)));
    assert!(drawn(&screen, 80, 10).contains("bob · online · 5 hops"));
    let path =
        |direct| ApiEvent::PathChanged { node: String::new(), name: "bob".to_owned(), direct };
    screen.hear(&path(true), 0);
    assert!(drawn(&screen, 80, 10).contains("bob · online · direct"));
    screen.hear(&path(false), 0);
    assert!(!drawn(&screen, 80, 10).contains("direct"));
    screen.book(&[contact(Some(true), true, None)]);
    assert!(drawn(&screen, 80, 10).contains("bob · away"));
    screen.book(&[contact(Some(false), false, Some(90_000))]);
    assert!(drawn(&screen, 80, 10).contains("offline, seen 90 s ago"));
}

#[test]
fn the_newest_is_at_the_bottom_and_older_ones_are_a_key_away() {
    let mut screen = screen(&["bob"]);
    for number in 0..50 {
        screen.hear(&mail("bob", &number.to_string(), &format!("number {number}.")), 0);
    }
    let shown = drawn(&screen, 80, 10);
    assert!(shown.contains("number 49.") && !shown.contains("number 39."), "{shown}");
    press(&mut screen, KeyCode::PageUp);
    let shown = drawn(&screen, 80, 10);
    assert!(shown.contains("number 39.") && !shown.contains("number 49."), "{shown}");
    press(&mut screen, KeyCode::PageDown);
    assert!(drawn(&screen, 80, 10).contains("number 49."));
    (0..50).for_each(|_| assert_eq!(press(&mut screen, KeyCode::PageUp), None));
    assert!(drawn(&screen, 80, 10).contains("number 0."), "never beyond the first");
}

#[test]
fn a_remote_text_cannot_steer_the_terminal_or_speak_for_others() {
    let mut screen = screen(&["bob"]);
    screen.hear(&mail("bob", "1", "a\x1b[2Jb\u{202e}c\nyou: I owe you 1000"), 0);
    let shown = drawn(&screen, 80, 10);
    assert!(!shown.contains('\x1b') && !shown.contains('\u{202e}'), "{shown}");
    let lie = shown.lines().find(|line| line.contains("I owe you")).expect("shown");
    assert!(lie.contains("    you:"), "indented: {lie}");
}

#[test]
fn any_size_can_be_drawn() {
    let mut screen = screen(&["bob", "a-name-as-long-as-names-may-be-in-here"]);
    screen.hear(&mail("bob", "1", &"long ".repeat(200)), 0);
    screen.hear(&mail("bob", "2", &"無".repeat(200)), 0);
    type_line(&mut screen, "/help");
    for (width, height) in [(1, 1), (2, 3), (20, 4), (59, 5), (60, 1), (200, 60)] {
        drawn(&screen, width, height);
    }
    screen.help = false;
    for (width, height) in [(1, 1), (2, 3), (20, 4), (59, 5), (60, 1), (200, 60)] {
        drawn(&screen, width, height);
    }
}

#[test]
fn commands_and_keys_lead_where_they_say() {
    let mut screen = screen(&[]);
    assert_eq!(type_line(&mut screen, "hello"), None);
    assert!(screen.note.as_deref().is_some_and(|note| note.contains("/with NAME")));
    let with = Some(Wish::Read { with: "bob".to_owned() });
    assert_eq!(type_line(&mut screen, "/with bob"), with);
    assert_eq!(type_line(&mut screen, "/nonsense"), None);
    assert!(screen.note.is_some());
    assert_eq!(type_line(&mut screen, "/quit"), Some(Wish::Quit));
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.press(&Event::Key(control_c)), Some(Wish::Quit));
    press(&mut screen, KeyCode::F(1));
    assert!(drawn(&screen, 80, 20).contains("the next conversation"));
}

#[test]
fn what_was_kept_and_what_just_came_are_shown_once_each() {
    let mut screen = screen(&["bob"]);
    screen.hear(&mail("bob", "2", "just now"), 2_000);
    let said = |id: &str, text: &str| Said {
        id: id.to_owned(),
        mine: false,
        at_ms: 1_000,
        text: text.to_owned(),
        state: None,
    };
    screen.read("bob", vec![said("1", "before"), said("2", "just now")]);
    let texts: Vec<&str> = screen.talks[0].said.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(texts, ["before", "just now"]);
}
