//! Draining: before it stops, a supernode sends its peers to others, a few at a time.
//!
//! From its next heartbeat on it is nobody's standby any more and no newcomer is sent to it. A little
//! later it ends its sessions, one after the other, with 302; each peer goes on at a standby that
//! expects it, one round trip later, with the neighbours, labels and record that it has. While there
//! is no other supernode, peers stay.

use super::Supernode;
use crate::context::Context;
use crate::id::{CommandId, LinkId, NodeId};
use crate::io::{Event, Output, Reply};
use crate::links;
use crate::status::Status;
use crate::time::{Span, Time};

/// Heartbeats from the first word of it to the first peer that is let go: by then all have heard
/// and have named other standbys to their peers.
const NOTICE_BEATS: u64 = 3;
/// Rounds of the planner in which all peers leave, ten seconds: the standbys see a stream, not a
/// storm.
const ROUNDS: usize = 40;

/// A supernode that is about to stop.
#[derive(Debug)]
pub(crate) struct Drain {
    /// Nobody is let go before.
    begins_at: Time,
    /// Peers let go in each round.
    each_round: usize,
    /// Whether it has been told that all are gone.
    done: bool,
}

impl Supernode {
    pub(crate) fn on_drain(&mut self, cx: &mut Context, id: CommandId) {
        if self.drain.is_none() {
            let begins_at = cx.now + Span(NOTICE_BEATS * cx.config.heartbeat.0);
            let each_round = self.children.len().div_ceil(ROUNDS).max(1);
            self.drain = Some(Drain { begins_at, each_round, done: false });
            // The others hear of it at once.
            self.heartbeat_at = cx.now;
            self.wake_by(cx.now);
        }
        cx.emit(Output::Reply { id, reply: Reply::Done });
    }

    /// Lets the next peers go.
    pub(super) fn tick_drain(&mut self, cx: &mut Context) {
        let Some(drain) = &mut self.drain else { return };
        if cx.now < drain.begins_at || drain.done {
            return;
        }
        if self.children.is_empty() {
            drain.done = true;
            return cx.event(Event::Drained);
        }
        if self.elsewhere.is_empty() {
            return;
        }
        let next = self.children.iter().take(drain.each_round);
        let next: Vec<(NodeId, LinkId)> = next.map(|(node, child)| (*node, child.link)).collect();
        for (node, link) in next {
            self.child_gone(cx, node, Status::ASK_THERE);
            links::dismiss(cx, link, Status::ASK_THERE);
        }
    }
}
