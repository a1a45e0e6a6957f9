//! Certificates that get a new end while nobody looks.

use crate::Config;
use crate::id::NodeId;
use crate::identity::{Identity, SecretKey, Validity};
use crate::io::{Command, Event, Input, Reply, StoreRequest};
use crate::status::Status;
use crate::testing::{Net, Realm, WALL};
use crate::time::{Span, WallTime};

const LIFE: Span = Span::secs(600);

/// A realm whose certificates live for ten minutes, with peers that have just joined.
fn world(peers: u8) -> (Net, Realm, Vec<NodeId>, Vec<NodeId>) {
    let config = Config { certificate_life: LIFE, ..Config::default() };
    let (mut net, mut realm) = (Net::new(), Realm::new(config));
    let supers = net.start_supernodes(&mut realm, 0..2);
    net.run(Span::secs(5));
    net.know(&realm, 0..peers);
    let users: Vec<NodeId> =
        (0..peers).map(|n| net.add(realm.user_valid(n, Validity::starting(WALL, LIFE)))).collect();
    for user in &users {
        assert!(matches!(net.ask(*user, Command::Login), Reply::LoggedIn { .. }));
    }
    (net, realm, supers, users)
}

fn renewed(net: &Net, node: NodeId) -> Vec<WallTime> {
    let of = net.events.iter().filter(|(n, _)| *n == node);
    of.filter_map(|(_, event)| match event {
        Event::Renewed { until } => Some(*until),
        _ => None,
    })
    .collect()
}

fn lost_sessions(net: &Net, node: NodeId) -> usize {
    let lost = |event: &Event| matches!(event, Event::LoggedOut { .. } | Event::HomeLost { .. });
    net.events.iter().filter(|(n, event)| *n == node && lost(event)).count()
}

#[test]
fn three_lives_long_nobody_is_logged_out() {
    let (mut net, _, _, users) = world(6);
    net.run(Span(3 * LIFE.0));
    for user in &users {
        let ends = renewed(&net, *user);
        assert!(ends.len() >= 4, "{ends:?}");
        assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "{ends:?}");
        assert_eq!((net.peer(*user).state.as_str(), lost_sessions(&net, *user)), ("online", 0));
        // Each was durable first.
        let kept = net.kept.iter().filter(|(node, _)| node == user);
        assert_eq!(kept.count(), ends.len());
    }
    let firsts: Vec<WallTime> = users.iter().map(|user| renewed(&net, *user)[0]).collect();
    let spread = firsts.iter().max().expect("six").0 - firsts.iter().min().expect("six").0;
    assert!(spread >= 5_000, "not all at once: {spread} ms");
}

#[test]
fn a_store_that_fails_leaves_the_old_chain_in_use_until_it_works() {
    let (mut net, _, _, users) = world(2);
    net.store_fails = true;
    net.run(Span(LIFE.0 * 4 / 5));
    assert!(renewed(&net, users[0]).is_empty());
    net.store_fails = false;
    net.run(Span::secs(100));
    assert_eq!(renewed(&net, users[0]).len(), 1);
    assert_eq!(lost_sessions(&net, users[0]), 0);
}

#[test]
fn without_a_renewal_a_session_ends_with_its_certificate() {
    let (mut net, _, _, users) = world(2);
    net.losing = Some(64);
    net.run(LIFE + Span::secs(60));
    let last = net.ask(users[0], Command::Login);
    assert_eq!(last, Reply::Failed { status: Status::EXPIRED });
    assert!(renewed(&net, users[0]).is_empty());
}

#[test]
fn a_wall_clock_that_jumps_makes_it_due_at_once() {
    let (mut net, _, supers, users) = world(2);
    net.run(Span::secs(30));
    assert!(renewed(&net, users[0]).is_empty());
    let later = WALL.plus(Span(LIFE.0 * 9 / 10));
    for node in supers.iter().chain(&users) {
        net.input(*node, Input::WallClock(later));
    }
    net.run(Span::secs(90));
    for user in &users {
        assert_eq!(renewed(&net, *user).len(), 1);
        assert_eq!(lost_sessions(&net, *user), 0);
    }
}

#[test]
fn a_second_device_is_renewed_by_the_one_that_has_the_key() {
    let (mut net, realm, _, users) = world(3);
    let Reply::DeviceCode { code } = net.ask(users[0], Command::AddDevice) else { panic!("none") };
    let device = SecretKey::from_bytes([90; 32]);
    let identity = Identity { realm: realm.id(), device, user: None, supernode: None };
    let node = net.add(realm.setup(identity, code.supernodes.clone(), 90));
    let label = "laptop".to_owned();
    let joined = net.ask(node, Command::JoinDevice { code, label });
    assert!(matches!(joined, Reply::Registered { .. }), "{joined:?}");
    assert!(matches!(net.ask(node, Command::Login), Reply::LoggedIn { .. }));
    net.run(Span(3 * LIFE.0));
    assert_eq!((net.peer(node).state.as_str(), lost_sessions(&net, node)), ("online", 0));
    let chains = net.kept.iter().filter_map(|(n, kept)| match kept {
        StoreRequest::KeepChain { chain } if *n == node => Some(chain.clone()),
        _ => None,
    });
    let chains: Vec<_> = chains.collect();
    let devices = chains.windows(2).filter(|two| two[0].device != two[1].device).count();
    assert!(devices >= 3, "{devices} new ends of its own certificate");
    assert!(chains.iter().all(|chain| chain.device.serial == chains[0].device.serial));
    let listed = &net.nodes[&users[0]].devices()[0];
    assert_eq!(listed.certificate, chains.last().expect("some").device);
}

#[test]
fn a_registrar_renews_no_one_who_is_out_or_early() {
    let (mut net, _, supers, users) = world(2);
    let early = net.peer(users[0]);
    assert_eq!(early.state, "online");
    let outcast = crate::io::Outcast::User(crate::name::Name::new("u0").expect("valid"));
    assert_eq!(net.ask(supers[0], Command::Revoke { outcast }), Reply::Done);
    net.run(LIFE);
    assert!(renewed(&net, users[0]).is_empty());
    assert!(!renewed(&net, users[1]).is_empty());
}
