//! The supernodes a peer knows, and which it tries next (the host cache of DESIGN, section 4).

use crate::config::HOSTS_MAX;
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::NodeId;
use crate::identity::Contact;
use std::collections::BTreeMap;

/// Known supernodes.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    known: BTreeMap<NodeId, Host>,
}

#[derive(Debug)]
struct Host {
    contact: Contact,
    /// Failures since the last success.
    failures: u32,
    /// Somebody has just told us to go there.
    preferred: bool,
}

impl Hosts {
    /// Learns of a supernode. True if it or its address is new.
    pub fn learn(&mut self, contact: &Contact, preferred: bool) -> bool {
        if let Some(host) = self.known.get_mut(&contact.node) {
            host.preferred |= preferred;
            let changed = !contact.addresses.is_empty() && host.contact != *contact;
            if changed {
                host.contact = contact.clone();
            }
            return changed;
        }
        if self.known.len() >= HOSTS_MAX {
            let worst = self.known.iter().max_by_key(|(_, host)| host.failures);
            let Some(worst) = worst.map(|(node, _)| *node) else { return false };
            self.known.remove(&worst);
        }
        let host = Host { contact: contact.clone(), failures: 0, preferred };
        self.known.insert(contact.node, host);
        true
    }

    /// The next to try: where somebody sent us, else one of those with the fewest failures.
    pub fn next(&mut self, cx: &mut Context) -> Option<Contact> {
        let best = self.known.values().map(Host::rank).min()?;
        let candidates: Vec<NodeId> =
            self.known.iter().filter(|(_, h)| h.rank() == best).map(|(node, _)| *node).collect();
        let chosen = *candidates.get(cx.random_below(candidates.len()))?;
        let host = self.known.get_mut(&chosen)?;
        host.preferred = false;
        Some(host.contact.clone())
    }

    /// Notes that a try led nowhere.
    pub fn failed(&mut self, node: NodeId) {
        if let Some(host) = self.known.get_mut(&node) {
            host.failures = host.failures.saturating_add(1);
        }
    }

    /// Notes that a try led to a session.
    pub fn succeeded(&mut self, node: NodeId) {
        if let Some(host) = self.known.get_mut(&node) {
            host.failures = 0;
        }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn contacts(&self) -> Vec<Contact> {
        self.known.values().map(|host| host.contact.clone()).collect()
    }
}

impl Host {
    fn rank(&self) -> (bool, u32) {
        (!self.preferred, self.failures)
    }
}

impl Heap for Host {
    fn heap(&self) -> usize {
        self.contact.heap()
    }
}

impl Heap for Hosts {
    fn heap(&self) -> usize {
        self.known.heap()
    }
}
