//! Row 53 of the failure catalogue: nobody carries packets for strangers.

use super::*;
use crate::config::Config;
use crate::io::{Command, Output};
use crate::testing::{Net, user_name};
use crate::wire::packet::{Destination, source_of};
use crate::wire::{Class, Packet};

const USERS: u8 = 12;
/// Nobody else's packets have it in them.
const MARK: &[u8] = b"carry this for nothing";

/// How a stranger comes to the door.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// It says nothing before its packets.
    Silent,
    /// It greets, and has no certificate.
    Greeted,
    /// It greets with the certificate of a true supernode, which is not its own.
    Stolen,
}

struct Street {
    net: Net,
    realm: Realm,
    users: Vec<NodeId>,
    supernodes: Vec<NodeId>,
}

impl Street {
    fn new() -> Street {
        let mut realm = Realm::new(Config { degree: 4, ..Config::default() });
        let mut net = Net::new();
        let supernodes = net.start_supernodes(&mut realm, 0..2);
        net.run(Span::secs(5));
        let users = net.log_in(&mut realm, 0..USERS);
        net.run(Span::secs(30));
        Street { net, realm, users, supernodes }
    }

    fn packet(&self, source: NodeId, to: usize, escalated: bool, class: Class) -> Vec<u8> {
        let node = self.users[to];
        let labels = self.net.nodes[&node].labels().cloned().unwrap_or_default();
        let key = crate::location::index_key(self.realm.id(), &user_name(to as u8));
        let mut packet = Packet::new(class, source, &Destination { node, key, labels }, MARK);
        if escalated {
            packet.set_escalated();
        }
        packet.into_frame()
    }

    /// Gives a frame to a node; the bytes of marked packets that it sends on.
    fn carried(&mut self, at: NodeId, link: LinkId, frame: Vec<u8>) -> usize {
        let sent = self.net.watch(at, Input::Received { link, frame }, |_, outputs| {
            let marked = |output: &Output| match output {
                Output::Send { frame, .. }
                    if source_of(frame).is_some()
                        && frame.windows(MARK.len()).any(|part| part == MARK) =>
                {
                    frame.len()
                }
                _ => 0,
            };
            outputs.iter().map(marked).sum()
        });
        sent.unwrap_or(0)
    }

    fn knock(&mut self, stranger: NodeId, at: NodeId, manner: Manner) -> LinkId {
        let link = self.net.knock(stranger, at);
        let stolen = self
            .realm
            .supernode(1)
            .identity
            .supernode
            .as_ref()
            .map(|keys| keys.certificate.clone());
        let hello = Hello {
            version_min: PROTOCOL_VERSION_MIN,
            version_max: PROTOCOL_VERSION,
            capabilities: 0,
            realm: self.realm.id(),
            nonce: Nonce([9; 32]),
            observed: None,
            supernode: stolen.filter(|_| manner == Manner::Stolen),
        };
        if manner != Manner::Silent {
            let frame = encode(&hello.into()).expect("short");
            self.net.input(at, Input::Received { link, frame });
        }
        link
    }
}

#[test]
fn packets_of_strangers_are_carried_by_nobody() {
    let mut street = Street::new();
    let doors: Vec<NodeId> = street.users.iter().chain(&street.supernodes).copied().collect();
    let (mut tried, mut carried) = (0, 0);
    for (n, at) in doors.into_iter().enumerate() {
        for manner in [Manner::Silent, Manner::Greeted, Manner::Stolen] {
            let stranger = NodeId([0xe0 + n as u8; 32]);
            for class in Class::ALL {
                for escalated in [false, true] {
                    // In its own name, and in that of somebody whom everybody knows.
                    for source in [stranger, street.users[0]] {
                        let to = (n + 5) % street.users.len();
                        let frame = street.packet(source, to, escalated, class);
                        let link = street.knock(stranger, at, manner);
                        carried += street.carried(at, link, frame);
                        tried += 1;
                        street.net.input(at, Input::LinkDown { link });
                    }
                }
            }
        }
    }
    println!("{tried} packets of strangers, {carried} bytes carried");
    assert_eq!(carried, 0);
}

#[test]
fn a_member_without_a_place_beside_us_is_not_served_either_and_a_neighbour_is() {
    let mut street = Street::new();
    let (mut of_members, mut of_neighbours) = (0, 0);
    for at in 0..street.users.len() {
        let here = street.users[at];
        let near: Vec<(LinkId, NodeId)> = street
            .net
            .links()
            .filter(|(_, a, b)| {
                (*a == here || *b == here) && !street.supernodes.iter().any(|s| s == a || s == b)
            })
            .map(|(link, a, b)| (link, if a == here { b } else { a }))
            .collect();
        let to = (0..street.users.len())
            .find(|to| *to != at && near.iter().all(|(_, node)| *node != street.users[*to]))
            .expect("twelve users, four neighbours");
        // A user of this realm, greeted, whom no home has made a neighbour.
        let member = street.users[to];
        let frame = street.packet(member, (to + 1) % street.users.len(), false, Class::Message);
        let link = street.knock(member, here, Manner::Greeted);
        of_members += street.carried(here, link, frame);
        for (link, neighbour) in near {
            let frame = street.packet(neighbour, to, false, Class::Message);
            of_neighbours += street.carried(here, link, frame);
        }
    }
    println!("bytes carried: {of_members} for members, {of_neighbours} for neighbours");
    assert_eq!(of_members, 0);
    assert!(of_neighbours > 0, "the test can fail");
    let reply = street.net.ask(street.users[0], Command::Lookup { name: user_name(3) });
    assert!(!matches!(reply, crate::io::Reply::Failed { .. }), "{reply:?}");
}
