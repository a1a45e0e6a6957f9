//! New supernodes and registrars: what a ticket permits, once it is durably used up.

use super::Supernode;
use super::registry::{Pending, status_of};
use crate::config::{REGISTRAR_LIFE, REQUESTS_MAX};
use crate::context::Context;
use crate::id::{LinkId, NodeId};
use crate::identity::{Certificate, Domain, Role, SecretKey, Subject, Validity, proof};
use crate::io::{StoreAnswer, StoreRequest};
use crate::status::Status;
use crate::time::Span;
use crate::wire::message::{Enroll, EnrollReply};

/// Who waits for certificates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    link: LinkId,
    node: NodeId,
    /// The number of the registrar's certificate, and its key.
    registrar: Option<(u64, Subject)>,
}

impl Supernode {
    pub(super) fn on_enroll(&mut self, cx: &mut Context, link: LinkId, enroll: &Enroll) {
        let Some(node) = cx.links.node_of(link) else { return };
        match self.may_enroll(cx, link, node, enroll) {
            Ok(registrar) => {
                let serial = enroll.ticket.serial;
                let key = registrar.map(|(_, key)| key);
                let request = StoreRequest::RedeemTicket { serial, node, registrar: key };
                let candidate = Candidate { link, node, registrar };
                self.store(cx, request, Pending::Supernode(candidate));
            }
            Err(status) => {
                self.counters.refused += 1;
                cx.send(link, refusal(status));
            }
        }
    }

    /// What is cheap to see first. Says as whom the ticket lets a registrar in, if it does.
    fn may_enroll(
        &self,
        cx: &Context,
        link: LinkId,
        node: NodeId,
        enroll: &Enroll,
    ) -> Result<Option<(u64, Subject)>, Status> {
        if root(cx).is_none() {
            return Err(Status::NOT_SERVED);
        }
        if self.pending.len() >= REQUESTS_MAX {
            return Err(Status::OVERLOADED);
        }
        let claimed = enroll.registrar.as_ref();
        if cx.revoked.bars_supernode(node)
            || claimed.is_some_and(|claim| cx.revoked.bars_registrar(&claim.key.0))
        {
            return Err(Status::REVOKED);
        }
        enroll.ticket.check(cx.verifier(), cx.identity.realm, cx.wall())?;
        match (&enroll.ticket.registrar, claimed) {
            (None, None) => Ok(None),
            (Some(grant), Some(claim)) => {
                let greeted = cx.links.greeted(link).ok_or(Status::MALFORMED)?;
                let key = &claim.key.0;
                let text = proof::enrolment(&greeted.transcript, enroll.ticket.serial, key);
                match Domain::Enroll.is_signed(cx.verifier(), key, &text, &claim.proof) {
                    true => Ok(Some((grant.serial, claim.key))),
                    false => Err(Status::UNPROVEN),
                }
            }
            // A ticket gives the role that it names, neither more nor less.
            _ => Err(Status::WRONG_ROLE),
        }
    }

    /// The store has used the ticket up, or not.
    pub(super) fn on_redeemed(
        &mut self,
        cx: &mut Context,
        candidate: Candidate,
        answer: StoreAnswer,
    ) {
        let Candidate { link, node, registrar } = candidate;
        if cx.links.greeted(link).is_none() {
            return;
        }
        let reply = match (root(cx), answer) {
            (Some(root), StoreAnswer::Granted { serial }) => {
                let issue = |role, subject, serial, life: Span| {
                    let validity = Validity::starting(cx.wall(), life);
                    let realm = cx.identity.realm;
                    Certificate::issue(&root, realm, role, subject, None, serial, validity)
                };
                let life = cx.config.certificate_life;
                EnrollReply {
                    status: Status::OK,
                    certificate: Some(issue(Role::Supernode, node.0, serial, life)),
                    members: self.member_records(cx),
                    registrar: registrar
                        .map(|(serial, key)| issue(Role::Registrar, key.0, serial, REGISTRAR_LIFE)),
                }
            }
            (_, answer) => {
                self.counters.refused += 1;
                refusal(status_of(answer, Status::FORBIDDEN))
            }
        };
        cx.send(link, reply);
    }
}

fn root(cx: &Context) -> Option<SecretKey> {
    cx.identity.supernode.as_ref()?.root.clone()
}

fn refusal(status: Status) -> EnrollReply {
    EnrollReply { status, certificate: None, members: Vec::new(), registrar: None }
}

#[cfg(test)]
mod tests;
