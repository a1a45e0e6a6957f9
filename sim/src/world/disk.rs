//! The durable store of all supernodes, in memory, with the delay of a disk.

use overlay_proto::id::{NodeId, UserKey};
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use std::collections::BTreeMap;

/// What registrars and the root keep. Registrars of one realm share one store (DESIGN, section 4),
/// so the world has one.
#[derive(Debug, Default)]
pub(super) struct Disk {
    names: BTreeMap<Name, (UserKey, u64)>,
    tickets: BTreeMap<u64, (NodeId, u64)>,
    serial: u64,
}

impl Disk {
    /// Serial numbers start beyond those that the set-up of the realm has used.
    pub(super) fn starting_at(serial: u64) -> Disk {
        Disk { serial, ..Disk::default() }
    }

    /// A user who was certified when the realm was set up.
    pub(super) fn know(&mut self, name: Name, user: UserKey, serial: u64) {
        self.names.insert(name, (user, serial));
    }

    pub(super) fn answer(&mut self, request: StoreRequest) -> StoreAnswer {
        let next = self.serial + 1;
        let granted = match request {
            StoreRequest::FindUser { name } => {
                return match self.names.get(&name) {
                    Some((user, serial)) => StoreAnswer::Found { serial: *serial, user: *user },
                    None => StoreAnswer::Missing,
                };
            }
            // Supernodes of the set-up have had no tickets.
            StoreRequest::FindSupernode { .. } => return StoreAnswer::Missing,
            // Nobody ever reads these back: a node that starts again asks the others.
            StoreRequest::KeepRevocations { .. }
            | StoreRequest::KeepChain { .. }
            | StoreRequest::KeepDevices { .. } => return StoreAnswer::Granted { serial: 0 },
            StoreRequest::ClaimName { name, user, .. } => {
                let (owner, serial) = *self.names.entry(name).or_insert((user, next));
                (owner == user).then_some(serial)
            }
            StoreRequest::RedeemTicket { serial: ticket, node, registrar: _ } => {
                let (owner, serial) = *self.tickets.entry(ticket).or_insert((node, next));
                (owner == node).then_some(serial)
            }
        };
        match granted {
            Some(serial) => {
                self.serial = self.serial.max(serial);
                StoreAnswer::Granted { serial }
            }
            None => StoreAnswer::Taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_once_and_to_its_owner_again() {
        let mut disk = Disk::starting_at(9);
        let claim = |user| StoreRequest::ClaimName {
            name: Name::new("alice").expect("canonical"),
            user: UserKey([user; 32]),
            code: None,
            origin: None,
        };
        assert_eq!(disk.answer(claim(1)), StoreAnswer::Granted { serial: 10 });
        assert_eq!(disk.answer(claim(1)), StoreAnswer::Granted { serial: 10 });
        assert_eq!(disk.answer(claim(2)), StoreAnswer::Taken);
        let ticket = |node| StoreRequest::RedeemTicket {
            serial: 1,
            node: NodeId([node; 32]),
            registrar: None,
        };
        assert_eq!(disk.answer(ticket(1)), StoreAnswer::Granted { serial: 11 });
        assert_eq!(disk.answer(ticket(2)), StoreAnswer::Taken);
    }
}
