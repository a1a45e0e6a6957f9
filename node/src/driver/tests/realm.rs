//! A realm for tests, with every key from a number.

use crate::driver::{Handle, Listen, Options, Store, clock, start};
use overlay_proto::Config;
use overlay_proto::id::RealmId;
use overlay_proto::identity::{
    Certificate, Contact, DeviceChain, Identity, RegistrarKeys, Role, SecretKey, SupernodeKeys,
    UserKeys, Validity,
};
use overlay_proto::io::{Command, Event, Reply};
use overlay_proto::name::Name;
use overlay_proto::time::Span;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

const LIFE: Span = Span::secs(3_600);

/// Against tests that hang; never near in one that works.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("hangs")
}

pub(crate) fn loopback() -> Listen {
    Listen { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, announce: Vec::new() }
}

pub(crate) fn name(n: u8) -> Name {
    Name::new(&format!("u{n}")).expect("valid")
}

fn key(kind: u8, n: u8) -> SecretKey {
    SecretKey::from_bytes([[kind, n]; 16].concat().try_into().expect("32 bytes"))
}

fn realm() -> RealmId {
    RealmId(key(0, 0).public())
}

fn issue(issuer: &SecretKey, role: Role, subject: &SecretKey, name: Option<Name>) -> Certificate {
    let validity = Validity::starting(clock::wall(), LIFE);
    Certificate::issue(issuer, realm(), role, subject.public(), name, 1, validity)
}

fn registrar() -> RegistrarKeys {
    let certificate = issue(&key(0, 0), Role::Registrar, &key(1, 0), None);
    RegistrarKeys { key: key(1, 0), certificate }
}

pub(crate) fn options(identity: Identity, hosts: Vec<Contact>) -> Options {
    Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts,
        listen: loopback(),
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    }
}

/// The realm's only supernode, which is its registrar too.
pub(crate) fn supernode(store: Option<Arc<dyn Store>>) -> Options {
    let device = key(2, 0);
    let certificate = issue(&key(0, 0), Role::Supernode, &device, None);
    let keys =
        SupernodeKeys { certificate: certificate.into(), registrar: Some(registrar()), root: None };
    let identity = Identity { realm: realm(), device, user: None, supernode: Some(keys) };
    Options { store, ..options(identity, Vec::new()) }
}

/// A user who has registered.
pub(crate) fn user(n: u8, hosts: Vec<Contact>) -> Options {
    let (user, device) = (key(3, n), key(4, n));
    let chain = DeviceChain {
        registrar: registrar().certificate,
        user: issue(&registrar().key, Role::User, &user, Some(name(n))),
        device: issue(&user, Role::Device, &device, None),
    };
    let keys = UserKeys { key: user.into(), chain: Some(chain.into()) };
    options(Identity { realm: realm(), device, user: Some(keys), supernode: None }, hosts)
}

/// A user who has not.
pub(crate) fn newcomer(n: u8, hosts: Vec<Contact>) -> Options {
    let keys = UserKeys { key: key(3, n).into(), chain: None };
    let identity =
        Identity { realm: realm(), device: key(4, n), user: Some(keys), supernode: None };
    options(identity, hosts)
}

pub(crate) async fn started(options: Options) -> Handle {
    within(start(options)).await.expect("starts")
}

pub(crate) fn contact(handle: &Handle) -> Vec<Contact> {
    vec![Contact { node: handle.id(), addresses: handle.addresses() }]
}

pub(crate) async fn logged_in(n: u8, supernode: &Handle) -> Handle {
    let peer = started(user(n, contact(supernode))).await;
    match within(peer.command(Command::Login)).await {
        Reply::LoggedIn { home, .. } => assert_eq!(home, supernode.id()),
        other => panic!("not logged in: {other:?}"),
    }
    peer
}

/// The next event of which `wanted` is true.
pub(crate) async fn event(
    events: &mut broadcast::Receiver<Event>,
    wanted: impl Fn(&Event) -> bool,
) -> Event {
    within(async {
        loop {
            let event = events.recv().await.expect("the node runs and is not far ahead");
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}
