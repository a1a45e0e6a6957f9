mod documents;

use super::*;
use crate::realm;
use crate::store::{RegistrarStore, Registration, RegistrationPolicy, StorePlace};
use overlay_node::data::system_rng;
use overlay_node::driver::{self, Counters, Handle, Listen, Options, Store};
use overlay_proto::Config;
use overlay_proto::id::RealmId;
use overlay_proto::identity::{Contact, Identity, SecretKey, UserKeys, UserSecret};
use overlay_proto::io::{Command, Reply, StoreAnswer};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::view::{RefusalsView, SupernodeView};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn options(identity: Identity, hosts: Vec<Contact>) -> Options {
    Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts,
        listen: Listen { ip: Ipv4Addr::LOCALHOST.into(), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    }
}

/// A supernode at work, watched.
struct World {
    _dir: tempfile::TempDir,
    realm: RealmId,
    supernode: Handle,
    peers: Vec<Handle>,
    health: StoreHealth,
    listener: OperatorListener,
}

impl World {
    async fn start() -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let made = realm::create(driver::wall(), &mut system_rng());
        let code = Some("sesame".to_owned());
        let registration = Registration { policy: RegistrationPolicy::Code, code };
        let place = StorePlace::File(dir.path().join("store.sqlite"));
        let store = RegistrarStore::open(place, registration).await.expect("opens");
        let health = StoreHealth::default();
        let watched = WatchedStore::new(Arc::new(store), health.clone());
        let mut options = options(made.identity(), Vec::new());
        options.store = Some(Arc::new(watched) as Arc<dyn Store>);
        let supernode = driver::start(options).await.expect("starts");
        let watch = Watch { handle: supernode.clone(), store: health.clone() };
        let listener = OperatorListener::start(SocketAddr::from(([127, 0, 0, 1], 0)), watch).await;
        let listener = listener.expect("a free port");
        World { _dir: dir, realm: made.realm, supernode, peers: Vec::new(), health, listener }
    }

    async fn newcomer(&mut self) -> Handle {
        let key = || SecretKey::generate(&mut system_rng());
        let identity = Identity {
            realm: self.realm,
            device: key(),
            user: Some(UserKeys { key: UserSecret::Here(key()), chain: None }),
            supernode: None,
        };
        let home = Contact { node: self.supernode.id(), addresses: self.supernode.addresses() };
        let peer = driver::start(options(identity, vec![home])).await.expect("starts");
        self.peers.push(peer.clone());
        peer
    }

    async fn view(&self) -> SupernodeView {
        self.supernode.supernode_view().await.expect("a supernode")
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.listener.address()).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("HTTP");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        if path == "/metrics" && status == 200 {
            assert!(head.contains(CONTENT_TYPE), "{head}");
        }
        (status, body.to_owned())
    }
}

async fn register(peer: &Handle, name: &str, code: &str) -> Reply {
    let name = Name::new(name).expect("valid");
    peer.command(Command::Register { name, code: Some(code.to_owned()) }).await
}

/// The samples of a page: name and labels, and the value.
fn samples(page: &str) -> BTreeMap<String, u64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
    };
    lines.map(sample).collect()
}

/// What the page must say, spelt out once more.
fn expected(seen: &Seen) -> BTreeMap<String, u64> {
    let (node, counts, links) = (&seen.supernode, &seen.supernode.counters, &seen.counters);
    let alive = node.members.iter().filter(|member| member.alive).count();
    let mut all = BTreeMap::new();
    for (name, value) in [
        ("logins_tried_total", counts.logins_tried),
        ("logins_admitted_total", counts.logins_admitted),
        ("logins_standby_total", counts.logins_standby),
        ("logins_redirected_total", counts.logins_redirected),
        ("logins_challenged_total", counts.logins_challenged),
        ("login_capacity", u64::from(node.logins_per_second)),
        ("login_line_seconds", u64::from(node.line_secs)),
        ("login_attempts_recent", counts.recent_attempts),
        ("login_clients_recent", counts.recent_clients),
        ("requests_refused_total", node.refused),
        ("registrations_total", counts.registered),
        ("peers", node.children as u64),
        ("peers_limit{kind=\"soft\"}", node.peers_soft as u64),
        ("peers_limit{kind=\"hard\"}", node.peers_hard as u64),
        ("peer_links", node.links as u64),
        ("peer_free_slots", node.free_slots as u64),
        ("standby_links", node.standby_links as u64),
        ("members{state=\"alive\"}", alive as u64),
        ("members{state=\"lost\"}", (node.members.len() - alive) as u64),
        ("index_records", node.locations as u64),
        ("trees_owned", node.trees_owned as u64),
        ("ready", u64::from(seen.ready)),
        (concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1),
        ("uptime_seconds", node.uptime_secs),
        ("certificate_left_seconds", node.certificate_secs),
        ("slots_filled_total{how=\"splice\"}", counts.slots_spliced),
        ("slots_filled_total{how=\"pair\"}", counts.slots_paired),
        ("relinks_total", counts.relinked),
        ("swaps_total", counts.swapped),
        ("escalations_total", node.escalated),
        ("places_issued_total", counts.places_issued),
        ("lookups_total", counts.lookups_answered),
        ("pending{queue=\"links\"}", node.requests_open as u64),
        ("pending{queue=\"locations\"}", node.finds_open as u64),
        ("pending{queue=\"store\"}", node.store_open as u64),
        ("links", links.links),
        ("strangers", node.strangers as u64),
        ("handshakes_total", links.handshakes),
        ("handshakes_failed_total", links.handshakes_failed),
        ("connections", links.connections),
        ("connections_refused_total", links.connections_refused),
        ("connections_idle_total", links.connections_idle),
        ("links_stalled_total", links.links_stalled),
        ("dials_failed_total", links.dials_failed),
        ("frames_received_total", links.frames_in),
        ("frames_sent_total", links.frames_out),
        ("frames_dropped_total{class=\"control\"}", links.dropped[0]),
        ("frames_dropped_total{class=\"real_time\"}", links.dropped[1]),
        ("frames_dropped_total{class=\"message\"}", links.dropped[2]),
        ("frames_dropped_total{class=\"bulk\"}", links.dropped[3]),
        ("queued_frames", links.queued_frames),
        ("queued_bytes", links.queued_bytes),
        ("received_bytes_total", links.bytes_in),
        ("sent_bytes_total", links.bytes_out),
    ] {
        all.insert(format!("trellis_{name}"), value);
    }
    for status in Status::ALL.iter().filter(|status| status.0 >= 400) {
        let name = format!("trellis_logins_refused_total{{status=\"{}\"}}", status.0);
        let refused = counts.logins_refused.iter().find(|refused| refused.status == *status);
        all.insert(name, refused.map_or(0, |refused| refused.count));
    }
    all
}

#[tokio::test]
async fn every_metric_is_what_the_core_says_after_some_traffic() {
    let mut world = World::start().await;
    for name in ["alice", "bob", "carol"] {
        let peer = world.newcomer().await;
        let reply = register(&peer, name, "sesame").await;
        assert!(matches!(reply, Reply::Registered { .. }), "{reply:?}");
        let reply = peer.command(Command::Login).await;
        assert!(matches!(reply, Reply::LoggedIn { .. }), "{reply:?}");
    }
    let stranger = world.newcomer().await;
    let reply = register(&stranger, "mallory", "wrong").await;
    assert!(matches!(reply, Reply::Failed { .. }), "{reply:?}");
    let to = Name::new("bob").expect("valid");
    let reply = world.peers[0].command(Command::Send { to, text: "hello".to_owned() }).await;
    assert!(matches!(reply, Reply::Delivered { .. }), "{reply:?}");

    let supernode = world.view().await;
    let counters = world.supernode.counters().await;
    let seen = Seen { supernode, counters, addresses: 1, ready: true };
    let page = render(&seen).expect("a text");
    assert_eq!(samples(&page), expected(&seen));
    assert!(page.ends_with("# EOF\n"), "{page}");
    let counts = &seen.supernode.counters;
    assert_eq!((counts.registered, counts.logins_admitted, counts.recent_clients), (3, 3, 3));
    assert!(seen.supernode.refused >= 1 && counters.handshakes >= 4 && counters.bytes_in > 0);

    // What is served is the same page, a little later: no count has fallen.
    let (status, served) = world.get("/metrics").await;
    let served = samples(&served);
    assert_eq!(status, 200);
    assert!(served.keys().eq(expected(&seen).keys()), "{served:?}");
    for (name, value) in samples(&page).iter().filter(|(name, _)| name.contains("_total")) {
        assert!(served[name] >= *value, "{name} fell from {value} to {}", served[name]);
    }
    assert_eq!(served["trellis_peers"], 3);
}

/// Every value stands for itself: a metric that shows another's value is found out.
#[test]
fn no_two_metrics_are_mixed_up() {
    let mut n = 100;
    let mut next = || {
        n += 1;
        n
    };
    let mut view: SupernodeView = serde_json::from_value(serde_json::json!({
        "node": "n", "realm": "r", "registrar": true, "children": next(), "locations": next(),
        "links": next(), "free_slots": next(), "trees_owned": next(), "escalated": next(),
        "logins": next(), "refused": next(), "members": [], "uptime_secs": next(),
        "certificate_secs": next(),
        "peers_soft": next(), "peers_hard": next(), "standby_links": next(), "strangers": next(),
        "line_secs": next(), "logins_per_second": next(),
        "requests_open": next(), "finds_open": next(), "store_open": next(), "counters": {
            "logins_tried": next(), "logins_admitted": next(), "logins_standby": next(),
            "logins_redirected": next(), "logins_challenged": next(), "recent_attempts": next(), "recent_clients": next(),
            "registered": next(), "slots_spliced": next(), "slots_paired": next(),
            "relinked": next(), "swapped": next(), "places_issued": next(),
            "lookups_answered": next(), "replicas_asked": next(),
        },
    }))
    .expect("a view");
    view.counters.logins_refused = [Status::FORBIDDEN, Status::OVERLOADED]
        .map(|status| RefusalsView { status, count: next() })
        .to_vec();
    let counters = Counters {
        frames_in: next(),
        frames_out: next(),
        bytes_in: next(),
        bytes_out: next(),
        dropped: [next(), next(), next(), next()],
        links: next(),
        dials_failed: next(),
        handshakes: next(),
        handshakes_failed: next(),
        connections: next(),
        connections_refused: next(),
        connections_idle: next(),
        links_stalled: next(),
        queued_frames: next(),
        queued_bytes: next(),
    };
    let seen = Seen { supernode: view, counters, addresses: 1, ready: false };
    let page = render(&seen).expect("a text");
    assert_eq!(samples(&page), expected(&seen));
    for line in page.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).expect("a name");
        let help = format!("# HELP {name} ");
        assert!(page.lines().any(|line| line.starts_with(&help)), "{name} is explained");
    }
}

#[tokio::test]
async fn health_tells_why_there_is_none() {
    let world = World::start().await;
    assert_eq!(world.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(world.get("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(world.get("/secrets").await.0, 404);

    world.health.note(StoreAnswer::Failed);
    let (status, why) = world.get("/readyz").await;
    assert!(status == 503 && why.contains("the store has failed"), "{status}: {why}");
    assert_eq!(world.get("/healthz").await.0, 200, "it lives all the same");
    assert_eq!(samples(&world.get("/metrics").await.1)["trellis_ready"], 0);
    world.health.note(StoreAnswer::Granted { serial: 1 });
    assert_eq!(world.get("/readyz").await.0, 200);

    world.supernode.shutdown().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let (status, why) = world.get(path).await;
        assert!(status == 503 && why.contains("does not answer"), "{path}: {status}: {why}");
    }
}

#[tokio::test]
async fn each_reason_not_to_be_ready_is_told() {
    let world = World::start().await;
    let seen = Seen {
        supernode: world.view().await,
        counters: Counters::default(),
        addresses: 1,
        ready: true,
    };
    assert_eq!(health::unready(&seen, None), []);
    let long_ago = Some(STORE_FAILED_FOR);
    assert_eq!(health::unready(&seen, long_ago), [], "a failure is not for ever");
    let just_now = Some(Duration::from_secs(1));
    assert_eq!(health::unready(&seen, just_now), [Unready::Store(1)]);
    let deaf = Seen { addresses: 0, ..seen.clone() };
    assert_eq!(health::unready(&deaf, None), [Unready::NotListening]);
    let mut busy = seen;
    busy.supernode.draining = true;
    busy.supernode.children = busy.supernode.peers_hard;
    let most = busy.supernode.peers_hard;
    let overloaded = Unready::Overloaded { peers: most, most };
    assert_eq!(health::unready(&busy, None), [Unready::Draining, overloaded]);
    busy.supernode.draining = false;
    busy.supernode.children = 0;
    busy.supernode.line_secs = health::LINE_SECS_MAX;
    assert_eq!(health::unready(&busy, None), [Unready::LongLine(health::LINE_SECS_MAX)]);
}
