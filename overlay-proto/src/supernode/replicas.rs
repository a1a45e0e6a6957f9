//! Which supernodes keep a record and stand by for a peer: the first in an order of the record's or
//! the peer's own.

use super::Supernode;
use super::members::{Members, contact};
use crate::config::LOCATION_REPLICAS;
use crate::context::Context;
use crate::id::{IndexKey, NodeId};
use crate::identity::Contact;
use crate::rendezvous;
use crate::wire::message::Standbys;
use std::collections::BTreeSet;

/// Supernodes asked for one record at most: a realm half of which has just started finds what is
/// there, and a stranger's question costs no more than this.
const ASKED_MAX: usize = 3 * LOCATION_REPLICAS;

/// What has changed about the members since homes last followed it, and what they followed then.
#[derive(Debug, Default)]
pub(super) struct Turnover {
    /// Whether anything has.
    pub moved: bool,
    /// Members that have come, are linked again or have moved: they may lack what was sent meanwhile,
    /// and others may lack their addresses.
    fresh: BTreeSet<NodeId>,
    /// Those that counted then, this supernode among them.
    members: Vec<NodeId>,
    /// Those of the others that were not about to stop.
    staying: Vec<NodeId>,
}

impl Turnover {
    /// A member is new, or as good as new.
    pub fn refresh(&mut self, node: NodeId) {
        self.moved = true;
        self.fresh.insert(node);
    }
}

impl Members {
    /// Where a peer goes if its home fails: members in an order of the peer's own, so that the load
    /// of a failed home spreads.
    pub fn standbys(&self, peer: NodeId, count: usize) -> Vec<Contact> {
        self.contacts_of(&standbys_of(peer, self.staying().map(|(node, _)| *node), count))
    }

    fn contacts_of(&self, nodes: &[NodeId]) -> Vec<Contact> {
        let members = nodes.iter().filter_map(|node| self.known.get(node));
        members.map(|member| contact(&member.record)).collect()
    }
}

fn standbys_of(peer: NodeId, staying: impl Iterator<Item = NodeId>, count: usize) -> Vec<NodeId> {
    let mut key = [0; 8];
    key.copy_from_slice(&peer.0[..8]);
    rendezvous::first(b"standby", u64::from_be_bytes(key), staying, count)
}

/// The first `count` of these to keep the records of `key`.
fn keepers(key: IndexKey, members: impl Iterator<Item = NodeId>, count: usize) -> Vec<NodeId> {
    rendezvous::first(b"index", key.0, members, count)
}

impl Supernode {
    /// The supernodes that keep the records of `key`, this one perhaps among them.
    pub(super) fn replicas(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        keepers(key, self.with_me(cx), LOCATION_REPLICAS)
    }

    /// The live members, this supernode among them.
    fn with_me(&self, cx: &Context) -> impl Iterator<Item = NodeId> {
        self.members.nodes().chain(std::iter::once(cx.me))
    }

    /// Where to look for the records of `key`, best first. Others may not know yet of members that
    /// have come only just now, and store elsewhere: these are asked beside the replicas that there
    /// would be without them.
    pub(super) fn replicas_to_ask(&self, cx: &Context, key: IndexKey) -> Vec<NodeId> {
        let long = cx.config.renew;
        let mut settled = 0;
        let wanted = |node: &NodeId| {
            let asked = settled < LOCATION_REPLICAS;
            settled += usize::from(self.members.up_for(*node, cx.now) >= long);
            asked
        };
        keepers(key, self.with_me(cx), ASKED_MAX).into_iter().take_while(wanted).collect()
    }

    /// The live members have changed: records move to their new replicas, peers hear of their new
    /// standbys. Of thousands of members one that comes or goes concerns few of either.
    pub(super) fn follow_members(&mut self, cx: &mut Context) {
        if !self.members.turnover.moved {
            return;
        }
        let members = self.with_me(cx).collect();
        let staying = self.members.staying().map(|(node, _)| *node).collect();
        let now = Turnover { members, staying, ..Turnover::default() };
        let before = std::mem::replace(&mut self.members.turnover, now);
        self.move_index(cx, &before);
        self.mailboxes_moved(cx);
        let now = &self.members.turnover;
        for (node, child) in self.children.iter() {
            let of = |staying: &[NodeId]| {
                standbys_of(*node, staying.iter().copied(), cx.config.standbys)
            };
            let (was, is) = (of(&before.staying), of(&now.staying));
            if was != is || is.iter().any(|node| before.fresh.contains(node)) {
                cx.send(child.link, Standbys { standbys: self.members.contacts_of(&is) });
            }
        }
    }

    /// The replicas of some keys are others now: our records go to those that are new.
    fn move_index(&mut self, cx: &mut Context, before: &Turnover) {
        let mut moves = Vec::new();
        for child in self.children.values() {
            let Some(record) = &child.record else { continue };
            let of =
                |members: &[NodeId]| keepers(child.key, members.iter().copied(), LOCATION_REPLICAS);
            let was = of(&before.members);
            let lacks = |node: &NodeId| before.fresh.contains(node) || !was.contains(node);
            let new = of(&self.members.turnover.members).into_iter().filter(lacks);
            moves.extend(new.map(|replica| (replica, child.key, record.clone())));
        }
        for (replica, key, record) in moves {
            self.store_at(cx, replica, key, record);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use crate::id::NodeId;
    use crate::testing::{Net, Realm};
    use crate::time::Span;
    use crate::wire::Message;

    const SUPERNODES: u8 = 20;
    const USERS: u8 = 40;

    /// How many messages of this name were sent since `sent` was emptied.
    fn sent(net: &Net, name: &str) -> usize {
        let form = Message::FORMS.iter().find(|form| form.name == name).expect("a message");
        net.sent.iter().filter(|(number, _)| *number == form.number).count()
    }

    /// How many supernodes have the newest record of each user.
    fn copies(net: &Net, users: &[NodeId]) -> Vec<usize> {
        let held: Vec<_> = net.nodes.values().filter_map(|node| node.held()).collect();
        let records = |user: &NodeId| {
            let of_user = held.iter().flat_map(|held| &held.records).filter(|r| r.node == *user);
            of_user.map(|record| record.seq).collect::<Vec<u64>>()
        };
        users
            .iter()
            .map(|user| {
                let seqs = records(user);
                let newest = seqs.iter().max().copied();
                seqs.iter().filter(|seq| Some(**seq) == newest).count()
            })
            .collect()
    }

    #[test]
    fn a_member_that_goes_moves_its_own_share_only() {
        let day = Span::secs(24 * 3_600);
        // Nothing is published again by itself meanwhile.
        let config = Config { renew: day, lease: day, ..Config::default() };
        let (mut net, mut realm) = (Net::new(), Realm::new(config));
        let supers = net.start_supernodes(&mut realm, 0..SUPERNODES);
        net.run(Span::secs(10));
        let users = net.log_in(&mut realm, 0..USERS);
        net.run(Span::secs(30));
        assert_eq!(copies(&net, &users), [3; USERS as usize]);
        let is_nobodys_home =
            |node: &&NodeId| net.nodes[*node].held().is_some_and(|held| held.sessions.is_empty());
        let lost = *supers.iter().find(is_nobodys_home).expect("one of twenty has no peers");

        net.sent.clear();
        net.vanish(lost);
        net.run(Span::secs(15));
        let (records, standbys) = (sent(&net, "StoreLocation"), sent(&net, "Standbys"));
        assert_eq!(copies(&net, &users), [3; USERS as usize]);
        // Three and two in twenty of forty, and not a hundred and twenty and forty.
        assert!((1..30).contains(&records), "{records} records moved");
        assert!((1..20).contains(&standbys), "{standbys} peers heard of new standbys");

        // A link that broke for a moment: what was sent meanwhile may be lost.
        let mut living = supers.iter().filter(|node| **node != lost);
        let mut next = || *living.next().expect("nineteen live");
        net.sent.clear();
        net.break_link(net.link_between(next(), next()));
        net.run(Span::secs(5));
        assert!(sent(&net, "StoreLocation") < 30);
        assert_eq!(copies(&net, &users), [3; USERS as usize]);
    }
}
