//! Which device of a user is asked: the one that is named, or the newest on line and then the others.

use super::error::SessionError;
use super::recipient::Recipient;
use crate::driver::Handle;
use overlay_proto::id::NodeId;
use overlay_proto::io::{Command, Reply};
use overlay_proto::status::Status;
use std::collections::BTreeSet;

/// The devices of a recipient, one after the other.
pub(super) struct Turns<'a> {
    handle: &'a Handle,
    to: &'a Recipient,
    asked: BTreeSet<NodeId>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(handle: &'a Handle, to: &'a Recipient) -> Turns<'a> {
        Turns { handle, to, asked: BTreeSet::new() }
    }

    /// The first to be asked, met.
    pub(super) async fn first(&mut self) -> Result<NodeId, SessionError> {
        if !self.to.is_device() {
            return self.meet(None).await;
        }
        let meant: Vec<NodeId> =
            self.online().await?.into_iter().filter(|node| self.to.may_be(*node)).collect();
        match meant[..] {
            [node] => self.meet(Some(node)).await,
            [] => Err(SessionError::refused(Status::OFFLINE)),
            _ => Err(SessionError::Refused {
                status: Status::MALFORMED,
                sentence: "more than one device begins so: give more digits".to_owned(),
            }),
        }
    }

    /// The next after one that does not serve what is wanted; none if there is no other, or just
    /// that one was meant.
    pub(super) async fn next(&mut self) -> Option<NodeId> {
        if self.to.is_device() {
            return None;
        }
        let online = self.online().await.ok()?;
        let next = online.into_iter().find(|node| !self.asked.contains(node))?;
        self.meet(Some(next)).await.ok()
    }

    async fn meet(&mut self, node: Option<NodeId>) -> Result<NodeId, SessionError> {
        let to = self.to.name().clone();
        match self.handle.command(Command::Meet { to, node }).await {
            Reply::Met { node, .. } => {
                self.asked.insert(node);
                Ok(node)
            }
            Reply::Failed { status } => Err(SessionError::refused(status)),
            _ => Err(SessionError::refused(Status::INTERNAL)),
        }
    }

    /// The devices on line, that with the newest record first.
    async fn online(&self) -> Result<Vec<NodeId>, SessionError> {
        let name = self.to.name().clone();
        match self.handle.command(Command::Lookup { name }).await {
            Reply::Located { found, .. } => {
                let online = found.iter().filter(|found| found.lease_ms > 0);
                Ok(online.map(|found| found.record.node()).collect())
            }
            Reply::Failed { status } => Err(SessionError::refused(status)),
            _ => Err(SessionError::refused(Status::INTERNAL)),
        }
    }
}
