//! What a link carries.

use super::*;
use crate::transport::limits::{
    ARRIVALS_PER_LINK_MAX, CONNECTIONS_PER_NODE_MAX, READ_BUFFER_BYTES,
};
use crate::transport::{Refused, outbox::LENGTH_BYTES};
use overlay_proto::config::FRAME_BYTES_MAX;

#[tokio::test]
async fn frames_go_both_ways_in_order() {
    for kind in KINDS {
        let ((mut one, up), (mut other, up_there)) = linked(kind).await;
        assert_eq!((up.node, up.dial), (other.node, Some(DialId(7))), "{kind:?}");
        assert_eq!((up_there.node, up_there.dial), (one.node, None), "{kind:?}");
        // Each sees the port at which the other listens, over TCP too: NATs keep one mapping.
        assert_eq!((&up.remote, &up_there.remote), (&other.address(kind), &one.address(kind)));
        // The one who was dialled speaks first: it need not have heard anything before. None begins as
        // packets do, which have their turns by sender.
        for n in 2..100 {
            up_there.send(Class::Message, vec![n; 300]);
            up.send(Class::Message, vec![n; usize::from(n)]);
        }
        for n in 2..100 {
            assert_eq!(one.frame().await, (up.link, vec![n; 300]));
            assert_eq!(other.frame().await, (up_there.link, vec![n; usize::from(n)]));
        }
    }
}

#[tokio::test]
async fn many_small_frames_and_the_largest_arrive() {
    const FRAMES: u32 = 20_000;
    for kind in KINDS {
        let ((one, up), (mut other, up_there)) = linked(kind).await;
        let outbox = Arc::clone(&up.outbox);
        let sending = tokio::spawn(async move {
            for n in 0..FRAMES {
                while outbox.push(Class::Message, n.to_be_bytes().to_vec()) == Err(Refused::Full) {
                    tokio::task::yield_now().await;
                }
            }
        });
        for n in 0..FRAMES {
            assert_eq!(other.frame().await, (up_there.link, n.to_be_bytes().to_vec()));
        }
        sending.await.expect("sent");
        up.send(Class::Bulk, vec![5; FRAME_BYTES_MAX]);
        assert_eq!(other.frame().await.1, vec![5; FRAME_BYTES_MAX]);
        let bytes = u64::from(FRAMES) * 8 + (LENGTH_BYTES + FRAME_BYTES_MAX) as u64;
        let carried = other.tally.read(std::iter::empty());
        assert_eq!((carried.frames_in, carried.bytes_in), (u64::from(FRAMES) + 1, bytes));
        // The sender counts once a write has returned, which may be after the arrival.
        within(async {
            while one.tally.read(std::iter::empty()).bytes_out != bytes {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_busy_link_leaves_room_for_others() {
    let ((_busy, flood), (mut other, _)) = linked(Kind::Tcp).await;
    // A read has one of these and a part of the next.
    for _ in 0..2 * ARRIVALS_PER_LINK_MAX {
        flood.send(Class::Message, vec![0; READ_BUFFER_BYTES]);
    }
    // The loop is slow: it takes nothing until the busy link is held back.
    let held = ARRIVALS_PER_LINK_MAX as u64 + 1;
    within(async {
        while other.tally.read(std::iter::empty()).frames_in < held {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let third = start(3).await;
    third.dial(1, &other, Kind::Tcp);
    let mut before = 0;
    loop {
        match other.next().await {
            Arrival::Up { node, .. } if node == third.node => break,
            // Taken, but not yet done with: its room stays taken.
            Arrival::Frames { frames, _room, .. } => {
                assert_eq!(frames.len(), 1);
                std::mem::forget(_room);
                before += 1;
            }
            other => panic!("neither a frame nor a link: {other:?}"),
        }
    }
    assert_eq!(before, ARRIVALS_PER_LINK_MAX);
}

#[tokio::test]
async fn a_node_gets_only_so_many_links() {
    let (mut one, mut other) = (start(1).await, start(2).await);
    for dial in 0..CONNECTIONS_PER_NODE_MAX {
        one.dial(u64::from(dial), &other, Kind::Tcp);
        assert_eq!(one.up().await.dial, Some(DialId(dial.into())));
        other.up().await;
    }
    one.dial(99, &other, Kind::Quic);
    assert_eq!(one.failed().await, DialId(99));
}
