//! Who is out: the newest list of each signer, and the union of them for quick answers.

use super::certificate::{Role, Subject};
use super::chain::DeviceChain;
use super::revocation::{Revocation, RevocationError, RevocationList};
use super::verify::Verify;
use crate::config::REVOKERS_MAX;
use crate::id::{NodeId, RealmId};
use crate::time::WallTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All lists that a node believes.
#[derive(Debug, Default)]
pub struct Revoked {
    lists: BTreeMap<Subject, Arc<RevocationList>>,
    out: BTreeSet<Out>,
}

/// A key that is out of a role; a device perhaps only under one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Out {
    role: u8,
    subject: Subject,
    issuer: Option<Subject>,
}

impl Revoked {
    /// Checks a list and takes it in place of the older one of its signer.
    ///
    /// # Errors
    /// [`RevocationError`]: nothing has changed. A list that is not newer than the one held is
    /// [`RevocationError::RolledBack`].
    pub fn adopt(
        &mut self,
        list: Arc<RevocationList>,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(), RevocationError> {
        let signer = list.head.signer();
        match self.lists.get(&signer) {
            Some(held) if list.head.age() <= held.head.age() => {
                return Err(RevocationError::RolledBack);
            }
            None if self.lists.len() >= REVOKERS_MAX => {
                return Err(RevocationError::TooManySigners);
            }
            _ => {}
        }
        list.check(verifier, realm, now)?;
        self.lists.insert(signer, list);
        self.unite(realm);
        Ok(())
    }

    /// What a registrar that is out itself has revoked does not count: its own users are out with
    /// it, and nobody else shall be at its mercy.
    fn unite(&mut self, realm: RealmId) {
        let out = |entry: &Revocation| Out {
            role: entry.role as u8,
            subject: entry.subject,
            issuer: entry.issuer,
        };
        let root = Subject(realm.0);
        let by_root = self.lists.get(&root).into_iter().flat_map(|list| &list.entries);
        self.out = by_root.map(out).collect();
        for (signer, list) in &self.lists {
            if *signer != root && !self.has(Role::Registrar, *signer, None) {
                self.out.extend(list.entries.iter().map(out));
            }
        }
    }

    fn has(&self, role: Role, subject: Subject, issuer: Option<Subject>) -> bool {
        self.out.contains(&Out { role: role as u8, subject, issuer })
    }

    /// Whether a device, its user or the registrar that certified the user is out.
    pub fn bars(&self, chain: &DeviceChain) -> bool {
        !self.out.is_empty()
            && self.bars_device(chain.registrar.subject, chain.user.subject, chain.device.subject)
    }

    /// The same, by the three keys.
    pub fn bars_device(&self, registrar: Subject, user: Subject, device: Subject) -> bool {
        self.has(Role::Registrar, registrar, None)
            || self.has(Role::User, user, None)
            || self.has(Role::Device, device, None)
            || self.has(Role::Device, device, Some(user))
    }

    /// Whether a user's key is out.
    pub fn bars_user(&self, user: &[u8; 32]) -> bool {
        self.has(Role::User, Subject(*user), None)
    }

    /// Whether a supernode is out.
    pub fn bars_supernode(&self, node: NodeId) -> bool {
        self.has(Role::Supernode, Subject(node.0), None)
    }

    /// Whether a registrar's key is out.
    pub fn bars_registrar(&self, key: &[u8; 32]) -> bool {
        self.has(Role::Registrar, Subject(*key), None)
    }

    /// The newest list of a signer.
    pub fn list(&self, signer: Subject) -> Option<&Arc<RevocationList>> {
        self.lists.get(&signer)
    }

    /// The newest list of each signer.
    pub fn lists(&self) -> impl Iterator<Item = &Arc<RevocationList>> {
        self.lists.values()
    }

    /// The number of the newest list of a signer; zero if there is none.
    pub fn epoch(&self, signer: Subject) -> u64 {
        self.lists.get(&signer).map_or(0, |list| list.head.epoch)
    }
}
