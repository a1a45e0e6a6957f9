//! Who is looked up is found as who it is, or not at all.

use super::Findings;
use crate::scenario::asked::Asked;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::io::Reply;
use overlay_proto::location::LocationRecord;
use overlay_proto::status::Status;

const CHECK: &str = "index";

/// What came of the questions.
#[derive(Debug, Default)]
pub struct Index {
    /// Whether a single liar could make a user vanish: then nobody may be unknown.
    pub may_hide: bool,
    asked: u64,
    found: u64,
    hidden: u64,
    findings: Findings,
}

impl Index {
    /// Looks at an answer.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        let Seen::Reply(id, reply) = &sighting.what else { return };
        let Some(Asked::Consult(whom)) = Asked::of(*id) else { return };
        let host = population.host(whom as usize);
        self.asked += 1;
        match reply {
            Reply::Located { found, .. } => {
                let is_other =
                    |record: &LocationRecord| population.host_of(&record.node()) != Some(host);
                let others = found.iter().filter(|found| is_other(&found.record)).count();
                if others > 0 {
                    let what = format!("u{whom} was asked for, and another shown");
                    self.findings.add(CHECK, sighting.at, what);
                }
                self.found += u64::from(others == 0);
            }
            Reply::Failed { status: Status::UNKNOWN_NAME } => {
                self.hidden += 1;
                if !self.may_hide {
                    let what = format!("u{whom} is on line and was said not to exist");
                    self.findings.add(CHECK, sighting.at, what);
                }
            }
            _ => {}
        }
    }

    /// Questions asked of the index while some of it lied; those that found who was meant, and
    /// those to which the answer was that there is nobody.
    pub fn counts(&self) -> Option<(u64, u64, u64)> {
        (self.asked > 0).then_some((self.asked, self.found, self.hidden))
    }

    /// What was found.
    pub fn verdict(&self) -> &Findings {
        &self.findings
    }
}
