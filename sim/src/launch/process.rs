//! One child process: this executable again, in a hidden role.
//!
//! Nothing outlives the launcher. It ends all its children before it returns; if it is killed, the
//! pipe that is their standard input closes, and they end by themselves.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

/// Settings of the programs in the environment begin so; none must get into a run.
const SETTINGS: &str = "TRELLIS_";

/// Which program a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As the binary `peer`.
    Peer,
    /// As the binary `supernode`.
    Supernode,
}

impl Role {
    /// The first argument that makes this executable take the role.
    pub fn argument(self) -> &'static str {
        match self {
            Role::Peer => "__peer",
            Role::Supernode => "__supernode",
        }
    }

    /// The role of an executable started with `argument` as its first.
    pub fn of(argument: &OsStr) -> Option<Role> {
        [Role::Peer, Role::Supernode].into_iter().find(|role| argument == role.argument())
    }
}

/// Why a child did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system started no process.
    #[error(
        "{name} could not be started ({source}): check the limits on processes and files (ulimit -a)"
    )]
    Start {
        /// Which.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{name} ended with {status} and said: {said}")]
    Failed {
        /// Which.
        name: String,
        /// How.
        status: String,
        /// Its last words.
        said: String,
    },
}

/// A line that a child wrote to its standard output.
#[derive(Debug, Clone)]
pub struct Line {
    /// When it was read.
    pub at: Instant,
    /// Without the end of line.
    pub text: String,
}

/// How a child has ended, once it has.
type Exit = watch::Receiver<Option<ExitStatus>>;

/// What a child is to do, each beyond the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Wish {
    Run,
    /// Its standard input is closed: it logs out and ends.
    End,
    Kill,
}

/// A child process. It lives until it is ended or killed, or its [`Nursery`] is cleared or dropped.
#[derive(Debug)]
pub struct Process {
    /// The name of its log, too.
    pub name: String,
    wish: watch::Sender<Wish>,
    exit: Exit,
}

impl Process {
    /// How it has ended, if it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Kills it at once, as `kill -9`.
    pub fn kill(&self) {
        self.wish.send_replace(Wish::Kill);
    }

    /// Closes its standard input, upon which it ends in order.
    pub fn end(&self) {
        self.wish.send_if_modified(|wish| {
            let further = *wish < Wish::End;
            *wish = if further { Wish::End } else { *wish };
            further
        });
    }

    /// Waits for its end. `None` if the system does not know how it ended.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }
}

/// Starts children and knows all of them until they have ended.
#[derive(Debug)]
pub struct Nursery {
    program: PathBuf,
    logs: PathBuf,
    known: Mutex<Vec<(watch::Sender<Wish>, Exit)>>,
}

impl Nursery {
    /// Starts children of `program`, with their logs in the directory `logs`.
    pub fn new(program: PathBuf, logs: PathBuf) -> Nursery {
        Nursery { program, logs, known: Mutex::default() }
    }

    /// The log of the child `name`: its standard output and error, of all its commands.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Starts a child. Its lines come until the receiver is dropped; the log gets all of them.
    ///
    /// # Errors
    /// [`ProcessError::Start`].
    pub fn start(
        &self,
        role: Role,
        name: &str,
        arguments: &[OsString],
    ) -> Result<(Process, mpsc::UnboundedReceiver<Line>), ProcessError> {
        let failed = |source| ProcessError::Start { name: name.to_owned(), source };
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(name))
            .map_err(failed)?;
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        let shown = writeln!(log, "$ {} {}", role.argument(), words.join(" "));
        shown.map_err(failed)?;
        let mut command = Command::new(&self.program);
        command
            .arg(role.argument())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone().map_err(failed)?)
            // Ctrl-C is for the launcher, which ends its children in order.
            .process_group(0)
            .kill_on_drop(true);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with(SETTINGS) {
                command.env_remove(key);
            }
        }
        let mut child = command.spawn().map_err(failed)?;
        let (lines, lines_out) = mpsc::unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(copy_lines(stdout, log, lines));
        }
        let (wish, wishes) = watch::channel(Wish::Run);
        let (exit, exited) = watch::channel(None);
        tokio::spawn(accompany(child, wishes, exit));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, exit)| exit.borrow().is_none());
        known.push((wish.clone(), exited.clone()));
        Ok((Process { name: name.to_owned(), wish, exit: exited }, lines_out))
    }

    /// Runs a child to its end and returns what it wrote to its standard output.
    ///
    /// # Errors
    /// [`ProcessError`]; [`ProcessError::Failed`] if it ends with a failure.
    pub async fn run(
        &self,
        role: Role,
        name: &str,
        arguments: &[OsString],
    ) -> Result<String, ProcessError> {
        let (process, mut lines) = self.start(role, name, arguments)?;
        let mut text = String::new();
        while let Some(line) = lines.recv().await {
            text.push_str(&line.text);
            text.push('\n');
        }
        match process.ended().await {
            Some(status) if status.success() => Ok(text),
            status => Err(self.failed(name, status)),
        }
    }

    /// The error of a child that has ended before its time.
    pub fn failed(&self, name: &str, status: Option<ExitStatus>) -> ProcessError {
        let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        let said = log.lines().rev().find(|line| !line.trim().is_empty() && !line.starts_with('$'));
        ProcessError::Failed {
            name: name.to_owned(),
            status: status.map_or("an unknown status".to_owned(), |status| status.to_string()),
            said: said.unwrap_or("nothing").to_owned(),
        }
    }

    /// Kills every child there still is, and waits until the last is gone.
    pub async fn clear(&self) {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        for (wish, _) in &known {
            wish.send_replace(Wish::Kill);
        }
        for (_, mut exit) in known {
            // An error means that the task that waits for the child is gone, and the child with it.
            let _ = exit.wait_for(Option::is_some).await;
        }
    }

    /// The directory of the logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }
}

/// Does with a child what is wished until it has ended.
async fn accompany(
    mut child: Child,
    mut wishes: watch::Receiver<Wish>,
    exit: watch::Sender<Option<ExitStatus>>,
) {
    // Held here: while it is open the child runs.
    let mut stdin = child.stdin.take();
    let mut wished = Wish::Run;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            changed = wishes.changed(), if wished != Wish::Kill => {
                wished = if changed.is_err() { Wish::Kill } else { *wishes.borrow_and_update() };
                stdin.take();
                if wished == Wish::Kill {
                    // Fails only if it has ended already.
                    let _ = child.start_kill();
                }
            }
        }
    };
    exit.send_replace(status.ok());
}

async fn copy_lines(
    stdout: ChildStdout,
    mut log: std::fs::File,
    lines: mpsc::UnboundedSender<Line>,
) {
    let mut stdout = BufReader::new(stdout).lines();
    while let Ok(Some(text)) = stdout.next_line().await {
        let at = Instant::now();
        // A full disk must not stop the child by a full pipe.
        let _ = writeln!(log, "{text}");
        let _ = lines.send(Line { at, text });
    }
}
