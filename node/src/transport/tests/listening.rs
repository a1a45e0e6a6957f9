//! Ports and addresses.

use super::*;
use std::net::{TcpListener, UdpSocket};

#[tokio::test]
async fn both_transports_have_one_port() {
    let one = start(1).await;
    let ports: Vec<String> = one
        .addresses
        .iter()
        .filter_map(|address| address.as_str().split('/').nth(4).map(str::to_owned))
        .collect();
    assert_eq!(ports.len(), 2);
    assert_eq!(ports[0], ports[1]);
    assert!(one.addresses[0].as_str().contains("/tcp/"));
    assert!(one.addresses[1].as_str().ends_with("/quic-v1"));
}

#[tokio::test]
async fn a_wildcard_announces_what_others_can_dial() {
    let mut one = start_at(1, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).await.expect("free ports");
    assert!(one.addresses.len() >= 2);
    assert!(one.addresses.iter().all(|address| !address.as_str().contains("/0.0.0.0/")));
    let mut other = start(2).await;
    other.dial(1, &one, Kind::Tcp);
    assert_eq!(other.up().await.node, one.node);
    // More interfaces may have been told of meanwhile.
    while !matches!(one.next().await, Arrival::Up { .. }) {}
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let in_use = |outcome: Result<End, ListenError>, port| match outcome {
        Err(ListenError::PortInUse(named)) => assert_eq!(named, port),
        Err(other) => panic!("not the port: {other}"),
        Ok(_) => panic!("it listens"),
    };
    let one = start(1).await;
    let port = one.address(Kind::Tcp);
    let port = port.as_str().rsplit('/').next().and_then(|port| port.parse().ok()).expect("port");
    in_use(start_at(2, LOOPBACK, port).await, port);

    let tcp = TcpListener::bind((LOOPBACK, 0)).expect("a port");
    let port = tcp.local_addr().expect("bound").port();
    in_use(start_at(2, LOOPBACK, port).await, port);

    let udp = UdpSocket::bind((LOOPBACK, 0)).expect("a port");
    let port = udp.local_addr().expect("bound").port();
    in_use(start_at(2, LOOPBACK, port).await, port);
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let outcome = start_at(1, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 0).await;
    assert!(matches!(outcome, Err(ListenError::Io(_))));
}
