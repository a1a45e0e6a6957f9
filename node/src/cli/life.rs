//! What ends a program that stays: signals, and the end of its input.

use super::exit::Failure;
use super::output::Output;
use std::io::BufRead;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// After this long a newcomer is told what is being waited for.
const LATE: Duration = Duration::from_secs(1);
/// Typed lines waiting to be sent.
const LINES_MAX: usize = 64;

/// The wish to end, from a terminal or a service manager.
#[derive(Debug)]
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    /// Watches for SIGINT (Ctrl-C) and SIGTERM from now on.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn watch() -> Result<Ending, Failure> {
        let watch = |kind| {
            signal(kind)
                .map_err(|error| Failure::local(format!("signals cannot be watched ({error})")))
        };
        Ok(Ending {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    /// Returns at the next wish to end.
    pub async fn wished(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The lines of standard input; the receiver is closed at its end. A thread of its own reads,
/// since a read cannot be called off; it ends with the process.
pub fn lines_of_stdin() -> mpsc::Receiver<String> {
    let (lines, receiver) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Returns when standard input ends, which it does when the parent dies that holds its other end.
pub async fn end_of_input() {
    let mut lines = lines_of_stdin();
    while lines.recv().await.is_some() {}
}

/// Waits for `work`; if that takes longer than a second, says what is being waited for.
pub async fn late<T>(out: &Output, text: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    match tokio::time::timeout(LATE, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            out.note(text);
            work.await
        }
    }
}
