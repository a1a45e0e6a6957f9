use super::*;
use crate::net::Latency;
use overlay_proto::wire::Class;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Writes down what it is told and does what it is told to.
#[derive(Debug, Default)]
struct Puppet {
    out: VecDeque<Output>,
    heard: Vec<(u64, String)>,
    deadline: Option<Time>,
}

impl Machine for Puppet {
    fn handle_input(&mut self, now: Time, input: Input) {
        let what = match input {
            Input::LinkUp { dial, .. } => format!("up {}", dial.is_some()),
            Input::LinkDown { .. } => "down".into(),
            Input::Received { frame, .. } => format!("frame {}", frame.len()),
            Input::DialFailed { .. } => "failed".into(),
            Input::Tick => {
                self.deadline = None;
                "tick".into()
            }
            _ => return,
        };
        self.heard.push((now.0 / 1_000, what));
    }
    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        self.deadline.map(|at| Deadline { at, reason: "test" })
    }
}

fn node(host: u32) -> NodeId {
    NodeId([host as u8 + 1; 32])
}

/// Hosts 10 ms from each other.
fn world(hosts: u32) -> World<Puppet> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let places = Places::new(Latency::Constant(Span::millis(10)), &mut rng);
    let mut world = World::new(places, Transport::default());
    (0..hosts).for_each(|host| _ = world.start(node(host), Puppet::default(), &mut rng));
    world
}

fn puppet(world: &mut World<Puppet>, host: u32) -> &mut Puppet {
    match world.hosts[host as usize].machine.as_mut().expect("alive") {
        Runs::Node(puppet) => puppet,
        Runs::Stranger(_) => panic!("host {host} is a stranger's"),
    }
}

/// Makes a host put out this at once.
fn make(world: &mut World<Puppet>, host: u32, output: Output) {
    puppet(world, host).out.push_back(output);
    world.command(host, CommandId(0), Command::Login);
}

fn dial(world: &mut World<Puppet>, from: u32, to: u32, expected: NodeId) {
    let addresses = vec![World::<Puppet>::address(to)];
    make(world, from, Output::Dial { id: DialId(1), node: expected, addresses });
}

fn run(world: &mut World<Puppet>) {
    while world.step() {}
}

fn heard(world: &World<Puppet>, host: u32) -> Vec<(u64, &str)> {
    let puppet = world.machine(host).expect("alive");
    puppet.heard.iter().map(|(at, what)| (*at, what.as_str())).collect()
}

fn link_of(world: &World<Puppet>, host: u32) -> LinkId {
    world.links.id(world.links.ends_of(|h| h == host)[0])
}

#[test]
fn a_link_carries_in_order_and_ends_at_both_ends() {
    let mut world = world(2);
    dial(&mut world, 0, 1, node(1));
    run(&mut world);
    let link = link_of(&world, 0);
    for frame in [vec![0; 60_000], vec![0; 3]] {
        make(&mut world, 0, Output::Send { link, class: Class::Message, frame });
    }
    make(&mut world, 0, Output::HangUp { link });
    run(&mut world);
    assert_eq!(heard(&world, 0), [(40, "up true"), (40, "down")]);
    let all = [(30, "up false"), (54, "frame 60000"), (54, "frame 3"), (54, "down")];
    assert_eq!(heard(&world, 1), all);
    assert_eq!(world.live_links(), 0);
    make(&mut world, 0, Output::Send { link, class: Class::Message, frame: vec![0; 3] });
    run(&mut world);
    assert_eq!(heard(&world, 1), all);
    assert_eq!(world.tally().misdirected, 1);
}

#[test]
fn dials_fail_as_they_do() {
    let mut world = world(4);
    world.crash(&[1], Crash::Vanish);
    world.crash(&[2], Crash::Kill);
    for (to, expected) in [(1, node(1)), (2, node(2)), (3, node(9)), (77, node(77))] {
        dial(&mut world, 0, to, expected);
    }
    run(&mut world);
    let failed = [(1, "failed"), (20, "failed"), (40, "failed"), (3_000, "failed")];
    assert_eq!(heard(&world, 0), failed);
    assert!(heard(&world, 3).is_empty());
}

#[test]
fn the_killed_are_heard_of_and_the_vanished_are_not() {
    for (how, expected) in
        [(Crash::Kill, vec![(40, "up true"), (50, "down")]), (Crash::Vanish, vec![(40, "up true")])]
    {
        let mut world = world(2);
        dial(&mut world, 0, 1, node(1));
        run(&mut world);
        world.crash(&[1], how);
        run(&mut world);
        assert_eq!(heard(&world, 0), expected);
        if how == Crash::Vanish {
            let link = link_of(&world, 0);
            make(&mut world, 0, Output::HangUp { link });
            run(&mut world);
        }
        assert_eq!(world.live_links(), 0);
    }
}

#[test]
fn the_earliest_wake_is_the_one() {
    let mut world = world(1);
    for at in [900, 500, 700] {
        puppet(&mut world, 0).deadline = Some(Time(at * 1_000));
        world.command(0, CommandId(0), Command::Login);
    }
    run(&mut world);
    // Asked at 500 first, when 700 was wanted; superseded wakes tick nobody.
    assert_eq!(heard(&world, 0), [(700, "tick")]);
}

#[test]
fn equal_worlds_have_equal_hashes() {
    let hash = |frame: Vec<u8>| {
        let mut world = world(2);
        dial(&mut world, 0, 1, node(1));
        run(&mut world);
        let link = link_of(&world, 0);
        make(&mut world, 0, Output::Send { link, class: Class::Message, frame });
        run(&mut world);
        world.trace_hash()
    };
    assert_eq!(hash(vec![1]), hash(vec![1]));
    assert_ne!(hash(vec![1]), hash(vec![2]));
}

#[test]
fn a_new_process_is_reached_at_the_old_address_if_it_keeps_that() {
    for (keeps, expected) in [(true, vec![(40, "up true")]), (false, vec![(20, "failed")])] {
        let mut world = world(2);
        world.crash(&[1], Crash::Kill);
        assert_eq!(world.start_again(1, keeps, Puppet::default()), 2);
        dial(&mut world, 0, 1, node(1));
        run(&mut world);
        assert_eq!(heard(&world, 0), expected);
        assert_eq!(heard(&world, 2).len(), usize::from(keeps));
    }
}

#[test]
fn who_sleeps_hears_nothing_and_all_of_it_when_it_wakes() {
    for first in [First::Timers, First::Inputs] {
        let mut world = world(3);
        dial(&mut world, 0, 1, node(1));
        run(&mut world);
        let link = link_of(&world, 0);
        puppet(&mut world, 1).deadline = Some(world.now() + Span::millis(5));
        world.command(1, CommandId(0), Command::Login);
        world.pause(1);
        for bytes in [7, 8] {
            let frame = vec![0; bytes];
            make(&mut world, 0, Output::Send { link, class: Class::Message, frame });
        }
        make(&mut world, 0, Output::HangUp { link });
        dial(&mut world, 2, 1, node(1));
        run(&mut world);
        assert_eq!(heard(&world, 1), [(30, "up false")]);
        assert_eq!(heard(&world, 2), [(3_040, "failed")]);
        world.resume(1, first);
        run(&mut world);
        let mut expected = vec!["up false", "frame 7", "frame 8", "down"];
        expected.insert(if first == First::Timers { 1 } else { 4 }, "tick");
        let said: Vec<&str> = heard(&world, 1).into_iter().map(|(_, what)| what).collect();
        assert_eq!(said, expected);
    }
}

#[test]
fn a_way_that_is_cut_holds_back_and_the_other_one_does_not() {
    let mut world = world(3);
    dial(&mut world, 0, 1, node(1));
    run(&mut world);
    let link = link_of(&world, 0);
    let back = world.links.id(world.links.ends_of(|host| host == 1)[0]);
    world.cut_ways([(0, 1)]);
    make(&mut world, 0, Output::Send { link, class: Class::Message, frame: vec![0; 7] });
    make(&mut world, 1, Output::Send { link: back, class: Class::Message, frame: vec![0; 8] });
    dial(&mut world, 1, 2, node(2));
    run(&mut world);
    assert_eq!(heard(&world, 0).last().map(|(_, what)| *what), Some("frame 8"));
    assert_eq!(heard(&world, 1).last().map(|(_, what)| *what), Some("up true"));
    world.cut_ways([]);
    run(&mut world);
    assert_eq!(heard(&world, 1).last().map(|(_, what)| *what), Some("frame 7"));
}
