//! `supernode users` and `supernode approve`.

use super::args::{ApproveArgs, UsersArgs};
use super::store::{ask, unexpected};
use crate::store::{DeskAnswer, DeskRequest, USERS_PAGE, User, UserState};
use overlay_node::cli::{Failure, Output, day, printable, table};
use overlay_node::data::Folder;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::time::WallTime;
use serde::Serialize;

pub(super) async fn users(folder: &Folder, args: &UsersArgs, out: &Output) -> Result<(), Failure> {
    let mut users = list(folder, args, DeskRequest::Requests).await?;
    let mut after = (!args.waiting).then_some(0);
    while let Some(last) = after {
        let page = list(folder, args, DeskRequest::Users { after: last }).await?;
        after = page.last().and_then(|user| user.serial).filter(|_| page.len() == USERS_PAGE);
        users.extend(page);
    }
    out.show(&users, || match (users.is_empty(), args.waiting) {
        (true, true) => "nobody waits".to_owned(),
        (true, false) => "nobody has a name yet".to_owned(),
        (false, _) => user_table(&users),
    });
    Ok(())
}

async fn list(
    folder: &Folder,
    args: &UsersArgs,
    request: DeskRequest,
) -> Result<Vec<User>, Failure> {
    match ask(folder, &args.storage, request).await? {
        DeskAnswer::Users(users) => Ok(users),
        _ => Err(unexpected()),
    }
}

fn user_table(users: &[User]) -> String {
    let mut shown = table(&["name", "state", "since", "serial"]);
    for user in users {
        let state = match user.state {
            UserState::Registered => "registered",
            UserState::Waiting => "waiting",
            UserState::Denied => "denied",
        };
        shown.add_row([
            printable(user.name.as_str()),
            state.to_owned(),
            day(WallTime(user.since_ms)),
            user.serial.map_or("-".to_owned(), |serial| serial.to_string()),
        ]);
    }
    shown.to_string()
}

/// What `supernode approve --json` prints for each name.
#[derive(Debug, Serialize)]
struct Decided {
    name: Name,
    state: UserState,
    serial: Option<u64>,
}

pub(super) async fn approve(
    folder: &Folder,
    args: &ApproveArgs,
    out: &Output,
) -> Result<(), Failure> {
    // All names are read before any is decided.
    let names = args.names.iter().map(|text| {
        Name::new(text)
            .map_err(|error| Failure::new(Status::INVALID_NAME, error.to_string(), "correct it"))
    });
    for name in names.collect::<Result<Vec<_>, _>>()? {
        let request = match args.deny {
            true => DeskRequest::Deny { name: name.clone() },
            false => DeskRequest::Approve { name: name.clone() },
        };
        let (state, serial) = match ask(folder, &args.storage, request).await? {
            DeskAnswer::Approved { serial } => (UserState::Registered, Some(serial)),
            DeskAnswer::Done => (UserState::Denied, None),
            DeskAnswer::NotThere => {
                return Err(Failure::new(
                    Status::UNKNOWN_NAME,
                    format!("nobody waits for the name {name}"),
                    "see `supernode users --waiting`",
                ));
            }
            _ => return Err(unexpected()),
        };
        out.show(&Decided { name: name.clone(), state, serial }, || match serial {
            Some(_) => format!("{name} is approved; `peer join` again, as before, finishes it"),
            None => format!("{name} is refused; another key may ask for the name"),
        });
    }
    Ok(())
}
