//! The routes of the address book.

use super::peer::{Answer, Peer, name};
use super::problem::ApiError;
use super::types::{Asked, AwayRequest, ContactEntry, ContactList, ContactRequest, Done};
use crate::contacts::{ContactError, Standing};
use crate::driver;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use overlay_proto::io::{Command, Reply};
use overlay_proto::name::Name;
use overlay_proto::status::Status;

/// Routes below `/v1/contacts`.
pub(super) fn contact_routes() -> Router<Peer> {
    Router::new()
        .route("/v1/contacts", get(list))
        .route("/v1/contacts/{name}", post(add).delete(remove))
        .route("/v1/contacts/{name}/block", post(block))
        .route("/v1/away", post(away))
}

async fn list(State(peer): State<Peer>) -> Answer<ContactList> {
    let book = peer.contacts.book();
    let seen = book.entries().map(|(user, entry)| {
        let peer = &peer;
        let (user, entry) = (user.clone(), entry.clone());
        async move {
            let is_contact = entry.standing == Standing::Contact;
            let found = if is_contact { presence(&peer.handle, &user).await } else { None };
            let away = match found {
                Some((true, _)) => peer.contacts.is_contact_away(&peer.sessions, &user).await,
                _ => None,
            };
            ContactEntry {
                name: user.to_string(),
                standing: entry.standing,
                greeting: entry.greeting,
                since_ms: entry.since_ms,
                online: found.map(|(online, _)| online),
                away,
                seen_ms_ago: found.map(|(_, age_ms)| age_ms),
            }
        }
    });
    Ok(Json(ContactList { contacts: futures::future::join_all(seen).await }))
}

/// Whether a user is on line, and how many milliseconds ago that was said; `None` if nobody knows.
pub(crate) async fn presence(handle: &driver::Handle, user: &Name) -> Option<(bool, u64)> {
    match handle.command(Command::Lookup { name: user.clone() }).await {
        Reply::Located { found, .. } => {
            let newest = found.iter().min_by_key(|found| found.age_ms)?;
            Some((found.iter().any(|found| found.lease_ms > 0), newest.age_ms))
        }
        _ => None,
    }
}

async fn add(
    State(peer): State<Peer>,
    Path(user): Path<String>,
    Json(request): Json<ContactRequest>,
) -> Answer<Asked> {
    let user = name(&user)?;
    let told = peer.contacts.add(&peer.sessions, &user, &request.greeting).await?;
    let standing = peer.contacts.book().standing(&user).unwrap_or(Standing::Asked);
    Ok(Json(Asked { name: user.to_string(), standing, told }))
}

async fn away(State(peer): State<Peer>, Json(request): Json<AwayRequest>) -> Json<Done> {
    peer.contacts.set_away(request.away);
    Json(Done { status: Status::OK })
}

async fn remove(State(peer): State<Peer>, Path(user): Path<String>) -> Answer<Done> {
    let user = name(&user)?;
    peer.contacts.change(&user, |book| book.remove(&user))?;
    Ok(Json(Done { status: Status::OK }))
}

async fn block(State(peer): State<Peer>, Path(user): Path<String>) -> Answer<Done> {
    let user = name(&user)?;
    peer.contacts.change(&user, |book| {
        book.block(&user, driver::wall().0);
        Ok(())
    })?;
    Ok(Json(Done { status: Status::OK }))
}

impl From<ContactError> for ApiError {
    fn from(error: ContactError) -> ApiError {
        ApiError::new(error.status(), error.to_string())
    }
}
