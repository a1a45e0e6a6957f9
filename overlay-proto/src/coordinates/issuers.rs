//! The supernodes whose certificates a node has checked: who may issue coordinates.

use crate::config::MEMBERS_MAX;
use crate::footprint::{Heap, flat};
use crate::id::{NodeId, RealmId};
use crate::identity::certificate::{Certificate, CertificateError};
use crate::identity::chain::check_supernode;
use crate::identity::verify::Verify;
use crate::time::WallTime;
use std::collections::BTreeMap;

/// Supernodes of the realm and until when they are. Each certificate was checked when it was
/// shown: a record then costs one signature, not two, and travels without it.
#[derive(Debug, Default)]
pub struct Issuers(BTreeMap<NodeId, Term>);

/// Seconds since the epoch.
#[derive(Debug, Clone, Copy)]
struct Term {
    from: u64,
    until: u64,
}

impl Issuers {
    /// Checks a certificate and keeps what it proves. Beyond [`MEMBERS_MAX`], more than a realm has
    /// supernodes, the one with the lowest id gives way.
    ///
    /// # Errors
    /// [`CertificateError`]: nothing has changed.
    pub fn learn(
        &mut self,
        certificate: &Certificate,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<(), CertificateError> {
        self.admit(Issuer::proven(certificate, verifier, realm, now)?);
        Ok(())
    }

    /// Keeps a checked issuer, as [`Issuers::learn`] does.
    pub fn admit(&mut self, Issuer { node, term }: Issuer) {
        if self.0.len() >= MEMBERS_MAX && !self.0.contains_key(&node) {
            self.0.pop_first();
        }
        self.0.insert(node, term);
    }

    /// Forgets those of whom this is not true.
    pub fn retain(&mut self, holds: impl Fn(NodeId) -> bool) {
        self.0.retain(|node, _| holds(*node));
    }

    /// Whether a certificate of `node` was ever shown.
    pub fn know(&self, node: NodeId) -> bool {
        self.0.contains_key(&node)
    }

    /// Whether `node` is known as a supernode whose certificate holds at `now`.
    pub fn vouch_for(&self, node: NodeId, now: WallTime) -> bool {
        self.0.get(&node).is_some_and(|term| term.holds(now))
    }
}

/// A supernode whose certificate was checked, and not kept yet.
#[derive(Debug, Clone, Copy)]
pub struct Issuer {
    node: NodeId,
    term: Term,
}

impl Issuer {
    /// Checks a certificate.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn proven(
        certificate: &Certificate,
        verifier: &dyn Verify,
        realm: RealmId,
        now: WallTime,
    ) -> Result<Issuer, CertificateError> {
        let node = NodeId(certificate.subject.0);
        check_supernode(certificate, verifier, realm, node, now)?;
        let term = Term { from: certificate.not_before, until: certificate.not_after };
        Ok(Issuer { node, term })
    }

    /// Whether this is `node`, with a certificate that holds at `now`.
    pub fn vouches_for(&self, node: NodeId, now: WallTime) -> bool {
        self.node == node && self.term.holds(now)
    }
}

impl Term {
    fn holds(self, now: WallTime) -> bool {
        (self.from..self.until).contains(&(now.0 / 1_000))
    }
}

flat!(Term);

impl Heap for Issuers {
    fn heap(&self) -> usize {
        self.0.heap()
    }
}
