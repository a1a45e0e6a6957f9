//! The devices of a user: the one that holds the user's key lets others in, and shuts them out.
//!
//! **Rule for several devices.** Each device has a session and a location record of its own. What
//! is sent to a user goes to the device on line whose record is the newest; a device that logs
//! out, is lost or is shut out gives way to the next newest. One device's log-in or log-out never
//! touches another device's session or record, in whatever order they cross.

use super::Peer;
use super::session::reply;
use crate::config::DEVICES_PER_USER_MAX;
use crate::context::Context;
use crate::encoding::positional::positional;
use crate::footprint::{Heap, flat};
use crate::id::{CommandId, LinkId, NodeId, StoreId};
use crate::identity::{
    Certificate, Contact, DeviceChain, DeviceCode, DeviceRevocation, PairingSecret, Role,
    UserSecret, Validity,
};
use crate::io::{Event, Output, Reply, StoreAnswer, StoreRequest};
use crate::status::Status;
use crate::supernode::relay::LABEL_BYTES_MAX;
use crate::time::{Span, Time};
use crate::wire::message::{JoinDevice, JoinDeviceReply, RegistrarReply, Revoke};
use rand::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a device code works.
pub const CODE_LIFE: Span = Span::secs(600);
/// Devices in a user's list, those that were shut out among them: they stay until this many newer
/// ones are there.
const LISTED_MAX: usize = 4 * DEVICES_PER_USER_MAX;
/// Commands that wait for a registrar.
const ASKED_MAX: usize = 16;

positional! {
    /// A device that the user's key has certified, as the device that holds the key keeps it.
    pub struct DeviceEntry {
        /// The device.
        pub node: NodeId,
        /// What its owner calls it.
        pub label: String,
        /// Milliseconds since the epoch when it was let in.
        pub added_ms: u64,
        /// Milliseconds since the epoch when it was shut out, if it was.
        pub revoked_ms: Option<u64>,
        /// Its newest certificate.
        pub certificate: Certificate,
    }
}

/// What a peer keeps of its user's devices, and of its own certificates' renewal.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    pub(super) list: Vec<DeviceEntry>,
    code: Option<Box<OpenCode>>,
    /// Revocations that a registrar has yet to confirm.
    asked: BTreeMap<u64, Asked>,
    writing: BTreeMap<StoreId, Writing>,
    pub(super) renewal: super::renewal::Renewal,
}

#[derive(Debug)]
struct OpenCode {
    secret: PairingSecret,
    until: Time,
    used_by: Option<NodeId>,
}

#[derive(Debug)]
struct Asked {
    command: CommandId,
    node: NodeId,
    until: Time,
}

/// What waits for the store.
#[derive(Debug)]
enum Writing {
    Joined { link: LinkId, id: u64, chain: Arc<DeviceChain>, list: Vec<DeviceEntry> },
    Revoked { command: CommandId, list: Vec<DeviceEntry> },
    Renewed { list: Vec<DeviceEntry> },
}

impl Peer {
    /// What the driver has kept since the last start.
    pub(crate) fn recall_devices(&mut self, list: Vec<DeviceEntry>) {
        self.devices.list = list;
        self.devices.list.truncate(LISTED_MAX);
    }

    /// The devices that this one has let in.
    pub(crate) fn devices(&self) -> Vec<DeviceEntry> {
        self.devices.list.clone()
    }

    /// Certifies a device of this user, if the user's key is here.
    pub(super) fn certify(&self, cx: &Context, node: NodeId) -> Option<Certificate> {
        let held = cx.identity.chain().map(|chain| &chain.device);
        let held = held.into_iter().chain(self.devices.list.iter().map(|entry| &entry.certificate));
        // A renewed certificate is the same one with a later end.
        let serial = held.filter(|c| c.subject.0 == node.0).map(|c| c.serial).next();
        let validity = Validity::starting(cx.wall(), cx.config.certificate_life);
        let (realm, serial) = (cx.identity.realm, serial.unwrap_or(cx.wall().0));
        let key = cx.identity.user.as_ref()?.secret()?;
        Some(Certificate::issue(key, realm, Role::Device, node.0, None, serial, validity))
    }

    /// Makes a code for one more device; an older one does not work any more.
    pub(super) fn on_add_device(&mut self, cx: &mut Context, command: CommandId) {
        let refuse = |cx: &mut Context, status| reply(cx, command, Reply::Failed { status });
        let Some(user) = cx.identity.user.clone() else {
            return refuse(cx, Status::WRONG_ROLE);
        };
        if matches!(user.key, UserSecret::Elsewhere(_)) {
            return refuse(cx, Status::FORBIDDEN);
        }
        if self.session.online().is_none() {
            return refuse(cx, Status::NOT_LOGGED_IN);
        }
        if self.listed() >= DEVICES_PER_USER_MAX - 1 {
            return refuse(cx, Status::TOO_MANY);
        }
        let mut secret = [0; 16];
        cx.rng.fill_bytes(&mut secret);
        let secret = PairingSecret(secret);
        let until = cx.now + CODE_LIFE;
        self.devices.code = Some(Box::new(OpenCode { secret, until, used_by: None }));
        let code = DeviceCode {
            realm: cx.identity.realm,
            user: user.public(),
            device: cx.me,
            secret,
            supernodes: self.whereabouts(),
        };
        reply(cx, command, Reply::DeviceCode { code: Arc::new(code) });
    }

    /// The home, then the standbys.
    fn whereabouts(&self) -> Vec<Contact> {
        let home = self.session.home();
        let known = self.hosts.contacts();
        let home = known.iter().find(|contact| Some(contact.node) == home);
        home.into_iter().chain(&self.standbys).cloned().collect()
    }

    /// Other devices that are in.
    fn listed(&self) -> usize {
        self.devices.list.iter().filter(|entry| entry.revoked_ms.is_none()).count()
    }

    /// A new device asks to be let in.
    pub(super) fn on_join_device(&mut self, cx: &mut Context, link: LinkId, ask: JoinDevice) {
        let (id, device) = (ask.id, ask.device);
        if let Err(status) = self.let_in(cx, link, ask) {
            cx.send(link, JoinDeviceReply { id, device, status, chain: None });
        }
    }

    fn let_in(&mut self, cx: &mut Context, link: LinkId, ask: JoinDevice) -> Result<(), Status> {
        let JoinDevice { id, to, device, label, seal } = ask;
        let (realm, now) = (cx.identity.realm, cx.now);
        let code = self.devices.code.as_deref_mut().filter(|code| now < code.until);
        let code = code.ok_or(Status::FORBIDDEN)?;
        let fits = to == cx.me && label.len() <= LABEL_BYTES_MAX && device != cx.me;
        if !fits || !code.secret.opens(seal, realm, to, device, &label) {
            return Err(Status::FORBIDDEN);
        }
        match code.used_by {
            Some(first) if first != device => return Err(Status::FORBIDDEN),
            _ => code.used_by = Some(device),
        }
        let own = cx.identity.chain().cloned().ok_or(Status::WRONG_ROLE)?;
        let mut list = self.devices.list.clone();
        let certificate = match list.iter().find(|entry| entry.node == device) {
            Some(entry) if entry.revoked_ms.is_some() => return Err(Status::REVOKED),
            Some(entry) => entry.certificate.clone(),
            None => {
                if self.listed() >= DEVICES_PER_USER_MAX - 1 {
                    return Err(Status::TOO_MANY);
                }
                let certificate = self.certify(cx, device).ok_or(Status::WRONG_ROLE)?;
                let (added_ms, revoked_ms) = (cx.wall().0, None);
                let certificate_too = certificate.clone();
                list.push(DeviceEntry { node: device, label, added_ms, revoked_ms, certificate });
                drop_oldest_outcast(&mut list);
                certificate_too
            }
        };
        let chain = DeviceChain { device: certificate, ..(*own).clone() };
        let chain = Arc::new(chain);
        self.write_devices(cx, list.clone(), Writing::Joined { link, id, chain, list });
        Ok(())
    }

    fn write_devices(&mut self, cx: &mut Context, devices: Vec<DeviceEntry>, writing: Writing) {
        let id = StoreId(cx.fresh_id());
        self.devices.writing.insert(id, writing);
        cx.emit(Output::Store { id, request: StoreRequest::KeepDevices { devices } });
    }

    /// The store has answered.
    pub(crate) fn on_stored(&mut self, cx: &mut Context, id: StoreId, answer: StoreAnswer) {
        let durable = matches!(answer, StoreAnswer::Granted { .. });
        match self.devices.writing.remove(&id) {
            Some(Writing::Joined { link, id, chain, list }) => {
                let device = NodeId(chain.device.subject.0);
                let status = if durable { Status::OK } else { Status::STORE_FAILED };
                if durable {
                    self.devices.list = list;
                    cx.event(Event::DeviceAdded { node: device });
                } else if let Some(code) = &mut self.devices.code {
                    code.used_by = None;
                }
                if cx.links.greeted(link).is_some() {
                    let chain = durable.then_some(chain);
                    cx.send(link, JoinDeviceReply { id, device, status, chain });
                }
            }
            Some(Writing::Revoked { command, list }) => {
                // It is out all the same; only the list here does not say so.
                self.devices.list = list;
                let failed = Reply::Failed { status: Status::STORE_FAILED };
                reply(cx, command, if durable { Reply::Done } else { failed });
            }
            Some(Writing::Renewed { list }) if durable => self.devices.list = list,
            Some(Writing::Renewed { .. }) => {}
            None => self.on_chain_stored(cx, id, durable),
        }
    }

    /// A certificate of another device of ours has a new end.
    pub(super) fn keep_renewed(&mut self, cx: &mut Context, certificate: &Certificate) {
        let mut list = self.devices.list.clone();
        for entry in list.iter_mut().filter(|entry| entry.node.0 == certificate.subject.0) {
            entry.certificate = certificate.clone();
        }
        self.write_devices(cx, list.clone(), Writing::Renewed { list });
    }

    /// Shuts out a device that this one has let in, by a registrar that the home knows.
    pub(super) fn on_revoke_device(&mut self, cx: &mut Context, command: CommandId, node: NodeId) {
        let word = self.word_against(cx, node);
        let word = match (word, self.session.online()) {
            (Ok(word), Some(home)) if self.devices.asked.len() < ASKED_MAX => Ok((word, home)),
            (Ok(_), Some(_)) => Err(Status::TOO_MANY),
            (Ok(_), None) => Err(Status::NOT_LOGGED_IN),
            (Err(status), _) => Err(status),
        };
        match word {
            Ok((word, home)) => {
                let id = cx.fresh_id();
                let until = cx.now + cx.config.patience;
                self.devices.asked.insert(id, Asked { command, node, until });
                self.wake_by(until);
                cx.send(home, Revoke { id, word });
            }
            Err(status) => reply(cx, command, Reply::Failed { status }),
        }
    }

    fn word_against(&self, cx: &Context, node: NodeId) -> Result<DeviceRevocation, Status> {
        let user = cx.identity.user.as_ref().ok_or(Status::WRONG_ROLE)?;
        let key = user.secret().ok_or(Status::FORBIDDEN)?;
        let own = user.chain.as_ref().ok_or(Status::UNPROVEN)?;
        let entry = self.devices.list.iter().find(|entry| entry.node == node);
        let entry = entry.ok_or(Status::UNKNOWN_NAME)?;
        let chain = DeviceChain { device: entry.certificate.clone(), ..(**own).clone() };
        Ok(DeviceRevocation::sign(key, Arc::new(chain), cx.wall()))
    }

    pub(super) fn on_registrar_reply(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        answer: RegistrarReply,
    ) {
        if self.session.online() != Some(link) {
            return;
        }
        let Some(asked) = self.devices.asked.remove(&answer.id) else {
            return self.on_renewed(cx, answer);
        };
        if answer.status != Status::OK {
            return reply(cx, asked.command, Reply::Failed { status: answer.status });
        }
        let mut list = self.devices.list.clone();
        for entry in list.iter_mut().filter(|entry| entry.node == asked.node) {
            entry.revoked_ms.get_or_insert(cx.wall().0);
        }
        let command = asked.command;
        self.write_devices(cx, list.clone(), Writing::Revoked { command, list });
    }

    pub(super) fn tick_devices(&mut self, cx: &mut Context) {
        let now = cx.now;
        if self.devices.code.as_ref().is_some_and(|code| now >= code.until) {
            self.devices.code = None;
        }
        let late: Vec<u64> =
            self.devices.asked.iter().filter(|(_, a)| now >= a.until).map(|(id, _)| *id).collect();
        for asked in late.iter().filter_map(|id| self.devices.asked.remove(id)) {
            reply(cx, asked.command, Reply::Failed { status: Status::TIMEOUT });
        }
        let next = self.devices.asked.values().map(|asked| asked.until).min();
        self.wake_by(next.unwrap_or(Time::NEVER));
        self.tick_renewal(cx);
    }
}

/// Room for a newer device: the one that has been out for longest is forgotten.
fn drop_oldest_outcast(list: &mut Vec<DeviceEntry>) {
    if list.len() <= LISTED_MAX {
        return;
    }
    let out = list.iter().enumerate().filter_map(|(at, entry)| Some((entry.revoked_ms?, at)));
    if let Some((_, at)) = out.min() {
        list.remove(at);
    }
}

flat!(Asked);

impl Heap for DeviceEntry {
    fn heap(&self) -> usize {
        self.label.heap()
    }
}

impl Heap for Devices {
    fn heap(&self) -> usize {
        self.list.heap() + self.asked.heap()
    }
}

#[cfg(test)]
mod tests;
