//! What the loop does with a link that is too slow.

use super::*;
use crate::driver::port::port;
use crate::driver::tests::realm;
use crate::transport::Started;
use overlay_proto::node::Setup;

/// A loop that does not run, with one link that nobody empties.
async fn with_link() -> (EventLoop, Arc<Outbox>) {
    let options = realm::user(1, Vec::new());
    let tally = Arc::new(Tally::default());
    let device = &options.identity.device;
    let started =
        Transport::start(device, options.listen.ip, 0, &[], Arc::clone(&tally), None).await;
    let Started { transport, .. } = started.expect("free ports");
    let clock = Clock::start();
    let setup = Setup {
        config: options.config,
        identity: options.identity,
        hosts: options.hosts,
        seed: [0; 32],
        wall: clock::wall(),
    };
    let node = Node::new(setup, clock.now());
    let (events, _) = broadcast::channel(1);
    let (announced, _) = watch::channel(Vec::new());
    let owner = Owner { events, announced, tally, sessions: port().1.outlet };
    let mut looping =
        EventLoop::new(node, clock, transport, Stores { store: None, keeper: None }, owner, None);
    let outbox = Arc::new(Outbox::default());
    looping.links.insert(LinkId(1), LinkState::Up(Arc::clone(&outbox)));
    (looping, outbox)
}

fn send_until_dropped(looping: &mut EventLoop, class: Class) {
    while looping.owner.tally.read(std::iter::empty()).dropped[class as usize] == 0 {
        looping.send(LinkId(1), class, vec![0; 10]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_and_counted_by_class() {
    let (mut looping, _outbox) = with_link().await;
    for class in [Class::Bulk, Class::Message, Class::RealTime] {
        send_until_dropped(&mut looping, class);
        assert!(matches!(looping.links[&LinkId(1)], LinkState::Up(_)));
    }
    assert_eq!(looping.owner.tally.read(std::iter::empty()).dropped, [0, 1, 1, 1]);
}

#[tokio::test]
async fn one_who_does_not_read_control_frames_is_hung_up() {
    let (mut looping, outbox) = with_link().await;
    send_until_dropped(&mut looping, Class::Control);
    assert!(matches!(looping.links[&LinkId(1)], LinkState::HangingUp));
    assert_eq!(outbox.push(Class::Control, vec![1]), Err(Refused::Closed));
}

#[tokio::test]
async fn a_store_that_is_not_there_fails() {
    let (mut looping, _outbox) = with_link().await;
    let request =
        StoreRequest::RedeemTicket { serial: 1, node: looping.node.id(), registrar: None };
    looping.store(StoreId(5), request);
    assert_eq!(looping.stored.recv().await, Some((StoreId(5), StoreAnswer::Failed)));
}
