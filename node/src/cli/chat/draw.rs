//! Draws the chat screen.

use super::screen::{ChatScreen, Presence, Talk, Way};
use crate::cli::output::{clock, duration, printable};
use crate::mail::Said;
use overlay_proto::time::WallTime;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph};

/// Columns of the list of conversations.
const LIST_WIDTH: u16 = 24;
/// Below this width only the open conversation is shown.
const WIDE: u16 = 60;

const HELP: &str = "\
Enter         send what is typed
Tab, Down     the next conversation
Shift-Tab, Up the one before
Page Up/Down  older, newer messages
/with NAME    begin a conversation
/quit, Ctrl-C leave; messages go on arriving at `peer run`

·  on its way    ✓  in the mailbox    ✓✓ delivered    ✗  expired or returned";

/// Draws all of it, as it is at `now`.
pub(super) fn draw(screen: &ChatScreen, frame: &mut Frame<'_>, now: WallTime) {
    let area = frame.area();
    let [left, right] = match area.width >= WIDE {
        true => {
            Layout::horizontal([Constraint::Length(LIST_WIDTH), Constraint::Fill(1)]).areas(area)
        }
        false => [Rect::ZERO, area],
    };
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(3)])
            .areas(right);
    if left.width > 0 {
        draw_list(screen, frame, left);
    }
    frame.render_widget(Paragraph::new(title(screen)), top);
    draw_said(screen, frame, middle, now);
    draw_input(screen, frame, bottom);
    if screen.help {
        draw_help(frame, area);
    }
}

fn draw_list(screen: &ChatScreen, frame: &mut Frame<'_>, area: Rect) {
    let me = printable(&screen.me);
    let block = Block::bordered().title(format!(" {me} "));
    let rows = usize::from(block.inner(area).height);
    // The open one stays in sight.
    let first = (screen.open + 1).saturating_sub(rows);
    let lines = screen.talks.iter().enumerate().skip(first).take(rows).map(|(at, talk)| {
        let unread = if talk.unread > 0 { format!(" ({})", talk.unread) } else { String::new() };
        let style = match (at == screen.open, talk.unread > 0) {
            (true, _) => Style::new().add_modifier(Modifier::REVERSED),
            (false, true) => Style::new().add_modifier(Modifier::BOLD),
            (false, false) => Style::new(),
        };
        Line::from(vec![mark(talk.presence), format!(" {}{unread}", printable(&talk.with)).into()])
            .style(style)
    });
    frame.render_widget(Paragraph::new(Text::from_iter(lines)).block(block), area);
}

fn mark(presence: Presence) -> Span<'static> {
    match presence {
        Presence::Online => "●".green(),
        Presence::Away => "◐".yellow(),
        Presence::Offline { .. } => "○".dark_gray(),
        Presence::Unknown => " ".into(),
    }
}

/// With whom, whether they are there, and by which way.
fn title(screen: &ChatScreen) -> Line<'static> {
    let Some(talk) = screen.talk() else {
        return Line::from("no conversation yet: type `/with NAME`".italic());
    };
    let mut parts = vec![printable(&talk.with).bold()];
    parts.extend(there(talk).map(|text| Span::from(format!(" · {text}"))));
    parts.extend(talk.way.map(|way| Span::from(format!(" · {}", way_text(way)))));
    Line::from(parts)
}

fn there(talk: &Talk) -> Option<String> {
    match talk.presence {
        Presence::Unknown => None,
        Presence::Online => Some("online".to_owned()),
        Presence::Away => Some("away".to_owned()),
        Presence::Offline { seen_secs: None } => Some("offline".to_owned()),
        Presence::Offline { seen_secs: Some(secs) } => {
            Some(format!("offline, seen {} ago", duration(secs)))
        }
    }
}

fn way_text(way: Way) -> String {
    match way {
        Way::Direct => "direct".to_owned(),
        Way::Hops(1) => "1 hop".to_owned(),
        Way::Hops(hops) => format!("{hops} hops"),
    }
}

fn draw_said(screen: &ChatScreen, frame: &mut Frame<'_>, area: Rect, now: WallTime) {
    let Some(talk) = screen.talk() else { return };
    let (width, rows) = (usize::from(area.width), usize::from(area.height));
    // From the newest up, no more than can be seen.
    let wanted = rows.saturating_add(screen.back);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for said in talk.said.iter().rev() {
        if lines.len() >= wanted {
            break;
        }
        lines.extend(paragraph(said, &talk.with, width, now).into_iter().rev());
    }
    let skipped = screen.back.min(lines.len().saturating_sub(rows));
    let mut seen: Vec<Line<'static>> = lines.into_iter().skip(skipped).take(rows).collect();
    seen.reverse();
    let above = area.height.saturating_sub(u16::try_from(seen.len()).unwrap_or(u16::MAX));
    let [_, at] = Layout::vertical([Constraint::Length(above), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(Text::from(seen)), at);
}

/// One message, as many lines as it needs.
fn paragraph(said: &Said, with: &str, width: usize, now: WallTime) -> Vec<Line<'static>> {
    let who = if said.mine { "you".to_owned() } else { printable(with) };
    let receipt = if said.mine { receipt(said.state.as_deref()) } else { "" };
    let time = clock(WallTime(said.at_ms), now);
    let head = format!("{time} {who}: ");
    let text = printable(&said.text);
    let whole = format!("{head}{text} {receipt}");
    let options = textwrap::Options::new(width.max(1)).subsequent_indent("    ");
    let color = if said.mine { Color::Cyan } else { Color::Green };
    let wrapped = textwrap::wrap(whole.trim_end(), options);
    let line = |(number, line): (usize, std::borrow::Cow<'_, str>)| match line
        .strip_prefix(head.as_str())
        .filter(|_| number == 0)
    {
        Some(rest) => {
            let head = Span::styled(head.clone(), Style::new().fg(color));
            Line::from(vec![head, rest.to_owned().into()])
        }
        None => Line::from(line.into_owned()),
    };
    wrapped.into_iter().enumerate().map(line).collect()
}

fn receipt(state: Option<&str>) -> &'static str {
    match state {
        Some("waiting") => "·",
        Some("kept") => "✓",
        Some("delivered") => "✓✓",
        Some("expired") => "✗ expired",
        Some("returned") => "✗ came back",
        _ => "",
    }
}

fn draw_input(screen: &ChatScreen, frame: &mut Frame<'_>, area: Rect) {
    let title = match &screen.note {
        Some(note) => Line::from(format!(" {} ", printable(note)).red()),
        None => Line::from(" F1: help ".dark_gray()),
    };
    let block = Block::bordered().title(title);
    let inner = block.inner(area);
    let width = usize::from(inner.width.max(1));
    let scrolled = screen.input.visual_scroll(width.saturating_sub(1));
    let line = Paragraph::new(screen.input.value().to_owned())
        .scroll((0, u16::try_from(scrolled).unwrap_or(u16::MAX)))
        .block(block);
    frame.render_widget(line, area);
    if inner.height > 0 {
        let column = screen.input.visual_cursor().saturating_sub(scrolled).min(width - 1);
        frame.set_cursor_position((inner.x + u16::try_from(column).unwrap_or(0), inner.y));
    }
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let height = HELP.lines().count() + 2;
    let width = HELP.lines().map(|line| line.chars().count()).max().unwrap_or(0) + 4;
    let at = |length: usize, of: u16| u16::try_from(length).unwrap_or(of).min(of);
    let (width, height) = (at(width, area.width), at(height, area.height));
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    let over = Rect { x: area.x + x, y: area.y + y, width, height };
    frame.render_widget(Clear, over);
    frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title(" Keys ")), over);
}
