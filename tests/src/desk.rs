//! Who takes letters, core and keeper without a network: a supernode for a mailbox, or a sender for
//! its outbox. Both promise a letter once it is on the disk.

use crate::users::{Users, supernode};
use overlay_node::data::Folder;
use overlay_node::driver::{Keeper, wall};
use overlay_node::mail::{KeeperError, LetterKeeper};
use overlay_proto::Config;
use overlay_proto::Node;
use overlay_proto::id::{CommandId, IndexKey, LinkId, MessageId, NodeId, StoreId};
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::{Command, Input, Output, Reply, StoreAnswer};
use overlay_proto::mail::{SealedLetter, VaultAnswer};
use overlay_proto::name::Name;
use overlay_proto::node::Setup;
use overlay_proto::status::Status;
use overlay_proto::time::{Span, Time};
use overlay_proto::wire::codec::{decode_message, encode};
use overlay_proto::wire::message::{Deposit, DepositReply};
use overlay_proto::wire::{Blob, Message, TransportAddress};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What letters live for.
const LIFE: Span = Span::secs(24 * 3_600);
/// Bytes of a letter.
pub const LETTER_BYTES: usize = 1_536;
/// The one link there is.
const LINK: LinkId = LinkId(1);
const LOGIN: CommandId = CommandId(1);
/// A log-in takes no longer, in the time of these cores.
const PATIENCE: Span = Span::secs(60);
/// The node with the keeper, and its child if it is a supernode.
const DESK: usize = 0;
const CHILD: usize = 1;

/// For whom letters are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tray {
    /// The mailboxes of a supernode: a letter is promised with 202.
    Mailbox,
    /// A sender's outbox: a message is promised when writing it returns.
    Outbox,
}

impl Tray {
    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Tray::Mailbox => "mailbox",
            Tray::Outbox => "outbox",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Tray> {
        [Tray::Mailbox, Tray::Outbox].into_iter().find(|tray| tray.name() == name)
    }
}

/// What the keeper keeps, with its key.
pub type Record = (Vec<u8>, Vec<u8>);

/// The desk.
#[derive(Debug)]
pub struct Desk {
    tray: Tray,
    nodes: Vec<Node>,
    keeper: LetterKeeper,
    answers: mpsc::UnboundedSender<(StoreId, VaultAnswer)>,
    answered: mpsc::UnboundedReceiver<(StoreId, VaultAnswer)>,
    /// Requests that the keeper has not answered.
    open: usize,
    /// Requests that it has been asked since the start.
    pub asked: usize,
    inputs: VecDeque<(usize, Input)>,
    now: Time,
    /// What became of letters, by number: promised, with what tells it apart, or refused.
    done: BTreeMap<u64, Result<u64, Status>>,
    logged_in: bool,
}

/// What is in the `number`th letter: no two are alike at any place.
fn content(number: u32) -> Vec<u8> {
    format!("letter {number:08}; ").bytes().cycle().take(LETTER_BYTES).collect()
}

fn sealed(number: u32) -> SealedLetter {
    let mut device = [0; 32];
    device[..4].copy_from_slice(&number.to_be_bytes());
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    SealedLetter {
        // A recipient each, so that nobody's box is full.
        key: IndexKey(u64::from(number)),
        to: NodeId(device),
        id: MessageId(id),
        order: u64::from(number),
        expires_ms: wall().plus(LIFE).0,
        bytes: Blob(content(number)),
    }
}

fn node(identity: Identity, hosts: Vec<Contact>, seed: u8) -> Node {
    let config = Arc::new(Config::default());
    let setup =
        Setup { config, identity: Arc::new(identity), hosts, seed: [seed; 32], wall: wall() };
    Node::new(setup, Time(0))
}

fn there() -> TransportAddress {
    TransportAddress::new("there").expect("short")
}

impl Desk {
    /// Opens the desk whose letters are in `folder`, as after a crash; beside it what was kept.
    ///
    /// # Errors
    /// [`KeeperError`].
    ///
    /// # Panics
    /// If the cores do not do what they do everywhere.
    pub async fn open(tray: Tray, folder: &Path) -> Result<(Desk, Vec<Record>), KeeperError> {
        let alice = || Users::in_process().identity(1);
        let identity = match tray {
            Tray::Mailbox => supernode(),
            Tray::Outbox => alice(),
        };
        let own = identity.node();
        let (keeper, kept) = LetterKeeper::open(&Folder::at(folder), own).await?;
        let mut nodes = vec![node(identity, Vec::new(), 1)];
        if tray == Tray::Mailbox {
            let hosts = vec![Contact { node: own, addresses: vec![there()] }];
            nodes.push(node(alice(), hosts, 2));
        }
        let (answers, answered) = mpsc::unbounded_channel();
        let mut desk = Desk {
            tray,
            nodes,
            keeper,
            answers,
            answered,
            open: 0,
            asked: 0,
            inputs: VecDeque::new(),
            now: Time(0),
            done: BTreeMap::new(),
            logged_in: false,
        };
        desk.inputs.push_back((DESK, Input::Records(kept.clone())));
        if tray == Tray::Mailbox {
            desk.inputs.push_back((CHILD, Input::Command { id: LOGIN, command: Command::Login }));
        }
        desk.work_until(|desk| {
            let ready = desk.logged_in || tray == Tray::Outbox;
            ready && desk.open == 0 && desk.inputs.is_empty()
        })
        .await;
        Ok((desk, kept))
    }

    /// Brings a letter, and waits for what is said of it: a promise, with a number that tells the
    /// letter apart, or a refusal.
    pub async fn bring(&mut self, number: u32) -> Result<u64, Status> {
        self.hand_in(number);
        let id = u64::from(number);
        self.work_until(|desk| desk.done.contains_key(&id)).await;
        self.done.remove(&id).expect("just seen")
    }

    /// Brings so many letters at a time, and waits for all; how many were promised.
    pub async fn bring_all(&mut self, numbers: std::ops::Range<u32>) -> usize {
        let count = numbers.len();
        numbers.for_each(|number| self.hand_in(number));
        self.work_until(|desk| desk.done.len() == count).await;
        std::mem::take(&mut self.done).into_values().filter(Result::is_ok).count()
    }

    fn hand_in(&mut self, number: u32) {
        let id = u64::from(number);
        let input = match self.tray {
            Tray::Mailbox => {
                let deposit = Deposit { id, letter: sealed(number) };
                let frame = encode(&Message::Deposit(deposit)).expect("it fits");
                Input::Received { link: LINK, frame }
            }
            Tray::Outbox => {
                let to = Name::new("bob").expect("a name");
                let command = Command::Write { to, body: content(number), life: Some(LIFE) };
                Input::Command { id: CommandId(id), command }
            }
        };
        self.inputs.push_back((DESK, input));
    }

    /// Whether a letter that was promised is there: on the disk, and known to the core.
    pub async fn has(&mut self, kept: &[Record], number: u32, told: u64) -> bool {
        let content = content(number);
        let whole =
            |(_, value): &Record| value.windows(content.len()).any(|window| window == content);
        let known = match self.tray {
            Tray::Mailbox => {
                // One that is there needs no writing when it is brought again.
                let asked = self.asked;
                self.bring(number).await.is_ok() && self.asked == asked
            }
            Tray::Outbox => {
                self.nodes[DESK].messages().iter().any(|message| number_of(message.id) == told)
            }
        };
        known && kept.iter().any(whole)
    }

    /// Closes the file.
    pub async fn close(self) {
        self.keeper.close().await;
    }

    /// Does what is to be done until `over`. Time passes only while nothing else does.
    async fn work_until(&mut self, over: impl Fn(&Desk) -> bool) {
        let end = self.now + PATIENCE;
        while !over(self) {
            if let Some((at, input)) = self.inputs.pop_front() {
                self.give(at, input);
            } else if self.open > 0 {
                let (id, answer) = self.answered.recv().await.expect("a sender is kept here");
                self.open -= 1;
                self.give(DESK, Input::Vaulted { id, answer });
            } else {
                let due = self.nodes.iter().filter_map(Node::poll_timeout).map(|due| due.at).min();
                self.now = due.expect("nodes want to be woken").max(self.now);
                assert!(self.now < end, "the cores do nothing");
                (0..self.nodes.len()).for_each(|at| self.give(at, Input::Tick));
            }
        }
    }

    fn give(&mut self, at: usize, input: Input) {
        self.nodes[at].handle_input(self.now, input);
        while let Some(output) = self.nodes[at].poll_output() {
            self.perform(at, output);
        }
    }

    fn perform(&mut self, at: usize, output: Output) {
        match output {
            Output::Dial { id, .. } => {
                let (desk, child) = (self.nodes[DESK].id(), self.nodes[CHILD].id());
                for (at, node, dial) in [(CHILD, desk, Some(id)), (DESK, child, None)] {
                    let up = Input::LinkUp { link: LINK, node, remote: there(), dial };
                    self.inputs.push_back((at, up));
                }
            }
            Output::Send { link, frame, .. } => {
                if let Ok(Message::DepositReply(reply)) = decode_message(&frame) {
                    let DepositReply { id, status, .. } = reply;
                    let promised = status == Status::ACCEPTED;
                    self.done.insert(id, if promised { Ok(0) } else { Err(status) });
                } else {
                    self.inputs.push_back((1 - at, Input::Received { link, frame }));
                }
            }
            Output::Vault { id, request } if at == DESK => {
                (self.open, self.asked) = (self.open + 1, self.asked + 1);
                let answers = self.answers.clone();
                let answer = move |answer| drop(answers.send((id, answer)));
                self.keeper.submit(request, Box::new(answer));
            }
            // The child keeps no letters here.
            Output::Vault { id, .. } => {
                let answer = VaultAnswer::Failed;
                self.inputs.push_back((at, Input::Vaulted { id, answer }));
            }
            Output::Store { id, .. } => {
                let answer = StoreAnswer::Failed;
                self.inputs.push_back((at, Input::Stored { id, answer }));
            }
            Output::Reply { reply, .. } if at == CHILD => {
                assert!(matches!(reply, Reply::LoggedIn { .. }), "{reply:?}");
                self.logged_in = true;
            }
            Output::Reply { id, reply } => {
                let outcome = match reply {
                    Reply::Written { id } => Ok(number_of(id)),
                    Reply::Failed { status } => Err(status),
                    other => panic!("no answer to a message: {other:?}"),
                };
                self.done.insert(id.0, outcome);
            }
            Output::HangUp { .. } => panic!("the two do not understand each other"),
            Output::Datagram(_) | Output::Event(_) => {}
        }
    }
}

/// The first half of an id: enough to tell one from some thousand.
fn number_of(id: MessageId) -> u64 {
    let mut half = [0; 8];
    half.copy_from_slice(&id.0[..8]);
    u64::from_be_bytes(half)
}
