//! The routes for messages that wait for their recipients.

use super::peer::{Answer, Peer};
use super::problem::ApiError;
use super::types::{Conversation, MailInbox, MailRequest, MailSent, MailWritten, People, SentMail};
use crate::driver;
use crate::mail::Wrote;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use overlay_proto::config::{MAIL_LIFE_MAX, MESSAGE_BYTES_MAX};
use overlay_proto::io::{Command, Reply};
use overlay_proto::mail::{MessageState, MessageView};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::time::Span;
use std::collections::BTreeMap;

/// Bytes of a request: each byte of a text may take six in JSON.
const BODY_MAX: usize = 6 * MESSAGE_BYTES_MAX + 4_096;

/// Routes below `/v1/mail`.
pub(super) fn mail_routes() -> Router<Peer> {
    Router::new()
        .route("/v1/mail", get(list).post(write))
        .route("/v1/mail/inbox", get(inbox))
        .route("/v1/mail/with", get(people))
        .route("/v1/mail/with/{name}", get(conversation))
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

async fn write(
    State(peer): State<Peer>,
    request: Result<Json<MailRequest>, JsonRejection>,
) -> Answer<MailWritten> {
    let Json(request) = request.map_err(|rejection| match rejection.status().as_u16() {
        413 => too_large(),
        _ => ApiError::new(Status::MALFORMED, rejection.body_text()),
    })?;
    let to = Name::new(&request.to)
        .map_err(|error| ApiError::new(Status::INVALID_NAME, error.to_string()))?;
    let life = request.life_secs.map(|secs| Span::secs(secs.min(MAIL_LIFE_MAX.0)));
    let (text, sent_ms) = (request.text.clone(), driver::wall().0);
    let body = request.text.into_bytes();
    match peer.handle.command(Command::Write { to: to.clone(), body, life }).await {
        Reply::Written { id } => {
            if let Some(letters) = &peer.letters {
                letters.wrote(Wrote { id, to: to.clone(), sent_ms, text }).await;
            }
            Ok(Json(MailWritten { id: id.to_string(), to: to.to_string() }))
        }
        Reply::Failed { status: Status::TOO_LARGE } => Err(too_large()),
        Reply::Failed { status } => Err(status.into()),
        other => {
            tracing::error!(?other, "a reply that fits no command of this kind");
            Err(Status::INTERNAL.into())
        }
    }
}

fn too_large() -> ApiError {
    let text = format!("a message has at most {MESSAGE_BYTES_MAX} bytes");
    ApiError::new(Status::TOO_LARGE, text)
}

async fn list(State(peer): State<Peer>) -> Json<MailSent> {
    let messages = peer.handle.messages().await;
    Json(MailSent { messages: messages.into_iter().map(sent).collect() })
}

fn sent(view: MessageView) -> SentMail {
    let status = match view.state {
        MessageState::Waiting => Status::TRYING,
        MessageState::Kept => Status::ACCEPTED,
        MessageState::Ended(status) => status,
    };
    SentMail {
        id: view.id.to_string(),
        to: view.to.to_string(),
        sent_ms: view.sent_ms,
        state: view.state.word().to_owned(),
        status,
    }
}

async fn people(State(peer): State<Peer>) -> Answer<People> {
    let Some(letters) = &peer.letters else { return Err(Status::NOT_SERVED.into()) };
    let names = letters.people().await.iter().map(ToString::to_string).collect();
    Ok(Json(People { names }))
}

async fn conversation(State(peer): State<Peer>, Path(name): Path<String>) -> Answer<Conversation> {
    let name =
        Name::new(&name).map_err(|error| ApiError::new(Status::INVALID_NAME, error.to_string()))?;
    let Some(letters) = &peer.letters else { return Err(Status::NOT_SERVED.into()) };
    let mut said = letters.conversation(name.clone()).await;
    let states: BTreeMap<String, String> = peer
        .handle
        .messages()
        .await
        .into_iter()
        .map(sent)
        .map(|sent| (sent.id, sent.state))
        .collect();
    for one in said.iter_mut().filter(|one| one.mine) {
        one.state = states.get(&one.id).cloned();
    }
    Ok(Json(Conversation { with: name.to_string(), said }))
}

async fn inbox(State(peer): State<Peer>, RawQuery(query): RawQuery) -> Answer<MailInbox> {
    let after = match query.as_deref().unwrap_or_default().strip_prefix("after=") {
        Some(number) => number
            .parse()
            .map_err(|_| ApiError::new(Status::MALFORMED, "after= needs a message's number"))?,
        None => 0,
    };
    let Some(letters) = &peer.letters else { return Err(Status::NOT_SERVED.into()) };
    Ok(Json(MailInbox { messages: letters.inbox(after).await }))
}
