//! The running peer, asked over its socket.

use super::exit::Failure;
use crate::api::{
    Asked, AwayRequest, Client, ClientError, ContactList, ContactRequest, Conversation,
    DeviceCodeMade, Devices, Done, InboxPage, Lines, Located, MailInbox, MailRequest, MailSent,
    MailWritten, PeerStatus, People, Pong, RequestAnswered, SendRequest, Sent, Trace, Upgraded,
};
use crate::data::Folder;
use crate::session::{NoRecipient, Recipient};
use hyper::Method;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::view::{CorrespondentView, NeighbourView};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The running peer of a folder.
#[derive(Debug, Clone)]
pub(super) struct Asker(Client);

impl Asker {
    pub(super) fn of(folder: &Folder) -> Asker {
        Asker(Client::new(folder.socket()))
    }

    pub(super) async fn status(&self) -> Result<PeerStatus, Failure> {
        self.get("/v1/status").await
    }

    pub(super) async fn neighbours(&self) -> Result<Vec<NeighbourView>, Failure> {
        self.get("/v1/neighbours").await
    }

    pub(super) async fn correspondents(&self) -> Result<Vec<CorrespondentView>, Failure> {
        self.get("/v1/correspondents").await
    }

    pub(super) async fn send(&self, to: &str, text: String) -> Result<Sent, Failure> {
        let request = SendRequest { to: name(to)?.to_string(), text };
        self.0.post("/v1/messages", &request).await.map_err(not_running)
    }

    pub(super) async fn write(&self, request: &MailRequest) -> Result<MailWritten, Failure> {
        name(&request.to)?;
        self.0.post("/v1/mail", request).await.map_err(not_running)
    }

    pub(super) async fn sent_mail(&self) -> Result<MailSent, Failure> {
        self.get("/v1/mail").await
    }

    pub(super) async fn mail_inbox(&self, after: u64) -> Result<MailInbox, Failure> {
        self.get(&format!("/v1/mail/inbox?after={after}")).await
    }

    pub(super) async fn people(&self) -> Result<Vec<String>, Failure> {
        self.get("/v1/mail/with").await.map(|people: People| people.names)
    }

    pub(super) async fn conversation(&self, with: &str) -> Result<Conversation, Failure> {
        self.get(&format!("/v1/mail/with/{}", segment(&name(with)?))).await
    }

    /// What happens, as long as the answer is held.
    pub(super) async fn events(&self) -> Result<Lines, Failure> {
        self.0.lines("/v1/events").await.map_err(not_running)
    }

    /// A page of the inbox; none if no peer runs.
    pub(super) async fn inbox(&self, after: u64) -> Result<Option<InboxPage>, Failure> {
        match self.0.get(&format!("/v1/inbox?after={after}")).await {
            Ok(page) => Ok(Some(page)),
            Err(ClientError::NotRunning { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn lookup(&self, user: &str) -> Result<Located, Failure> {
        self.get(&format!("/v1/users/{}", segment(&name(user)?))).await
    }

    pub(super) async fn ping(&self, user: &str) -> Result<Pong, Failure> {
        self.post(&format!("/v1/users/{}/ping", segment(&name(user)?))).await
    }

    pub(super) async fn trace(&self, user: &str) -> Result<Trace, Failure> {
        self.post(&format!("/v1/users/{}/trace", segment(&name(user)?))).await
    }

    pub(super) async fn device_code(&self) -> Result<DeviceCodeMade, Failure> {
        self.post("/v1/devices").await
    }

    pub(super) async fn devices(&self) -> Result<Devices, Failure> {
        self.get("/v1/devices").await
    }

    pub(super) async fn revoke_device(&self, node: &str) -> Result<Done, Failure> {
        self.post(&format!("/v1/devices/{node}/revoke")).await
    }

    /// A stream to a user, or to one of their devices.
    pub(super) async fn stream(&self, user: &str, service: &str) -> Result<Upgraded, Failure> {
        let user = escaped(&recipient(user)?.to_string());
        let route = format!("/v1/users/{user}/stream?service={}", escaped(service));
        self.0.upgrade(Method::POST, &route).await.map_err(not_running)
    }

    /// The answer of a user's service.
    pub(super) async fn request(
        &self,
        user: &str,
        service: &str,
        body: Vec<u8>,
        deadline: Duration,
    ) -> Result<RequestAnswered, Failure> {
        let user = escaped(&recipient(user)?.to_string());
        let (service, deadline) = (escaped(service), deadline.as_millis());
        let route = format!("/v1/users/{user}/request?service={service}&deadline={deadline}");
        self.0.post_bytes(&route, body).await.map_err(not_running)
    }

    /// The streams that others want of a service, as long as the answer is held.
    pub(super) async fn serve(&self, service: &str, allow: &str) -> Result<Lines, Failure> {
        let route = format!("/v1/services?service={}&allow={}", escaped(service), escaped(allow));
        let mut lines = self.0.lines(&route).await.map_err(not_running)?;
        // The first says that it is served now.
        let _: Option<serde_json::Value> = lines.next().await;
        Ok(lines)
    }

    pub(super) async fn accept(&self, id: u64) -> Result<Upgraded, Failure> {
        self.0.upgrade(Method::POST, &format!("/v1/incoming/{id}")).await.map_err(not_running)
    }

    pub(super) async fn refuse(
        &self,
        id: u64,
        status: Status,
        text: &str,
    ) -> Result<Done, Failure> {
        let why = serde_json::json!({ "status": status.0, "text": text });
        self.0.delete(&format!("/v1/incoming/{id}"), &why).await.map_err(not_running)
    }

    pub(super) async fn contacts(&self) -> Result<ContactList, Failure> {
        self.get("/v1/contacts").await
    }

    pub(super) async fn add_contact(&self, user: &str, greeting: &str) -> Result<Asked, Failure> {
        let route = format!("/v1/contacts/{}", segment(&name(user)?));
        let request = ContactRequest { greeting: greeting.to_owned() };
        self.0.post(&route, &request).await.map_err(not_running)
    }

    pub(super) async fn remove_contact(&self, user: &str) -> Result<Done, Failure> {
        let route = format!("/v1/contacts/{}", segment(&name(user)?));
        self.0.delete(&route, &()).await.map_err(not_running)
    }

    pub(super) async fn block_contact(&self, user: &str) -> Result<Done, Failure> {
        self.post(&format!("/v1/contacts/{}/block", segment(&name(user)?))).await
    }

    /// Says to contacts who ask that this user is away, or back.
    pub(super) async fn away(&self, away: bool) -> Result<Done, Failure> {
        self.0.post("/v1/away", &AwayRequest { away }).await.map_err(not_running)
    }

    pub(super) async fn logout(&self) -> Result<Done, Failure> {
        self.post("/v1/logout").await
    }

    async fn get<A: DeserializeOwned>(&self, route: &str) -> Result<A, Failure> {
        self.0.get(route).await.map_err(not_running)
    }

    async fn post<A: DeserializeOwned>(&self, route: &str) -> Result<A, Failure> {
        self.0.post(route, &()).await.map_err(not_running)
    }
}

fn not_running(error: ClientError) -> Failure {
    match error {
        ClientError::NotRunning { .. } => Failure::new(
            Status::NOT_LOGGED_IN,
            "no peer runs in this data folder",
            "start `peer run` in another terminal, or choose the right folder with --data DIR",
        ),
        other => other.into(),
    }
}

pub(super) fn name(text: &str) -> Result<Name, Failure> {
    Name::new(text).map_err(|error| {
        Failure::new(
            Status::INVALID_NAME,
            format!("\"{}\" is no name", text.trim()),
            error.to_string(),
        )
    })
}

/// A user, or one of their devices by the first digits of its node id.
pub(super) fn recipient(text: &str) -> Result<Recipient, Failure> {
    if !text.contains('/') {
        return Ok(Recipient::from(&name(text)?));
    }
    text.parse().map_err(|error: NoRecipient| Failure::usage(error.to_string()))
}

/// A name as a segment of a path.
fn segment(name: &Name) -> String {
    escaped(name.as_str())
}

/// A text as part of a path or a query, escaped where it has to be (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_path() {
        let segment = |text| segment(&Name::new(text).expect("a name"));
        assert_eq!(segment("al.ice-2"), "al.ice-2");
        assert_eq!(segment("zoë"), "zo%C3%AB");
    }
}
