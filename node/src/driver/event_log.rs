//! How events come into the log: each by its name, with what identifies it, and never a text.

use crate::seldom::Seldom;
use overlay_proto::io::Event;
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// The log of a node's events.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    refused: Seldom,
}

impl EventLog {
    /// Logs `event`. Of refusals, which strangers cause, a few: the others are counted.
    pub(super) fn log(&mut self, event: &Event) {
        let Event::Refused { node, status } = event else { return log(event) };
        if let Some(left_out) = self.refused.line(Instant::now()) {
            info!(event = event.name(), ?node, %status, left_out);
        }
    }
}

/// Logs `event`. What an operator of a quiet realm wants to read is information, the rest is for
/// those who look for a mistake.
fn log(event: &Event) {
    let name = event.name();
    match event {
        Event::Registered { name: user } => info!(event = name, %user),
        Event::MemberUp { node } | Event::MemberDown { node } => info!(event = name, ?node),
        Event::RevocationsChanged(lists) => info!(event = name, lists = lists.len()),
        Event::Renewed { until } => info!(event = name, until_ms = until.0),
        Event::HomeLost { home } => info!(event = name, ?home),
        Event::LoggedOut { status } => info!(event = name, %status),
        Event::ShutOut { node, name: user } => info!(event = name, ?node, %user),
        Event::CertificateEnds { until } => warn!(
            event = name,
            until_ms = until.0,
            "this supernode's certificate ends before long: `supernode renew` it"
        ),
        Event::Drained => info!(event = name),
        // What people write to each other is theirs.
        Event::Received(text) => debug!(event = name, id = ?text.id, node = ?text.node),
        Event::Mail(letter) => debug!(event = name, id = ?letter.id, node = ?letter.node),
        Event::HostsChanged(hosts) => debug!(event = name, hosts = hosts.len()),
        other => debug!(event = name, detail = ?other),
    }
}
