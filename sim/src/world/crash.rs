//! How hosts end.

use super::links::End;
use super::queue::Happening;
use super::{Life, Machine, World};
use serde::{Deserialize, Serialize};

/// How a host ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crash {
    /// It is gone without a sound, as when the power fails or the cable is cut: nothing ever comes
    /// back, and others must notice by what they do not hear.
    Vanish,
    /// Its process is gone and its system says so: connections are reset, dials refused.
    Kill,
}

impl<M: Machine> World<M> {
    /// Ends `victims` at once. A host that is dead already stays as it is.
    pub fn crash(&mut self, victims: &[u32], how: Crash) {
        let life = match how {
            Crash::Vanish => Life::Vanished,
            Crash::Kill => Life::Killed,
        };
        let mut struck = vec![false; self.hosts.len()];
        for &victim in victims {
            let host = &mut self.hosts[victim as usize];
            if host.life == Life::Alive {
                (host.life, host.machine) = (life, None);
                struck[victim as usize] = true;
            }
        }
        for at in self.links.ends_of(|host| struck[host as usize]) {
            self.links.set_end(at, End::Down);
            let other = at.other();
            if how == Crash::Kill && self.links.end(other) != End::Down {
                let link = self.links.id(other);
                self.post(other, 0, Happening::Down { link });
            }
        }
    }
}
