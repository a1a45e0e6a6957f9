//! What an invitation says.

use crate::realm::{self, TICKET_LIFE};
use overlay_node::cli::Failure;
use overlay_node::data::system_rng;
use overlay_node::driver;
use overlay_proto::id::RegistryId;
use overlay_proto::identity::{Contact, Identity, Invitation, SecretKey};
use overlay_proto::status::Status;
use overlay_proto::wire::TransportAddress;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Addresses of one transport that an invitation names for one supernode: the string is to be
/// pasted, and is checksummed up to 1023 characters only.
const ADDRESSES_EACH: usize = 2;
/// Supernodes that an invitation names.
const CONTACTS_MAX: usize = 3;

/// What kind of invitation is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// For a further supernode.
    #[serde(default)]
    pub supernode: bool,
    /// For a further supernode that is a registrar as well.
    #[serde(default)]
    pub registrar: bool,
    /// The registration code it carries.
    #[serde(default)]
    pub code: Option<String>,
}

/// What an invitation gives to who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Permission {
    /// To register, with this code.
    User { code: Option<String> },
    /// To become a supernode.
    Supernode,
    /// To become a supernode and registrar on this store.
    Registrar { registry: RegistryId },
}

/// The realm's root key, which signs tickets.
pub(crate) fn root(identity: &Identity) -> Result<&SecretKey, Failure> {
    identity.supernode.as_ref().and_then(|keys| keys.root.as_ref()).ok_or_else(|| {
        Failure::new(
            Status::FORBIDDEN,
            "only the machine with the realm's root key (root.key) may invite supernodes",
            "run `supernode invite` with --supernode or --registrar there",
        )
    })
}

/// The one string, naming the first of `contacts`.
pub(crate) fn make(
    identity: &Identity,
    contacts: Vec<Contact>,
    permission: Permission,
) -> Result<String, Failure> {
    let ticket = |registry| {
        let root = root(identity)?;
        Ok::<_, Failure>(realm::ticket(
            root,
            registry,
            driver::wall(),
            TICKET_LIFE,
            &mut system_rng(),
        ))
    };
    let (code, ticket) = match permission {
        Permission::User { code } => (code, None),
        Permission::Supernode => (None, Some(ticket(None)?)),
        Permission::Registrar { registry } => (None, Some(ticket(Some(registry))?)),
    };
    // A ticket is redeemed where the root key is: here. No other supernode need be named.
    let most = if ticket.is_some() { 1 } else { CONTACTS_MAX };
    let supernodes = contacts.into_iter().take(most).map(shortened).collect();
    let invitation = Invitation { realm: identity.realm, supernodes, code, ticket };
    Ok(invitation.to_string())
}

fn shortened(contact: Contact) -> Contact {
    let (tcp, other): (Vec<_>, Vec<_>) =
        contact.addresses.into_iter().partition(|address| address.as_str().contains("/tcp/"));
    let first = |all: Vec<TransportAddress>| all.into_iter().take(ADDRESSES_EACH);
    Contact { node: contact.node, addresses: first(tcp).chain(first(other)).collect() }
}

/// Where a supernode that does not run now will be.
pub(crate) fn addresses_at(
    listen: SocketAddr,
    announce: &[String],
) -> Result<Vec<TransportAddress>, Failure> {
    let address = |text: &str| {
        TransportAddress::new(text).map_err(|error| Failure::usage(format!("{text}: {error}")))
    };
    if !announce.is_empty() {
        return announce.iter().map(|text| address(text)).collect();
    }
    if listen.port() == 0 {
        return Err(Failure::usage(
            "an invitation needs to name a port, and port 0 is another one at each start: \
             start the supernode first, or set a fixed port with --listen IP:PORT",
        ));
    }
    let ip = if listen.ip().is_unspecified() { own_address() } else { listen.ip() };
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    let port = listen.port();
    [format!("/{family}/{ip}/tcp/{port}"), format!("/{family}/{ip}/udp/{port}/quic-v1")]
        .iter()
        .map(|text| address(text))
        .collect()
}

/// The address from which this machine reaches the world; the loopback if it does not.
fn own_address() -> IpAddr {
    // Connecting a datagram socket only chooses a route; nothing is sent. The destination is one
    // of those that are reserved for documents (RFC 5737).
    let route = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    route().map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::NodeId;

    fn at(listen: &str, announce: &[&str]) -> Result<Vec<String>, Failure> {
        let announce: Vec<String> = announce.iter().map(|text| text.to_string()).collect();
        let addresses = addresses_at(listen.parse().expect("an address"), &announce)?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_fixed_place_is_named_over_both_transports() {
        assert_eq!(
            at("203.0.113.5:4002", &[]).expect("fixed"),
            ["/ip4/203.0.113.5/tcp/4002", "/ip4/203.0.113.5/udp/4002/quic-v1"]
        );
        assert_eq!(at("[2001:db8::1]:7", &[]).expect("fixed")[0], "/ip6/2001:db8::1/tcp/7");
        let announced = "/dns4/sn.example.org/tcp/443";
        assert_eq!(at("0.0.0.0:0", &[announced]).expect("announced"), [announced]);
        let own = at("0.0.0.0:4002", &[]).expect("any of ours");
        assert!(!own[0].contains("0.0.0.0") && own[0].ends_with("/tcp/4002"), "{own:?}");
    }

    #[test]
    fn a_port_that_changes_is_refused_with_the_reason() {
        let failure = at("0.0.0.0:0", &[]).expect_err("no port");
        assert!(failure.line().contains("port 0 is another one at each start"));
        assert_eq!(failure.code, 2);
    }

    #[test]
    fn an_invitation_names_three_supernodes_and_is_read_back() {
        let made = realm::create(driver::wall(), &mut system_rng());
        let contact = |node: u8| Contact {
            node: NodeId([node; 32]),
            addresses: (0..4)
                .flat_map(|n| {
                    [
                        format!("/ip4/10.0.{node}.{n}/tcp/1"),
                        format!("/ip4/10.0.{node}.{n}/udp/1/quic-v1"),
                    ]
                })
                .map(|text| TransportAddress::new(text).expect("short"))
                .collect(),
        };
        let contacts: Vec<Contact> = (1..6).map(contact).collect();
        let user = Permission::User { code: Some("sesame".into()) };
        let text = make(&made.identity(), contacts.clone(), user).expect("made");
        let read: Invitation = text.parse().expect("reads back");
        assert_eq!(read.supernodes.len(), 3);
        assert_eq!(read.supernodes[0].addresses.len(), 4);
        assert_eq!((read.code.as_deref(), read.ticket), (Some("sesame"), None));
        assert!(text.len() <= 1_023, "{} characters", text.len());

        let text = make(&made.identity(), contacts.clone(), Permission::Supernode).expect("made");
        let read: Invitation = text.parse().expect("reads back");
        let ticket = read.ticket.expect("a ticket");
        assert!(ticket.registrar.is_none() && read.supernodes == [shortened(contact(1))]);

        let registrar = Permission::Registrar { registry: RegistryId([7; 16]) };
        let text = make(&made.identity(), contacts.clone(), registrar.clone()).expect("made");
        assert!(text.len() <= 1_023, "{} characters", text.len());
        let read: Invitation = text.parse().expect("reads back");
        let grant = read.ticket.expect("a ticket").registrar.expect("for a registrar");
        assert_eq!(grant.registry, RegistryId([7; 16]));

        let mut without = made.identity();
        without.supernode.as_mut().expect("a supernode").root = None;
        for permission in [Permission::Supernode, registrar] {
            let refused = make(&without, contacts.clone(), permission);
            assert_eq!(refused.expect_err("no root key").code, 3);
        }
    }
}
