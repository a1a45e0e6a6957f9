//! A registrar's store and nothing else, to be killed and starved by tests: registers names one
//! after the other and says what it was answered, a line each, written at once.
//!
//! `store-probe STORE FIRST COUNT [BALLAST]`: at the first failure the file BALLAST is removed.
//! `store-probe STORE FIRST COUNT --as KEY`: all at once, with the same key, in an order that
//! depends on the key, so that two of these meet all the way.

use overlay_node::driver::Store;
use overlay_proto::id::UserKey;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_supernode::store::{RegistrarStore, Registration, StorePlace};
use overlay_tests::probe::{key_of, name_of, say};
use std::path::Path;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, first, count, ballast @ ..] = words.as_slice() else { return ExitCode::from(2) };
    let (Ok(first), Ok(count)) = (first.parse::<u32>(), count.parse::<u32>()) else {
        return ExitCode::from(2);
    };
    let Ok(place) = StorePlace::parse(file, Path::new("")) else { return ExitCode::from(2) };
    let store = match RegistrarStore::open(place, Registration::default()).await {
        Ok(store) => store,
        Err(error) => {
            say(&format!("closed {error}"));
            return ExitCode::FAILURE;
        }
    };
    let claim = |number, user| {
        store.submit(StoreRequest::ClaimName {
            name: name_of(number),
            user,
            code: None,
            origin: None,
        })
    };
    let numbers = first..first + count;
    if let [flag, key] = ballast
        && flag == "--as"
    {
        let key: u8 = key.parse().unwrap_or_default();
        let user = UserKey([key; 32]);
        // None of them divides a power of ten, so each step visits every name of so many once.
        let step = [1, 3, 7, 9][usize::from(key % 4)];
        let numbers = numbers.map(|number| first + (number - first) * step % count);
        let claims: Vec<_> =
            numbers.map(|number| (number, tokio::spawn(claim(number, user)))).collect();
        for (number, answer) in claims {
            told(number, answer.await.unwrap_or(StoreAnswer::Failed));
        }
        return ExitCode::SUCCESS;
    }
    for number in numbers {
        if !told(number, claim(number, key_of(number)).await) {
            for file in ballast {
                let _ = std::fs::remove_file(file);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Says what was answered; whether the name was granted.
fn told(number: u32, answer: StoreAnswer) -> bool {
    match answer {
        StoreAnswer::Granted { serial } => say(&format!("granted {number} {serial}")),
        answer => say(&format!("refused {number} {answer:?}")),
    }
    matches!(answer, StoreAnswer::Granted { .. })
}
