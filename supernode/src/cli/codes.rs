//! `supernode codes`.

use super::args::{CodesArgs, CodesCommand};
use super::store::{ask, unexpected};
use crate::store::{CODES_MAX, Code, DeskAnswer, DeskRequest};
use overlay_node::cli::{Failure, Output, day, table};
use overlay_node::data::Folder;
use overlay_proto::status::Status;
use overlay_proto::time::WallTime;
use serde::Serialize;

/// What `supernode codes revoke --json` prints.
#[derive(Debug, Serialize)]
struct Revoked {
    revoked: u64,
}

pub(super) async fn codes(folder: &Folder, args: &CodesArgs, out: &Output) -> Result<(), Failure> {
    let request = match args.command {
        CodesCommand::New { uses, expires } => DeskRequest::NewCode { uses, days: expires },
        CodesCommand::List => DeskRequest::Codes,
        CodesCommand::Revoke { number } => DeskRequest::RevokeCode { number },
    };
    match (ask(folder, &args.storage, request).await?, &args.command) {
        (DeskAnswer::Made(made), _) => out.show(&made, || {
            let Code { number, uses_left, expires_ms, .. } = made.listed;
            format!(
                "{}\nCode {number}, good for {uses_left} {} until {}. It is not shown again.\n\
                 Invite with: supernode invite --code {}",
                made.code,
                if uses_left == 1 { "name" } else { "names" },
                day(WallTime(expires_ms)),
                made.code
            )
        }),
        (DeskAnswer::Codes(codes), _) => out.show(&codes, || match codes.is_empty() {
            true => "no codes: make one with `supernode codes new`".to_owned(),
            false => code_table(&codes),
        }),
        (DeskAnswer::Done, CodesCommand::Revoke { number }) => {
            out.show(&Revoked { revoked: *number }, || {
                format!("code {number} opens no door any more; names given out with it stay")
            });
        }
        (DeskAnswer::NotThere, CodesCommand::Revoke { number }) => {
            return Err(Failure::new(
                Status::UNKNOWN_NAME,
                format!("there is no code {number}"),
                "see `supernode codes list`",
            ));
        }
        (DeskAnswer::TooMany, _) => {
            return Err(Failure::new(
                Status::TOO_MANY,
                format!("there are {CODES_MAX} codes already"),
                "take some back with `supernode codes revoke NUMBER`",
            ));
        }
        _ => return Err(unexpected()),
    }
    Ok(())
}

fn code_table(codes: &[Code]) -> String {
    let mut shown = table(&["code", "state", "uses left", "made", "until"]);
    for code in codes {
        shown.add_row([
            code.number.to_string(),
            if code.good { "good" } else { "over" }.to_owned(),
            code.uses_left.to_string(),
            day(WallTime(code.made_ms)),
            day(WallTime(code.expires_ms)),
        ]);
    }
    shown.to_string()
}
