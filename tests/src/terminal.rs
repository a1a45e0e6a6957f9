//! A program at a terminal: keys go in, a screen comes out.

use crate::program::{eventually, program};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// A program at a terminal of its own. It is ended when this is dropped.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Starts the program `name`. `None`, with a line that says so, where `script` (util-linux), which
    /// makes the terminal, is missing.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: &str, words: &[&str]) -> Option<Terminal> {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let shell = format!(
            "stty rows {ROWS} cols {COLUMNS}; exec '{}' {}",
            program(name).display(),
            quoted.join(" ")
        );
        let started = Command::new("script")
            .args(["-qfec", &shell, "/dev/null"])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            eprintln!("LEFT OUT: no terminal can be made without `script`");
            return None;
        };
        let keys = child.stdin.take().expect("piped");
        let mut out = child.stdout.take().expect("piped");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let drawn = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                drawn.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Some(Terminal { child, keys, screen })
    }

    fn screen(&self) -> MutexGuard<'_, vt100::Parser> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be seen now.
    pub fn seen(&self) -> String {
        self.screen().screen().contents()
    }

    /// Waits until `text` is to be seen.
    ///
    /// # Panics
    /// If it never is.
    pub fn shows(&self, text: &str) {
        eventually(&format!("\"{text}\" on the screen"), || {
            self.seen().contains(text).then_some(())
        });
    }

    /// Types a line and presses Enter.
    pub fn type_line(&mut self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// Presses keys, given as the bytes that a terminal sends for them.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads its keys");
        self.keys.flush().expect("it reads its keys");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it goes on.
    pub fn ended(&mut self) -> ExitStatus {
        eventually("the end of a program", || self.child.try_wait().expect("our own child"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
