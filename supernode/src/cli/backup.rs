//! `supernode backup` and `supernode restore`.

use super::args::{BackupArgs, RestoreArgs};
use super::store::{ask, of_store, place, registers, unexpected};
use crate::store::{Copied, DeskAnswer, DeskRequest, restore as restore_store};
use overlay_node::cli::{Failure, Output};
use overlay_node::data::Folder;
use overlay_node::driver;
use overlay_proto::status::Status;

pub(super) async fn backup(
    folder: &Folder,
    args: &BackupArgs,
    out: &Output,
) -> Result<(), Failure> {
    // The supernode that runs may stand in another folder than who types this.
    let file = std::path::absolute(&args.file)
        .map_err(|error| Failure::usage(format!("{}: {error}", args.file.display())))?;
    let request = DeskRequest::Backup { file: file.clone() };
    match ask(folder, &args.storage, request).await? {
        DeskAnswer::BackedUp(copied) => {
            out.show(&copied, || {
                format!(
                    "{} are in {}, whole and on the disk.\nKeep copies of the key files beside it: \
                     root.key and registrar.key of the data folder are not in it.",
                    told(&copied),
                    file.display()
                )
            });
            Ok(())
        }
        _ => Err(unexpected()),
    }
}

pub(super) async fn restore(
    folder: &Folder,
    args: &RestoreArgs,
    out: &Output,
) -> Result<(), Failure> {
    let identity = folder.load(driver::wall())?.identity;
    if !registers(&identity) {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this data folder is no registrar's",
            "restore on the machine that gives out names, with its --data DIR",
        ));
    }
    let _lock = folder.lock()?;
    let place = place(folder, &args.storage)?;
    let copied = restore_store(&args.file, &place, identity.realm, args.force)
        .await
        .map_err(|error| of_store(&error))?;
    out.show(&copied, || format!("{} are in the store {place} now.", told(&copied)));
    Ok(())
}

fn told(copied: &Copied) -> String {
    let Copied { users, tickets, codes, requests, lists } = copied;
    format!(
        "{users} users, {tickets} used tickets, {codes} codes, {requests} requests and {lists} \
         lists of revocations"
    )
}
