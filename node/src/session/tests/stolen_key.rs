//! Row 64 of the failure catalogue, live: whoever has Bob's key meets Bob as Alice (key-compromise
//! impersonation).

use super::*;
use crate::session::tls::{Tls, node_of};
use overlay_proto::id::NodeId;
use quinn::rustls::pki_types::CertificateDer;
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;

fn endpoint(tls: &Tls) -> Endpoint {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let server = ServerConfig::with_crypto(Arc::new(tls.server().expect("valid")));
    let config = EndpointConfig::default();
    Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime)).expect("starts")
}

/// Whom the other end of a connection has proved to be.
fn proved(connection: &Connection) -> Option<NodeId> {
    let keys = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    node_of(keys.first()?)
}

/// Whom each end has met, the caller's first, once `caller` has called `called` and wants `wanted`.
async fn met(caller: &Tls, wanted: NodeId, called: &Tls) -> (Option<NodeId>, Option<NodeId>) {
    let (here, there) = (endpoint(caller), endpoint(called));
    let address = there.local_addr().expect("bound");
    let answering = tokio::spawn(async move {
        let connection = there.accept().await?.await.ok()?;
        // A caller's proof comes last: bytes show that it was taken.
        let (_, mut from) = connection.accept_bi().await.ok()?;
        from.read_to_end(16).await.ok()?;
        proved(&connection)
    });
    let config = ClientConfig::new(Arc::new(caller.client(wanted).expect("valid")));
    let connected = here.connect_with(config, address, "trellis").expect("dialled").await;
    let Ok(connection) = connected else {
        answering.abort();
        return (None, answering.await.ok().flatten());
    };
    if let Ok((mut to, _)) = connection.open_bi().await {
        let _ = to.write_all(b"it is me").await;
        let _ = to.finish();
    }
    let answered = within(answering).await.expect("ends");
    (proved(&connection), answered)
}

#[tokio::test]
async fn who_has_bobs_key_is_not_alice_to_bob() {
    let key = device;
    let (alice, bob) = (NodeId(key(1).public()), NodeId(key(2).public()));
    let (true_alice, true_bob) =
        (Tls::new(&key(1)).expect("valid"), Tls::new(&key(2)).expect("valid"));
    // Before anything is said to fail: the two themselves do meet.
    assert_eq!(met(&true_alice, bob, &true_bob).await, (Some(bob), Some(alice)));
    let posing = Tls::posing(alice, &key(2)).expect("valid");
    let stolen = Tls::new(&key(2)).expect("valid");
    let (mut accepted, mut tried) = (0, 0);
    for (what, thief) in [("Alice's key shown, Bob's signs", &posing), ("Bob's key", &stolen)] {
        let (_, called_by) = met(thief, bob, &true_bob).await;
        let (answered_by, _) = met(&true_bob, alice, thief).await;
        println!("{what}: Bob is called by {called_by:?} and calls {answered_by:?}");
        for seen in [called_by, answered_by] {
            (accepted, tried) = (accepted + usize::from(seen == Some(alice)), tried + 1);
        }
        // Bob's own key proves Bob, and a session with Bob is not one with Alice.
        assert!(called_by.is_none() || called_by == Some(bob));
        assert_eq!(answered_by, None);
    }
    println!("accepted: {accepted} of {tried} handshakes in Alice's name");
    assert_eq!((accepted, tried), (0, 4));
}
