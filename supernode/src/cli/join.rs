//! `supernode join`: a further supernode of a realm, and perhaps a further registrar.

use super::args::{JoinArgs, Place, Registration};
use super::init::settle;
use super::store::{of_store, place};
use crate::store::{RegistrationPolicy, confirm};
use overlay_node::cli::{Failure, Output, late};
use overlay_node::data::{Folder, Kept, KeyKind};
use overlay_node::driver::{self, Options};
use overlay_node::settings;
use overlay_proto::Config;
use overlay_proto::config::FURTHER_REGISTRARS_MAX;
use overlay_proto::id::RegistryId;
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{Certificate, Contact, Identity, Invitation, SecretKey, Ticket};
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
    registrar: bool,
}

/// What a further registrar needs beside its key.
struct Desk {
    registry: RegistryId,
    registration: Registration,
}

/// What the realm's root has signed.
pub(super) struct Certified {
    pub supernode: Arc<Certificate>,
    registrar: Option<Arc<Certificate>>,
    supernodes: Vec<Contact>,
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
    // Before the ticket is used up, and before anything is made here.
    let desk = desk(folder, args, &invitation, &ticket).await?;
    folder.create()?;
    let _lock = folder.lock()?;
    folder.refuse_if_joined()?;
    let device = folder.joining_key(KeyKind::Device)?;
    let registrar = match desk {
        Some(_) => Some(folder.joining_key(KeyKind::Registrar)?),
        None => None,
    };
    let identity = Identity { realm: invitation.realm, device, user: None, supernode: None };
    let node = identity.node();
    let certified = enroll(&args.place, &invitation, identity, ticket, registrar, out).await?;
    let certified = certified.map_err(|status| refused(folder, status))?;
    folder.keep_joining_key(KeyKind::Device)?;
    folder.keep_joining_key(KeyKind::Registrar)?;
    settle(folder, &args.place, desk.as_ref().map(|desk| (&desk.registration, &args.storage)))?;
    folder.keep_hosts(&certified.supernodes)?;
    let mut kept = Kept::new(invitation.realm, invitation.supernodes);
    kept.supernode = Some((*certified.supernode).clone());
    kept.registrar = certified.registrar.map(|certificate| (*certificate).clone());
    kept.registry = desk.as_ref().map(|desk| desk.registry);
    folder.keep(&kept)?;
    let joined = Joined {
        realm: invitation.realm.to_string(),
        node: node.to_string(),
        data: folder.path().display().to_string(),
        listen: args.place.listen.to_string(),
        registrar: desk.is_some(),
    };
    out.show(&joined, || {
        let role = if joined.registrar { "supernode and registrar" } else { "supernode" };
        format!(
            "This machine is a {role} of realm {} now.\nGo on with: supernode run",
            joined.realm
        )
    });
    Ok(())
}

/// What the invitation asks of a registrar; none if it is for a plain supernode.
async fn desk(
    folder: &Folder,
    args: &JoinArgs,
    invitation: &Invitation,
    ticket: &Ticket,
) -> Result<Option<Desk>, Failure> {
    let Some(grant) = &ticket.registrar else {
        return match args.storage.store {
            None => Ok(None),
            Some(_) => Err(Failure::new(
                Status::WRONG_ROLE,
                "this invitation is for a supernode that gives out no names, and so has no store",
                "leave out --store (and TRELLIS_STORE), or ask for an invitation made with \
                 `supernode invite --registrar`",
            )),
        };
    };
    if args.storage.store.is_none() {
        return Err(Failure::usage(
            "this invitation is for a registrar, which shares the realm's store: name it with \
             --store postgres://USER@HOST/DATABASE, as at the registrar that made the invitation",
        ));
    }
    ticket.check(&StrictVerifier, invitation.realm, driver::wall()).map_err(refusal)?;
    let place = place(folder, &args.storage)?;
    let policy = confirm(&place, invitation.realm, grant.registry).await;
    let policy = policy.map_err(|error| of_store(&error))?;
    Ok(Some(Desk { registry: grant.registry, registration: alike(args, policy)? }))
}

/// Who may register: as the other registrars have it, unless the operator says so. Whoever is
/// refused by one registrar goes to the next, so a default would open the realm.
fn alike(args: &JoinArgs, of_others: Option<RegistrationPolicy>) -> Result<Registration, Failure> {
    let mut registration = args.registration.clone();
    if registration.registration.is_none() && registration.registration_code.is_none() {
        registration.registration = of_others;
        if of_others.is_none() {
            return Err(Failure::usage(
                "the store does not say who may register: start the first registrar once, or say it \
                 with --registration, alike at all registrars",
            ));
        }
    }
    Ok(registration)
}

/// Redeems the ticket at the supernode that has the root's key. The inner error is its refusal.
pub(super) async fn enroll(
    place: &Place,
    invitation: &Invitation,
    identity: Identity,
    ticket: Ticket,
    registrar: Option<SecretKey>,
    out: &Output,
) -> Result<Result<Certified, Status>, Failure> {
    let mut place = settings::listen(place.listen, &place.announce);
    // Nobody dials a machine that is no supernode yet.
    place.port = 0;
    let handle = driver::start(Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts: invitation.supernodes.clone(),
        listen: place,
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    })
    .await?;
    let enroll = handle.command(Command::Enroll { ticket, registrar: registrar.map(Box::new) });
    let reply = late(out, "looking for the supernode of the invitation...", enroll).await;
    handle.shutdown().await;
    match reply {
        Reply::Enrolled { certificate, registrar, supernodes } => {
            Ok(Ok(Certified { supernode: certificate, registrar, supernodes }))
        }
        Reply::Failed { status } => Ok(Err(status)),
        other => {
            let text = format!("an unexpected reply ({other:?}): this is a bug, please report it");
            Err(Failure::local(text))
        }
    }
}

fn refused(folder: &Folder, status: Status) -> Failure {
    // Without an answer the ticket may be used up by this key: the next try needs the same one.
    if matches!(status.0, 400..500) && status != Status::TIMEOUT {
        for kind in [KeyKind::Device, KeyKind::Registrar] {
            if let Err(error) = folder.drop_joining_key(kind) {
                tracing::warn!(%error, "the key of a refused join is still there");
            }
        }
    }
    refusal(status)
}

pub(super) fn refusal(status: Status) -> Failure {
    const AGAIN: &str = "make a new one with `supernode invite`, with the same flags";
    match status {
        Status::NAME_TAKEN | Status::FORBIDDEN => {
            Failure::new(status, "the invitation has been used by another machine", AGAIN)
        }
        Status::TOO_MANY => Failure::new(
            status,
            format!(
                "the realm has {} registrars already, as many as it can have",
                FURTHER_REGISTRARS_MAX + 1
            ),
            "join as a supernode without names: `supernode invite --supernode`",
        ),
        Status::EXPIRED => Failure::new(
            status,
            "the invitation has expired, or this machine's clock is wrong",
            AGAIN,
        ),
        Status::TIMEOUT | Status::NO_ROUTE => Failure::new(
            Status::TIMEOUT,
            "the supernode of the invitation has not answered",
            "check that it runs and that this machine reaches it; then join again",
        ),
        other => other.into(),
    }
}
