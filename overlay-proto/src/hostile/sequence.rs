//! A small living network to which the input's bytes do one thing after the other.

use super::limits;
use super::operations::{self, is_end, shown};
use super::script::Script;
use crate::Config;
use crate::id::{LinkId, NodeId, RealmId};
use crate::identity::Certificate;
use crate::identity::verify::{Signature, StrictVerifier, Verify};
use crate::io::{Event, Input, Output};
use crate::status::Status;
use crate::testing::{Net, Realm, Tapped};
use crate::time::Span;
use crate::wire::Frame;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

const SUPERNODES: u8 = 2;
const PEERS: u8 = 4;
/// Operations of one input at most, and how much time may pass in all: an input takes no longer
/// than a fraction of a second.
const OPERATIONS_MAX: usize = 48;
const TIME_MAX: Span = Span::secs(150);
/// All peers have their places by then.
const SETTLED_AFTER: Span = Span::secs(8);
/// Characters of state for each byte that came in. A byte is written as up to five, is kept once or
/// twice, and what it causes honestly (a session, a place in the index) is told to both supernodes.
const STATE_PER_BYTE: usize = 40;
/// Characters by which state may grow without any bytes: commands, strangers' greetings, links.
const STATE_FOR_NOTHING: usize = 400_000;

/// Hostile input to peers.
pub fn sequence_peer(bytes: &[u8]) {
    play(bytes, |scene| scene.peers.clone());
}

/// Hostile input to supernodes.
pub fn sequence_supernode(bytes: &[u8]) {
    play(bytes, |scene| scene.supernodes.clone());
}

fn play(bytes: &[u8], victims: impl Fn(&Scene) -> Vec<NodeId>) {
    let mut script = Script::new(bytes);
    let mut scene = Scene::new();
    scene.victims = victims(&scene);
    for _ in 0..OPERATIONS_MAX {
        if script.is_over() {
            break;
        }
        operations::perform(&mut scene, &mut script);
        scene.check();
    }
    scene.pass(Span::secs(1));
    scene.check();
    scene.check_extent();
}

/// The network and what is known of it.
pub(super) struct Scene {
    pub net: Net,
    pub realm: RealmId,
    pub supernodes: Vec<NodeId>,
    pub peers: Vec<NodeId>,
    /// Who is lied to.
    pub victims: Vec<NodeId>,
    /// Bytes that liars have sent.
    injected: usize,
    /// Characters of the largest state at the start.
    extent: usize,
    left: Span,
}

impl Scene {
    fn new() -> Scene {
        let verifier = Arc::new(Remembering);
        // Room for two more peers, so that the limit can be met.
        let (children_soft, children_hard) = (5, 6);
        let few = Config { degree: 4, trees: 3, children_soft, children_hard, ..Config::default() };
        let mut realm = Realm::new(Config { verifier, ..few });
        let mut net = Net::new();
        net.tapped = true;
        let supernodes: Vec<NodeId> = (0..SUPERNODES)
            .map(|n| {
                let setup = realm.supernode(n);
                net.add(setup)
            })
            .collect();
        net.run(Span::secs(1));
        let peers = net.log_in(&mut realm, 0..PEERS);
        net.run(SETTLED_AFTER);
        let extent = net.nodes.values().map(|node| node.extent()).max().unwrap_or(0);
        let (victims, left) = (Vec::new(), TIME_MAX);
        Scene { net, realm: realm.id(), supernodes, peers, victims, injected: 0, extent, left }
    }

    pub fn draw_victim(&self, script: &mut Script<'_>) -> Option<NodeId> {
        script.pick(&self.victims).copied()
    }

    /// A link of a victim.
    pub fn draw_link(&self, script: &mut Script<'_>) -> Option<LinkId> {
        let victim = self.draw_victim(script)?;
        let links: Vec<_> = self.net.links().filter(|link| is_end(link, victim)).collect();
        script.pick(&links).map(|(link, ..)| *link)
    }

    /// A frame that was sent a while ago.
    pub fn draw_old(&self, script: &mut Script<'_>) -> Option<Tapped> {
        let at = script.below(self.net.tap.len());
        self.net.tap.get(at).cloned()
    }

    /// A supernode's certificate that somebody has shown.
    pub fn certificate(&self, script: &mut Script<'_>) -> Option<Arc<Certificate>> {
        let old = self.draw_old(script)?;
        let known = || self.net.tap.iter().find_map(|old| shown(&old.frame));
        shown(&old.frame).or_else(known)?.supernode
    }

    /// Time passes, as far as there is some left.
    pub fn pass(&mut self, span: Span) {
        let span = span.min(self.left);
        self.left = Span(self.left.0 - span.0);
        self.net.run(span);
    }

    /// A frame comes over `link` to the victim at its end. If it is refused, nothing may have
    /// changed.
    pub fn inject(&mut self, link: LinkId, frame: Vec<u8>) {
        let ends = self.net.links().find(|(l, ..)| *l == link);
        let at_end = |victim: &&NodeId| ends.is_some_and(|link| is_end(&link, **victim));
        let Some(victim) = self.victims.iter().find(at_end).copied() else { return };
        // What the time brings is not the frame's doing.
        self.net.input(victim, Input::Tick);
        let Some(before) = self.net.nodes.get(&victim).map(|node| node.digest()) else { return };
        self.injected += frame.len();
        let kept = frame.clone();
        let received = Input::Received { link, frame };
        self.net.watch(victim, received, |node, outputs| {
            if must_change_nothing(&kept, outputs) {
                assert_eq!(before, node.digest(), "refused, but taken: {kept:02x?}");
            }
        });
    }

    fn check(&self) {
        self.net.nodes.values().for_each(limits::hold);
    }

    /// Once an input: writing all state down takes longer than all else.
    fn check_extent(&self) {
        let most = self.extent + STATE_FOR_NOTHING + STATE_PER_BYTE * self.injected;
        for node in self.net.nodes.values() {
            let extent = node.extent();
            assert!(extent <= most, "state runs away: {extent} of {most} characters");
        }
    }
}

/// Whether this was refused: it cannot be read, or the link ends because of it. A refused log-in is
/// the exception: who tried how often is counted, in a table of a fixed size.
fn must_change_nothing(frame: &[u8], outputs: &[Output]) -> bool {
    match Frame::decode(frame.to_vec()) {
        Err(_) => true,
        Ok(Frame::Message(message)) if message.name() == "Login" => false,
        // The end of a link that is not for what it has brought is not meant.
        Ok(_) => outputs.iter().any(is_refusal) && outputs.iter().any(is_end_of_link),
    }
}

fn is_end_of_link(output: &Output) -> bool {
    matches!(output, Output::HangUp { .. })
}

fn is_refusal(output: &Output) -> bool {
    matches!(output, Output::Event(Event::Refused { status, .. }) if *status != Status::REVOKED)
}

/// The strict verifier, which remembers: every input begins with the same network.
#[derive(Debug)]
struct Remembering;

/// Signatures remembered. More begin anew: what does not come again would fill it.
const REMEMBERED_MAX: usize = 1 << 16;

thread_local! {
    static REMEMBERED: RefCell<BTreeMap<[u8; 32], bool>> = const { RefCell::new(BTreeMap::new()) };
}

fn fingerprint(key: &[u8; 32], tagged: &[u8], signature: &Signature) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&signature.0).update(tagged);
    *hasher.finalize().as_bytes()
}

impl Verify for Remembering {
    fn verify(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) -> bool {
        REMEMBERED.with_borrow_mut(|known| {
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            let verify = || StrictVerifier.verify(key, tagged, signature);
            *known.entry(fingerprint(key, tagged, signature)).or_insert_with(verify)
        })
    }

    fn made(&self, key: &[u8; 32], tagged: &[u8], signature: &Signature) {
        REMEMBERED.with_borrow_mut(|known| {
            known.insert(fingerprint(key, tagged, signature), true);
        });
    }
}
