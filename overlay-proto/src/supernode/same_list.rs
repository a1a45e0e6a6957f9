//! Whether two supernodes know the same members, and what one tells the other if not.
//!
//! On a new link, and once a second to a member drawn at random, a supernode tells how many records
//! it has and one checksum over all. If the other's is another, it answers with one number for each
//! record, in pages; what of it is older, or missing there, comes back as records. So lists that
//! agree cost a few bytes, whatever their length (anti-entropy: Demers et al., "Epidemic algorithms
//! for replicated database maintenance", 1987).

use super::Supernode;
use super::bucket::Rate;
use crate::config::{ADDRESSES_MAX, MEMBERS_MAX, MEMBERS_PER_MESSAGE, MEMBERS_PER_PAGE};
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::status::Status;
use crate::time::Time;
use crate::wire::message::{MemberHeld, MemberRecord, Members, MembersHeld, MembersKnown};
use rand::RngExt;
use std::collections::BTreeMap;

/// Entries of such pages told in a second, on average and at once: two whole lists of the longest.
/// All start-ups of a realm together may ask for no more.
pub(super) const ENTRIES: Rate = {
    let lists = 2 * MEMBERS_MAX as u32;
    Rate { per_second: lists, burst: lists }
};

impl Supernode {
    /// Our own record: with a newer number whenever it says something else.
    pub(super) fn own_record(&mut self, cx: &Context) -> Option<MemberRecord> {
        let keys = cx.identity.supernode.as_ref()?;
        let addresses: Vec<_> = cx.listening.iter().take(ADDRESSES_MAX).cloned().collect();
        if self.own_addresses != addresses {
            self.own_addresses.clone_from(&addresses);
            self.own_seq = self.own_seq.saturating_add(1).max(cx.wall().0);
        }
        Some(MemberRecord {
            certificate: keys.certificate.clone(),
            addresses,
            registrar: keys.registrar.is_some(),
            seq: self.own_seq,
        })
    }

    /// Another tells of a record of ours that is newer than what we say: from an earlier life, when
    /// the clock was ahead. Ours has to win.
    pub(super) fn outdo(&mut self, seq: u64) {
        if seq > self.own_seq {
            self.own_seq = seq.saturating_add(1);
        }
    }

    /// Says our own record and a checksum of all, over a link that is new.
    pub(super) fn greet_member(&mut self, cx: &mut Context, link: LinkId) {
        let members = self.own_record(cx).into_iter().collect();
        cx.send(link, Members { members });
        self.tell_known(cx, &[link]);
    }

    /// Says a checksum of all records.
    pub(super) fn tell_known(&mut self, cx: &mut Context, links: &[LinkId]) {
        let (count, sum) = self.checksum(cx);
        cx.broadcast(links, &MembersKnown { count, sum }.into());
    }

    /// Compares lists with one member.
    pub(super) fn compare_with_one(&mut self, cx: &mut Context) {
        let links = self.members.links();
        if !links.is_empty() {
            let at = self.beat.dice.random_range(0..links.len());
            self.tell_known(cx, &[links[at].1]);
        }
    }

    pub(super) fn on_members_known(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        known: &MembersKnown,
    ) {
        if self.checksum(cx) == (known.count, known.sum) || !self.may_tell_all(cx.now) {
            return;
        }
        // Also of those that do not count here: of them nothing new is to be learnt.
        let own = self.own_record(cx).map(|record| (cx.me, record.seq));
        let held = self.members.known.iter().map(|(node, member)| (*node, member.record.seq));
        let held: BTreeMap<NodeId, u64> = held.chain(own).collect();
        let entries: Vec<MemberHeld> =
            held.into_iter().map(|(node, seq)| MemberHeld { node, seq }).collect();
        let pages = entries.chunks(MEMBERS_PER_PAGE);
        let mut after = None;
        let last = pages.len();
        for (n, page) in pages.enumerate() {
            let end = page.last().map(|entry| entry.node).filter(|_| n + 1 < last);
            cx.send(link, MembersHeld { after, until: end, entries: page.to_vec() });
            after = end;
        }
    }

    /// Whether one more whole list may be told now; if so, it is reckoned.
    fn may_tell_all(&mut self, now: Time) -> bool {
        let entries = u32::try_from(self.members.known.len() + 1).unwrap_or(u32::MAX);
        self.pages.fill(ENTRIES, now);
        let may = self.pages.has(entries.into());
        if may {
            self.pages.take(ENTRIES, entries);
        }
        may
    }

    /// A member says which records it has, from one node id to another: it gets those that it lacks
    /// or has older.
    ///
    /// # Errors
    /// The status to end the link with; nothing has changed.
    pub(super) fn on_members_held(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        held: &MembersHeld,
    ) -> Result<(), Status> {
        if held.entries.len() > MEMBERS_PER_PAGE {
            return Err(Status::TOO_LARGE);
        }
        let theirs: BTreeMap<NodeId, u64> =
            held.entries.iter().map(|entry| (entry.node, entry.seq)).collect();
        if let Some(seq) = theirs.get(&cx.me) {
            self.outdo(*seq);
        }
        let within = |node: NodeId| {
            held.after.is_none_or(|after| node > after) && held.until.is_none_or(|end| node <= end)
        };
        let newer = |node: NodeId, record: &MemberRecord| {
            within(node) && theirs.get(&node).is_none_or(|seq| *seq < record.seq)
        };
        // Only those that count: nobody is told of the dead, so they are forgotten one day.
        let own = self.own_record(cx);
        let alive = self.members.alive().map(|(node, member)| (*node, &member.record));
        let told = alive.chain(own.iter().map(|record| (cx.me, record)));
        // In the order of the nodes.
        let wanted: BTreeMap<NodeId, MemberRecord> = told
            .filter(|(node, record)| newer(*node, record))
            .map(|(node, record)| (node, record.clone()))
            .collect();
        let wanted: Vec<MemberRecord> = wanted.into_values().collect();
        for part in wanted.chunks(MEMBERS_PER_MESSAGE) {
            cx.send(link, Members { members: part.to_vec() });
        }
        Ok(())
    }

    /// How many records are told of, and a checksum over their nodes and numbers.
    fn checksum(&mut self, cx: &Context) -> (u32, u32) {
        let own = self.own_record(cx).map(|record| (cx.me, record.seq));
        let mut own = own.into_iter().peekable();
        let (mut count, mut hasher) = (0, crc32fast::Hasher::new());
        let mut add = |node: NodeId, seq: u64| {
            count += 1;
            hasher.update(&node.0);
            hasher.update(&seq.to_be_bytes());
        };
        // In the order of the nodes, with our own in its place.
        for (node, member) in self.members.alive() {
            if let Some((me, seq)) = own.next_if(|(me, _)| me < node) {
                add(me, seq);
            }
            add(*node, member.record.seq);
        }
        own.for_each(|(me, seq)| add(me, seq));
        (count, hasher.finalize())
    }
}
