//! How much a supernode holds of what others can make grow, beside how much it may.

use super::Supernode;
use crate::config::{DEGREE_MAX, GUESTS_MAX, LOCATIONS_MAX, MEMBERS_MAX, REQUESTS_MAX};
use crate::context::Context;
use crate::hostile::Count;

impl Supernode {
    pub(crate) fn census(&self, cx: &Context) -> Vec<Count> {
        let slots = self.children.values().map(|child| child.slots.len()).max().unwrap_or(0);
        let linked = cx.links.iter().count();
        vec![
            Count { what: "peers", held: self.children.len(), limit: cx.config.children_hard },
            Count { what: "slots of a peer", held: slots, limit: DEGREE_MAX },
            Count { what: "locations", held: self.directory.len(), limit: LOCATIONS_MAX },
            Count { what: "searches", held: self.finds.len(), limit: REQUESTS_MAX },
            Count { what: "requests", held: self.requests.len(), limit: REQUESTS_MAX },
            Count { what: "waits for the store", held: self.pending.len(), limit: REQUESTS_MAX },
            Count { what: "members", held: self.members.known.len(), limit: MEMBERS_MAX },
            Count { what: "guests", held: self.guests.len(), limit: GUESTS_MAX },
            Count { what: "peers of others", held: self.warm.len(), limit: linked },
        ]
    }
}
