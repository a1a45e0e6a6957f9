use crate::Config;
use crate::config::REGISTRAR_LIFE;
use crate::id::{NodeId, RegistryId};
use crate::identity::{
    Contact, Identity, RegistrarGrant, RegistrarKeys, Role, SecretKey, SupernodeKeys, Ticket,
    UserKeys,
};
use crate::io::{Command, Outcast, Reply};
use crate::status::Status;
use crate::testing::{Net, Realm, WALL, address, user_name};
use crate::time::Span;
use crate::wire::Message;
use std::sync::Arc;

fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes([n; 32])
}

/// A realm whose first supernode has the root and a registrar, and whose second has neither.
fn world() -> (Net, Realm, SecretKey, [NodeId; 2]) {
    let mut realm = Realm::new(Config::default());
    let mut net = Net::new();
    let first = realm.supernode(0);
    let root = first.identity.supernode.as_ref().and_then(|keys| keys.root.clone());
    let nodes = [net.add(first), net.add(realm.supernode(1))];
    net.run(Span::secs(3));
    (net, realm, root.expect("the first has it"), nodes)
}

fn ticket(root: &SecretKey, serial: u64, registrar: Option<u64>) -> Ticket {
    let registry = RegistryId([7; 16]);
    let grant = registrar.map(|serial| RegistrarGrant { serial, registry });
    Ticket::issue(root, serial, grant, WALL.plus(Span::secs(60)))
}

/// Makes `device` a supernode, and a registrar with `registrar`.
fn enroll(net: &mut Net, realm: &mut Realm, ticket: Ticket, registrar: SecretKey) -> NodeId {
    let device = key(21);
    let mut identity = Identity { realm: realm.id(), device, user: None, supernode: None };
    let hosts = realm.hosts[..1].to_vec();
    let guest = net.add(realm.setup(identity.clone(), hosts.clone(), 0));
    let ask = Command::Enroll { ticket, registrar: Some(Box::new(registrar.clone())) };
    let reply = net.ask(guest, ask);
    let Reply::Enrolled { certificate, registrar: Some(own), .. } = reply else {
        panic!("{reply:?}")
    };
    assert_eq!((certificate.serial, own.serial), (2, 41), "the store's number and the ticket's");
    assert!(own.not_after - own.not_before > REGISTRAR_LIFE.as_millis() / 1_000);
    let certificate_of = (*own).clone();
    let registrar = Some(RegistrarKeys { key: registrar, certificate: certificate_of });
    identity.supernode = Some(SupernodeKeys { certificate, registrar, root: None });
    net.kill(guest);
    net.run(Span::secs(1));
    let second = net.add(realm.setup(identity, hosts, 1));
    realm.hosts.push(Contact { node: second, addresses: vec![address(second)] });
    net.run(Span::secs(5));
    second
}

#[test]
fn a_second_registrar_gives_out_names_while_the_first_is_down() {
    let (mut net, mut realm, root, [first, plain]) = world();
    let second = enroll(&mut net, &mut realm, ticket(&root, 40, Some(41)), key(31));
    let register = |n| Command::Register { name: user_name(n), code: None };
    let before = net.add(realm.newcomer(5));
    let reply = net.ask(before, register(5));
    assert!(matches!(reply, Reply::Registered { .. }), "{reply:?}");
    net.kill(first);
    // At once, when others still believe that the first lives, and a while later.
    for n in [6, 7] {
        let newcomer = net.add(realm.newcomer(n));
        let reply = net.ask(newcomer, register(n));
        let Reply::Registered { chain } = reply else { panic!("{reply:?}") };
        assert_eq!(chain.registrar.subject.0, key(31).public(), "there is no other");
        net.run(Span::secs(20));
    }
    // A name that the first has given out is not given out again.
    let mut thief = realm.newcomer(8);
    let keys = UserKeys { key: key(77).into(), chain: None };
    Arc::make_mut(&mut thief.identity).user = Some(keys);
    let thief = net.add(thief);
    assert_eq!(net.ask(thief, register(5)), Reply::Failed { status: Status::NAME_TAKEN });
    // Whoever certified them: every supernode takes them in.
    net.kill(second);
    net.run(Span::secs(20));
    for n in [5, 6, 7] {
        let user = realm.newcomer(n).identity.node();
        let reply = net.ask(user, Command::Login);
        let home = matches!(reply, Reply::LoggedIn { home, .. } if home == plain);
        assert!(home, "{n}: {reply:?}");
    }
}

#[test]
fn a_registrars_certificate_is_believed_for_the_key_that_asked_only() {
    let (mut net, realm, root, [first, _]) = world();
    let device = key(22);
    let identity = Identity { realm: realm.id(), device, user: None, supernode: None };
    let guest = net.add(realm.setup(identity, realm.hosts[..1].to_vec(), 0));
    // The root's machine has been told another key than that which asks.
    net.liars.insert(
        first,
        Box::new(|message| match message {
            Message::EnrollReply(reply) => {
                let mut reply = reply.clone();
                reply.registrar.as_mut()?.subject.0[0] ^= 1;
                Some(reply.into())
            }
            _ => None,
        }),
    );
    let ask = |registrar| Command::Enroll {
        ticket: ticket(&root, 50, registrar),
        registrar: registrar.map(|_| Box::new(key(32))),
    };
    let failed = |status| Reply::Failed { status };
    assert_eq!(net.ask(guest, ask(Some(51))), failed(Status::UNPROVEN));
    let plain = net.ask(guest, ask(None));
    assert!(matches!(plain, Reply::Enrolled { registrar: None, .. }), "{plain:?}");
}

#[test]
fn a_registrar_that_is_shut_out_is_out_with_its_key_and_whom_it_has_certified() {
    let (mut net, mut realm, root, [first, plain]) = world();
    let second = enroll(&mut net, &mut realm, ticket(&root, 40, Some(41)), key(31));
    net.kill(first);
    net.run(Span::secs(20));
    let user = net.add(realm.newcomer(5));
    let register = || Command::Register { name: user_name(5), code: None };
    let reply = net.ask(user, register());
    assert!(matches!(reply, Reply::Registered { .. }), "by the second: {reply:?}");
    assert!(matches!(net.ask(user, Command::Login), Reply::LoggedIn { .. }));
    // The root's machine is back, and the second registrar's is in other hands.
    let first = net.add(realm.supernode(0));
    net.run(Span::secs(10));
    let outcast = Outcast::Node(second);
    assert_eq!(net.ask(first, Command::Revoke { outcast }), Reply::Done);
    net.run(Span::secs(10));
    for node in [first, plain] {
        let lists = net.nodes[&node].revocations();
        let mut roles: Vec<(Role, [u8; 32])> =
            lists.iter().flat_map(|l| &l.entries).map(|e| (e.role, e.subject.0)).collect();
        roles.sort_by_key(|(role, _)| *role as u8);
        let out = [(Role::Registrar, key(31).public()), (Role::Supernode, second.0)];
        assert_eq!(roles, out);
    }
    // Its own peers find no other home.
    net.kill(second);
    net.run(Span::secs(20));
    assert_ne!(net.peer(user).state, "online", "nobody knows which of its users are true");
    // The name is still the key's: another registrar certifies it again.
    let reply = net.ask(user, register());
    let Reply::Registered { chain } = reply else { panic!("{reply:?}") };
    assert_ne!(chain.registrar.subject.0, key(31).public());
    assert!(matches!(net.ask(user, Command::Login), Reply::LoggedIn { .. }));
}

#[test]
fn a_registrar_whose_store_fails_names_the_other() {
    let (mut net, mut realm, root, [first, _]) = world();
    enroll(&mut net, &mut realm, ticket(&root, 40, Some(41)), key(31));
    net.failing_stores.insert(first);
    // It has never heard of any other supernode.
    let hosts = realm.hosts[..1].to_vec();
    let identity = (*realm.newcomer(5).identity).clone();
    let newcomer = net.add(realm.setup(identity, hosts, 5));
    let reply = net.ask(newcomer, Command::Register { name: user_name(5), code: None });
    let Reply::Registered { chain } = reply else { panic!("{reply:?}") };
    assert_eq!(chain.registrar.subject.0, key(31).public());
}
