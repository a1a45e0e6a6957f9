//! Many supernodes: all find all, and hear of deaths, without a word of a death that is none.

use crate::Config;
use crate::id::NodeId;
use crate::io::Event;
use crate::testing::{Net, Realm};
use crate::time::Span;

/// The number of the message.
const HEARTBEAT: u8 = 40;

/// How many others each of `of` counts.
fn counted(net: &Net, of: &[NodeId]) -> Vec<usize> {
    let views = of.iter().filter_map(|node| net.nodes.get(node)?.supernode_view());
    views.map(|view| view.members.iter().filter(|member| member.alive).count()).collect()
}

fn scaffold(supernodes: u8) -> (Net, Vec<NodeId>) {
    let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
    let all: Vec<NodeId> = (0..supernodes)
        .map(|n| {
            let node = net.add(realm.supernode(n));
            // Each is told of the first only: of the others it hears.
            realm.hosts.truncate(1);
            net.run(Span::millis(50));
            node
        })
        .collect();
    net.run(Span::secs(10));
    (net, all)
}

#[test]
fn sixty_know_each_other_and_soon_miss_those_that_die_and_nobody_else() {
    let (mut net, all) = scaffold(60);
    assert_eq!(counted(&net, &all), [59; 60]);
    net.events.clear();
    net.run(Span::secs(20));
    let went = |event: &(NodeId, Event)| matches!(event.1, Event::MemberDown { .. });
    assert!(!net.events.iter().any(went), "nobody has died");

    let (dead, living) = all.split_at(6);
    dead.iter().for_each(|node| net.vanish(*node));
    // A round of the protocol, the time in which the suspected may answer, and some for the news.
    net.run(Config::default().member_dead_after + Span::secs(4));
    assert_eq!(counted(&net, living), [53; 54]);
    let false_deaths = net
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::MemberDown { node } if !dead.contains(node)));
    assert_eq!(false_deaths.count(), 0);
}

#[test]
fn a_link_that_breaks_is_no_death() {
    let (mut net, all) = scaffold(3);
    net.events.clear();
    net.break_link(net.link_between(all[1], all[2]));
    net.run(Span::secs(10));
    let went = |event: &(NodeId, Event)| matches!(event.1, Event::MemberDown { .. });
    assert!(!net.events.iter().any(went), "{:?}", net.events);
    assert_eq!(counted(&net, &all), [2; 3]);
}

#[test]
fn a_link_on_which_all_but_heartbeats_comes_stays() {
    let (mut net, all) = scaffold(3);
    let link = net.link_between(all[1], all[2]);
    net.losing = Some(HEARTBEAT);
    net.run(Span(3 * Config::default().member_dead_after.0));
    assert_eq!(net.try_link_between(all[1], all[2]), Some(link));
    assert_eq!(counted(&net, &all), [2; 3]);
}
