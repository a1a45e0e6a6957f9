//! What a chat screen shows and what its keys do. No terminal and no socket in here.

use crate::api::{ApiEvent, ContactEntry};
use crate::mail::Said;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use overlay_proto::mail::MessageState;
use overlay_proto::view::CorrespondentView;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// Messages of one conversation that are held; older ones are in `peer messages`.
const SAID_MAX: usize = 2_000;
/// Lines by which Page Up and Page Down move.
const PAGE: usize = 10;

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Only contacts show it.
    Unknown,
    Online,
    /// On line, and not at the computer.
    Away,
    Offline {
        /// Seconds since they were seen, if somebody remembers.
        seen_secs: Option<u64>,
    },
}

/// By which way a conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Hops(u8),
}

/// What was said with one user.
#[derive(Debug)]
pub(super) struct Talk {
    pub with: String,
    pub presence: Presence,
    pub way: Option<Way>,
    /// Messages that came while another conversation was open.
    pub unread: usize,
    pub said: Vec<Said>,
}

impl Talk {
    fn new(with: &str) -> Talk {
        let (presence, said) = (Presence::Unknown, Vec::new());
        Talk { with: with.to_owned(), presence, way: None, unread: 0, said }
    }

    /// Adds one message, unless it is there.
    fn add(&mut self, said: Said) -> bool {
        if self.said.iter().rev().any(|one| one.id == said.id && one.mine == said.mine) {
            return false;
        }
        self.said.push(said);
        let over = self.said.len().saturating_sub(SAID_MAX);
        self.said.drain(..over);
        true
    }
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// A message is written.
    Write { to: String, text: String },
    /// Another conversation is open, and has to be read.
    Read { with: String },
    /// The end.
    Quit,
}

/// The screen.
#[derive(Debug, Default)]
pub(super) struct ChatScreen {
    /// The user's own name, once known.
    pub me: String,
    pub talks: Vec<Talk>,
    /// The open one, if there is any.
    pub open: usize,
    pub input: Input,
    /// Lines scrolled up from the newest message.
    pub back: usize,
    pub help: bool,
    /// What went wrong, until the next key.
    pub note: Option<String>,
}

impl ChatScreen {
    /// The open conversation.
    pub fn talk(&self) -> Option<&Talk> {
        self.talks.get(self.open)
    }

    /// The conversation with a user, made if there is none.
    fn with(&mut self, name: &str) -> &mut Talk {
        let at = self.talks.iter().position(|talk| talk.with == name).unwrap_or_else(|| {
            self.talks.push(Talk::new(name));
            self.talks.len() - 1
        });
        &mut self.talks[at]
    }

    /// Somebody with whom one may talk.
    pub fn know(&mut self, name: &str) {
        self.with(name);
    }

    /// Opens a conversation.
    pub fn open(&mut self, name: &str) {
        self.with(name).unread = 0;
        self.open = self.talks.iter().position(|talk| talk.with == name).unwrap_or_default();
        self.back = 0;
    }

    /// What was said before, as the node has kept it.
    pub fn read(&mut self, with: &str, said: Vec<Said>) {
        let talk = self.with(with);
        let newer = std::mem::replace(&mut talk.said, said);
        for one in newer {
            talk.add(one);
        }
    }

    /// What the address book says.
    pub fn book(&mut self, contacts: &[ContactEntry]) {
        for contact in contacts {
            self.with(&contact.name).presence = match contact.online {
                Some(true) if contact.away == Some(true) => Presence::Away,
                Some(true) => Presence::Online,
                Some(false) => {
                    Presence::Offline { seen_secs: contact.seen_ms_ago.map(|ms| ms / 1_000) }
                }
                None => Presence::Unknown,
            };
        }
    }

    /// By which ways the sessions go.
    pub fn ways(&mut self, views: &[CorrespondentView]) {
        for view in views {
            let way = if view.direct { Way::Direct } else { Way::Hops(view.hops) };
            self.way(&view.name, Some(way));
        }
    }

    /// By which way a conversation goes.
    pub fn way(&mut self, with: &str, way: Option<Way>) {
        if let Some(talk) = self.talks.iter_mut().find(|talk| talk.with == with) {
            talk.way = way;
        }
    }

    /// This user's message is on the disk.
    pub fn wrote(&mut self, id: String, to: &str, text: String, at_ms: u64) {
        let state = Some(MessageState::Waiting.word().to_owned());
        self.with(to).add(Said { id, mine: true, at_ms, text, state });
        self.back = 0;
    }

    /// Something has happened. True if the conversations have to be read anew.
    pub fn hear(&mut self, event: &ApiEvent, now_ms: u64) -> bool {
        match event {
            ApiEvent::Mail { id, from, text } => {
                self.came(from, id.clone(), text.clone(), now_ms);
            }
            ApiEvent::MailKept { id, to, .. } => {
                return self.became(to, id, MessageState::Kept.word());
            }
            ApiEvent::MailEnded { id, to, status } => {
                let state = MessageState::Ended(*status).word();
                if state == "returned" {
                    self.note = Some(format!("a message to {to} came back: {status}"));
                }
                return self.became(to, id, state);
            }
            ApiEvent::PathChanged { name, direct: true, .. } => self.way(name, Some(Way::Direct)),
            ApiEvent::PathChanged { name, direct: false, .. } => self.way(name, None),
            ApiEvent::ShutOut { name, .. } => {
                self.way(name, None);
                self.note =
                    Some(format!("{name}, or a device of theirs, was shut out of the realm"));
            }
            ApiEvent::Missed { .. } => return true,
            _ => {}
        }
        false
    }

    fn came(&mut self, from: &str, id: String, text: String, at_ms: u64) {
        let is_open = self.talk().is_some_and(|talk| talk.with == from);
        let talk = self.with(from);
        let fresh = talk.add(Said { id, mine: false, at_ms, text, state: None });
        talk.unread += usize::from(fresh && !is_open);
    }

    /// What has become of a message of this user. True if the open conversation lacks it: it was
    /// written in another terminal.
    fn became(&mut self, to: &str, id: &str, state: &str) -> bool {
        let is_open = self.talk().is_some_and(|talk| talk.with == to);
        let mut said = self.with(to).said.iter_mut().rev();
        match said.find(|one| one.mine && one.id == id) {
            Some(one) => {
                one.state = Some(state.to_owned());
                false
            }
            None => is_open,
        }
    }

    /// A key was pressed, or a text pasted.
    pub fn press(&mut self, event: &Event) -> Option<Wish> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key, event),
            Event::Paste(text) => {
                // Lines are for sending one by one; a pasted text is one message.
                let pasted = self.input.value().to_owned() + &text.replace(['\n', '\r'], " ");
                self.input = Input::new(pasted);
                None
            }
            _ => None,
        }
    }

    fn key(&mut self, key: KeyEvent, event: &Event) -> Option<Wish> {
        self.note = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if control => return Some(Wish::Quit),
            KeyCode::F(1) => self.help = !self.help,
            _ if self.help => self.help = false,
            KeyCode::Enter => return self.enter(),
            KeyCode::Tab | KeyCode::Down => return self.turn(1),
            KeyCode::BackTab | KeyCode::Up => return self.turn(self.talks.len().max(1) - 1),
            KeyCode::PageUp => self.back = self.back.saturating_add(PAGE),
            KeyCode::PageDown => self.back = self.back.saturating_sub(PAGE),
            _ => {
                self.input.handle_event(event);
            }
        }
        None
    }

    /// To the conversation so many further on, round and round.
    fn turn(&mut self, by: usize) -> Option<Wish> {
        let next = (self.open + by).checked_rem(self.talks.len())?;
        let with = self.talks[next].with.clone();
        self.open(&with);
        Some(Wish::Read { with })
    }

    fn enter(&mut self) -> Option<Wish> {
        let line = self.input.value_and_reset();
        let text = line.trim();
        if let Some(command) = text.strip_prefix('/') {
            return self.command(command);
        }
        let Some(talk) = self.talks.get(self.open).filter(|_| !text.is_empty()) else {
            if self.talks.is_empty() {
                self.note = Some("type `/with NAME` to begin a conversation".to_owned());
            }
            return None;
        };
        Some(Wish::Write { to: talk.with.clone(), text: text.to_owned() })
    }

    fn command(&mut self, command: &str) -> Option<Wish> {
        match command.split_once(char::is_whitespace).unwrap_or((command, "")) {
            ("quit" | "q", _) => Some(Wish::Quit),
            ("with", name) if !name.trim().is_empty() => {
                Some(Wish::Read { with: name.trim().to_owned() })
            }
            ("help" | "?", _) => {
                self.help = true;
                None
            }
            _ => {
                self.note = Some("there are /with NAME, /help and /quit".to_owned());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
