//! A keeper of letters with its core and nothing else, to be killed and starved by tests: takes
//! letters one after the other and says what it promised, a line each, written at once.
//!
//! `mail-probe TRAY FOLDER FIRST COUNT [BALLAST]`, TRAY being `mailbox` or `outbox`: at the first
//! failure the file BALLAST is removed.

use overlay_tests::desk::{Desk, Tray};
use overlay_tests::probe::say;
use std::path::Path;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [tray, folder, first, count, ballast @ ..] = words.as_slice() else {
        return ExitCode::from(2);
    };
    let (Some(tray), Ok(first), Ok(count)) =
        (Tray::named(tray), first.parse::<u32>(), count.parse::<u32>())
    else {
        return ExitCode::from(2);
    };
    let mut desk = match Desk::open(tray, Path::new(folder)).await {
        Ok((desk, _)) => desk,
        Err(error) => {
            say(&format!("closed {error}"));
            return ExitCode::FAILURE;
        }
    };
    for number in first..first + count {
        match desk.bring(number).await {
            Ok(told) => say(&format!("granted {number} {told}")),
            Err(status) => {
                say(&format!("refused {number} {}", status.0));
                for file in ballast {
                    let _ = std::fs::remove_file(file);
                }
            }
        }
    }
    ExitCode::SUCCESS
}
