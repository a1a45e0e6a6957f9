//! The host cache: supernodes that were reachable last time, in `hosts.json`.

use super::{DataError, Folder};
use overlay_proto::config::{ADDRESSES_MAX, HOSTS_MAX};
use overlay_proto::id::NodeId;
use overlay_proto::identity::Contact;
use overlay_proto::wire::TransportAddress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The name of the file.
const FILE: &str = "hosts.json";

#[derive(Serialize, Deserialize)]
struct Host {
    node: String,
    addresses: Vec<TransportAddress>,
}

impl Folder {
    /// The supernodes to begin with: those of the cache, then those of `first`, each once.
    ///
    /// A cache that cannot be read is no reason not to start: it is reported and passed over, and
    /// replaced at the next change.
    pub fn hosts(&self, first: &[Contact]) -> Vec<Contact> {
        let path = self.file(FILE);
        let cached: Vec<Contact> = match std::fs::read(&path) {
            Ok(bytes) => parse(&bytes).unwrap_or_else(|reason| {
                tracing::warn!(file = %path.display(), reason, "the host cache is passed over");
                Vec::new()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the host cache is passed over");
                Vec::new()
            }
        };
        let mut seen = BTreeSet::new();
        let all = cached.into_iter().chain(first.iter().cloned());
        all.filter(|contact| seen.insert(contact.node)).take(HOSTS_MAX).collect()
    }

    /// Replaces the cache.
    ///
    /// # Errors
    /// [`DataError::NoAccess`].
    pub fn keep_hosts(&self, hosts: &[Contact]) -> Result<(), DataError> {
        let host = |contact: &Contact| Host {
            node: contact.node.to_string(),
            addresses: contact.addresses.clone(),
        };
        let hosts: Vec<Host> = hosts.iter().take(HOSTS_MAX).map(host).collect();
        let bytes = serde_json::to_vec_pretty(&hosts).expect("texts are JSON");
        self.replace(FILE, &bytes)
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Contact>, &'static str> {
    let hosts: Vec<Host> = serde_json::from_slice(bytes).map_err(|_| "not a list of hosts")?;
    let contact = |host: Host| {
        let node: NodeId = host.node.parse().map_err(|_| "a node id is not 64 hex digits")?;
        let addresses = host.addresses.into_iter().take(ADDRESSES_MAX).collect();
        Ok(Contact { node, addresses })
    };
    hosts.into_iter().take(HOSTS_MAX).map(contact).collect()
}
