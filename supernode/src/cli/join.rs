//! `supernode join`: a further supernode of a realm.

use super::args::JoinArgs;
use super::init::settle;
use overlay_node::cli::{Failure, Output, late};
use overlay_node::data::{Folder, Kept, KeyKind};
use overlay_node::driver::{self, Options};
use overlay_node::settings;
use overlay_proto::Config;
use overlay_proto::identity::{Identity, Invitation};
use overlay_proto::io::{Command, Reply};
use overlay_proto::status::Status;
use serde::Serialize;
use std::sync::Arc;

/// What `supernode join --json` prints.
#[derive(Debug, Serialize)]
struct Joined {
    realm: String,
    node: String,
    data: String,
    listen: String,
}

pub(super) async fn join(folder: &Folder, args: &JoinArgs, out: &Output) -> Result<(), Failure> {
    let invitation: Invitation = args.invitation.parse()?;
    let Some(ticket) = invitation.ticket.clone() else {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this invitation is for a user, not for a supernode",
            "ask for one made with `supernode invite --supernode`",
        ));
    };
    folder.create()?;
    let _lock = folder.lock()?;
    folder.refuse_if_joined()?;
    let device = folder.joining_key(KeyKind::Device)?;
    let identity = Identity { realm: invitation.realm, device, user: None, supernode: None };
    let node = identity.node();
    let mut place = settings::listen(args.place.listen, &args.place.announce);
    // Nobody dials a machine that is no supernode yet.
    place.port = 0;
    let handle = driver::start(Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts: invitation.supernodes.clone(),
        listen: place,
        store: None,
        keeper: None,
    })
    .await?;
    let enroll = handle.command(Command::Enroll { ticket });
    let reply = late(out, "looking for the supernode of the invitation...", enroll).await;
    handle.shutdown().await;
    let (certificate, supernodes) = match reply {
        Reply::Enrolled { certificate, supernodes } => (certificate, supernodes),
        Reply::Failed { status } => return Err(refused(folder, status)),
        other => {
            let text = format!("an unexpected reply ({other:?}): this is a bug, please report it");
            return Err(Failure::local(text));
        }
    };
    folder.keep_joining_key(KeyKind::Device)?;
    settle(folder, &args.place, None)?;
    folder.keep_hosts(&supernodes)?;
    let mut kept = Kept::new(invitation.realm, invitation.supernodes);
    kept.supernode = Some((*certificate).clone());
    folder.keep(&kept)?;
    let joined = Joined {
        realm: invitation.realm.to_string(),
        node: node.to_string(),
        data: folder.path().display().to_string(),
        listen: args.place.listen.to_string(),
    };
    out.show(&joined, || {
        format!(
            "This machine is a supernode of realm {} now.\nGo on with: supernode run",
            joined.realm
        )
    });
    Ok(())
}

fn refused(folder: &Folder, status: Status) -> Failure {
    // Without an answer the ticket may be used up by this key: the next try needs the same one.
    if matches!(status.0, 400..500)
        && status != Status::TIMEOUT
        && let Err(error) = folder.drop_joining_key(KeyKind::Device)
    {
        tracing::warn!(%error, "the key of a refused join is still there");
    }
    match status {
        Status::NAME_TAKEN | Status::FORBIDDEN => Failure::new(
            status,
            "the invitation has been used by another machine",
            "make a new one with `supernode invite --supernode`",
        ),
        Status::EXPIRED => Failure::new(
            status,
            "the invitation has expired, or this machine's clock is wrong",
            "make a new one with `supernode invite --supernode`",
        ),
        Status::TIMEOUT | Status::NO_ROUTE => Failure::new(
            Status::TIMEOUT,
            "the supernode of the invitation has not answered",
            "check that it runs and that this machine reaches it; then join again",
        ),
        other => other.into(),
    }
}
