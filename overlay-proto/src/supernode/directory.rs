//! The location index: records at the three supernodes that come first in rendezvous order.

use super::Supernode;
use crate::config::{DEVICES_PER_USER_MAX, LOCATIONS_MAX};
use crate::context::Context;
use crate::id::{IndexKey, NodeId};
use crate::location::{LocationRecord, index_key};
use crate::status::Status;
use crate::time::{Span, Time};
use crate::view::RecordView;
use crate::wire::message::{Found, Publish, StoreLocation, Withdraw};
use std::collections::BTreeMap;

/// Records that this supernode keeps.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    entries: BTreeMap<IndexKey, Vec<Entry>>,
    count: usize,
}

#[derive(Debug)]
struct Entry {
    record: LocationRecord,
    arrived: Time,
    lease_until: Time,
}

impl Directory {
    pub fn len(&self) -> usize {
        self.count
    }

    /// Keeps a checked record, if it is newer than the one held of that device.
    fn insert(&mut self, key: IndexKey, record: LocationRecord, now: Time) {
        let node = record.node();
        let lease_until = now + Span::secs(u64::from(record.lease_secs));
        let devices = self.entries.entry(key).or_default();
        let fresh = Entry { record, arrived: now, lease_until };
        let room = devices.len() < DEVICES_PER_USER_MAX && self.count < LOCATIONS_MAX;
        match devices.iter_mut().find(|entry| entry.record.node() == node) {
            Some(held)
                if seeded!(LastRecordWins)
                    || held.record.seq < fresh.record.seq && !seeded!(OlderRecordWins) =>
            {
                *held = fresh
            }
            Some(_) => {}
            None if room => {
                // Most users have one device.
                devices.reserve_exact(1);
                devices.push(fresh);
                self.count += 1;
            }
            None => {}
        }
    }

    /// Ends the lease of a device whose home has lost it.
    fn withdraw(&mut self, key: IndexKey, node: NodeId, home: NodeId, now: Time) {
        let devices = self.entries.get_mut(&key).into_iter().flatten();
        // Only the home that the record names: the device may be elsewhere by now.
        for entry in devices.filter(|e| e.record.node() == node && e.record.home == home) {
            entry.lease_until = entry.lease_until.min(now);
        }
    }

    /// The home of a device on line, as far as is known here.
    pub(super) fn home_of(&self, key: IndexKey, node: NodeId, now: Time) -> Option<NodeId> {
        let devices = self.entries.get(&key).into_iter().flatten();
        let mut live = devices.filter(|entry| entry.lease_until > now);
        live.find(|entry| entry.record.node() == node).map(|entry| entry.record.home)
    }

    /// The records under `key`, newest first.
    pub(super) fn find(&self, key: IndexKey, now: Time) -> Vec<Found> {
        let mut found: Vec<Found> = self
            .entries
            .get(&key)
            .into_iter()
            .flatten()
            .map(|entry| Found {
                record: entry.record.clone(),
                age_ms: now.since(entry.arrived).as_millis(),
                lease_ms: if seeded!(LeaseNeverEnds) {
                    1
                } else {
                    entry.lease_until.since(now).as_millis()
                },
            })
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.record.seq));
        found
    }

    /// All records, by key.
    pub fn views(&self, now: Time) -> Vec<RecordView> {
        let view = |entry: &Entry| RecordView {
            node: entry.record.node(),
            seq: entry.record.seq,
            home: entry.record.home,
            on_line: entry.lease_until > now,
        };
        self.entries.values().flatten().map(view).collect()
    }

    /// Forgets the records of which `out` is true.
    pub(super) fn purge(&mut self, out: impl Fn(&LocationRecord) -> bool) {
        for devices in self.entries.values_mut() {
            devices.retain(|entry| !out(&entry.record));
        }
        self.entries.retain(|_, devices| !devices.is_empty());
        self.count = self.entries.values().map(Vec::len).sum();
    }

    /// Forgets whom nobody has seen for `last_seen`.
    fn expire(&mut self, now: Time, last_seen: Span) {
        for devices in self.entries.values_mut() {
            devices.retain(|entry| now.since(entry.lease_until) < last_seen);
        }
        self.entries.retain(|_, devices| !devices.is_empty());
        self.count = self.entries.values().map(Vec::len).sum();
    }
}

impl Supernode {
    /// Our peer publishes its location, which renews its session.
    pub(super) fn on_publish(
        &mut self,
        cx: &mut Context,
        node: NodeId,
        publish: Publish,
    ) -> Result<(), Status> {
        let record = publish.record;
        let member =
            record.check(cx.verifier(), cx.identity.realm, cx.wall()).map_err(|e| e.status())?;
        let Some(child) = self.children.get_mut(&node) else { return Ok(()) };
        if member.node != node || member.name != child.name || record.home != cx.me {
            return Err(Status::UNPROVEN);
        }
        let is_old = child.record.as_ref().is_some_and(|held| held.seq >= record.seq);
        if is_old && !seeded!(LastRecordWins) {
            return Ok(());
        }
        let link = child.link;
        if cx.revoked.bars(&record.chain) {
            self.shut_out(cx, link);
            return Ok(());
        }
        child.lease_until = cx.now + cx.config.lease;
        child.record = Some(record.clone());
        let key = child.key;
        self.bears(cx, link, &record.chain);
        self.replicate(cx, key, record);
        Ok(())
    }

    /// Brings a checked record to its replicas.
    pub(super) fn replicate(&mut self, cx: &mut Context, key: IndexKey, record: LocationRecord) {
        for replica in self.replicas(cx, key) {
            self.store_at(cx, replica, key, record.clone());
        }
    }

    /// Brings a checked record to one replica.
    pub(super) fn store_at(
        &mut self,
        cx: &mut Context,
        replica: NodeId,
        key: IndexKey,
        record: LocationRecord,
    ) {
        if replica == cx.me {
            self.directory.insert(key, record, cx.now);
        } else if let Some(link) = self.members.link_to(replica) {
            cx.send(link, StoreLocation { record });
        }
    }

    /// Tells the replicas that our peer is gone without a word.
    pub(super) fn withdraw(&mut self, cx: &mut Context, key: IndexKey, node: NodeId) {
        for replica in self.replicas(cx, key) {
            if replica == cx.me {
                self.directory.withdraw(key, node, cx.me, cx.now);
            } else if let Some(link) = self.members.link_to(replica) {
                cx.send(link, Withdraw { key, node });
            }
        }
    }

    pub(super) fn on_store_location(
        &mut self,
        cx: &Context,
        store: StoreLocation,
    ) -> Result<(), Status> {
        let record = store.record;
        match cx.prove_record(&record) {
            Ok(member) => {
                self.directory.insert(index_key(cx.identity.realm, &member.name), record, cx.now);
                Ok(())
            }
            // Its sender may not have heard yet.
            Err(Status::REVOKED) => Ok(()),
            Err(status) => Err(status),
        }
    }

    pub(super) fn on_withdraw(&mut self, cx: &Context, home: NodeId, withdraw: &Withdraw) {
        self.directory.withdraw(withdraw.key, withdraw.node, home, cx.now);
    }

    pub(super) fn expire_directory(&mut self, cx: &Context) {
        self.directory.expire(cx.now, cx.config.last_seen);
    }
}
