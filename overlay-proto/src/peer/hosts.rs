//! The supernodes a peer knows, and which it tries next (the host cache of DESIGN, section 4).

use crate::config::HOSTS_MAX;
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::NodeId;
use crate::identity::Contact;

/// Known supernodes.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    known: Vec<Host>,
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
        if let Some(host) = self.host(contact.node) {
            host.preferred |= preferred;
            let changed = !contact.addresses.is_empty() && host.contact != *contact;
            if changed {
                host.contact = contact.clone();
            }
            return changed;
        }
        if self.known.len() >= HOSTS_MAX {
            let worst = self.known.iter().enumerate().max_by_key(|(_, host)| host.failures);
            let Some(worst) = worst.map(|(at, _)| at) else { return false };
            self.known.remove(worst);
        }
        let host = Host { contact: contact.clone(), failures: 0, preferred };
        self.known.push(host);
        true
    }

    /// The next to try: where somebody sent us, else one of those with the fewest failures.
    pub fn next(&mut self, cx: &mut Context) -> Option<Contact> {
        let best = self.known.iter().map(Host::rank).min()?;
        let mut candidates: Vec<&mut Host> =
            self.known.iter_mut().filter(|host| host.rank() == best).collect();
        let chosen = cx.random_below(candidates.len());
        let host = candidates.get_mut(chosen)?;
        host.preferred = false;
        Some(host.contact.clone())
    }

    /// Has a supernode be the next to be tried, if it is known.
    pub fn prefer(&mut self, node: NodeId) {
        if let Some(host) = self.host(node) {
            host.preferred = true;
        }
    }

    /// Notes that a try led nowhere.
    pub fn failed(&mut self, node: NodeId) {
        if let Some(host) = self.host(node) {
            host.failures = host.failures.saturating_add(1);
        }
    }

    /// Notes that a try led to a session.
    pub fn succeeded(&mut self, node: NodeId) {
        if let Some(host) = self.host(node) {
            host.failures = 0;
        }
    }

    fn host(&mut self, node: NodeId) -> Option<&mut Host> {
        self.known.iter_mut().find(|host| host.contact.node == node)
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn contacts(&self) -> Vec<Contact> {
        self.known.iter().map(|host| host.contact.clone()).collect()
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
