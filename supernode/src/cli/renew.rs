//! `supernode renew`: a new end for this supernode's certificate, from the realm's root.

use super::args::RenewArgs;
use super::join::{enroll, refusal};
use overlay_node::cli::{Failure, Output};
use overlay_node::data::{Folder, KeyKind};
use overlay_proto::identity::{Identity, Invitation};
use overlay_proto::status::Status;
use serde::Serialize;

/// What `supernode renew --json` prints.
#[derive(Debug, Serialize)]
struct Renewed {
    node: String,
    until_ms: u64,
}

pub(super) async fn renew(folder: &Folder, args: &RenewArgs, out: &Output) -> Result<(), Failure> {
    let invitation: Invitation = args.invitation.parse()?;
    let ticket = invitation.ticket.clone().filter(|ticket| ticket.registrar.is_none());
    let Some(ticket) = ticket else {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this invitation renews no supernode",
            "ask for one made with `supernode invite --supernode`",
        ));
    };
    // While it runs it would go on with the old one.
    let _lock = folder.lock()?;
    let kept = folder.kept()?.filter(|kept| kept.supernode.is_some());
    let Some(mut kept) = kept else {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "there is no supernode in this data folder",
            "choose the right folder with --data DIR, or `supernode join` the invitation",
        ));
    };
    if kept.realm != invitation.realm {
        return Err(Status::FOREIGN_REALM.into());
    }
    let device = folder.key(KeyKind::Device)?;
    let identity = Identity { realm: kept.realm, device, user: None, supernode: None };
    let node = identity.node();
    let certified = enroll(&args.place, &invitation, identity, ticket, None, out).await?;
    let certificate = (*certified.map_err(refusal)?.supernode).clone();
    let until_ms = 1_000 * certificate.not_after;
    kept.supernode = Some(certificate);
    folder.keep(&kept)?;
    let renewed = Renewed { node: node.to_string(), until_ms };
    out.show(&renewed, || {
        "The certificate of this supernode has a new end.\nGo on with: supernode run".to_owned()
    });
    Ok(())
}
