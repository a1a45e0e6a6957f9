//! The supernodes a peer knows, and which it tries next (the host cache of DESIGN, section 4).
//!
//! Whoever owns many addresses shall not own a peer's way in (Heilman et al., "Eclipse attacks on
//! Bitcoin's peer-to-peer network", 2015). So neighbourhoods of addresses count, not addresses: the
//! next supernode is drawn from a neighbourhood drawn first, and who makes room is one of the
//! largest. The supernodes that served last, the anchors, give way to nobody; they stand first in
//! what is kept on disk, and are the anchors of the next start.

use crate::config::HOSTS_MAX;
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::NodeId;
use crate::identity::Contact;
use crate::remote::Remote;
use std::collections::BTreeMap;

/// Supernodes that served last, and keep their places.
const ANCHORS: usize = 4;
/// An anchor that has failed so often in a row is none any more.
const ANCHOR_FAILURES_MAX: u32 = 8;

/// Known supernodes, those that served last first.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    known: Vec<Host>,
    /// How many at the beginning have served.
    served: usize,
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
        let host = Host { contact: contact.clone(), failures: 0, preferred };
        self.known.push(host);
        if self.known.len() > HOSTS_MAX {
            self.make_room();
        }
        self.host(contact.node).is_some()
    }

    /// Those of the last start, anchors first.
    pub fn recall(contacts: &[Contact]) -> Hosts {
        let mut hosts = Hosts::default();
        contacts.iter().for_each(|contact| {
            hosts.learn(contact, false);
        });
        hosts.served = hosts.known.len().min(ANCHORS);
        hosts
    }

    /// Forgets one of the largest neighbourhood: who has failed most often, the newest of these.
    fn make_room(&mut self) {
        let sizes = self.neighbourhoods(|_| true);
        let size = |host: &Host| sizes.get(&host.neighbourhood()).map_or(0, Vec::len);
        let anchors = self.served;
        let is_anchor =
            |at: usize, host: &Host| at < anchors && host.failures < ANCHOR_FAILURES_MAX;
        let others = self.known.iter().enumerate().filter(|(at, host)| !is_anchor(*at, host));
        let worst = others.max_by_key(|(at, host)| (size(host), host.failures, *at));
        if let Some(worst) = worst.map(|(at, _)| at) {
            self.known.remove(worst);
            self.served -= usize::from(worst < self.served);
        }
    }

    /// The places of hosts in the list, by neighbourhood.
    fn neighbourhoods(&self, of: impl Fn(&Host) -> bool) -> BTreeMap<Option<Remote>, Vec<usize>> {
        let mut all: BTreeMap<Option<Remote>, Vec<usize>> = BTreeMap::new();
        for (at, host) in self.known.iter().enumerate().filter(|(_, host)| of(host)) {
            all.entry(host.neighbourhood()).or_default().push(at);
        }
        all
    }

    /// The next to try: where somebody sent us, else one of those with the fewest failures, from
    /// any of their neighbourhoods with the same chance.
    pub fn next(&mut self, cx: &mut Context) -> Option<Contact> {
        let best = self.known.iter().map(Host::rank).min()?;
        let candidates = self.neighbourhoods(|host| host.rank() == best);
        let around = candidates.values().nth(cx.random_below(candidates.len()))?;
        let chosen = around.get(cx.random_below(around.len()))?;
        let host = self.known.get_mut(*chosen)?;
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

    /// Notes that a try led to a session. True if it has become an anchor by that.
    pub fn succeeded(&mut self, node: NodeId) -> bool {
        let Some(at) = self.known.iter().position(|host| host.contact.node == node) else {
            return false;
        };
        let mut host = self.known.remove(at);
        host.failures = 0;
        self.known.insert(0, host);
        let is_new = at >= self.served;
        self.served = (self.served + usize::from(is_new)).min(ANCHORS);
        is_new
    }

    /// Forgets those of whom this is not true.
    pub fn retain(&mut self, holds: impl Fn(NodeId) -> bool) {
        let anchors = self.known.iter().take(self.served);
        self.served = anchors.filter(|host| holds(host.contact.node)).count();
        self.known.retain(|host| holds(host.contact.node));
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

    /// Where its first address is.
    fn neighbourhood(&self) -> Option<Remote> {
        self.contact.addresses.first().and_then(Remote::of).map(Remote::neighbourhood)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Setup;
    use crate::testing::Realm;
    use crate::wire::TransportAddress;
    use crate::{Config, context};

    fn contact(n: u16, ip: [u8; 4]) -> Contact {
        let [a, b, c, d] = ip;
        let mut node = [0; 32];
        node[..2].copy_from_slice(&n.to_be_bytes());
        let address = TransportAddress::new(format!("/ip4/{a}.{b}.{c}.{d}/tcp/1")).expect("short");
        Contact { node: NodeId(node), addresses: vec![address] }
    }

    /// Eight honest supernodes, each with a provider of its own.
    fn honest() -> Vec<Contact> {
        (0..8).map(|n| contact(n, [10 + n as u8, 1, 1, 1])).collect()
    }

    /// As many as an attacker likes, in so many /16 networks.
    fn attackers(count: u16, networks: u16) -> impl Iterator<Item = Contact> {
        let ip = move |n: u16| [100, (n % networks) as u8, (n / networks) as u8, 7];
        (0..count).map(move |n| contact(1_000 + n, ip(n)))
    }

    fn is_honest(contact: &Contact) -> bool {
        contact.node.0[..2] < [1, 0][..]
    }

    fn context() -> context::Context {
        let mut realm = Realm::new(Config::default());
        realm.supernode(0);
        let Setup { config, identity, seed, wall, .. } = realm.user(1);
        context::Context::new(config, identity, seed, crate::time::Time(0), wall)
    }

    /// The share of tries that lead to an attacker.
    fn eclipsed(hosts: &mut Hosts, cx: &mut context::Context) -> f64 {
        let tries = 4_000;
        let lost = (0..tries).filter(|_| hosts.next(cx).is_some_and(|c| !is_honest(&c))).count();
        lost as f64 / f64::from(tries)
    }

    #[test]
    fn many_addresses_of_few_networks_win_only_the_share_of_their_networks() {
        let mut cx = context();
        for (networks, most) in [(1, 0.15), (2, 0.25), (8, 0.55)] {
            let mut hosts = Hosts::recall(&honest());
            attackers(1_000, networks).for_each(|attacker| {
                hosts.learn(&attacker, false);
            });
            assert!(hosts.len() <= HOSTS_MAX);
            assert_eq!(hosts.contacts().iter().filter(|c| is_honest(c)).count(), 8);
            let share = eclipsed(&mut hosts, &mut cx);
            println!("{networks} networks of 1,000 attackers: {:.1} % of the tries", 100.0 * share);
            assert!(share < most, "{networks} networks: {share}");
        }
    }

    #[test]
    fn who_has_served_stays_whoever_comes_and_over_a_restart() {
        let mut cx = context();
        let mut hosts = Hosts::recall(&[]);
        honest().iter().for_each(|contact| {
            hosts.learn(contact, false);
        });
        let served: Vec<NodeId> = honest()[2..5].iter().map(|contact| contact.node).collect();
        assert!(served.iter().all(|node| hosts.succeeded(*node)));
        // More networks than there is room for: nothing else protects anybody.
        attackers(2_000, 200).for_each(|attacker| {
            hosts.learn(&attacker, false);
        });
        let stays = |hosts: &Hosts| {
            let known = hosts.contacts();
            served.iter().all(|node| known.iter().any(|contact| contact.node == *node))
        };
        assert!(stays(&hosts));
        let first: Vec<NodeId> = hosts.contacts().iter().take(3).map(|c| c.node).collect();
        assert!(served.iter().all(|node| first.contains(node)), "first on the disk");
        let mut again = Hosts::recall(&hosts.contacts());
        attackers(4_000, 250).for_each(|attacker| {
            again.learn(&attacker, false);
        });
        assert!(stays(&again));
        assert!(eclipsed(&mut again, &mut cx) < 1.0);
        // One that has long been dead is no anchor.
        (0..ANCHOR_FAILURES_MAX).for_each(|_| again.failed(served[0]));
        attackers(6_000, 250).skip(4_000).for_each(|attacker| {
            again.learn(&attacker, false);
        });
        assert!(again.len() <= HOSTS_MAX);
    }
}
