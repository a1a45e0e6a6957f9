//! Programs that run to their end.

use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Guard against hanging: far more than anything takes on a slow machine.
pub const GUARD: Duration = Duration::from_secs(180);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// The program `name` that was built together with this test.
///
/// # Panics
/// If it was not built.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the system tells a test where it is");
    // The test is in target/PROFILE/deps, the programs one further up.
    let found = test.ancestors().skip(1).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("`{name}` is not built: run `cargo test --workspace`, or `cargo build --workspace`")
    })
}

/// A command of the program `name` in a network namespace or, without one, where the test is;
/// untouched by settings of whoever runs the tests.
pub(crate) fn command<A: AsRef<OsStr>>(
    namespace: Option<&str>,
    name: &str,
    arguments: &[A],
) -> Command {
    let mut command = match namespace {
        None => Command::new(program(name)),
        Some(namespace) => {
            // It becomes the program: a signal to the process is one to the program.
            let mut inside = Command::new("ip");
            inside.args(["netns", "exec", namespace]).arg(program(name));
            inside
        }
    };
    command.args(arguments);
    for (key, _) in std::env::vars_os() {
        let text = key.to_string_lossy();
        if text.starts_with("TRELLIS_") || text == "RUST_LOG" {
            command.env_remove(key);
        }
    }
    command
}

/// What a program that has ended said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Answer {
    /// The JSON on standard output of a program that has done what it should.
    ///
    /// # Panics
    /// If it failed or wrote no JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(self.out.trim()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks a refusal: the exit code, and one clear line with the status code.
    ///
    /// # Panics
    /// If it is anything else.
    pub fn refused(&self, code: i32, status: u16) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.err.trim_end().lines().count(), 1, "one line is wanted: {self:?}");
        let begin = format!("error {status}: ");
        assert!(self.err.starts_with(&begin), "{begin:?} is wanted: {self:?}");
        assert!(self.err.trim_end().len() > begin.len() + 10, "no way out: {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

/// Runs the program `name` to its end, with nothing on its standard input.
///
/// # Panics
/// If it does not end.
pub fn run<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Answer {
    run_in(None, name, arguments)
}

/// The same in a network namespace.
pub(crate) fn run_in<A: AsRef<OsStr>>(
    namespace: Option<&str>,
    name: &str,
    arguments: &[A],
) -> Answer {
    let mut child = command(namespace, name, arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that is there can be started");
    let pid = child.id();
    let began = Instant::now();
    let read = |mut from: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = from.read_to_string(&mut text);
            text
        })
    };
    let out = read(Box::new(child.stdout.take().expect("piped")));
    let err = read(Box::new(child.stderr.take().expect("piped")));
    let status = loop {
        match child.try_wait().expect("our own child") {
            Some(status) => break status,
            None if began.elapsed() > GUARD => {
                let _ = child.kill();
                panic!("{name} (process {pid}) hangs");
            }
            None => std::thread::sleep(PAUSE),
        }
    };
    let text = |reader: std::thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Answer { code: status.code(), out: text(out), err: text(err) }
}

/// Waits until `look` finds something.
///
/// # Panics
/// If it never does.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < GUARD, "this never happened: {what}");
        std::thread::sleep(PAUSE);
    }
}
