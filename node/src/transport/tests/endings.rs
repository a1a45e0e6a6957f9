//! How links and dials end.

use super::*;
use crate::transport::link_behaviour::LinkEvent;
use crate::transport::swarm::{self, BehaviourEvent};
use futures::{AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use overlay_proto::config::FRAME_BYTES_MAX;

#[tokio::test]
async fn hanging_up_sends_what_is_queued() {
    // More than QUIC's first congestion window, so that much is queued within the transport when
    // the writer is done; and more than the windows of a stream.
    for (kind, frames) in KINDS.into_iter().flat_map(|kind| [(kind, 40), (kind, 200)]) {
        let ((mut one, up), (mut other, up_there)) = linked(kind).await;
        for n in 2..frames {
            up.send(Class::Message, vec![n; 5_000]);
        }
        up.outbox.close();
        for n in 2..frames {
            assert_eq!(other.frame().await, (up_there.link, vec![n; 5_000]), "{kind:?}");
        }
        assert_eq!(other.down().await, up_there.link);
        assert_eq!(one.down().await, up.link);
    }
}

#[tokio::test]
async fn hanging_up_on_one_who_does_not_read_ends_too() {
    for kind in KINDS {
        let ((mut one, up), (_other, _up_there)) = linked(kind).await;
        // More than the windows of the transports take: the other's owner never looks.
        for _ in 0..60 {
            up.send(Class::Bulk, vec![0; FRAME_BYTES_MAX]);
        }
        up.outbox.close();
        assert_eq!(one.down().await, up.link, "{kind:?}");
    }
}

#[tokio::test]
async fn who_never_reads_is_hung_up_and_others_are_not() {
    for kind in KINDS {
        let ((mut one, up), (_other, _up_there)) = linked(kind).await;
        let mut third = start(3).await;
        third.dial(9, &one, kind);
        let (fine, fine_there) = (one.up().await, third.up().await);
        // The other's owner never looks.
        let outbox = Arc::clone(&up.outbox);
        let frame = vec![0; FRAME_BYTES_MAX];
        let pushed = tokio::spawn(async move {
            while outbox.push(Class::Bulk, frame.clone()) != Err(Refused::Closed) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(one.down().await, up.link, "{kind:?}");
        within(pushed).await.expect("closed");
        fine.send(Class::Message, vec![7]);
        assert_eq!(third.frame().await, (fine_there.link, vec![7]));
    }
}

#[tokio::test]
async fn a_node_that_is_gone_takes_its_links_down() {
    for kind in KINDS {
        let ((one, up), (mut other, up_there)) = linked(kind).await;
        drop((one, up));
        assert_eq!(other.down().await, up_there.link, "{kind:?}");
    }
}

#[tokio::test]
async fn an_orderly_end_is_seen_at_once_and_frees_the_port() {
    for kind in KINDS {
        let ((one, up), (mut other, up_there)) = linked(kind).await;
        let address = one.address(Kind::Tcp);
        within(one.transport.end()).await;
        assert_eq!(other.down().await, up_there.link, "{kind:?}");
        drop(up);
        let port = address.as_str().rsplit('/').next().and_then(|port| port.parse().ok());
        start_at(1, LOOPBACK, port.expect("a port")).await.expect("the port is free again");
    }
}

#[tokio::test]
async fn a_dial_to_nobody_fails() {
    for kind in KINDS {
        let (mut one, other) = (start(1).await, start(2).await);
        let (node, address) = (other.node, other.address(kind));
        within(other.transport.end()).await;
        one.transport.dial(DialId(3), node, vec![address]);
        assert_eq!(one.failed().await, DialId(3), "{kind:?}");
        assert_eq!(one.tally.read(std::iter::empty()).dials_failed, 1);
    }
}

#[tokio::test]
async fn a_dial_to_another_key_fails() {
    for kind in KINDS {
        let (mut one, other, third) = (start(1).await, start(2).await, start(3).await);
        one.transport.dial(DialId(4), third.node, vec![other.address(kind)]);
        assert_eq!(one.failed().await, DialId(4), "{kind:?}");
    }
}

#[tokio::test]
async fn a_dial_that_cannot_be_tried_fails() {
    let mut one = start(1).await;
    let nonsense = TransportAddress::new("north of here").expect("short");
    one.transport.dial(DialId(1), NodeId(SecretKey::from_bytes([9; 32]).public()), vec![nonsense]);
    assert_eq!(one.failed().await, DialId(1));
    let itself = one.address(Kind::Tcp);
    one.transport.dial(DialId(2), one.node, vec![itself]);
    assert_eq!(one.failed().await, DialId(2));
    one.transport.dial(DialId(3), NodeId([2; 32]), vec![one.address(Kind::Quic)]);
    assert_eq!(one.failed().await, DialId(3));
}

#[tokio::test]
async fn the_first_address_that_works_is_taken() {
    let (mut one, mut other, gone) = (start(1).await, start(2).await, start(3).await);
    let dead = gone.address(Kind::Tcp);
    within(gone.transport.end()).await;
    let addresses = vec![dead, other.address(Kind::Quic), other.address(Kind::Tcp)];
    one.transport.dial(DialId(1), other.node, addresses);
    assert_eq!(one.up().await.remote, other.address(Kind::Quic));
    other.up().await;
}

#[tokio::test]
async fn names_of_hosts_are_looked_up() {
    let (mut one, mut other) = (start(1).await, start(2).await);
    for kind in KINDS {
        let named = other.address(kind).as_str().replace("/ip4/127.0.0.1/", "/dns4/localhost/");
        let unknown = named.replace("localhost", "no-such-host.invalid");
        let addresses = [unknown, named].map(|text| TransportAddress::new(text).expect("short"));
        one.transport.dial(DialId(1), other.node, addresses.to_vec());
        assert_eq!(one.up().await.remote, other.address(kind));
        other.up().await;
    }
    let unknown = TransportAddress::new("/dns/no-such-host.invalid/tcp/1").expect("short");
    one.transport.dial(DialId(2), other.node, vec![unknown]);
    assert_eq!(one.failed().await, DialId(2));
}

/// A remote that speaks libp2p but not our frames.
#[tokio::test]
async fn too_large_a_frame_takes_down_its_own_link_only() {
    let ((_one, up), (mut other, up_there)) = linked(Kind::Tcp).await;
    let mut rogue = swarm::build(&SecretKey::from_bytes([66; 32])).expect("a swarm");
    rogue
        .dial(other.address(Kind::Tcp).as_str().parse::<libp2p::Multiaddr>().expect("valid"))
        .expect("dials");
    let mut stream = within(async {
        loop {
            let event = rogue.select_next_some().await;
            if let SwarmEvent::Behaviour(BehaviourEvent::Link(LinkEvent::Ready {
                stream, ..
            })) = event
            {
                return stream;
            }
        }
    })
    .await;
    let running = tokio::spawn(async move { while rogue.next().await.is_some() {} });
    let rogue_link = other.up().await.link;
    let good = [&[0, 0, 0, 2], b"ok".as_slice()].concat();
    let bad = (FRAME_BYTES_MAX as u32 + 1).to_be_bytes();
    stream.write_all(&[good.as_slice(), &bad].concat()).await.expect("sent");
    stream.flush().await.expect("sent");
    assert_eq!(other.frame().await, (rogue_link, b"ok".to_vec()));
    assert_eq!(other.down().await, rogue_link);
    up.send(Class::Control, vec![1]);
    assert_eq!(other.frame().await, (up_there.link, vec![1]));
    running.abort();
}
