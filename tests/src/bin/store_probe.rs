//! A registrar's store and nothing else, to be killed and starved by tests: registers names one
//! after the other and says what it was answered, a line each, written at once.
//!
//! `store-probe FILE FIRST COUNT [BALLAST]`: at the first failure the file BALLAST is removed.

use overlay_node::driver::Store;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_supernode::store::{RegistrarStore, Registration, StorePlace};
use overlay_tests::probe::{key_of, name_of};
use std::io::Write;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, first, count, ballast @ ..] = words.as_slice() else { return ExitCode::from(2) };
    let (Ok(first), Ok(count)) = (first.parse::<u32>(), count.parse::<u32>()) else {
        return ExitCode::from(2);
    };
    let place = StorePlace::File(file.into());
    let store = match RegistrarStore::open(place, Registration::default()).await {
        Ok(store) => store,
        Err(error) => {
            say(&format!("closed {error}"));
            return ExitCode::FAILURE;
        }
    };
    for number in first..first + count {
        let claim =
            StoreRequest::ClaimName { name: name_of(number), user: key_of(number), code: None };
        match store.submit(claim).await {
            StoreAnswer::Granted { serial } => say(&format!("granted {number} {serial}")),
            answer => {
                say(&format!("refused {number} {answer:?}"));
                for file in ballast {
                    let _ = std::fs::remove_file(file);
                }
            }
        }
    }
    ExitCode::SUCCESS
}

/// One line in one write.
fn say(line: &str) {
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
    let _ = std::io::stdout().flush();
}
