//! `peer run`: logged in until Ctrl-C.

use super::args::RunArgs;
use super::commands::{message, receipt};
use super::exit::Failure;
use super::life::{Ending, end_of_input, late, lines_of_stdin};
use super::output::{Output, printable, short};
use super::typed::{self, Typed};
use crate::api::{self, ApiEvent, Feed, SendRequest, Sent, peer_routes, serve};
use crate::client::{Client, ClientOptions};
use crate::data::Folder;
use crate::driver::Handle;
use crate::settings;
use overlay_proto::io::{Command, Reply};
use overlay_proto::status::Status;
use owo_colors::OwoColorize;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, mpsc};

/// What every peer answers to its contacts: the same as it was asked.
const ECHO: &str = "echo";
/// How the core calls the state of a peer that does not try to log in.
const OFFLINE: &str = "offline";

pub(super) async fn run(folder: &Folder, args: RunArgs, out: &Output) -> Result<(), Failure> {
    let mut ending = Ending::watch()?;
    let options = ClientOptions {
        listen: settings::listen(args.listen, &args.announce),
        direct: !args.hops_only,
        capture: args.capture,
    };
    let client = Client::start(folder, options).await?;
    let echo = ECHO.parse().expect("a service's name");
    client
        .serve(echo, |_, body| async { Ok(body) })
        .map_err(|error| Failure::local(error.to_string()))?;
    let logged_out = Arc::new(Notify::new());
    let peer = client.routed(logged_out.clone());
    let (handle, feed) = (peer.handle.clone(), peer.feed.clone());
    let server = serve(&folder.socket(), peer_routes(peer))?;
    let listening = ApiEvent::Listening {
        node: handle.id().to_string(),
        addresses: handle.addresses().iter().map(ToString::to_string).collect(),
    };
    out.show_event(&listening);
    let stay = Stay { folder, handle: &handle, feed: &feed, out, name: client.name().as_str() };
    // Listening before the log-in begins: its events are to be seen, too.
    let events = stay.feed.listen();
    let done = tokio::select! {
        done = stay.until_refused() => done,
        () = stay.show_events(events) => Err(Failure::local("the node has ended by itself: see its log")),
        () = ending.wished() => Ok(()),
        () = logged_out.notified() => Ok(()),
        () = stay.input(args.exit_with_parent) => Ok(()),
    };
    server.end().await;
    drop((handle, feed));
    // A second wish to end is stronger than manners.
    tokio::select! {
        () = client.shutdown() => {}
        () = ending.wished() => {}
    }
    if done.is_ok() {
        out.note("logged out");
    }
    done
}

/// A peer that stays.
struct Stay<'a> {
    folder: &'a Folder,
    handle: &'a Handle,
    feed: &'a Feed,
    out: &'a Output,
    name: &'a str,
}

impl Stay<'_> {
    /// Logs in, and returns only if that is refused for good.
    async fn until_refused(&self) -> Result<(), Failure> {
        let login = self.handle.command(Command::Login);
        match late(self.out, "looking for a supernode...", login).await {
            Reply::LoggedIn { home, elapsed } => self.out.note(&format!(
                "on line as {} at {} after {:.0} ms; {}",
                self.name,
                short(&home.to_string()),
                elapsed.as_millis_f64(),
                typed::SYNTAX
            )),
            Reply::Failed { status } => {
                let view = self.handle.peer_view().await;
                if view.is_none_or(|view| view.state == OFFLINE) {
                    return Err(status.into());
                }
                self.out.note("no supernode has answered yet; trying on");
            }
            other => {
                return Err(Failure::local(format!(
                    "an unexpected reply ({other:?}): this is a bug"
                )));
            }
        }
        std::future::pending().await
    }

    async fn show_events(&self, mut events: Receiver<ApiEvent>) {
        loop {
            match events.recv().await {
                Ok(event) => self.out.show_event(&event),
                Err(RecvError::Lagged(count)) => self.out.show_event(&ApiEvent::Missed { count }),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Sends what is typed. Returns at the end of input if the process shall end with it.
    async fn input(&self, exit_with_parent: bool) {
        if exit_with_parent {
            return end_of_input().await;
        }
        let mut lines = lines_of_stdin();
        // Texts to one person stay in order because they go out one after the other; a person
        // types no faster than receipts come.
        let (texts, waiting) = mpsc::channel(64);
        tokio::join!(self.send_all(waiting), async move {
            while let Some(line) = lines.recv().await {
                match typed::read(&line) {
                    Typed::Nothing => {}
                    Typed::Text { to, text } => {
                        let _ = texts.send(SendRequest { to, text }).await;
                    }
                    Typed::Unclear => self.out.note(typed::SYNTAX),
                }
            }
            std::future::pending::<()>().await;
        });
    }

    async fn send_all(&self, mut texts: mpsc::Receiver<SendRequest>) {
        // By the same way as everybody: one place checks names and lengths.
        let client = api::Client::new(self.folder.socket());
        while let Some(request) = texts.recv().await {
            match client.post::<Sent>("/v1/messages", &request).await {
                Ok(sent) => self.out.show(&sent, || receipt(&sent).dimmed().to_string()),
                Err(error) => {
                    let failure = Failure::from(error);
                    self.out.show(&failure.problem, || failure.line().red().to_string());
                }
            }
        }
    }
}

impl Output {
    /// Shows an event: all of them to a program, to people what concerns them.
    pub fn show_event(&self, event: &ApiEvent) {
        if self.json {
            return self.show(event, String::new);
        }
        match event {
            ApiEvent::Message(entry) => self.show(event, || message(entry)),
            ApiEvent::Mail { from, text, .. } => {
                self.show(event, || format!("[mail] {from}: {}", printable(text)));
            }
            ApiEvent::MailEnded { id, to, status } if *status != Status::OK => {
                self.note(&format!("message {} to {to} came back: {status}", short(id)));
            }
            ApiEvent::LoggedIn { home, failover: true } => {
                self.note(&format!("on line again at {}", short(home)));
            }
            ApiEvent::HomeLost { home } => {
                self.note(&format!("the home {} is gone; looking for another", short(home)));
            }
            ApiEvent::LoggedOut { status } if *status != Status::OK => {
                self.note(&format!("off line: {status}; {}", status.way_out()));
            }
            ApiEvent::DeviceAdded { node } => {
                self.note(&format!("one more device of yours is in: {}", short(node)));
            }
            ApiEvent::ShutOut { name, .. } => {
                self.note(&format!("{name} was shut out of the realm: the session is over"));
            }
            ApiEvent::Missed { count } => {
                self.note(&format!(
                    "{count} events were too fast to be shown; texts are in the inbox"
                ));
            }
            _ => {}
        }
    }
}
