//! `supernode revoke` and `supernode revocations`: who is out.

use super::args::RevokeArgs;
use super::show::not_running;
use crate::api::{RevocationWish, RevocationsView};
use overlay_node::api::{Client, Done};
use overlay_node::cli::{Failure, Output, duration, short, table};
use overlay_node::data::Folder;
use overlay_node::driver;
use overlay_proto::name::Name;
use overlay_proto::status::Status;

pub(super) async fn revoke(folder: &Folder, args: RevokeArgs, out: &Output) -> Result<(), Failure> {
    let wish = match (args.name, args.node) {
        (Some(name), _) => {
            let name = Name::new(&name).map_err(|error| {
                Failure::new(
                    Status::INVALID_NAME,
                    format!("{name:?} is no name"),
                    error.to_string(),
                )
            })?;
            RevocationWish { name: Some(name.to_string()), node: None }
        }
        (None, node) => RevocationWish { name: None, node },
    };
    let whom = wish.name.clone().or(wish.node.clone()).unwrap_or_default();
    let done: Done =
        Client::new(folder.socket()).post("/v1/revocations", &wish).await.map_err(not_running)?;
    out.show(&done, || {
        format!(
            "{whom} is shut out: within five seconds at every supernode that is linked, and at the \
             others as soon as they are"
        )
    });
    Ok(())
}

pub(super) async fn revocations(folder: &Folder, out: &Output) -> Result<(), Failure> {
    let lists: Vec<RevocationsView> =
        Client::new(folder.socket()).get("/v1/revocations").await.map_err(not_running)?;
    out.show(&lists, || match lists.iter().all(|list| list.entries.is_empty()) {
        true => "nobody is shut out".to_owned(),
        false => entry_table(&lists),
    });
    Ok(())
}

fn entry_table(lists: &[RevocationsView]) -> String {
    let now = driver::wall().0 / 1_000;
    let mut shown = table(&["what", "key", "serial", "since", "ends", "signer", "number"]);
    for list in lists {
        for entry in &list.entries {
            let ends = match entry.until_secs {
                u64::MAX => "never".to_owned(),
                until => format!("in {}", duration(until.saturating_sub(now))),
            };
            shown.add_row([
                entry.role.clone(),
                short(&entry.subject).to_owned(),
                if entry.serial == 0 { "any".to_owned() } else { entry.serial.to_string() },
                format!("{} ago", duration(now.saturating_sub(entry.since_secs))),
                ends,
                short(&list.signer).to_owned(),
                entry.number.to_string(),
            ]);
        }
    }
    shown.to_string()
}
