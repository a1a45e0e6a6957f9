//! Where a node listens, and which addresses it announces.

use super::address::{address_of, multiaddr_of};
use super::limits::{INTERFACES_PATIENCE, PORT_TRIES, RELEASE_PATIENCE, RELEASE_PROBE};
use super::swarm::{Behaviour, BehaviourEvent};
use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm};
use overlay_proto::config::ADDRESSES_MAX;
use overlay_proto::wire::TransportAddress;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use tokio::time::{sleep, timeout};

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("port {0} is in use")]
    PortInUse(u16),
    #[error("{0} is not an address")]
    Announce(String),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Handshake(String),
}

/// Makes `swarm` listen on `ip`, over TCP and QUIC on the same `port` (0: any that is free).
///
/// # Errors
/// [`ListenError::PortInUse`], [`ListenError::Io`].
pub(crate) fn listen(
    swarm: &mut Swarm<Behaviour>,
    ip: IpAddr,
    port: u16,
) -> Result<(), ListenError> {
    let mut tries = if port == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match listen_once(swarm, ip, port) {
            Err(ListenError::PortInUse(_)) if tries > 0 => {}
            outcome => return outcome,
        }
    }
}

/// libp2p's TCP listener shares its port with any other of the same user (SO_REUSEPORT), so it
/// would never say that the port is in use: a second node would take half of the connections. A
/// plain listener says so, and is held until the UDP port, which cannot be shared, is ours.
fn listen_once(swarm: &mut Swarm<Behaviour>, ip: IpAddr, port: u16) -> Result<(), ListenError> {
    let in_use = |error: io::Error, port| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::PortInUse(port),
        _ => ListenError::Io(error),
    };
    let held = TcpListener::bind((ip, port)).map_err(|error| in_use(error, port))?;
    let port = held.local_addr()?.port();
    drop(UdpSocket::bind((ip, port)).map_err(|error| in_use(error, port))?);
    let quic = Multiaddr::from(ip).with(Protocol::Udp(port)).with(Protocol::QuicV1);
    // The socket was free a moment ago.
    let quic = swarm.listen_on(quic).map_err(|_| ListenError::PortInUse(port))?;
    drop(held);
    listen_tcp(swarm, ip, port, quic)
}

/// Between the plain listener's end and ours the system may give the port to somebody's connection:
/// then `quic` ends as well, and the port is in use.
fn listen_tcp(
    swarm: &mut Swarm<Behaviour>,
    ip: IpAddr,
    port: u16,
    quic: ListenerId,
) -> Result<(), ListenError> {
    let tcp = Multiaddr::from(ip).with(Protocol::Tcp(port));
    swarm.listen_on(tcp).map(|_| ()).map_err(|_| {
        swarm.remove_listener(quic);
        ListenError::PortInUse(port)
    })
}

/// One of the sockets at which `swarm` listens for QUIC.
pub(crate) fn quic_socket(swarm: &Swarm<Behaviour>) -> Option<SocketAddr> {
    swarm.listeners().find_map(|address| {
        let udp = |part| match part {
            Protocol::Udp(port) => Some(port),
            _ => None,
        };
        Some(SocketAddr::new(ip_of(address)?, address.iter().find_map(udp)?))
    })
}

/// Waits, but not for ever, until `socket` is free again. QUIC keeps it for a few round trips after
/// the last connection, and whoever starts the node again in the same process needs it.
pub(crate) async fn released(socket: SocketAddr) {
    let free = async {
        while UdpSocket::bind(socket).is_err() {
            sleep(RELEASE_PROBE).await;
        }
    };
    let _ = timeout(RELEASE_PATIENCE, free).await;
}

/// The addresses to announce, as far as they are known.
#[derive(Debug)]
pub(crate) struct Announced {
    wildcard: bool,
    /// Whether the operator named them, so that nothing changes them.
    fixed: bool,
    addresses: Vec<TransportAddress>,
}

impl Announced {
    /// The addresses of a node that listens on `ip`, or those it is told to announce.
    ///
    /// # Errors
    /// [`ListenError::Announce`], if one of those is not a multiaddr or too long.
    pub(crate) fn new(ip: IpAddr, announce: &[String]) -> Result<Announced, ListenError> {
        let read = |text: &String| {
            let address = multiaddr_of(text).as_ref().and_then(address_of);
            address.ok_or_else(|| ListenError::Announce(text.clone()))
        };
        let addresses: Vec<_> =
            announce.iter().take(ADDRESSES_MAX).map(read).collect::<Result<_, _>>()?;
        let fixed = !addresses.is_empty();
        Ok(Announced { wildcard: ip.is_unspecified(), fixed, addresses })
    }

    /// The addresses to announce, TCP first.
    pub(crate) fn addresses(&self) -> &[TransportAddress] {
        &self.addresses
    }

    /// Waits until the swarm has said where it listens. At a wildcard the interfaces come one by
    /// one, and which is the last nobody says: one besides the loopback will do, the rest follows
    /// as [`Arrival::Addresses`](super::Arrival::Addresses). Returns what the swarm has said
    /// meanwhile: at a known port others may link at once.
    pub(crate) async fn settle(
        &mut self,
        swarm: &mut Swarm<Behaviour>,
    ) -> Vec<SwarmEvent<BehaviourEvent>> {
        let mut early = Vec::new();
        let enough = |swarm: &Swarm<Behaviour>, wildcard: bool| {
            let worth: Vec<_> = swarm
                .listeners()
                .filter(|address| !(wildcard && ip_of(address).is_none_or(|ip| ip.is_loopback())))
                .collect();
            worth.iter().any(|address| is_tcp(address)) && !worth.iter().all(|a| is_tcp(a))
        };
        let told = async {
            while !enough(swarm, self.wildcard) {
                early.push(swarm.select_next_some().await);
            }
        };
        let _ = timeout(INTERFACES_PATIENCE, told).await;
        self.refresh(swarm);
        early
    }

    /// Looks again where the swarm listens. Returns whether that has changed.
    pub(crate) fn refresh(&mut self, swarm: &Swarm<Behaviour>) -> bool {
        if self.fixed {
            return false;
        }
        let addresses = worth_announcing(swarm.listeners());
        if addresses == self.addresses {
            return false;
        }
        self.addresses = addresses;
        true
    }
}

/// The addresses of `listeners` that others can use, TCP first, sorted, at most as many as a
/// node may announce, half of each transport.
fn worth_announcing<'a>(listeners: impl Iterator<Item = &'a Multiaddr>) -> Vec<TransportAddress> {
    let mut usable: Vec<&Multiaddr> =
        listeners.filter(|address| ip_of(address).is_some_and(is_usable)).collect();
    if usable.iter().any(|address| ip_of(address).is_some_and(|ip| !ip.is_loopback())) {
        usable.retain(|address| ip_of(address).is_some_and(|ip| !ip.is_loopback()));
    }
    usable.sort_by_key(|address| ip_of(address));
    let (tcp, quic): (Vec<&Multiaddr>, Vec<_>) = usable.into_iter().partition(|a| is_tcp(a));
    let half = |all: Vec<&Multiaddr>| {
        all.into_iter().filter_map(address_of).take(ADDRESSES_MAX / 2).collect::<Vec<_>>()
    };
    [half(tcp), half(quic)].concat()
}

/// Link-local addresses need the name of an interface, which another machine cannot know.
fn is_usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

fn is_tcp(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_)))
}

#[cfg(test)]
mod tests {
    use super::super::swarm;
    use super::*;
    use overlay_proto::identity::SecretKey;

    fn announced(listeners: &[&str]) -> Vec<String> {
        let listeners: Vec<Multiaddr> =
            listeners.iter().map(|text| text.parse().expect("valid")).collect();
        worth_announcing(listeners.iter()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tcp_comes_first_and_loopback_only_if_alone() {
        let loopback = ["/ip4/127.0.0.1/udp/7/quic-v1", "/ip4/127.0.0.1/tcp/7"];
        assert_eq!(announced(&loopback), [loopback[1], loopback[0]]);
        let mixed = [loopback.as_slice(), &["/ip4/10.0.0.1/udp/7/quic-v1", "/ip4/10.0.0.1/tcp/7"]];
        assert_eq!(
            announced(&mixed.concat()),
            ["/ip4/10.0.0.1/tcp/7", "/ip4/10.0.0.1/udp/7/quic-v1"]
        );
        assert!(announced(&["/ip6/fe80::1/tcp/7", "/ip4/169.254.3.4/tcp/7"]).is_empty());
    }

    #[test]
    fn many_interfaces_leave_room_for_both_transports() {
        let listeners: Vec<String> = (1..9)
            .flat_map(|n| {
                [format!("/ip4/10.0.0.{n}/tcp/7"), format!("/ip4/10.0.0.{n}/udp/7/quic-v1")]
            })
            .collect();
        let all = announced(&listeners.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(all.len(), ADDRESSES_MAX);
        assert_eq!(
            all.iter().filter(|address| address.contains("quic")).count(),
            ADDRESSES_MAX / 2
        );
    }

    #[test]
    fn what_is_no_address_is_not_announced() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let error = Announced::new(ip, &["example.org:4001".to_owned()]).expect_err("no multiaddr");
        assert!(matches!(error, ListenError::Announce(text) if text == "example.org:4001"));
    }

    #[tokio::test]
    async fn a_port_that_somebody_took_meanwhile_is_in_use_and_given_back() {
        let mut swarm = swarm::build(&SecretKey::from_bytes([1; 32])).expect("handshakes");
        let ip = IpAddr::from([127, 0, 0, 1]);
        let taken = TcpListener::bind((ip, 0)).expect("a port");
        let port = taken.local_addr().expect("bound").port();
        let quic = Multiaddr::from(ip).with(Protocol::Udp(port)).with(Protocol::QuicV1);
        let quic = swarm.listen_on(quic).expect("a free port");
        let outcome = listen_tcp(&mut swarm, ip, port, quic);
        assert!(matches!(outcome, Err(ListenError::PortInUse(named)) if named == port));
        let closed = swarm.select_next_some().await;
        assert!(
            matches!(closed, SwarmEvent::ListenerClosed { listener_id, .. } if listener_id == quic)
        );
        assert_eq!(swarm.listeners().count(), 0, "nothing is announced of it");
    }
}
