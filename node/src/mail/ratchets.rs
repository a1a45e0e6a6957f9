//! The ratchets of a device (Olm, by vodozemac): what they are now, and which of it has changed since
//! it was last written.

use super::envelope::Envelope;
use overlay_proto::config::SEAL_BYTES_MAX;
use overlay_proto::encoding::Blob;
use overlay_proto::id::NodeId;
use overlay_proto::mail::{DeviceKeys, MailKey, Opened, PublicKeys, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vodozemac::olm::{Account, AccountPickle, OlmMessage, Session, SessionConfig, SessionPickle};
use vodozemac::{Curve25519PublicKey, Curve25519SecretKey};

/// Ratchets with one device. Two are common, one begun by each end; more come from lost ones.
const RATCHETS_MAX: usize = 8;
/// All secrets of this part stand in records that begin so; the core has none that does.
pub(super) const PREFIX: u8 = b'v';

/// The ratchets, and what has to be written.
pub(super) struct Ratchets {
    own: NodeId,
    account: Account,
    envelope: Curve25519SecretKey,
    with: BTreeMap<NodeId, Vec<Ratchet>>,
    drawn: u64,
    /// Records to write, by key; none is one to forget.
    changed: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

struct Ratchet {
    id: SessionId,
    session: Session,
    trusted: bool,
    envelope: MailKey,
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct RatchetRecord {
    session: SessionPickle,
    trusted: bool,
    envelope: MailKey,
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct OwnRecord {
    account: AccountPickle,
    envelope: [u8; 32],
}

impl Ratchets {
    /// The ratchets of device `own` as these records have them; new ones without any.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub(super) fn read(
        own: NodeId,
        records: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Ratchets, ciborium::de::Error<std::io::Error>> {
        let mut ratchets = Ratchets {
            own,
            account: Account::new(),
            envelope: Curve25519SecretKey::new(),
            with: BTreeMap::new(),
            drawn: 0,
            changed: BTreeMap::new(),
        };
        let mut is_new = true;
        for (key, value) in records {
            if key == own_key() {
                let record: OwnRecord = ciborium::from_reader(value.as_slice())?;
                ratchets.account = Account::from_pickle(record.account);
                ratchets.envelope = Curve25519SecretKey::from_slice(&record.envelope);
                is_new = false;
            } else if let Some((node, id)) = read_key(&key) {
                let record: RatchetRecord = ciborium::from_reader(value.as_slice())?;
                let RatchetRecord { session, trusted, envelope, number } = record;
                ratchets.drawn = ratchets.drawn.max(number);
                let session = Session::from_pickle(session);
                let held = Ratchet { id, session, trusted, envelope, number };
                ratchets.with.entry(node).or_default().push(held);
            }
        }
        ratchets.with.values_mut().for_each(|all| all.sort_by_key(|ratchet| ratchet.number));
        if is_new {
            ratchets.note_own();
        }
        Ok(ratchets)
    }

    /// What has changed since this was last asked.
    pub(super) fn take_changes(&mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    /// Makes keys for one use, and tells all public ones.
    pub(super) fn publish(&mut self, one_time: usize) -> PublicKeys {
        let fallback = self.fallback().unwrap_or(MailKey([0; 32]));
        let made = self.account.generate_one_time_keys(one_time).created;
        let keys = PublicKeys {
            identity: key(self.account.curve25519_key()),
            envelope: key(Curve25519PublicKey::from(&self.envelope)),
            fallback,
            one_time: made.into_iter().map(key).collect(),
        };
        self.account.mark_keys_as_published();
        self.note_own();
        keys
    }

    /// The present fallback key. It is told again and again, so marks of publication are no matter.
    fn fallback(&mut self) -> Option<MailKey> {
        if let Some(present) = self.account.fallback_key().values().next() {
            return Some(key(*present));
        }
        // A published one is not told any more: the next takes its place, the one before still opens.
        self.account.generate_fallback_key();
        self.account.fallback_key().values().next().map(|present| key(*present))
    }

    /// Seals for a device; `None` if there is no ratchet and nothing to begin one with.
    pub(super) fn seal(
        &mut self,
        to: NodeId,
        keys: Option<&DeviceKeys>,
        anew: bool,
        plain: &[u8],
        label: Vec<u8>,
    ) -> Option<Vec<u8>> {
        let usable = |all: &Vec<Ratchet>| all.iter().rposition(|ratchet| ratchet.trusted);
        if anew || self.with.get(&to).and_then(usable).is_none() {
            self.begin(to, keys?)?;
        }
        let back = key(Curve25519PublicKey::from(&self.envelope));
        let all = self.with.get_mut(&to)?;
        let at = usable(all)?;
        let ratchet = &mut all[at];
        let (kind, message) = ratchet.session.encrypt(plain).ok()?.to_parts();
        let kind = u8::try_from(kind).ok()?;
        let (label, message) = (Blob(label), Blob(message));
        let envelope = Envelope { from: self.own, label, back, kind, message };
        let sealed = envelope.close(ratchet.envelope, plain.len() + SEAL_BYTES_MAX)?;
        self.note(to, at);
        Some(sealed)
    }

    fn begin(&mut self, to: NodeId, keys: &DeviceKeys) -> Option<()> {
        let public = |key: MailKey| Curve25519PublicKey::from_bytes(key.0);
        let one_time = *keys.one_time.first().unwrap_or(&keys.fallback);
        let config = SessionConfig::version_1();
        let (identity, one_time) = (public(keys.identity), public(one_time));
        let session = self.account.create_outbound_session(config, identity, one_time).ok()?;
        self.add(to, session, true, keys.envelope);
        Some(())
    }

    fn add(&mut self, with: NodeId, session: Session, trusted: bool, envelope: MailKey) -> usize {
        self.drawn += 1;
        let (id, number) = (session_id(&session), self.drawn);
        let all = self.with.entry(with).or_default();
        all.push(Ratchet { id, session, trusted, envelope, number });
        if all.len() > RATCHETS_MAX {
            // Anybody may begin ratchets in somebody else's name: they push out each other, and none
            // that is proved.
            let older = all[..RATCHETS_MAX].iter().position(|ratchet| !ratchet.trusted);
            let oldest = all.remove(older.unwrap_or(0));
            self.changed.insert(ratchet_key(with, oldest.id), None);
        }
        let at = all.len() - 1;
        self.note(with, at);
        at
    }

    /// Opens what was sealed for this device.
    ///
    /// # Errors
    /// Who is said to have sealed it, if that can be read.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Opened, Option<(NodeId, Vec<u8>)>> {
        let envelope = Envelope::open(&self.envelope, sealed).ok_or(None)?;
        let (from, back) = (envelope.from, envelope.back);
        let broken = || Some((from, envelope.label.0.clone()));
        let message = OlmMessage::from_parts(usize::from(envelope.kind), &envelope.message.0)
            .map_err(|_| broken())?;
        let held = self.with.entry(from).or_default();
        let opened = held.iter_mut().enumerate().find_map(|(at, ratchet)| {
            let plain = ratchet.session.decrypt(&message).ok()?;
            Some((at, plain))
        });
        if let Some((at, plain)) = opened {
            held[at].envelope = back;
            let session = held[at].id;
            self.note(from, at);
            return Ok(Opened { from, session, began: false, plain });
        }
        let OlmMessage::PreKey(first) = &message else { return Err(broken()) };
        let config = SessionConfig::version_1();
        let made = self
            .account
            .create_inbound_session(config, first.identity_key(), first)
            .map_err(|_| broken())?;
        let at = self.add(from, made.session, false, back);
        self.note_own();
        let session = self.with[&from][at].id;
        Ok(Opened { from, session, began: true, plain: made.plaintext })
    }

    /// A ratchet was proved to be with this device.
    pub(super) fn trust(&mut self, with: NodeId, id: SessionId) {
        let all = self.with.get(&with);
        let at = all.and_then(|all| all.iter().position(|r| r.id == id && !r.trusted));
        if let (Some(at), Some(all)) = (at, self.with.get_mut(&with)) {
            all[at].trusted = true;
            self.note(with, at);
        }
    }

    fn note(&mut self, with: NodeId, at: usize) {
        let Some(ratchet) = self.with.get(&with).and_then(|all| all.get(at)) else { return };
        let record = RatchetRecord {
            session: ratchet.session.pickle(),
            trusted: ratchet.trusted,
            envelope: ratchet.envelope,
            number: ratchet.number,
        };
        let bytes = write(&record);
        self.changed.insert(ratchet_key(with, ratchet.id), Some(bytes));
    }

    fn note_own(&mut self) {
        let record =
            OwnRecord { account: self.account.pickle(), envelope: *self.envelope.to_bytes() };
        self.changed.insert(own_key(), Some(write(&record)));
    }
}

fn write(record: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(record, &mut bytes).expect("a vector takes everything");
    bytes
}

fn key(public: Curve25519PublicKey) -> MailKey {
    MailKey(public.to_bytes())
}

fn session_id(session: &Session) -> SessionId {
    SessionId(*blake3::hash(session.session_id().as_bytes()).as_bytes())
}

fn own_key() -> Vec<u8> {
    vec![PREFIX, b'a']
}

fn ratchet_key(with: NodeId, id: SessionId) -> Vec<u8> {
    [&[PREFIX, b's'], with.0.as_slice(), &id.0].concat()
}

fn read_key(key: &[u8]) -> Option<(NodeId, SessionId)> {
    let rest = key.strip_prefix(&[PREFIX, b's'])?;
    let (node, id) = rest.split_at_checked(32)?;
    Some((NodeId(node.try_into().ok()?), SessionId(id.try_into().ok()?)))
}
