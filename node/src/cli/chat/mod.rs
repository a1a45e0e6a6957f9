//! `peer chat`: the conversations of the running peer on a screen.

mod draw;
mod scout;
mod screen;

use super::ask::Asker;
use super::exit::Failure;
use super::life::Ending;
use super::output::Output;
use crate::api::{ApiEvent, Lines, MailRequest};
use crate::driver;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, EventStream};
use futures::StreamExt;
use ratatui::DefaultTerminal;
use scout::{Found, Scout};
use screen::{ChatScreen, Wish};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Who presses no key for so long is away.
const IDLE: Duration = Duration::from_secs(600);
/// A peer that has ended is looked for so often.
const RETRY_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn chat(peer: &Asker, with: Option<&str>, out: &Output) -> Result<(), Failure> {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if out.json || !on_terminal {
        return Err(Failure::usage(
            "a chat needs a terminal: programs use `peer message` and `peer messages`",
        ));
    }
    let mut screen = ChatScreen::default();
    let events = peer.events().await?;
    // What does not work is said before the screen is taken.
    read_all(peer, &mut screen, with).await?;
    let ending = Ending::watch()?;
    // A panic gives the terminal back before it is shown.
    let mut terminal = ratatui::try_init()
        .map_err(|error| Failure::local(format!("the terminal cannot be used ({error})")))?;
    let _ = crossterm::execute!(std::io::stdout(), EnableBracketedPaste);
    let done = Chat { peer, screen, terminal: &mut terminal }.play(events, ending).await;
    let _ = crossterm::execute!(std::io::stdout(), DisableBracketedPaste);
    ratatui::restore();
    done
}

/// Reads all that is known, and opens the conversation with `with`, or the first one.
async fn read_all(
    peer: &Asker,
    screen: &mut ChatScreen,
    with: Option<&str>,
) -> Result<(), Failure> {
    screen.me = peer.status().await?.peer.name.unwrap_or_default();
    screen.book(&peer.contacts().await?.contacts);
    for name in peer.people().await? {
        screen.know(&name);
    }
    let first = screen.talks.first().map(|talk| talk.with.clone());
    if let Some(with) = with.map(str::to_owned).or(first) {
        read(peer, screen, &with).await?;
    }
    Ok(())
}

/// Reads and opens one conversation.
async fn read(peer: &Asker, screen: &mut ChatScreen, with: &str) -> Result<(), Failure> {
    let conversation = peer.conversation(with).await?;
    screen.read(&conversation.with, conversation.said);
    screen.open(&conversation.with);
    Ok(())
}

struct Chat<'a> {
    peer: &'a Asker,
    screen: ChatScreen,
    terminal: &'a mut DefaultTerminal,
}

impl Chat<'_> {
    async fn play(&mut self, events: Lines, mut ending: Ending) -> Result<(), Failure> {
        let mut events = Some(events);
        let mut keys = EventStream::new();
        let mut scout = Scout::send(self.peer);
        let idle = sleep(IDLE);
        tokio::pin!(idle);
        let mut away = false;
        loop {
            let screen = &self.screen;
            scout.heed(screen.talk().map(|talk| talk.with.as_str()));
            self.terminal
                .draw(|frame| draw::draw(screen, frame, driver::wall()))
                .map_err(|error| Failure::local(format!("the terminal is gone ({error})")))?;
            tokio::select! {
                key = keys.next() => {
                    let Some(Ok(key)) = key else { return Ok(()) };
                    idle.as_mut().reset(Instant::now() + IDLE);
                    if std::mem::take(&mut away) {
                        self.say_away(false).await;
                    }
                    match self.screen.press(&key) {
                        Some(Wish::Quit) => return Ok(()),
                        Some(wish) => self.fulfil(wish).await,
                        None => {}
                    }
                }
                event = next(&mut events) => match event {
                    Some(event) => self.hear(&event).await,
                    None => events = self.again().await,
                },
                found = scout.found() => match found {
                    Found::Book(book) => self.screen.book(&book),
                    Found::Ways(views) => self.screen.ways(&views),
                    Found::Way(with, way) => self.screen.way(&with, way),
                },
                () = &mut idle, if !away => {
                    away = true;
                    self.say_away(true).await;
                }
                () = ending.wished() => return Ok(()),
            }
        }
    }

    async fn say_away(&mut self, away: bool) {
        if let Err(failure) = self.peer.away(away).await {
            self.screen.note = Some(failure.line());
        }
    }

    async fn fulfil(&mut self, wish: Wish) {
        let done = match wish {
            Wish::Write { to, text } => self.write(&to, text).await,
            Wish::Read { with } => read(self.peer, &mut self.screen, &with).await,
            Wish::Quit => Ok(()),
        };
        if let Err(failure) = done {
            self.screen.note = Some(failure.line());
        }
    }

    async fn write(&mut self, to: &str, text: String) -> Result<(), Failure> {
        let request = MailRequest { to: to.to_owned(), text: text.clone(), life_secs: None };
        match self.peer.write(&request).await {
            Ok(written) => {
                self.screen.wrote(written.id, &written.to, text, driver::wall().0);
                Ok(())
            }
            Err(failure) => {
                // What was not taken is not lost.
                self.screen.input = text.into();
                Err(failure)
            }
        }
    }

    async fn hear(&mut self, event: &ApiEvent) {
        if self.screen.hear(event, driver::wall().0) {
            self.reread().await;
        }
    }

    /// The peer's events have ended: it is looked for again and again.
    async fn again(&mut self) -> Option<Lines> {
        match self.peer.events().await {
            Ok(events) => {
                self.screen.note = None;
                self.reread().await;
                Some(events)
            }
            Err(failure) => {
                self.screen.note = Some(failure.line());
                None
            }
        }
    }

    /// Events were missed: what they told is read anew.
    async fn reread(&mut self) {
        let open = self.screen.talk().map(|talk| talk.with.clone());
        if let Err(failure) = read_all(self.peer, &mut self.screen, open.as_deref()).await {
            self.screen.note = Some(failure.line());
        }
    }
}

/// The next event; a moment later nothing, if there are none.
async fn next(events: &mut Option<Lines>) -> Option<ApiEvent> {
    match events {
        Some(events) => events.next().await,
        None => {
            sleep(RETRY_EVERY).await;
            None
        }
    }
}
