//! `peer join`: from an invitation to a name of one's own.
//!
//! The keys are on the disk before the name is asked for, under a name that no other command
//! reads: a name granted to keys that a crash has lost would be lost for ever. A refusal removes
//! them; an answer that never came leaves them, and the next try gets the same name with them.

use super::args::JoinArgs;
use super::ask::name;
use super::exit::Failure;
use super::life::late;
use super::output::Output;
use crate::data::{DataError, Folder, Kept, KeyKind};
use crate::driver::{self, Handle, Listen, Options};
use overlay_proto::Config;
use overlay_proto::identity::{CertificateError, DeviceCode, Identity, Invitation, UserKeys};
use overlay_proto::io::{Command, Reply};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What `peer join --json` prints.
#[derive(Debug, Serialize)]
struct Joined {
    name: String,
    node: String,
    realm: String,
    home: String,
    ms: f64,
}

pub(super) async fn join(folder: &Folder, args: JoinArgs, out: &Output) -> Result<(), Failure> {
    if DeviceCode::is_meant(&args.invitation) {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this is the code of a user's device, not an invitation",
            "use it with `peer device join CODE`",
        ));
    }
    let invitation: Invitation = args.invitation.parse()?;
    let name = name(&args.name)?;
    folder.create()?;
    let _lock = folder.lock()?;
    refuse_second(folder, &invitation)?;
    let device = folder.joining_key(KeyKind::Device)?;
    let key = folder.joining_key(KeyKind::User)?;
    let user = Some(UserKeys { key: key.into(), chain: None });
    let identity = Identity { realm: invitation.realm, device, user, supernode: None };
    let handle = driver::start(Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts: invitation.supernodes.clone(),
        listen: Listen { ip: Ipv4Addr::UNSPECIFIED.into(), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    })
    .await?;
    let joined = register_and_log_in(folder, &handle, &invitation, name, args.code, out).await;
    handle.shutdown().await;
    let joined = joined?;
    out.show(&joined, || {
        format!(
            "You are {} now, logged in once in {:.0} ms, and off line again.\nGo on with: peer run{}",
            joined.name,
            joined.ms,
            data_flag(folder)
        )
    });
    Ok(())
}

/// The flag with which the next command finds a folder that is not the usual one.
pub(super) fn data_flag(folder: &Folder) -> String {
    match Folder::default_path(super::PROGRAM) {
        Ok(usual) if usual == folder.path() => String::new(),
        _ => format!(" --data {}", folder.path().display()),
    }
}

fn refuse_second(folder: &Folder, invitation: &Invitation) -> Result<(), Failure> {
    let Some(kept) = folder.kept()? else { return Ok(()) };
    if kept.realm != invitation.realm {
        return Err(Failure::new(
            Status::FOREIGN_REALM,
            format!(
                "this data folder is of realm {:?}, the invitation of realm {:?}",
                kept.realm, invitation.realm
            ),
            "use an invitation of this realm, or another folder with --data DIR",
        ));
    }
    match folder.load(driver::wall()) {
        // The same keys get the same name again.
        Err(DataError::Certificate { source: CertificateError::Expired, .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(loaded) => {
            let name = loaded.identity.chain().and_then(|chain| chain.claimed_name().cloned());
            let name = name.map_or("a supernode".to_owned(), |name| name.to_string());
            Err(Failure::new(
                Status::FORBIDDEN,
                format!("already joined as {name}"),
                "go on with `peer run`, or join as somebody else with --data DIR",
            ))
        }
    }
}

async fn register_and_log_in(
    folder: &Folder,
    handle: &Handle,
    invitation: &Invitation,
    name: Name,
    code: Option<String>,
    out: &Output,
) -> Result<Joined, Failure> {
    let code = code.or_else(|| invitation.code.clone());
    let register = handle.command(Command::Register { name: name.clone(), code });
    let chain = match late(out, "looking for a supernode of the invitation...", register).await {
        Reply::Registered { chain } => chain,
        Reply::Failed { status } => return Err(refused(folder, status, name.as_str())),
        other => return Err(unexpected(&other)),
    };
    folder.keep_joining_key(KeyKind::Device)?;
    folder.keep_joining_key(KeyKind::User)?;
    let mut kept = Kept::new(invitation.realm, invitation.supernodes.clone());
    kept.chain = Some((*chain).clone());
    folder.keep(&kept)?;
    let login = handle.command(Command::Login);
    match late(out, "the name is yours; logging in...", login).await {
        Reply::LoggedIn { home, elapsed } => Ok(Joined {
            name: name.to_string(),
            node: handle.id().to_string(),
            realm: invitation.realm.to_string(),
            home: home.to_string(),
            ms: crate::api::millis(elapsed),
        }),
        Reply::Failed { status } => Err(Failure::new(
            status,
            format!(
                "the name {name} is yours, but the first log-in did not succeed ({})",
                status.text()
            ),
            "go on with `peer run`, which keeps trying",
        )),
        other => Err(unexpected(&other)),
    }
}

/// What a refused registration leaves behind: nothing, if it is final.
fn refused(folder: &Folder, status: Status, name: &str) -> Failure {
    // Without an answer the name may be ours all the same: the next try needs the same keys.
    let failure = Failure::from(status);
    let answered = matches!(status.0, 400..500) && status != Status::TIMEOUT;
    if answered {
        for kind in [KeyKind::Device, KeyKind::User] {
            if let Err(error) = folder.drop_joining_key(kind) {
                tracing::warn!(%error, "the keys of a refused join are still there");
            }
        }
    }
    match status {
        Status::NAME_TAKEN => Failure::new(
            status,
            format!("the name {name} is taken"),
            "join again with another name",
        ),
        Status::ACCEPTED => Failure::new(
            status,
            format!("the name {name} waits for the approval of the realm's operator"),
            "run the same command again later, with the same data folder; it is yours then",
        ),
        Status::FORBIDDEN => Failure::new(
            status,
            "this realm asks for a registration code, and the one given is wrong or used up; or its operator has refused you",
            "ask its operator, then join again with --code CODE",
        ),
        Status::TOO_MANY => Failure::new(
            status,
            "too many wait for the approval of this realm's operator",
            "try again later, or ask the operator for a code and join with --code CODE",
        ),
        Status::TIMEOUT | Status::NO_ROUTE => Failure::new(
            Status::TIMEOUT,
            "no supernode of the invitation has answered",
            "check the network, or ask for a new invitation; then join again",
        ),
        _ => failure,
    }
}

pub(super) fn unexpected(reply: &Reply) -> Failure {
    Failure::local(format!("an unexpected reply ({reply:?}): this is a bug, please report it"))
}
