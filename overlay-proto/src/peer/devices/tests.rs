//! Several devices of one user: let in, shut out, and crossing each other.

use crate::Config;
use crate::id::{NodeId, UserKey};
use crate::identity::{DeviceCode, Identity, PairingSecret, SecretKey};
use crate::io::{CODE_LIFE, Command, Event, Input, Reply, StoreRequest};
use crate::name::Name;
use crate::status::Status;
use crate::testing::{Net, Realm};
use crate::time::Span;
use crate::wire::codec;
use crate::wire::message::JoinDevice;
use std::sync::Arc;

fn name(n: u8) -> Name {
    Name::new(&format!("u{n}")).expect("valid")
}

fn world(supernodes: u8, peers: u8) -> (Net, Realm, Vec<NodeId>, Vec<NodeId>) {
    let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
    let supers = net.start_supernodes(&mut realm, 0..supernodes);
    net.run(Span::secs(5));
    net.know(&realm, 0..peers);
    let users = net.log_in(&mut realm, 0..peers);
    net.run(Span::secs(10));
    (net, realm, supers, users)
}

fn code(net: &mut Net, node: NodeId) -> Arc<DeviceCode> {
    match net.ask(node, Command::AddDevice) {
        Reply::DeviceCode { code } => code,
        other => panic!("no code: {other:?}"),
    }
}

/// A computer on which nobody has joined, as it starts with a code.
fn fresh(net: &mut Net, realm: &Realm, n: u8, code: &DeviceCode) -> NodeId {
    let device = SecretKey::from_bytes([n; 32]);
    let identity = Identity { realm: realm.id(), device, user: None, supernode: None };
    net.add(realm.setup(identity, code.supernodes.clone(), n))
}

fn join(net: &mut Net, node: NodeId, code: &Arc<DeviceCode>) -> Reply {
    net.ask(node, Command::JoinDevice { code: code.clone(), label: "laptop".to_owned() })
}

/// A second device of user 0, logged in.
fn second(net: &mut Net, realm: &Realm, first: NodeId, n: u8) -> NodeId {
    let code = code(net, first);
    let node = fresh(net, realm, n, &code);
    let joined = join(net, node, &code);
    assert!(matches!(joined, Reply::Registered { .. }), "{joined:?}");
    assert!(matches!(net.ask(node, Command::Login), Reply::LoggedIn { .. }));
    node
}

fn shown(net: &Net, node: NodeId) -> usize {
    net.events.iter().filter(|(n, e)| *n == node && matches!(e, Event::Received(_))).count()
}

#[test]
fn a_second_device_joins_by_a_code_and_is_shut_out_by_its_user() {
    let (mut net, realm, _, users) = world(3, 6);
    let code = code(&mut net, users[0]);
    let text = code.to_string();
    let read: Arc<DeviceCode> = Arc::new(text.parse().expect("reads back"));
    let node = fresh(&mut net, &realm, 90, &read);
    let Reply::Registered { chain } = join(&mut net, node, &read) else { panic!("not in") };
    let first = net.nodes[&users[0]].devices();
    assert_eq!((first.len(), first[0].node, first[0].label.as_str()), (1, node, "laptop"));
    assert_eq!(chain.device, first[0].certificate);
    let kept = net.kept.iter().filter(|(_, k)| matches!(k, StoreRequest::KeepDevices { .. }));
    assert_eq!(kept.count(), 1, "durable before it was answered");
    assert!(matches!(net.ask(node, Command::Login), Reply::LoggedIn { .. }));
    net.run(Span::secs(5));
    let Reply::Located { found, .. } = net.ask(users[1], Command::Lookup { name: name(0) }) else {
        panic!("not found")
    };
    assert_eq!(found.len(), 2, "both devices are in the index");
    // It is a device like any other, but lets nobody in and shuts nobody out.
    let said = net.ask(node, Command::Send { to: name(2), text: "hello".to_owned() });
    assert!(matches!(said, Reply::Delivered { .. }), "{said:?}");
    let forbidden = Reply::Failed { status: Status::FORBIDDEN };
    assert_eq!(net.ask(node, Command::AddDevice), forbidden);
    assert_eq!(net.ask(node, Command::RevokeDevice { node: users[0] }), forbidden);

    assert_eq!(net.ask(users[0], Command::RevokeDevice { node }), Reply::Done);
    net.run(Span::secs(5));
    assert!(net.nodes[&users[0]].devices()[0].revoked_ms.is_some());
    assert_eq!(net.ask(node, Command::Login), Reply::Failed { status: Status::REVOKED });
    assert_eq!(net.peer(users[0]).state, "online", "the user stays");
    let said = net.ask(users[1], Command::Send { to: name(0), text: "you?".to_owned() });
    assert!(matches!(said, Reply::Delivered { .. }), "{said:?}");
    assert_eq!((shown(&net, users[0]), shown(&net, node)), (1, 0));
}

#[test]
fn a_code_works_once_for_ten_minutes_and_for_who_knows_its_secret() {
    let (mut net, realm, _, users) = world(2, 3);
    let refused = Reply::Failed { status: Status::FORBIDDEN };
    let mut accepted = 0;
    let mut tried = 0;
    let mut attempt = |net: &mut Net, n: u8, code: &Arc<DeviceCode>| {
        let node = fresh(net, &realm, n, code);
        let reply = join(net, node, code);
        tried += 1;
        accepted += usize::from(matches!(reply, Reply::Registered { .. }));
        reply
    };
    let good = code(&mut net, users[0]);
    // A guessed secret, another device's code, another device named in it.
    let guessed = DeviceCode { secret: PairingSecret([0; 16]), ..(*good).clone() };
    assert_eq!(attempt(&mut net, 91, &Arc::new(guessed)), refused);
    let elsewhere = DeviceCode { device: users[1], ..(*good).clone() };
    assert_eq!(attempt(&mut net, 92, &Arc::new(elsewhere)), refused);
    // The right one, then again for somebody else.
    assert!(matches!(attempt(&mut net, 93, &good), Reply::Registered { .. }));
    assert_eq!(attempt(&mut net, 94, &good), refused);
    // A newer code ends the older one; time ends the newer one.
    let older = code(&mut net, users[0]);
    let newer = code(&mut net, users[0]);
    assert_eq!(attempt(&mut net, 95, &older), refused);
    net.run(CODE_LIFE);
    assert_eq!(attempt(&mut net, 96, &newer), refused);
    assert_eq!((tried, accepted), (6, 1));
}

#[test]
fn the_same_device_may_ask_again_when_an_answer_is_lost() {
    let (mut net, realm, _, users) = world(1, 2);
    let code = code(&mut net, users[0]);
    let node = fresh(&mut net, &realm, 90, &code);
    net.losing = Some(67);
    let lost = join(&mut net, node, &code);
    assert!(matches!(lost, Reply::Failed { .. }), "{lost:?}");
    net.losing = None;
    let again = join(&mut net, node, &code);
    assert!(matches!(again, Reply::Registered { .. }), "{again:?}");
    assert_eq!(net.nodes[&users[0]].devices().len(), 1);
}

#[test]
fn a_supernode_in_the_middle_gets_nothing_certified() {
    let (mut net, realm, supers, users) = world(1, 2);
    let code = code(&mut net, users[0]);
    let node = fresh(&mut net, &realm, 90, &code);
    let (id, label) = (7, "laptop".to_owned());
    let seal = code.secret.seal(realm.id(), users[0], node, &label);
    let genuine = JoinDevice { id, to: users[0], device: node, label, seal };
    let own = NodeId(SecretKey::from_bytes([66; 32]).public());
    let mut forged: Vec<JoinDevice> = vec![
        JoinDevice { device: own, ..genuine.clone() },
        JoinDevice { label: "phone".to_owned(), ..genuine.clone() },
        JoinDevice { to: users[1], ..genuine.clone() },
    ];
    forged.extend((0..32).map(|byte| {
        let mut other = genuine.clone();
        other.seal.0[byte] ^= 1;
        other
    }));
    let link = net.link_between(supers[0], users[0]);
    let tried = forged.len();
    for ask in forged {
        let frame = codec::encode(&ask.into()).expect("short");
        net.input(users[0], Input::Received { link, frame });
        net.run(Span::millis(50));
    }
    assert_eq!((tried, net.nodes[&users[0]].devices().len()), (35, 0), "tried, certified");
    // And an answer of its own, by a user key of its own, is not believed by the new device.
    let wrong_user = DeviceCode { user: UserKey([8; 32]), ..(*code).clone() };
    let reply = join(&mut net, node, &Arc::new(wrong_user));
    assert_eq!(reply, Reply::Failed { status: Status::UNPROVEN });
}

#[test]
fn nobody_shuts_out_a_device_of_another_user() {
    let (mut net, _, supers, users) = world(2, 4);
    // Mallory certifies Alice's device under her own name, and revokes that.
    let (alice, mallory) = (users[0], users[1]);
    let entry = {
        let theirs = net.nodes[&mallory].clone_identity();
        let key = theirs.user.as_ref().and_then(|user| user.secret().cloned()).expect("a user");
        let certificate = crate::identity::Certificate::issue(
            &key,
            theirs.realm,
            crate::identity::Role::Device,
            alice.0,
            None,
            1,
            crate::identity::Validity::starting(crate::testing::WALL, Span::secs(1_000_000)),
        );
        super::DeviceEntry {
            node: alice,
            label: "mine".to_owned(),
            added_ms: 0,
            revoked_ms: None,
            certificate,
        }
    };
    net.input(mallory, Input::Devices(vec![entry]));
    assert_eq!(net.ask(mallory, Command::RevokeDevice { node: alice }), Reply::Done);
    net.run(Span::secs(10));
    assert_eq!(net.nodes[&supers[1]].revocations()[0].entries.len(), 1, "it is in the list");
    assert_eq!(net.peer(alice).state, "online", "and means nobody");
}

/// What two devices of one user may do, in every order: the rule at the head of `devices.rs`.
#[test]
fn log_ins_and_log_outs_of_two_devices_cross_in_every_order() {
    let mut violations = 0;
    let orders = interleavings(&['i', 'o', 'i'], &['I', 'O', 'I']);
    assert_eq!(orders.len(), 20);
    for order in &orders {
        for pause in [Span::ZERO, Span::millis(15), Span::secs(2)] {
            violations += crossing(order, pause);
        }
    }
    assert_eq!(violations, 0, "of {}", 3 * orders.len());
}

fn interleavings(a: &[char], b: &[char]) -> Vec<String> {
    match (a, b) {
        ([], rest) | (rest, []) => vec![rest.iter().collect()],
        ([first, others @ ..], [second, more @ ..]) => {
            let with = |c: &char, tails: Vec<String>| {
                tails.into_iter().map(|tail| format!("{c}{tail}")).collect::<Vec<_>>()
            };
            [with(first, interleavings(others, b)), with(second, interleavings(a, more))].concat()
        }
    }
}

/// Plays one order with so long between two steps; one if the rule does not hold.
fn crossing(order: &str, pause: Span) -> usize {
    let (mut net, realm, _, users) = world(2, 2);
    let devices = [users[0], second(&mut net, &realm, users[0], 90)];
    for device in devices {
        net.ask(device, Command::Logout);
    }
    for step in order.chars() {
        let which = usize::from(step.is_uppercase());
        let command = match step.to_ascii_lowercase() {
            'i' => Command::Login,
            _ => Command::Logout,
        };
        net.command(devices[which], command);
        net.run(pause);
    }
    net.run(Span::secs(10));
    // Both end on line, whatever was crossed; each text reaches exactly one, the newest.
    let Reply::Located { found, .. } = net.ask(users[1], Command::Lookup { name: name(0) }) else {
        return 1;
    };
    let both = found.iter().filter(|found| found.lease_ms > 0).count() == 2;
    let orders = found.windows(2).all(|pair| pair[0].record.seq >= pair[1].record.seq);
    let first = found[0].record.node();
    let before = devices.map(|device| shown(&net, device));
    let said = net.ask(users[1], Command::Send { to: name(0), text: "hi".to_owned() });
    let after = devices.map(|device| shown(&net, device));
    let reached: Vec<NodeId> =
        (0..2).filter(|n| after[*n] > before[*n]).map(|n| devices[n]).collect();
    let delivered = matches!(said, Reply::Delivered { .. });
    usize::from(!(both && orders && delivered && reached == [first]))
}

#[test]
fn a_session_goes_to_the_newest_device_or_to_the_one_that_is_named() {
    let (mut net, realm, _, users) = world(2, 4);
    let (first, asker) = (users[0], users[2]);
    let newest = second(&mut net, &realm, first, 90);
    net.run(Span::secs(5));
    let mut meet = |node| net.ask(asker, Command::Meet { to: name(0), node });
    let met = |node| Reply::Met { node, name: name(0) };
    // Each renews its record now and then; both are there.
    let Reply::Met { node: unnamed, .. } = meet(None) else { panic!("nobody") };
    assert!([first, newest].contains(&unnamed));
    for named in [first, newest, first] {
        assert_eq!(meet(Some(named)), met(named), "whatever is remembered of the name");
    }
    assert_eq!(meet(Some(users[1])), Reply::Failed { status: Status::OFFLINE }, "not hers");
    let bytes = b"to that very device".to_vec();
    for to in [first, newest] {
        net.run(Span::millis(500));
        let input =
            Input::Datagram { to, class: crate::wire::Class::Message, bytes: bytes.clone() };
        net.input(asker, input);
        net.run(Span::secs(1));
        let came = std::mem::take(&mut net.datagrams);
        assert_eq!(came.iter().map(|(node, _)| *node).collect::<Vec<_>>(), [to]);
    }
}
