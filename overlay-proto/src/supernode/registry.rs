//! New users: certified once the store says that it is durable.

use super::Supernode;
use super::enrolment::Candidate;
use super::finding::Asker;
use crate::config::{CODE_BYTES_MAX, REQUESTS_MAX};
use crate::context::Context;
use crate::denial::Question;
use crate::id::{LinkId, StoreId, UserKey};
use crate::identity::proof;
use crate::identity::{Certificate, Contact, Domain, Role, Validity};
use crate::io::{Event, Output, StoreAnswer, StoreRequest};
use crate::name::Name;
use crate::remote::Remote;
use crate::status::Status;
use crate::wire::message::{Register, RegisterReply, UserCertificates};

/// What waits for the store: a certificate, or an answer.
#[derive(Debug)]
pub(crate) enum Pending {
    /// A user's.
    User { link: LinkId, name: Name, user: UserKey },
    /// A supernode's, and perhaps a registrar's.
    Supernode(Candidate),
    /// No certificate: somebody asks for a user of whom the index has no record.
    Name { question: Question, asker: Asker, index_says: Status },
}

impl Supernode {
    pub(super) fn on_register(&mut self, cx: &mut Context, link: LinkId, register: Register) {
        let origin = cx.links.get(link).and_then(|known| Remote::of(&known.remote));
        if let Err(status) = self.may_register(cx, link, origin, &register) {
            let redirect = self.other_registrars(status);
            self.counters.refused += 1;
            return cx.send(link, RegisterReply { status, certificates: None, redirect });
        }
        let Register { name, user, code, .. } = register;
        let request = StoreRequest::ClaimName { name: name.clone(), user, code, origin };
        self.store(cx, request, Pending::User { link, name, user });
    }

    fn may_register(
        &mut self,
        cx: &Context,
        link: LinkId,
        origin: Option<Remote>,
        register: &Register,
    ) -> Result<(), Status> {
        if !cx.identity.is_registrar() {
            let known = !self.members.registrars().is_empty();
            return Err(if known { Status::ASK_THERE } else { Status::NOT_SERVED });
        }
        if register.code.as_ref().is_some_and(|code| code.len() > CODE_BYTES_MAX) {
            return Err(Status::TOO_LARGE);
        }
        self.registrations.pass(cx, origin)?;
        if cx.revoked.bars_user(&register.user.0) {
            return Err(Status::REVOKED);
        }
        if self.pending.len() >= REQUESTS_MAX {
            return Err(Status::OVERLOADED);
        }
        let greeted = cx.links.greeted(link).ok_or(Status::MALFORMED)?;
        let text = proof::registration(&greeted.transcript, &register.name, &register.user.0);
        let user = &register.user.0;
        match Domain::Register.is_signed(cx.verifier(), user, &text, &register.proof) {
            true => Ok(()),
            false => {
                self.registrations.blame(cx, origin);
                Err(Status::UNPROVEN)
            }
        }
    }

    pub(super) fn store(&mut self, cx: &mut Context, request: StoreRequest, pending: Pending) {
        let id = StoreId(cx.fresh_id());
        self.pending.insert(id, pending);
        cx.emit(Output::Store { id, request });
    }

    pub(crate) fn on_stored(&mut self, cx: &mut Context, id: StoreId, answer: StoreAnswer) {
        if self.on_desk_stored(cx, id, answer) {
            return;
        }
        match self.pending.remove(&id) {
            Some(Pending::User { link, name, user }) => {
                let reply = self.user_reply(cx, name, user, answer);
                if cx.links.greeted(link).is_some() {
                    cx.send(link, reply);
                }
            }
            Some(Pending::Supernode(candidate)) => self.on_redeemed(cx, candidate, answer),
            Some(Pending::Name { question, asker, index_says }) => {
                self.name_asked(cx, question, asker, index_says, answer);
            }
            None => {}
        }
    }

    fn user_reply(
        &mut self,
        cx: &mut Context,
        name: Name,
        user: UserKey,
        answer: StoreAnswer,
    ) -> RegisterReply {
        let registrar = cx.identity.supernode.as_ref().and_then(|keys| keys.registrar.clone());
        let certificates = match (&registrar, answer) {
            (Some(registrar), StoreAnswer::Granted { serial }) => {
                let validity = Validity::starting(cx.wall(), cx.config.certificate_life);
                let user = Certificate::issue(
                    &registrar.key,
                    cx.identity.realm,
                    Role::User,
                    user.0,
                    Some(name.clone()),
                    serial,
                    validity,
                );
                self.counters.registered += 1;
                cx.event(Event::Registered { name });
                Some(UserCertificates { registrar: registrar.certificate.clone(), user })
            }
            _ => None,
        };
        if certificates.is_none() && answer != StoreAnswer::Waiting {
            self.counters.refused += 1;
        }
        let status = status_of(answer, Status::NAME_TAKEN);
        RegisterReply { status, certificates, redirect: self.other_registrars(status) }
    }

    /// Where else to ask who was not served here, though another registrar may do it.
    fn other_registrars(&self, status: Status) -> Vec<Contact> {
        match status {
            Status::ASK_THERE | Status::OVERLOADED | Status::STORE_FAILED | Status::TOO_MANY => {
                self.members.registrars()
            }
            _ => Vec::new(),
        }
    }
}

pub(super) fn status_of(answer: StoreAnswer, taken: Status) -> Status {
    match answer {
        StoreAnswer::Granted { .. } => Status::OK,
        StoreAnswer::Taken => taken,
        StoreAnswer::WrongCode | StoreAnswer::Denied => Status::FORBIDDEN,
        StoreAnswer::Waiting => Status::ACCEPTED,
        StoreAnswer::Full => Status::TOO_MANY,
        StoreAnswer::Failed
        | StoreAnswer::Found { .. }
        | StoreAnswer::Enrolled { .. }
        | StoreAnswer::Missing => Status::STORE_FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_granted_succeeds_and_who_waits_is_not_refused() {
        let status = |answer| status_of(answer, Status::NAME_TAKEN);
        assert_eq!(status(StoreAnswer::Granted { serial: 1 }), Status::OK);
        // 2xx, so that a peer keeps the keys with which it asked.
        assert_eq!(status(StoreAnswer::Waiting), Status::ACCEPTED);
        for (answer, refused) in [
            (StoreAnswer::Taken, Status::NAME_TAKEN),
            (StoreAnswer::WrongCode, Status::FORBIDDEN),
            (StoreAnswer::Denied, Status::FORBIDDEN),
            (StoreAnswer::Full, Status::TOO_MANY),
            // 5xx: nothing is decided, another registrar may be asked.
            (StoreAnswer::Failed, Status::STORE_FAILED),
        ] {
            assert_eq!(status(answer), refused);
        }
    }
}
