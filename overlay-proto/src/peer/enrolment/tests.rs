//! A name from whichever registrar has time for it.

use crate::Config;
use crate::id::NodeId;
use crate::io::{Command, Reply};
use crate::status::Status;
use crate::testing::{Net, Realm, user_name};
use crate::time::Span;
use crate::wire::Message;
use crate::wire::message::RegisterReply;

/// Two supernodes, the first of which is the registrar, and a newcomer who knows only one of them.
fn world(knows: usize) -> (Net, Vec<NodeId>, NodeId) {
    let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
    let supernodes = net.start_supernodes(&mut realm, 0..2);
    net.run(Span::secs(5));
    let mut setup = realm.newcomer(1);
    setup.hosts.retain(|host| host.node == supernodes[knows]);
    let newcomer = net.add(setup);
    (net, supernodes, newcomer)
}

fn register(net: &mut Net, newcomer: NodeId) -> (Reply, usize) {
    net.sent.clear();
    let reply = net.ask(newcomer, Command::Register { name: user_name(1), code: None });
    (reply, net.sent.iter().filter(|(number, _)| *number == 10).count())
}

/// Says that it has had too much of the newcomer.
fn tire(net: &mut Net, node: NodeId) {
    let tired = |message: &Message| match message {
        Message::RegisterReply(reply) => {
            let status = Status::TOO_MANY;
            Some(RegisterReply { status, certificates: None, ..reply.clone() }.into())
        }
        _ => None,
    };
    net.liars.insert(node, Box::new(tired));
}

#[test]
fn who_is_too_many_for_one_registrar_asks_another() {
    let (mut net, supernodes, newcomer) = world(1);
    tire(&mut net, supernodes[1]);
    let (reply, asked) = register(&mut net, newcomer);
    assert!(matches!(reply, Reply::Registered { .. }), "{reply:?}");
    assert_eq!(asked, 2);
}

#[test]
fn who_is_too_many_for_all_of_them_hears_so_and_asks_none_twice() {
    let (mut net, supernodes, newcomer) = world(1);
    supernodes.iter().for_each(|node| tire(&mut net, *node));
    let (reply, asked) = register(&mut net, newcomer);
    assert_eq!(reply, Reply::Failed { status: Status::TOO_MANY });
    assert_eq!(asked, 2);
}

#[test]
fn a_single_registrar_is_not_asked_again() {
    let (mut net, supernodes, newcomer) = world(0);
    tire(&mut net, supernodes[0]);
    let (reply, asked) = register(&mut net, newcomer);
    assert_eq!((reply, asked), (Reply::Failed { status: Status::TOO_MANY }, 1));
}
