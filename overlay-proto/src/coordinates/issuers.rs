//! The supernodes whose certificates a node has checked: who may issue coordinates.

use crate::config::MEMBERS_MAX;
use crate::id::{NodeId, RealmId};
use crate::identity::certificate::{Certificate, CertificateError};
use crate::identity::chain::check_supernode;
use crate::identity::verify::Verify;
use crate::time::WallTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Certificates of supernodes, each checked against the realm when it was learnt. A record then
/// costs one signature, not two, and travels without the certificate.
#[derive(Debug, Default)]
pub struct Issuers(BTreeMap<NodeId, Arc<Certificate>>);

impl Issuers {
    /// Checks and keeps a certificate. Beyond [`MEMBERS_MAX`], more than a realm has supernodes,
    /// the one with the lowest id gives way.
    ///
    /// # Errors
    /// [`CertificateError`]: nothing has changed.
    pub fn learn(
        &mut self,
        certificate: &Arc<Certificate>,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(), CertificateError> {
        let node = NodeId(certificate.subject.0);
        if self.0.get(&node).is_some_and(|known| known == certificate) {
            return Ok(());
        }
        check_supernode(certificate, verifier, realm, node, now)?;
        if self.0.len() >= MEMBERS_MAX {
            self.0.pop_first();
        }
        self.0.insert(node, certificate.clone());
        Ok(())
    }

    /// The certificate of `node`, if it was shown.
    pub fn get(&self, node: NodeId) -> Option<&Arc<Certificate>> {
        self.0.get(&node)
    }

    /// Whether `node` is known as a supernode whose certificate holds at `now`.
    pub fn vouch_for(&self, node: NodeId, now: WallTime) -> bool {
        self.0.get(&node).is_some_and(|certificate| certificate.holds_at(now))
    }
}
