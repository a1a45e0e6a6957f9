//! Becoming somebody: a name from a registrar, a supernode's certificate from the root.

use super::Peer;
use super::goal::{COMMAND_PATIENCE, Goal};
use super::session::{Session, reply};
use crate::context::Context;
use crate::id::{CommandId, LinkId};
use crate::identity::chain::{check_registrar, check_supernode};
use crate::identity::{DeviceChain, DeviceCode, SecretKey, Ticket, UserKeys, UserSecret};
use crate::io::Reply;
use crate::name::Name;
use crate::status::Status;
use crate::wire::message::{EnrollReply, JoinDeviceReply, RegisterReply, UserCertificates};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Peer {
    pub(super) fn on_register(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        name: Name,
        code: Option<String>,
    ) {
        if cx.identity.user.as_ref().and_then(|user| user.secret()).is_none() {
            return reply(cx, command, Reply::Failed { status: Status::WRONG_ROLE });
        }
        let give_up = cx.now + COMMAND_PATIENCE;
        let tired = BTreeSet::new();
        self.pursue(cx, Goal::Register { command, name, code, give_up, tired });
    }

    pub(super) fn on_enroll(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        ticket: Ticket,
        registrar: Option<Box<SecretKey>>,
    ) {
        let give_up = cx.now + COMMAND_PATIENCE;
        self.pursue(cx, Goal::Enroll { command, ticket, registrar, give_up });
    }

    pub(super) fn on_register_reply(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        answer: RegisterReply,
    ) {
        let Session::Asking { link: asked, .. } = self.session else { return };
        let Goal::Register { command, name, .. } = self.goal.clone() else { return };
        if asked != link {
            return;
        }
        let fresh = self.learn_registrars(cx, link, &answer);
        let outcome = match (answer.status, answer.certificates) {
            (Status::OK, Some(given)) => self.take_certificates(cx, &name, given),
            (Status::OK, None) => Err(Status::MALFORMED),
            // Another one may have more patience with this address; the same one is not asked again.
            (Status::TOO_MANY, _) if fresh => {
                self.refused = Some(Status::TOO_MANY);
                return self.retry(cx, cx.links.node_of(link));
            }
            (status, _) if status.is_redirect() || status.0 / 100 == 5 => {
                self.refused = (!status.is_redirect()).then_some(status);
                return self.retry(cx, cx.links.node_of(link).filter(|_| !status.is_redirect()));
            }
            (status, _) => Err(status),
        };
        self.goal = Goal::Rest;
        self.session = Session::Idle;
        reply(cx, command, outcome.unwrap_or_else(|status| Reply::Failed { status }));
    }

    /// Notes whom the answer names to turn to, but for those who have had enough of us. True if that
    /// is anybody.
    fn learn_registrars(&mut self, cx: &Context, link: LinkId, answer: &RegisterReply) -> bool {
        let Goal::Register { tired, .. } = &mut self.goal else { return false };
        if answer.status == Status::TOO_MANY {
            tired.extend(cx.links.node_of(link));
        }
        let fresh = answer.redirect.iter().filter(|contact| !tired.contains(&contact.node));
        let mut any = false;
        for contact in fresh {
            self.hosts.learn(contact, true);
            any = true;
        }
        any
    }

    pub(super) fn on_enroll_reply(&mut self, cx: &mut Context, link: LinkId, answer: EnrollReply) {
        let Session::Asking { link: asked, .. } = self.session else { return };
        let Goal::Enroll { command, registrar, .. } = self.goal.clone() else { return };
        if asked != link {
            return;
        }
        let outcome = take_enrolment(cx, registrar.map(|key| key.public()), answer);
        self.goal = Goal::Rest;
        self.session = Session::Idle;
        reply(cx, command, outcome.unwrap_or_else(|status| Reply::Failed { status }));
    }

    /// Asks a device of the user to let this one in.
    pub(super) fn on_join_command(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        code: Arc<DeviceCode>,
        label: String,
    ) {
        if cx.identity.user.is_some() || code.realm != cx.identity.realm {
            return reply(cx, command, Reply::Failed { status: Status::WRONG_ROLE });
        }
        let give_up = cx.now + COMMAND_PATIENCE;
        self.pursue(cx, Goal::JoinDevice { command, code, label, give_up });
    }

    /// What the user's device has answered, by way of a supernode that could have said anything.
    pub(super) fn on_join_reply(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        answer: JoinDeviceReply,
    ) {
        let Session::Asking { link: asked, .. } = self.session else { return };
        let Goal::JoinDevice { command, code, .. } = self.goal.clone() else { return };
        if asked != link {
            return;
        }
        let outcome = match (answer.status, answer.chain) {
            (Status::OK, Some(chain)) => take_chain(cx, &code, chain),
            (Status::OK, None) => Err(Status::MALFORMED),
            // The device may be found at another of the supernodes in the code.
            (status, _) if status == Status::OFFLINE || status.0 / 100 == 5 => {
                self.refused = Some(status);
                return self.retry(cx, cx.links.node_of(link));
            }
            (status, _) => Err(status),
        };
        self.goal = Goal::Rest;
        self.session = Session::Idle;
        reply(cx, command, outcome.unwrap_or_else(|status| Reply::Failed { status }));
    }

    /// Certifies this device with the user's key and checks the whole chain as others will.
    pub(super) fn take_certificates(
        &mut self,
        cx: &mut Context,
        name: &Name,
        given: UserCertificates,
    ) -> Result<Reply, Status> {
        let Some(user) = cx.identity.user.clone() else { return Err(Status::WRONG_ROLE) };
        let device = self.certify(cx, cx.me).ok_or(Status::WRONG_ROLE)?;
        let chain = Arc::new(DeviceChain { registrar: given.registrar, user: given.user, device });
        let member = chain
            .check(cx.verifier(), cx.identity.realm, cx.me, cx.wall())
            .map_err(|error| error.status())?;
        if member.name != *name || member.user != user.public() {
            return Err(Status::UNPROVEN);
        }
        let identity = Arc::make_mut(&mut cx.identity);
        if let Some(user) = &mut identity.user {
            user.chain = Some(chain.clone());
        }
        Ok(Reply::Registered { chain })
    }
}

/// Believes certificates for this node and for the registrar's key that it has shown.
fn take_enrolment(
    cx: &Context,
    registrar: Option<[u8; 32]>,
    answer: EnrollReply,
) -> Result<Reply, Status> {
    if answer.status != Status::OK {
        return Err(answer.status);
    }
    let (realm, verifier, now) = (cx.identity.realm, cx.verifier(), cx.wall());
    let certificate = answer.certificate.map(Arc::new).ok_or(Status::MALFORMED)?;
    check_supernode(&certificate, verifier, realm, cx.me, now).map_err(|error| error.status())?;
    let registrar = match registrar {
        Some(key) => {
            let given = answer.registrar.map(Arc::new).ok_or(Status::WRONG_ROLE)?;
            check_registrar(&given, verifier, realm, &key, now).map_err(|error| error.status())?;
            Some(given)
        }
        None => None,
    };
    let supernodes = answer.members.iter().map(crate::supernode::members::contact).collect();
    Ok(Reply::Enrolled { certificate, registrar, supernodes })
}

/// Believes a chain to this very device from the user whom the code names.
fn take_chain(
    cx: &mut Context,
    code: &DeviceCode,
    chain: Arc<DeviceChain>,
) -> Result<Reply, Status> {
    let member = chain
        .check(cx.verifier(), cx.identity.realm, cx.me, cx.wall())
        .map_err(|error| error.status())?;
    if member.user != code.user {
        return Err(Status::UNPROVEN);
    }
    let (key, chain) = (UserSecret::Elsewhere(code.user), chain);
    Arc::make_mut(&mut cx.identity).user = Some(UserKeys { key, chain: Some(chain.clone()) });
    Ok(Reply::Registered { chain })
}

#[cfg(test)]
mod tests;
