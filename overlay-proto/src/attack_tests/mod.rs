//! Who is not who they say they are: every attempt is counted, and none may succeed.

mod enrolment;
mod greeting;
mod index;
mod login;
mod relay;
mod strangers;
mod texts;

use crate::Node;
use crate::config::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use crate::id::{LinkId, NodeId, Nonce, StoreId};
use crate::identity::{Certificate, DeviceChain, Domain, Role, SecretKey, Validity};
use crate::io::{Input, Output, StoreRequest};
use crate::links;
use crate::name::Name;
use crate::node::Setup;
use crate::status::Status;
use crate::testing::{Realm, WALL, address};
use crate::time::{Span, Time};
use crate::wire::Message;
use crate::wire::codec::{decode_message, encode};
use crate::wire::message::{Hello, Login};
use std::sync::Arc;

fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes([n; 32])
}

fn name(text: &str) -> Name {
    Name::new(text).expect("valid")
}

/// A supernode alone, and whoever knocks.
struct Door {
    node: Node,
    now: Time,
    links: u64,
    /// What the store was asked.
    asked: Vec<(StoreId, StoreRequest)>,
}

/// A greeted link as the one who knocked sees it.
struct Knocked {
    link: LinkId,
    transcript: [u8; 32],
}

impl Door {
    fn new(setup: Setup) -> Door {
        Door { node: Node::new(setup, Time(0)), now: Time(0), links: 0, asked: Vec::new() }
    }

    /// Gives an input and returns what is sent over `link`.
    fn give(&mut self, link: LinkId, input: Input) -> Vec<Vec<u8>> {
        self.now += Span::millis(1);
        self.node.handle_input(self.now, input);
        let mut frames = Vec::new();
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { link: to, frame, .. } if to == link => frames.push(frame),
                Output::Store { id, request } => self.asked.push((id, request)),
                _ => {}
            }
        }
        frames
    }

    /// Links as `device` and greets. What the door says is changed by `to_us` on its way, what we
    /// say by `to_them`: a man in the middle. None if the door refuses the greeting.
    fn knock(
        &mut self,
        device: &SecretKey,
        to_us: impl Fn(&mut Hello),
        to_them: impl Fn(&mut Hello),
    ) -> Result<Knocked, Status> {
        self.links += 1;
        let (link, node) = (LinkId(self.links), NodeId(device.public()));
        let up = Input::LinkUp { link, node, remote: address(node), dial: None };
        let sent = self.give(link, up);
        let Ok(Message::Hello(mut theirs)) = decode_message(&sent[0]) else {
            panic!("a link begins with a greeting")
        };
        to_us(&mut theirs);
        let theirs = encode(&theirs.into()).expect("short");
        let mut hello = Hello {
            version_min: PROTOCOL_VERSION_MIN,
            version_max: PROTOCOL_VERSION,
            capabilities: 0,
            realm: self.node.clone_identity().realm,
            nonce: Nonce([self.links as u8; 32]),
            observed: None,
            supernode: None,
        };
        let ours = encode(&hello.clone().into()).expect("short");
        to_them(&mut hello);
        let said = self.say(link, &hello.into());
        let transcript = links::transcript(node, &ours, self.node.id(), &theirs);
        match refusal(&said) {
            Some(status) => Err(status),
            None => Ok(Knocked { link, transcript }),
        }
    }

    fn say(&mut self, link: LinkId, message: &Message) -> Vec<Message> {
        let frame = encode(message).expect("short");
        let frames = self.give(link, Input::Received { link, frame });
        frames.iter().filter_map(|frame| decode_message(frame).ok()).collect()
    }

    /// Tries to log in; the status of the answer.
    fn log_in(&mut self, link: LinkId, login: Login) -> Status {
        let said = self.say(link, &login.into());
        let answer = said.iter().find_map(|message| match message {
            Message::LoginReply(reply) => Some(reply.status),
            _ => None,
        });
        answer.or_else(|| refusal(&said)).unwrap_or(Status::TRYING)
    }

    /// Peers, and what is kept of strangers beside the count of refusals.
    fn state(&self) -> (usize, usize, u64) {
        let view = self.node.supernode_view().expect("a supernode");
        (view.children, view.locations, view.logins)
    }
}

fn refusal(said: &[Message]) -> Option<Status> {
    said.iter().find_map(|message| match message {
        Message::Goodbye(goodbye) => Some(goodbye.status),
        _ => None,
    })
}

fn login(chain: DeviceChain, device: &SecretKey, transcript: &[u8; 32]) -> Login {
    Login {
        chain: Arc::new(chain),
        issuer: None,
        coordinates: None,
        neighbours: Vec::new(),
        addresses: Vec::new(),
        warm: false,
        rtts: Vec::new(),
        proof: device.sign(Domain::Login, transcript),
        cookie: None,
    }
}

/// The realm's keys, a user 3 and the user's device 4.
struct Keys {
    realm: Realm,
    root: SecretKey,
    registrar: SecretKey,
}

impl Keys {
    fn new() -> Keys {
        let mut realm = Realm::new(crate::Config::default());
        let keys = realm.supernode(0).identity.supernode.clone().expect("a supernode");
        let root = keys.root.clone().expect("the first has it");
        Keys { realm, root, registrar: keys.registrar.expect("the first is one").key }
    }

    fn door(&mut self) -> Door {
        Door::new(self.realm.supernode(0))
    }

    fn issue(&self, by: &SecretKey, role: Role, subject: &SecretKey) -> Certificate {
        let name = (role == Role::User).then(|| name("alice"));
        let validity = Validity::starting(WALL, Span::secs(100_000));
        Certificate::issue(by, self.realm.id(), role, subject.public(), name, 1, validity)
    }

    fn chain(&self) -> DeviceChain {
        DeviceChain {
            registrar: self.issue(&self.root, Role::Registrar, &self.registrar),
            user: self.issue(&self.registrar, Role::User, &key(3)),
            device: self.issue(&key(3), Role::Device, &key(4)),
        }
    }
}
