//! Links that nobody has greeted on yet: few are kept, and who brings the most makes room first.

use super::{Link, Links, Phase};
use crate::config::STRANGERS_MAX;
use crate::id::LinkId;
use crate::remote::Remote;
use crate::time::Time;
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Links {
    /// The link to give up before another stranger is taken in, if there are as many as may be: the
    /// oldest of the remote that has the most. So who opens links and says nothing crowds out
    /// itself, and a newcomer has the time that a greeting takes.
    pub(super) fn crowded_out(&self) -> Option<LinkId> {
        if self.strangers.len() < STRANGERS_MAX {
            return None;
        }
        let mut by_remote: BTreeMap<Option<Remote>, (usize, Time, LinkId)> = BTreeMap::new();
        for (since, id, link) in self.strangers() {
            let of = by_remote.entry(Remote::of(&link.remote)).or_insert((0, since, id));
            *of = (of.0 + 1, of.1.min(since), if since < of.1 { id } else { of.2 });
        }
        let most =
            by_remote.into_values().max_by_key(|(count, since, _)| (*count, Reverse(*since)));
        most.map(|(_, _, id)| id)
    }

    /// Links that came to us and on which nothing but our own greeting has passed.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = (Time, LinkId, &Link)> {
        self.strangers.iter().filter_map(|id| {
            let link = self.get(*id)?;
            match &link.phase {
                Phase::Greeting { since, .. } => Some((*since, *id, link)),
                Phase::Ready(_) => None,
            }
        })
    }
}
