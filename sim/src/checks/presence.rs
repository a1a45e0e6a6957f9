//! Who is gone is not shown as on line for longer than its lease.

use super::Findings;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::io::Reply;
use overlay_proto::time::{Span, Time};
use std::collections::BTreeMap;

const CHECK: &str = "presence";
/// The core's lease of a minute, and what the last record may have been under way.
const GONE_AFTER: Span = Span::secs(75);

/// When processes have ended.
#[derive(Debug, Default)]
pub struct Presence {
    ended: BTreeMap<u32, Time>,
    findings: Findings,
}

impl Presence {
    /// The process on a host has ended.
    pub fn ended(&mut self, host: u32, at: Time) {
        self.ended.insert(host, at);
    }

    /// Looks at what a host has been told of others.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        let Seen::Reply(_, Reply::Located { found, .. }) = &sighting.what else { return };
        for found in found.iter().filter(|found| found.lease_ms > 0) {
            let host = population.host_of(&found.record.node());
            let ended = host.and_then(|host| self.ended.get(&host));
            if let Some(gone) = ended.map(|ended| sighting.at.since(*ended))
                && gone > GONE_AFTER
            {
                let (who, secs) = (found.record.node(), gone.0 / 1_000_000);
                let what = format!("{who:?} is shown as on line and has been gone for {secs} s");
                self.findings.add(CHECK, sighting.at, what);
            }
        }
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}
