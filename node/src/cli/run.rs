//! `peer run`: logged in until Ctrl-C.

use super::args::RunArgs;
use super::commands::{message, receipt};
use super::exit::Failure;
use super::life::{Ending, end_of_input, late, lines_of_stdin};
use super::output::{Output, printable, short};
use super::typed::{self, Typed};
use crate::api::{
    ApiEvent, Client, Feed, Offers, Peer, SendRequest, Sent, peer_routes, pump, serve,
};
use crate::contacts::Contacts;
use crate::data::{Folder, Loaded, OwnStore};
use crate::driver::{self, Handle, Options};
use crate::mail::LetterKeeper;
use crate::session::{AlreadyServed, Sessions};
use crate::settings;
use overlay_proto::Config;
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
    let Loaded { identity, contacts, .. } = folder.load(driver::wall())?;
    let _lock = folder.lock()?;
    let Some(name) = identity.chain().and_then(|chain| chain.claimed_name().cloned()) else {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this data folder is a supernode's",
            "use `supernode run`, or join as a peer in another folder with --data DIR",
        ));
    };
    let inbox = folder.inbox()?;
    let contacts_book = Contacts::open(folder)?;
    let device = identity.device.clone();
    let devices = folder.devices()?;
    let (letters, kept) = LetterKeeper::open(folder, identity.node()).await?;
    let letters = Arc::new(letters);
    let handle = driver::start(Options {
        identity: Arc::new(identity),
        config: Arc::new(Config { direct: !args.hops_only, ..Config::default() }),
        hosts: folder.hosts(&contacts),
        listen: settings::listen(args.listen, &args.announce),
        store: Some(Arc::new(OwnStore::new(folder.clone()))),
        keeper: Some(letters.clone()),
    })
    .await?;
    handle.recall(Vec::new(), devices).await;
    handle.recall_letters(kept).await;
    let sessions = Sessions::start(&handle, &device)
        .map_err(|error| Failure::local(error.to_string()))?
        .ok_or_else(|| Failure::local("the node's sessions are taken: this is a bug"))?;
    let served = |error: AlreadyServed| Failure::local(error.to_string());
    contacts_book.serve(&sessions).map_err(served)?;
    let echo = ECHO.parse().expect("a service's name");
    sessions.serve(echo, contacts_book.access(), |_, body| async { Ok(body) }).map_err(served)?;
    let feed = Feed::default();
    let pumped = pump(&handle, feed.clone(), folder.clone(), Some(inbox));
    let logged_out = Arc::new(Notify::new());
    let peer = Peer {
        handle: handle.clone(),
        folder: folder.clone(),
        letters: Some(letters.clone()),
        feed: feed.clone(),
        sessions: sessions.clone(),
        contacts: contacts_book,
        offers: Offers::default(),
        logged_out: logged_out.clone(),
    };
    let server = serve(&folder.socket(), peer_routes(peer))?;
    let listening = ApiEvent::Listening {
        node: handle.id().to_string(),
        addresses: handle.addresses().iter().map(ToString::to_string).collect(),
    };
    out.show_event(&listening);
    let stay = Stay { folder, handle: &handle, feed: &feed, out, name: name.as_str() };
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
    // A second wish to end is stronger than manners.
    tokio::select! {
        () = async {
            sessions.close().await;
            handle.shutdown().await;
        } => {}
        () = ending.wished() => {}
    }
    // What came last is in the inbox before the process ends.
    drop(handle);
    let _ = pumped.await;
    if let Some(letters) = Arc::into_inner(letters) {
        letters.close().await;
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
        let client = Client::new(self.folder.socket());
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
            ApiEvent::Missed { count } => {
                self.note(&format!(
                    "{count} events were too fast to be shown; texts are in the inbox"
                ));
            }
            _ => {}
        }
    }
}
