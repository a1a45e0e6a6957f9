//! The running peer, asked over its socket.

use super::exit::Failure;
use crate::api::{
    Client, ClientError, DeviceCodeMade, Devices, Done, InboxPage, Located, MailInbox, MailRequest,
    MailSent, MailWritten, PeerStatus, Pong, SendRequest, Sent, Trace,
};
use crate::data::Folder;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::view::NeighbourView;
use serde::de::DeserializeOwned;

/// The running peer of a folder.
#[derive(Debug)]
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

/// A name as a segment of a path, escaped where it is not ASCII (RFC 3986, section 2.1).
fn segment(name: &Name) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.as_str().bytes().map(byte).collect()
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
