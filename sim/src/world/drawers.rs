//! What each node's keeper of letters has on its disk, with a toy in place of the ratchet: it hides
//! nothing, but opens nothing twice, nothing for somebody else, nothing changed and nothing that was
//! sealed with a ratchet which the other end does not have.

use overlay_proto::encoding::Blob;
use overlay_proto::id::{MessageId, NodeId};
use overlay_proto::mail::{
    Batch, DeviceKeys, MailKey, Opened, PublicKeys, SessionId, ShownLetter, VaultAnswer,
    VaultRequest,
};
use overlay_proto::status::Status;
use std::collections::{BTreeMap, BTreeSet};

/// As Olm's: so many letters may be missing before one that is opened, and still be opened later.
const SKIPPED_MAX: usize = 40;

/// The drawers of all nodes: they outlive processes.
#[derive(Debug, Default)]
pub(super) struct Drawers {
    drawers: BTreeMap<NodeId, Drawer>,
    backups: BTreeMap<NodeId, Drawer>,
}

#[derive(Debug, Clone, Default)]
struct Drawer {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    ratchets: BTreeMap<NodeId, Vec<Ratchet>>,
    one_time: BTreeSet<MailKey>,
    drawn: u64,
}

#[derive(Debug, Clone)]
struct Ratchet {
    id: SessionId,
    /// The key of the other end that began it, until that end has answered.
    begun_with: Option<MailKey>,
    /// Whether it may be sealed with.
    trusted: bool,
    sent: u64,
    /// The number that comes next, and those before it that did not come.
    next: u64,
    missing: BTreeSet<u64>,
}

/// What a toy seal says.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Toy {
    from: NodeId,
    to: NodeId,
    session: SessionId,
    number: u64,
    begun_with: Option<MailKey>,
    label: Blob,
    plain: Blob,
}

/// What an application knows for good once it is on the disk.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Letters that came.
    pub(super) shown: Vec<ShownLetter>,
    /// Messages of its own that have ended.
    pub(super) ended: Vec<(MessageId, Status)>,
}

impl Drawers {
    /// All records of a node; none if it has never had any.
    pub(super) fn kept(&self, node: NodeId) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let drawer = self.drawers.get(&node)?;
        Some(drawer.records.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Does what a node wants; with what its application sees from now on.
    pub(super) fn answer(&mut self, node: NodeId, request: VaultRequest) -> (VaultAnswer, Told) {
        let drawer = self.drawers.entry(node).or_default();
        let nothing = Told::default();
        match request {
            VaultRequest::Keep(batch) => (VaultAnswer::Kept, drawer.keep(batch)),
            VaultRequest::Publish { one_time } => (drawer.publish(node, one_time), nothing),
            VaultRequest::Seal { to, keys, anew, plain, label, under } => {
                let toy = drawer.seal(node, to, keys.as_deref(), anew, plain, label);
                let Some(toy) = toy else { return (VaultAnswer::NoSession, nothing) };
                let bytes = write(&toy);
                if !under.is_empty() {
                    drawer.records.insert(under, bytes.clone());
                }
                (VaultAnswer::Sealed(bytes), nothing)
            }
            VaultRequest::Open { sealed, under } => match drawer.open(node, &sealed) {
                Ok(opened) => {
                    drawer.records.insert(under, opened.plain.clone());
                    (VaultAnswer::Opened(opened), nothing)
                }
                Err(from) => (VaultAnswer::Broken { from }, nothing),
            },
        }
    }

    pub(super) fn back_up(&mut self, node: NodeId) {
        self.backups.insert(node, self.drawers.get(&node).cloned().unwrap_or_default());
    }

    pub(super) fn restore(&mut self, node: NodeId) {
        let (Some(old), Some(now)) = (self.backups.remove(&node), self.drawers.get_mut(&node))
        else {
            return;
        };
        // Only the ratchets are old: what was promised of letters stays promised.
        (now.ratchets, now.one_time) = (old.ratchets, old.one_time);
    }
}

impl Drawer {
    fn keep(&mut self, batch: Batch) -> Told {
        self.records.extend(batch.put);
        batch.drop.iter().for_each(|key| drop(self.records.remove(key)));
        for (node, id) in batch.trust {
            let ratchets = self.ratchets.get_mut(&node).into_iter().flatten();
            ratchets.filter(|ratchet| ratchet.id == id).for_each(|ratchet| ratchet.trusted = true);
        }
        Told { shown: batch.show, ended: batch.ended }
    }

    fn draw(&mut self, node: NodeId) -> [u8; 32] {
        self.drawn += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&node.0);
        hasher.update(&self.drawn.to_be_bytes());
        *hasher.finalize().as_bytes()
    }

    fn publish(&mut self, node: NodeId, one_time: usize) -> VaultAnswer {
        let fixed = |kind: u8| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&[kind]);
            hasher.update(&node.0);
            MailKey(*hasher.finalize().as_bytes())
        };
        let keys: Vec<MailKey> = (0..one_time).map(|_| MailKey(self.draw(node))).collect();
        self.one_time.extend(&keys);
        self.one_time.insert(fixed(2));
        VaultAnswer::Published(PublicKeys {
            identity: fixed(0),
            envelope: fixed(1),
            fallback: fixed(2),
            one_time: keys,
        })
    }

    fn seal(
        &mut self,
        from: NodeId,
        to: NodeId,
        keys: Option<&DeviceKeys>,
        anew: bool,
        plain: Vec<u8>,
        label: Vec<u8>,
    ) -> Option<Toy> {
        let usable = |ratchet: &&mut Ratchet| ratchet.trusted;
        let has_one = self.ratchets.get(&to).is_some_and(|all| all.iter().any(|r| r.trusted));
        if anew || !has_one {
            let keys = keys?;
            let begun_with = Some(*keys.one_time.first().unwrap_or(&keys.fallback));
            let id = SessionId(self.draw(from));
            let ratchet = Ratchet {
                id,
                begun_with,
                trusted: true,
                sent: 0,
                next: 0,
                missing: BTreeSet::new(),
            };
            self.ratchets.entry(to).or_default().push(ratchet);
        }
        let ratchet = self.ratchets.get_mut(&to)?.iter_mut().rev().find(usable)?;
        let number = ratchet.sent;
        ratchet.sent += 1;
        let (session, begun_with) = (ratchet.id, ratchet.begun_with);
        Some(Toy { from, to, session, number, begun_with, label: Blob(label), plain: Blob(plain) })
    }

    fn open(&mut self, me: NodeId, sealed: &[u8]) -> Result<Opened, Option<(NodeId, Vec<u8>)>> {
        let toy = read(sealed).filter(|toy| toy.to == me).ok_or(None)?;
        let broken = || Some((toy.from, toy.label.0.clone()));
        let ratchets = self.ratchets.entry(toy.from).or_default();
        let mut began = false;
        if !ratchets.iter().any(|ratchet| ratchet.id == toy.session) {
            let key =
                toy.begun_with.filter(|key| self.one_time.contains(key)).ok_or_else(broken)?;
            if key != fallback(me) {
                self.one_time.remove(&key);
            }
            began = true;
            ratchets.push(Ratchet {
                id: toy.session,
                begun_with: None,
                trusted: false,
                sent: 0,
                next: 0,
                missing: BTreeSet::new(),
            });
        }
        let ratchet = ratchets.iter_mut().find(|ratchet| ratchet.id == toy.session);
        let ratchet = ratchet.ok_or_else(broken)?;
        if toy.number < ratchet.next {
            if !ratchet.missing.remove(&toy.number) {
                return Err(broken());
            }
        } else {
            ratchet.missing.extend(ratchet.next..toy.number);
            ratchet.next = toy.number + 1;
            while ratchet.missing.len() > SKIPPED_MAX {
                ratchet.missing.pop_first();
            }
        }
        ratchet.begun_with = None;
        Ok(Opened { from: toy.from, session: toy.session, began, plain: toy.plain.0 })
    }
}

fn fallback(node: NodeId) -> MailKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[2]);
    hasher.update(&node.0);
    MailKey(*hasher.finalize().as_bytes())
}

fn write(toy: &Toy) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    ciborium::into_writer(toy, &mut bytes).expect("a vector takes everything");
    let check = *blake3::hash(&bytes[16..]).as_bytes();
    bytes[..16].copy_from_slice(&check[..16]);
    bytes
}

fn read(bytes: &[u8]) -> Option<Toy> {
    let (check, body) = bytes.split_at_checked(16)?;
    let whole = blake3::hash(body).as_bytes()[..16] == *check;
    whole.then(|| ciborium::from_reader(body).ok())?
}
