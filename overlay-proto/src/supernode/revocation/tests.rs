//! Who is shut out, where, and how soon.

use crate::Config;
use crate::id::{NodeId, RealmId};
use crate::identity::{Revocation, RevocationList, Revoker, Role, SecretKey, Subject};
use crate::io::{Command, Event, Input, Outcast, Reply, StoreRequest};
use crate::name::Name;
use crate::status::Status;
use crate::testing::{Net, Realm};
use crate::time::Span;
use crate::wire::codec;
use crate::wire::message::{ListEpoch, Revocations, RevocationsKnown, RevocationsWanted};
use std::sync::Arc;

/// The deadline among linked supernodes, as the file says.
const DEADLINE: Span = Span::secs(5);

fn name(n: u8) -> Name {
    Name::new(&format!("u{n}")).expect("valid")
}

/// Supernodes, the first of which is the registrar, and peers that are all logged in.
fn world(supernodes: u8, peers: u8) -> (Net, Realm, Vec<NodeId>, Vec<NodeId>) {
    let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
    let supers = net.start_supernodes(&mut realm, 0..supernodes);
    net.run(Span::secs(5));
    net.know(&realm, 0..peers);
    let users = net.log_in(&mut realm, 0..peers);
    net.run(Span::secs(20));
    (net, realm, supers, users)
}

fn revoke(net: &mut Net, registrar: NodeId, outcast: Outcast) -> Reply {
    net.ask(registrar, Command::Revoke { outcast })
}

fn sessions(net: &Net, node: NodeId) -> usize {
    let peers = net.nodes.values().flat_map(|n| n.child_views());
    peers.filter(|child| child.node == node.to_string()).count()
}

/// Live peers that have `node` as a neighbour.
fn neighbours_of(net: &Net, node: NodeId) -> usize {
    let views = net.nodes.iter().filter(|(id, _)| **id != node);
    let near = views.flat_map(|(_, n)| n.neighbour_views());
    near.filter(|view| view.up && view.node == node.to_string()).count()
}

fn lists_agree(net: &Net, supers: &[NodeId], entries: usize) -> bool {
    supers.iter().all(|node| {
        let lists = net.nodes[node].revocations();
        lists.iter().map(|list| list.entries.len()).sum::<usize>() == entries
    })
}

#[test]
fn a_revoked_user_is_out_everywhere_within_the_deadline() {
    let (mut net, _, supers, users) = world(4, 16);
    let victims = [5_u8, 9, 12];
    assert_eq!(sessions(&net, users[5]), 1);
    assert!(neighbours_of(&net, users[5]) > 0);
    for victim in victims {
        let done = revoke(&mut net, supers[0], Outcast::User(name(victim)));
        assert_eq!(done, Reply::Done);
    }
    let kept = net.kept.iter().filter(|(_, k)| matches!(k, StoreRequest::KeepRevocations { .. }));
    assert_eq!(kept.count(), victims.len(), "durable before it was answered");
    net.run(DEADLINE);
    assert!(lists_agree(&net, &supers, victims.len()));
    for victim in victims {
        let node = users[usize::from(victim)];
        assert_eq!(sessions(&net, node), 0, "no session of u{victim}");
        assert_eq!(neighbours_of(&net, node), 0, "no neighbour of u{victim}");
        let told = net.events.iter().filter(|(n, _)| *n == node);
        let out = |event: &Event| *event == Event::LoggedOut { status: Status::REVOKED };
        assert!(told.map(|(_, event)| event).any(out), "it knows why");
        let found = net.ask(users[0], Command::Lookup { name: name(victim) });
        let Reply::Failed { status } = found else { panic!("u{victim} is found: {found:?}") };
        assert!([Status::UNKNOWN_NAME, Status::NO_ROUTE].contains(&status), "{status}");
        let again = net.ask(node, Command::Login);
        assert_eq!(again, Reply::Failed { status: Status::REVOKED });
    }
    net.run(Span::secs(20));
    for (n, user) in users.iter().enumerate().filter(|(n, _)| !victims.contains(&(*n as u8))) {
        assert_eq!(sessions(&net, *user), 1, "u{n} stays");
        assert!(net.peer(*user).neighbours >= 7, "u{n} has new neighbours");
    }
}

#[test]
fn one_device_goes_and_a_name_stays_taken() {
    let (mut net, realm, supers, users) = world(2, 6);
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[3])), Reply::Done);
    assert_eq!(revoke(&mut net, supers[0], Outcast::User(name(4))), Reply::Done);
    net.run(DEADLINE);
    assert_eq!((sessions(&net, users[3]), sessions(&net, users[4])), (0, 0));
    let nobody = revoke(&mut net, supers[0], Outcast::User(name(77)));
    assert_eq!(nobody, Reply::Failed { status: Status::UNKNOWN_NAME });
    let no_registrar = revoke(&mut net, supers[1], Outcast::User(name(1)));
    assert_eq!(no_registrar, Reply::Failed { status: Status::NOT_SERVED });
    // Neither its own key nor another gets the name.
    for newcomer in [4, 40] {
        let setup = realm.newcomer(newcomer);
        net.nodes.remove(&setup.identity.node());
        let node = net.add(setup);
        let reply = net.ask(node, Command::Register { name: name(4), code: None });
        assert!(matches!(reply, Reply::Failed { .. }), "{reply:?}");
    }
}

#[test]
fn a_partitioned_supernode_hears_of_it_when_it_is_back() {
    let (mut net, _, supers, users) = world(3, 12);
    let cut = supers[2];
    let there: Vec<NodeId> = {
        let children = net.nodes[&cut].child_views();
        users.iter().filter(|u| children.iter().any(|c| c.node == u.to_string())).copied().collect()
    };
    net.island = there.iter().copied().chain([cut]).collect();
    net.run(Span::secs(15));
    let victim = there[0];
    let number = users.iter().position(|user| *user == victim).expect("one of them");
    assert_eq!(revoke(&mut net, supers[0], Outcast::User(name(number as u8))), Reply::Done);
    net.run(Span::secs(10));
    assert_eq!(sessions(&net, victim), 1, "nobody has told it");
    net.island.clear();
    let mut waited = Span::ZERO;
    while sessions(&net, victim) > 0 {
        net.run(Span::millis(100));
        waited = waited + Span::millis(100);
        assert!(waited < Span::secs(15), "still in");
    }
    assert!(lists_agree(&net, &supers[2..], 1));
}

#[test]
fn the_newest_list_of_each_signer_counts_and_none_goes_back() {
    let (mut net, _, supers, users) = world(3, 4);
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[0])), Reply::Done);
    let older = net.nodes[&supers[0]].revocations();
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[1])), Reply::Done);
    net.run(DEADLINE);
    let newest = net.nodes[&supers[1]].revocations();
    assert_eq!((newest.len(), newest[0].entries.len()), (1, 2));
    // The older one is offered by the driver and by a supernode that has gone back.
    net.input(supers[1], Input::Revocations(older.clone()));
    assert_eq!(net.nodes[&supers[1]].revocations(), newest);
    let part =
        Revocations { head: older[0].head.clone(), entries: older[0].entries.clone(), more: false };
    let link = net.link_between(supers[0], supers[1]);
    let frame = codec::encode(&part.into()).expect("short");
    net.input(supers[1], Input::Received { link, frame });
    assert_eq!(net.nodes[&supers[1]].revocations(), newest);
}

#[test]
fn what_was_known_is_known_after_a_restart() {
    let (mut net, mut realm, supers, users) = world(2, 4);
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[2])), Reply::Done);
    net.run(DEADLINE);
    let kept = net.events.iter().rev().find_map(|(node, event)| match event {
        Event::RevocationsChanged(lists) if *node == supers[1] => Some(lists.clone()),
        _ => None,
    });
    // Alone, without anybody to ask.
    net.kill(supers[0]);
    net.kill(supers[1]);
    net.run(Span::secs(1));
    let setup = realm.supernode(1);
    net.add(setup);
    net.input(supers[1], Input::Revocations(kept.expect("given to the driver")));
    let reply = net.ask(users[2], Command::Login);
    assert_eq!(reply, Reply::Failed { status: Status::REVOKED });
}

#[test]
fn the_store_comes_first() {
    let (mut net, _, supers, users) = world(2, 4);
    net.store_fails = true;
    let reply = revoke(&mut net, supers[0], Outcast::Node(users[1]));
    assert_eq!(reply, Reply::Failed { status: Status::STORE_FAILED });
    net.run(DEADLINE);
    assert_eq!(sessions(&net, users[1]), 1);
    assert!(lists_agree(&net, &supers, 0));
    net.store_fails = false;
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[1])), Reply::Done);
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[1])), Reply::Done, "once is enough");
    net.run(DEADLINE);
    assert!(lists_agree(&net, &supers, 1));
}

#[test]
fn the_root_takes_a_supernode_out() {
    let (mut net, _, supers, users) = world(3, 9);
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(supers[2])), Reply::Done);
    net.run(Span::secs(40));
    for node in &supers[..2] {
        let view = net.nodes[node].supernode_view().expect("a supernode");
        assert!(view.members.iter().all(|member| member.node != supers[2].to_string()), "{view:?}");
    }
    let live = users.iter().filter(|user| sessions(&net, **user) > 0).count();
    assert_eq!(live, 9, "its peers are somewhere");
}

fn registrar_of(net: &Net, realm: &mut Realm, node: NodeId) -> Revoker {
    assert!(net.nodes.contains_key(&node));
    let keys = realm.supernode(0).identity.supernode.clone().expect("a supernode");
    Revoker::Registrar(keys.registrar.expect("the registrar"))
}

fn entries(count: u64) -> Vec<Revocation> {
    let entry = |number: u64| Revocation {
        number,
        role: Role::Device,
        serial: number,
        subject: Subject(*blake3::hash(&number.to_be_bytes()).as_bytes()),
        issuer: None,
        since: 1,
        until: u64::MAX,
    };
    (1..=count).map(entry).collect()
}

#[test]
fn a_full_list_comes_in_parts_and_later_only_what_is_new() {
    let (mut net, mut realm, supers, users) = world(3, 2);
    let revoker = registrar_of(&net, &mut realm, supers[0]);
    let count = crate::config::REVOCATIONS_MAX as u64 - 1;
    let wall = crate::testing::WALL;
    let list = RevocationList::issue(&revoker, realm.id(), entries(count), wall);
    net.input(supers[0], Input::Revocations(vec![Arc::new(list)]));
    net.run(DEADLINE);
    assert!(lists_agree(&net, &supers, count as usize));
    net.sent.clear();
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[1])), Reply::Done);
    net.run(DEADLINE);
    assert!(lists_agree(&net, &supers, count as usize + 1));
    let parts: usize =
        net.sent.iter().filter(|(number, _)| *number == 62).map(|(_, len)| len).sum();
    assert!(parts < 4_096, "{parts} bytes for one entry");
    let full = revoke(&mut net, supers[0], Outcast::Node(users[0]));
    assert_eq!(full, Reply::Failed { status: Status::TOO_MANY });
}

/// Every way in which a list may be wrong, each offered to a supernode that has asked for it.
#[test]
fn a_list_that_is_wrong_in_any_way_changes_nothing() {
    let (mut net, mut realm, supers, _) = world(2, 2);
    let good = registrar_of(&net, &mut realm, supers[0]);
    let id = realm.id();
    let wall = crate::testing::WALL;
    let make = |revoker: &Revoker, realm: RealmId, entries| {
        RevocationList::issue(revoker, realm, entries, wall)
    };
    let stranger = SecretKey::from_bytes([9; 32]);
    let mut wrong: Vec<(&str, RevocationList)> = vec![
        ("of another realm", make(&good, RealmId([3; 32]), entries(2))),
        ("by a stranger as the root", make(&Revoker::Root(stranger.clone()), id, entries(2))),
    ];
    let mut change = |what, change: &dyn Fn(&mut RevocationList)| {
        let mut list = make(&good, id, entries(3));
        change(&mut list);
        wrong.push((what, list));
    };
    change("an entry less", &|l| {
        l.entries.pop();
    });
    change("an entry twice", &|l| l.entries.push(l.entries[2].clone()));
    change("another order", &|l| l.entries.swap(0, 1));
    change("another role", &|l| l.entries[0].role = Role::User);
    change("another serial", &|l| l.entries[0].serial += 1);
    change("another key", &|l| l.entries[0].subject.0[0] ^= 1);
    change("another user's", &|l| l.entries[0].issuer = Some(Subject([1; 32])));
    change("another time", &|l| l.entries[0].since += 1);
    change("another end", &|l| l.entries[0].until -= 1);
    change("another number", &|l| l.head.epoch += 1);
    change("issued later", &|l| l.head.issued += 1);
    change("another count", &|l| l.head.count += 1);
    change("another digest", &|l| l.head.digest.0[0] ^= 1);
    change("another signature", &|l| l.head.signature.0[0] ^= 1);
    change("without the registrar", &|l| l.head.registrar = None);
    change("a registrar's certificate changed", &|l| {
        l.head.registrar.as_mut().expect("there").serial += 1;
    });
    let mut high = entries(1);
    high[0].role = Role::Supernode;
    wrong.push(("a registrar over supernodes", make(&good, id, high)));
    let link = net.link_between(supers[0], supers[1]);
    let mut believed = 0;
    let tried = wrong.len();
    for (what, list) in wrong {
        let signer = list.head.signer();
        let known = RevocationsKnown { lists: vec![ListEpoch { signer, epoch: 1_000 }] };
        let part =
            Revocations { head: list.head.clone(), entries: list.entries.clone(), more: false };
        for message in [known.into(), part.into()] {
            let frame = codec::encode(&message).expect("short");
            net.input(supers[1], Input::Received { link, frame });
        }
        net.input(supers[1], Input::Revocations(vec![Arc::new(list)]));
        let changed = !net.nodes[&supers[1]].revocations().is_empty();
        believed += usize::from(changed);
        assert!(!changed, "{what}");
    }
    assert_eq!((tried, believed), (19, 0), "lists tried, believed");
    // What nobody asked for is not looked at, and a question about nothing is not answered.
    let list = make(&good, id, entries(1));
    let part = Revocations { head: list.head, entries: list.entries, more: false };
    let frame = codec::encode(&part.into()).expect("short");
    net.run(Span::secs(30));
    let link = net.link_between(supers[0], supers[1]);
    net.input(supers[1], Input::Received { link, frame });
    assert!(net.nodes[&supers[1]].revocations().is_empty());
    let wanted = RevocationsWanted { signer: Subject([5; 32]), after: 0 };
    let frame = codec::encode(&wanted.into()).expect("short");
    net.input(supers[1], Input::Received { link, frame });
}

#[test]
fn an_entry_ends_when_no_certificate_can_hold_any_more() {
    let (mut net, _, supers, users) = world(1, 3);
    assert_eq!(revoke(&mut net, supers[0], Outcast::Node(users[0])), Reply::Done);
    let list = net.nodes[&supers[0]].revocations()[0].clone();
    let end = list.entries[0].until;
    let life = Config::default().certificate_life.as_millis() / 1_000;
    assert!(end > crate::testing::WALL.0 / 1_000 + life);
    assert_eq!(list.lasting(end - 1).count(), 1);
    assert_eq!(list.lasting(end).count(), 0);
}
