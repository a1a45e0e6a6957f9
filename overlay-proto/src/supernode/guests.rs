//! Links that have greeted and not proved yet that they are anybody's: few are kept, and who brings the
//! most makes room first. A greeting costs next to nothing, so without this one address could hold
//! all connections of the machine.

use super::Supernode;
use crate::config::GUESTS_MAX;
use crate::context::Context;
use crate::id::LinkId;
use crate::links;
use crate::remote::Remote;
use crate::status::Status;
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Supernode {
    /// A link has been greeted: if there are too many of which nothing else is known, one ends.
    pub(super) fn take_guest(&mut self, cx: &mut Context, link: LinkId) {
        self.guests.insert(link);
        if self.guests.len() <= GUESTS_MAX {
            return;
        }
        self.forget_guests(cx);
        if self.guests.len() > GUESTS_MAX
            && let Some(crowded) = self.crowded_out(cx)
        {
            self.guests.remove(&crowded);
            links::dismiss(cx, crowded, Status::OVERLOADED);
        }
    }

    /// Those that have gone, or are somebody's now, are none any more.
    pub(super) fn forget_guests(&mut self, cx: &Context) {
        let mut guests = std::mem::take(&mut self.guests);
        guests.retain(|link| self.is_nobodys(cx, *link));
        self.guests = guests;
    }

    /// Whether a link is neither a peer's, nor that of one for which we stand by, nor a member's.
    pub(super) fn is_nobodys(&self, cx: &Context, link: LinkId) -> bool {
        cx.links.greeted(link).is_some()
            && self.child_of(cx, link).is_none()
            && !self.warm.contains(&link)
            && self.member_of(cx, link).is_none()
    }

    /// The oldest of the remote that has the most.
    fn crowded_out(&self, cx: &Context) -> Option<LinkId> {
        // Numbers of links only grow: the least is the oldest.
        let mut by_remote: BTreeMap<Option<Remote>, (usize, LinkId)> = BTreeMap::new();
        for id in &self.guests {
            let Some(link) = cx.links.get(*id) else { continue };
            by_remote.entry(Remote::of(&link.remote)).or_insert((0, *id)).0 += 1;
        }
        let most = by_remote.into_values().max_by_key(|(count, oldest)| (*count, Reverse(*oldest)));
        most.map(|(_, oldest)| oldest)
    }
}
