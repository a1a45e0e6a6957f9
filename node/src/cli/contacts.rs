//! `peer contacts`.

use super::args::ContactCommand;
use super::ask::Asker;
use super::exit::Failure;
use super::output::{Output, duration, printable, table};
use crate::api::{Asked, ContactEntry, ContactList};
use crate::contacts::Standing;

pub(super) async fn follow(
    peer: &Asker,
    command: ContactCommand,
    out: &Output,
) -> Result<(), Failure> {
    match command {
        ContactCommand::List => {
            let list = peer.contacts().await?;
            out.show(&list, || shown(&list));
        }
        ContactCommand::Add { name, say } => {
            let asked = peer.add_contact(&name, &say).await?;
            out.show(&asked, || became(&asked));
        }
        ContactCommand::Remove { name } => {
            let done = peer.remove_contact(&name).await?;
            out.show(&done, || format!("{name} is no contact any more"));
        }
        ContactCommand::Block { name } => {
            let done = peer.block_contact(&name).await?;
            out.show(&done, || format!("nothing comes through from {name} any more"));
        }
    }
    Ok(())
}

fn became(asked: &Asked) -> String {
    let name = &asked.name;
    match (asked.standing, asked.told) {
        (Standing::Contact, true) => format!("{name} is a contact"),
        (Standing::Contact, false) => {
            format!("{name} is a contact, and will hear so when on line")
        }
        (_, true) => {
            format!("{name} has been asked, and has to say yes: `peer contacts add` there")
        }
        (_, false) => format!("{name} is off line, and will be asked when on line again"),
    }
}

fn shown(list: &ContactList) -> String {
    if list.contacts.is_empty() {
        return "nobody yet: `peer contacts add NAME` asks somebody".to_owned();
    }
    let mut shown = table(&["name", "standing", "seen", "greeting"]);
    for entry in &list.contacts {
        shown.add_row([
            entry.name.clone(),
            standing(entry.standing).to_owned(),
            seen(entry),
            printable(&entry.greeting),
        ]);
    }
    shown.to_string()
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Contact => "contact",
        Standing::Asked => "asked by you",
        Standing::Wants => "asks you",
        Standing::Blocked => "blocked",
    }
}

fn seen(entry: &ContactEntry) -> String {
    match (entry.online, entry.seen_ms_ago) {
        (Some(true), _) if entry.away == Some(true) => "away".to_owned(),
        (Some(true), _) => "on line".to_owned(),
        (Some(false), Some(ago)) => format!("{} ago", duration(ago / 1_000)),
        _ => "-".to_owned(),
    }
}
