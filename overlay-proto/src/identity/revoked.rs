//! Who is out: the newest list of each signer, and quick answers from all of them.

use super::certificate::{Role, Subject};
use super::chain::{ChainKeys, DeviceChain};
use super::revocation::{Revocation, RevocationError, RevocationList};
use super::verify::Verify;
use crate::config::{REVOCATIONS_MAX, REVOKERS_MAX};
use crate::footprint::Heap;
use crate::id::{NodeId, RealmId};
use crate::time::WallTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All lists that a node believes.
#[derive(Debug, Default)]
pub struct Revoked {
    lists: BTreeMap<Subject, Held>,
}

#[derive(Debug)]
struct Held {
    list: Arc<RevocationList>,
    /// The places of the entries in the order of what they take out: a peer shall not keep the keys
    /// twice.
    order: Vec<u16>,
    /// What a registrar that is out itself has revoked does not count: its own users are out with
    /// it, and nobody else shall be at its mercy.
    counts: bool,
}

const _: () = assert!(REVOCATIONS_MAX <= u16::MAX as usize);

/// A key that is out of a role; a device perhaps only under one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Out {
    role: u8,
    subject: Subject,
    issuer: Option<Subject>,
}

impl Out {
    fn of(entry: &Revocation) -> Out {
        Out { role: entry.role as u8, subject: entry.subject, issuer: entry.issuer }
    }
}

impl Held {
    fn new(list: Arc<RevocationList>) -> Held {
        let mut order: Vec<u16> = (0..=u16::MAX).zip(&list.entries).map(|(at, _)| at).collect();
        order.sort_unstable_by_key(|at| list.entries.get(usize::from(*at)).map(Out::of));
        Held { list, order, counts: true }
    }

    fn has(&self, out: Out) -> bool {
        let at = |at: &u16| self.list.entries.get(usize::from(*at)).map(Out::of);
        self.order.binary_search_by_key(&Some(out), at).is_ok()
    }
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
            Some(held) if list.head.age() <= held.list.head.age() => {
                return Err(RevocationError::RolledBack);
            }
            None if self.lists.len() >= REVOKERS_MAX => {
                return Err(RevocationError::TooManySigners);
            }
            _ => {}
        }
        list.check(verifier, realm, now)?;
        self.lists.insert(signer, Held::new(list));
        self.judge_registrars(realm);
        Ok(())
    }

    fn judge_registrars(&mut self, realm: RealmId) {
        let root = Subject(realm.0);
        let Some(by_root) = self.lists.remove(&root) else { return };
        for (signer, held) in &mut self.lists {
            let role = Role::Registrar as u8;
            held.counts = !by_root.has(Out { role, subject: *signer, issuer: None });
        }
        self.lists.insert(root, by_root);
    }

    fn has(&self, role: Role, subject: Subject, issuer: Option<Subject>) -> bool {
        let out = Out { role: role as u8, subject, issuer };
        self.lists.values().any(|held| held.counts && held.has(out))
    }

    /// Whether a device, its user or the registrar that certified the user is out.
    pub fn bars(&self, chain: &DeviceChain) -> bool {
        !self.lists.is_empty() && self.bars_keys(&chain.keys())
    }

    /// The same, by the three keys.
    pub fn bars_keys(&self, keys: &ChainKeys) -> bool {
        let ChainKeys { registrar, user, device } = *keys;
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

    /// Whether whoever has this node's key is out, whatever certificates are shown.
    pub fn bars_node(&self, node: NodeId) -> bool {
        self.bars_supernode(node) || self.has(Role::Device, Subject(node.0), None)
    }

    /// Whether a registrar's key is out.
    pub fn bars_registrar(&self, key: &[u8; 32]) -> bool {
        self.has(Role::Registrar, Subject(*key), None)
    }

    /// The newest list of a signer.
    pub fn list(&self, signer: Subject) -> Option<&Arc<RevocationList>> {
        self.lists.get(&signer).map(|held| &held.list)
    }

    /// The newest list of each signer.
    pub fn lists(&self) -> impl Iterator<Item = &Arc<RevocationList>> {
        self.lists.values().map(|held| &held.list)
    }

    /// The number of the newest list of a signer; zero if there is none.
    pub fn epoch(&self, signer: Subject) -> u64 {
        self.list(signer).map_or(0, |list| list.head.epoch)
    }
}

impl Heap for Held {
    fn heap(&self) -> usize {
        let list =
            size_of::<RevocationList>() + self.list.entries.capacity() * size_of::<Revocation>();
        list + self.order.heap()
    }
}

impl Heap for Revoked {
    fn heap(&self) -> usize {
        self.lists.heap()
    }
}
