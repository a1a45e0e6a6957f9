//! Programs that stay until they are ended.

use crate::program::{command, eventually};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
    /// Who reads its two outputs.
    readers: [JoinHandle<()>; 2],
}

impl Running {
    /// Starts the program `name`.
    pub fn start<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Running {
        Running::start_in(None, name, arguments)
    }

    /// The same in a network namespace.
    pub(crate) fn start_in<A: AsRef<OsStr>>(
        namespace: Option<&str>,
        name: &str,
        arguments: &[A],
    ) -> Running {
        let mut child = command(namespace, name, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that is there can be started");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let out: Box<dyn std::io::Read + Send> = Box::new(child.stdout.take().expect("piped"));
        let err: Box<dyn std::io::Read + Send> = Box::new(child.stderr.take().expect("piped"));
        let readers = [out, err].map(|from| {
            let lines = lines.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(from).lines().map_while(Result::ok) {
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            })
        });
        let stdin = child.stdin.take();
        Running { child, stdin, lines, readers }
    }

    /// What it has said so far, on both outputs.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line for which `look` finds something.
    ///
    /// # Panics
    /// If there never is one.
    pub fn line<T>(&mut self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        eventually(what, || {
            // In this order: then all that it said before its end is among the lines.
            let is_read = self.readers.iter().all(JoinHandle::is_finished);
            let lines = self.lines();
            let found = lines.iter().find_map(|line| look(line));
            if is_read && found.is_none() {
                let end = self.child.try_wait().expect("our own child");
                panic!("it ended ({end:?}) before this: {what}; it said {lines:#?}");
            }
            found
        })
    }

    /// Waits for the event `name` that has the property.
    ///
    /// # Panics
    /// If it never comes.
    pub fn event(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.line(name, |line| {
            let value: Value = serde_json::from_str(line).ok()?;
            (value["event"] == name && is_it(&value)).then_some(value)
        })
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("not closed yet");
        writeln!(stdin, "{line}").expect("it reads its input");
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name, as `kill -NAME`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("there is a kill").success(), "no signal to {pid}");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it goes on.
    pub fn ended(&mut self) -> ExitStatus {
        eventually("the end of a program", || self.child.try_wait().expect("our own child"))
    }

    /// Kills it at once and waits for its end.
    pub fn kill9(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
