//! What a node may hold at most, whatever came.

use crate::Node;
use crate::config::STRANGERS_MAX;
use std::fmt::Write;

/// So much of something is held, and so much may be.
#[derive(Debug)]
pub(crate) struct Count {
    pub what: &'static str,
    pub held: usize,
    pub limit: usize,
}

/// Panics if a node holds more of anything than it may.
pub(super) fn hold(node: &Node) {
    for Count { what, held, limit } in node.census() {
        assert!(held <= limit, "{what}: {held} of {limit}");
    }
}

/// Counts what is written, and keeps none of it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

impl Node {
    /// What both roles hold.
    fn census(&self) -> Vec<Count> {
        let strangers = self.cx.links.strangers().count();
        let mut counts = vec![Count { what: "strangers", held: strangers, limit: STRANGERS_MAX }];
        counts.extend(self.peer.iter().flat_map(|peer| peer.census(&self.cx)));
        counts.extend(self.supernode.iter().flat_map(|supernode| supernode.census(&self.cx)));
        counts
    }

    /// Characters in which all state can be written down: whatever grows anywhere shows in it.
    pub(super) fn extent(&self) -> usize {
        let mut length = Length(0);
        let _ = write!(length, "{self:?}");
        length.0
    }
}
