//! The registrar's part: whom it takes out at whose word, and which certificates it renews.
//!
//! A revocation is answered once the new list is durable in the registrar's store. One list of a
//! signer is written at a time; what is asked for meanwhile goes into the next one together.

use super::Supernode;
use crate::config::{REQUESTS_MAX, REVOCATIONS_MAX};
use crate::context::Context;
use crate::id::{CommandId, LinkId, NodeId, StoreId};
use crate::identity::{
    Certificate, ChainKeys, DeviceRevocation, RegistrarKeys, Revocation, RevocationList, Revoker,
    Role, Subject, Validity,
};
use crate::io::{Outcast, Output, Reply, StoreAnswer, StoreRequest};
use crate::peer::renewal::NOT_BEFORE;
use crate::status::Status;
use crate::time::{Span, WallTime};
use crate::wire::message::{RegistrarReply, Renew, UserCertificates};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// An entry lasts this much longer than any certificate it may speak of, for clocks that differ.
const MARGIN: Span = Span::secs(24 * 3_600);

/// What waits for the store.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    waiting: BTreeMap<Subject, VecDeque<(Draft, Asker)>>,
    writing: BTreeMap<StoreId, Writing>,
    finding: BTreeMap<StoreId, Finding>,
}

/// An entry without its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Draft {
    role: Role,
    serial: u64,
    subject: Subject,
    issuer: Option<Subject>,
}

/// Who waits for a registrar's answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    /// The operator.
    Command(CommandId),
    /// A peer or another supernode.
    Link { link: LinkId, id: u64 },
    /// Nobody: this registrar itself.
    Nobody,
}

#[derive(Debug)]
struct Writing {
    list: Arc<RevocationList>,
    askers: Vec<Asker>,
}

#[derive(Debug)]
enum Finding {
    Outcast { command: CommandId },
    Node { command: CommandId, node: NodeId },
    Renewal { asker: Asker, user: Certificate },
}

impl Supernode {
    /// The operator shuts somebody out.
    pub(crate) fn on_revoke_command(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        outcast: Outcast,
    ) {
        let (finding, request) = match outcast {
            Outcast::User(name) if revoker(cx, Role::User).is_some() => {
                (Finding::Outcast { command }, StoreRequest::FindUser { name })
            }
            // Only the root's store knows who has become a supernode, and as what.
            Outcast::Node(node) if revoker(cx, Role::Supernode).is_some() => {
                (Finding::Node { command, node }, StoreRequest::FindSupernode { node })
            }
            Outcast::Node(node) => {
                let is_member = self.members.known.contains_key(&node);
                let role = if is_member { Role::Supernode } else { Role::Device };
                return self.revoke_key(cx, role, Subject(node.0), Asker::Command(command));
            }
            Outcast::User(_) => {
                return settle(cx, Asker::Command(command), Status::NOT_SERVED, None);
            }
        };
        if self.desk.finding.len() >= REQUESTS_MAX {
            return settle(cx, Asker::Command(command), Status::OVERLOADED, None);
        }
        let id = StoreId(cx.fresh_id());
        self.desk.finding.insert(id, finding);
        cx.emit(Output::Store { id, request });
    }

    /// A key goes out of a role, whatever the number of its certificate.
    fn revoke_key(&mut self, cx: &mut Context, role: Role, subject: Subject, asker: Asker) {
        match revoker(cx, role) {
            Some(revoker) => {
                let draft = Draft { role, serial: 0, subject, issuer: None };
                self.revoke(cx, &revoker, draft, asker);
            }
            None => settle(cx, asker, Status::NOT_SERVED, None),
        }
    }

    /// The root's store has said as what a node has become a supernode, if it has.
    fn revoke_found(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        node: NodeId,
        answer: StoreAnswer,
    ) {
        let (asker, subject) = (Asker::Command(command), Subject(node.0));
        let role = match answer {
            StoreAnswer::Enrolled { registrar } => {
                // A list is written before the next: the operator hears when both keys are out.
                if let Some(key) = registrar {
                    self.revoke_key(cx, Role::Registrar, key, Asker::Nobody);
                }
                Role::Supernode
            }
            StoreAnswer::Missing if self.members.known.contains_key(&node) => Role::Supernode,
            StoreAnswer::Missing => Role::Device,
            _ => return settle(cx, asker, Status::STORE_FAILED, None),
        };
        self.revoke_key(cx, role, subject, asker);
    }

    /// A user shuts out a device of their own: only that user's certificate of it is meant.
    pub(super) fn on_revoke(&mut self, cx: &mut Context, asker: Asker, word: &DeviceRevocation) {
        let Some(revoker) = revoker(cx, Role::Device) else {
            return settle(cx, asker, Status::NOT_SERVED, None);
        };
        let checked = word.check(cx.verifier(), cx.identity.realm, cx.wall());
        let checked = checked.and_then(|(user, node)| match cx.revoked.bars_user(&user.0) {
            false => Ok((user, node)),
            true => Err(Status::REVOKED),
        });
        match checked {
            Ok((user, node)) => {
                let (subject, issuer) = (Subject(node.0), Some(Subject(user.0)));
                let serial = word.chain.device.serial;
                let draft = Draft { role: Role::Device, serial, subject, issuer };
                self.revoke(cx, &revoker, draft, asker);
            }
            Err(status) => settle(cx, asker, status, None),
        }
    }

    fn revoke(&mut self, cx: &mut Context, revoker: &Revoker, draft: Draft, asker: Asker) {
        let signer = revoker.signer();
        let held = cx.revoked.list(signer).map_or(0, |list| list.entries.len());
        let waiting = self.desk.waiting.entry(signer).or_default();
        if held + waiting.len() >= REVOCATIONS_MAX {
            return settle(cx, asker, Status::TOO_MANY, None);
        }
        waiting.push_back((draft, asker));
        self.write_list(cx, revoker);
    }

    /// Signs the next list of what is waiting, unless one is being written.
    fn write_list(&mut self, cx: &mut Context, revoker: &Revoker) {
        let signer = revoker.signer();
        if self.desk.writing.values().any(|writing| writing.list.head.signer() == signer) {
            return;
        }
        let waiting = self.desk.waiting.remove(&signer).unwrap_or_default();
        if waiting.is_empty() {
            return;
        }
        let now = cx.wall();
        let held = cx.revoked.list(signer);
        let mut next = held.map_or(0, |list| list.head.epoch) + 1;
        let mut entries: Vec<Revocation> =
            held.into_iter().flat_map(|list| list.lasting(now.0 / 1_000)).cloned().collect();
        let before = entries.len();
        let mut askers = Vec::with_capacity(waiting.len());
        for (draft, asker) in waiting {
            askers.push(asker);
            if !entries.iter().any(|entry| draft.is(entry)) {
                entries.push(draft.entry(next, now, cx.config.certificate_life));
                next += 1;
            }
        }
        if entries.len() == before {
            // All of them are out already, durably.
            return askers.into_iter().for_each(|asker| settle(cx, asker, Status::OK, None));
        }
        let list = Arc::new(RevocationList::issue(revoker, cx.identity.realm, entries, now));
        let id = StoreId(cx.fresh_id());
        self.desk.writing.insert(id, Writing { list: list.clone(), askers });
        cx.emit(Output::Store { id, request: StoreRequest::KeepRevocations { list } });
    }

    /// The store has answered. False if it was not asked by this file.
    pub(super) fn on_desk_stored(
        &mut self,
        cx: &mut Context,
        id: StoreId,
        answer: StoreAnswer,
    ) -> bool {
        if let Some(writing) = self.desk.writing.remove(&id) {
            self.list_written(cx, writing, answer);
            return true;
        }
        match (self.desk.finding.remove(&id), answer) {
            (None, _) => return false,
            (Some(Finding::Outcast { command }), StoreAnswer::Found { serial, user }) => {
                let subject = Subject(user.0);
                let draft = Draft { role: Role::User, serial, subject, issuer: None };
                if let Some(revoker) = revoker(cx, Role::User) {
                    self.revoke(cx, &revoker, draft, Asker::Command(command));
                }
            }
            (Some(Finding::Node { command, node }), answer) => {
                self.revoke_found(cx, command, node, answer);
            }
            (Some(Finding::Outcast { command }), answer) => {
                settle(cx, Asker::Command(command), failure(answer), None);
            }
            (Some(Finding::Renewal { asker, user: old }), StoreAnswer::Found { serial, user }) => {
                // The store is the truth of who owns the name.
                let same = old.subject.0 == user.0;
                let renewed = registrar(cx).filter(|_| same);
                let renewed = renewed.map(|registrar| reissue(cx, &registrar, &old, serial));
                let status = if renewed.is_some() { Status::OK } else { Status::UNPROVEN };
                settle(cx, asker, status, renewed);
            }
            (Some(Finding::Renewal { asker, .. }), answer) => {
                settle(cx, asker, failure(answer), None);
            }
        }
        true
    }

    fn list_written(&mut self, cx: &mut Context, writing: Writing, answer: StoreAnswer) {
        let signer = writing.list.head.signer();
        let done = match answer {
            // A newer list of ours, from before a loss of the store, came meanwhile: both count.
            StoreAnswer::Granted { .. } => match cx.adopt_revocations(writing.list.clone()) {
                Ok(()) => {
                    self.revocations_changed(cx);
                    Status::OK
                }
                Err(_) => {
                    self.write_again(cx, &writing.list);
                    Status::OK
                }
            },
            _ => Status::STORE_FAILED,
        };
        writing.askers.into_iter().for_each(|asker| settle(cx, asker, done, None));
        for role in [Role::User, Role::Supernode] {
            if let Some(revoker) = revoker(cx, role).filter(|r| r.signer() == signer) {
                self.write_list(cx, &revoker);
            }
        }
    }

    /// Entries of an older list of our own that the newer one lacks go into the next: a registrar
    /// whose store was put back from a copy has begun to count anew.
    pub(super) fn write_again(&mut self, cx: &mut Context, older: &RevocationList) {
        let signer = older.head.signer();
        for role in [Role::User, Role::Supernode] {
            let Some(revoker) = revoker(cx, role).filter(|r| r.signer() == signer) else {
                continue;
            };
            let newer = cx.revoked.list(signer).cloned();
            for entry in &older.entries {
                let draft = Draft::of(entry);
                if !newer.iter().flat_map(|list| &list.entries).any(|held| draft.is(held)) {
                    self.revoke(cx, &revoker, draft, Asker::Nobody);
                }
            }
            return;
        }
    }

    /// A user's certificate shall get a new end.
    pub(super) fn on_renew(&mut self, cx: &mut Context, asker: Asker, renew: Renew) {
        let Some(name) = renew.user.name.clone() else {
            return settle(cx, asker, Status::WRONG_ROLE, None);
        };
        let status = may_renew(cx, &renew);
        if status != Status::OK || self.desk.finding.len() >= REQUESTS_MAX {
            let status = if status == Status::OK { Status::OVERLOADED } else { status };
            return settle(cx, asker, status, None);
        }
        let id = StoreId(cx.fresh_id());
        self.desk.finding.insert(id, Finding::Renewal { asker, user: renew.user });
        cx.emit(Output::Store { id, request: StoreRequest::FindUser { name } });
    }
}

impl Draft {
    fn of(entry: &Revocation) -> Draft {
        let Revocation { role, serial, subject, issuer, .. } = *entry;
        Draft { role, serial, subject, issuer }
    }

    /// Whether the entry says it already.
    fn is(&self, entry: &Revocation) -> bool {
        (self.role, self.subject, self.issuer) == (entry.role, entry.subject, entry.issuer)
    }

    fn entry(&self, number: u64, now: WallTime, life: Span) -> Revocation {
        let Draft { role, serial, subject, issuer } = *self;
        // Registrars and supernodes live longer than their users: for them it is for good.
        let until = match role {
            Role::User | Role::Device => now.plus(life + MARGIN).0 / 1_000,
            Role::Registrar | Role::Supernode => u64::MAX,
        };
        Revocation { number, role, serial, subject, issuer, since: now.0 / 1_000, until }
    }
}

/// The keys with which this node takes somebody out of `role`.
fn revoker(cx: &Context, role: Role) -> Option<Revoker> {
    let keys = cx.identity.supernode.as_ref()?;
    match role {
        Role::User | Role::Device => keys.registrar.clone().map(Revoker::Registrar),
        Role::Registrar | Role::Supernode => keys.root.clone().map(Revoker::Root),
    }
}

fn registrar(cx: &Context) -> Option<RegistrarKeys> {
    cx.identity.supernode.as_ref()?.registrar.clone()
}

fn failure(answer: StoreAnswer) -> Status {
    match answer {
        StoreAnswer::Missing => Status::UNKNOWN_NAME,
        _ => Status::STORE_FAILED,
    }
}

/// Renewed is what is valid, past the middle of its life and of somebody who is not out.
fn may_renew(cx: &Context, renew: &Renew) -> Status {
    if registrar(cx).is_none() {
        return Status::NOT_SERVED;
    }
    let (realm, now) = (cx.identity.realm, cx.wall());
    let by_root = renew.registrar.check(cx.verifier(), realm, Role::Registrar, &realm.0, now);
    let issuer = &renew.registrar.subject.0;
    let checked =
        by_root.and_then(|()| renew.user.check(cx.verifier(), realm, Role::User, issuer, now));
    if let Err(error) = checked {
        return error.status();
    }
    let (registrar, user) = (renew.registrar.subject, renew.user.subject);
    if cx.revoked.bars_keys(&ChainKeys { registrar, user, device: Subject([0; 32]) }) {
        return Status::REVOKED;
    }
    if now.0 / 1_000 < renew.user.due(NOT_BEFORE) { Status::TOO_MANY } else { Status::OK }
}

fn reissue(
    cx: &Context,
    registrar: &RegistrarKeys,
    old: &Certificate,
    serial: u64,
) -> UserCertificates {
    let validity = Validity::starting(cx.wall(), cx.config.certificate_life);
    let (realm, subject, name) = (cx.identity.realm, old.subject.0, old.name.clone());
    let user =
        Certificate::issue(&registrar.key, realm, Role::User, subject, name, serial, validity);
    UserCertificates { registrar: registrar.certificate.clone(), user }
}

/// Answers whoever waits.
pub(super) fn settle(
    cx: &mut Context,
    asker: Asker,
    status: Status,
    certificates: Option<UserCertificates>,
) {
    match asker {
        Asker::Command(id) => {
            let reply = match status {
                Status::OK => Reply::Done,
                status => Reply::Failed { status },
            };
            cx.emit(Output::Reply { id, reply });
        }
        Asker::Link { link, id } if cx.links.greeted(link).is_some() => {
            cx.send(link, RegistrarReply { id, status, certificates });
        }
        Asker::Link { .. } | Asker::Nobody => {}
    }
}
