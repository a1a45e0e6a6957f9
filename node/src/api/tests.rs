use super::*;
use crate::contacts::Contacts;
use crate::data::Folder;
use crate::driver::{self, Handle, Listen, Options};
use crate::session::Sessions;
use hyper::Method;
use hyper::body::Bytes;
use overlay_proto::Config;
use overlay_proto::id::{NodeId, RealmId};
use overlay_proto::identity::{Identity, SecretKey, UserKeys};
use overlay_proto::status::Status;
use overlay_proto::view::NeighbourView;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Notify;

/// A real node that nobody has registered and that knows nobody, served on a socket.
struct Lonely {
    _dir: TempDir,
    folder: Folder,
    handle: Handle,
    feed: Feed,
    logged_out: Arc<Notify>,
    server: Server,
    client: Client,
}

impl Lonely {
    async fn start() -> Lonely {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(dir.path().join("data"));
        folder.create().expect("made");
        let device = SecretKey::from_bytes([1; 32]);
        let user = Some(UserKeys { key: SecretKey::from_bytes([2; 32]).into(), chain: None });
        let realm = RealmId(SecretKey::from_bytes([3; 32]).public());
        let handle = driver::start(Options {
            identity: Arc::new(Identity { realm, device: device.clone(), user, supernode: None }),
            config: Arc::new(Config::default()),
            hosts: Vec::new(),
            listen: Listen { ip: Ipv4Addr::LOCALHOST.into(), port: 0, announce: Vec::new() },
            store: None,
            keeper: None,
            measure_logins: false,
            capture: None,
        })
        .await
        .expect("starts");
        let (feed, logged_out) = (Feed::default(), Arc::new(Notify::new()));
        let peer = Peer {
            handle: handle.clone(),
            folder: folder.clone(),
            letters: None,
            feed: feed.clone(),
            sessions: Sessions::start(&handle, &device).expect("starts").expect("the first"),
            contacts: Contacts::open(&folder).expect("none yet"),
            offers: Offers::default(),
            logged_out: logged_out.clone(),
        };
        let server = serve(&folder.socket(), peer_routes(peer)).expect("served");
        let client = Client::new(folder.socket());
        Lonely { _dir: dir, folder, handle, feed, logged_out, server, client }
    }

    async fn problem(&self, method: Method, route: &str, body: impl Into<Bytes>) -> (u16, Problem) {
        use http_body_util::BodyExt;
        let response = self.client.open(method, route, body.into()).await.expect("answered");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("whole").to_bytes();
        (status, serde_json::from_slice(&bytes).expect("a problem"))
    }
}

#[tokio::test]
async fn a_node_shows_itself() {
    let node = Lonely::start().await;
    let status: PeerStatus = node.client.get("/v1/status").await.expect("answers");
    assert_eq!(status.peer.node, NodeId(SecretKey::from_bytes([1; 32]).public()).to_string());
    assert_eq!((status.peer.state.as_str(), status.peer.name), ("offline", None));
    assert!(status.addresses[0].starts_with("/ip4/127.0.0.1/tcp/"), "{:?}", status.addresses);
    let neighbours: Vec<NeighbourView> = node.client.get("/v1/neighbours").await.expect("answers");
    assert!(neighbours.is_empty());
    let inbox: InboxPage = node.client.get("/v1/inbox?after=0").await.expect("answers");
    assert!(inbox.messages.is_empty());
    node.handle.shutdown().await;
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_so() {
    let node = Lonely::start().await;
    for (method, route) in [
        (Method::POST, "/v1/messages"),
        (Method::GET, "/v1/users/bob"),
        (Method::POST, "/v1/users/bob/ping"),
        (Method::POST, "/v1/users/bob/trace"),
    ] {
        let body = r#"{"to":"bob","text":"hi"}"#;
        let (http, problem) = node.problem(method, route, body).await;
        assert_eq!((http, problem.status), (481, Status::NOT_LOGGED_IN), "{route}");
        assert!(!problem.text.is_empty() && !problem.way_out.is_empty());
    }
    node.handle.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_code() {
    let node = Lonely::start().await;
    let long = format!(r#"{{"to":"bob","text":"{}"}}"#, "x".repeat(17_000));
    let endless = "x".repeat(BODY_BYTES_MAX + 1);
    for (route, body, status) in [
        ("/v1/messages", "{", 400),
        ("/v1/messages", r#"{"to":"bob"}"#, 400),
        ("/v1/messages", r#"{"to":"b b","text":""}"#, 414),
        ("/v1/messages", long.as_str(), 413),
        ("/v1/messages", endless.as_str(), 413),
        ("/v1/users/a%20b/ping", "", 414),
        ("/v1/nothing", "", 501),
        ("/v1/status", "", 501),
    ] {
        let (http, problem) = node.problem(Method::POST, route, body.to_owned()).await;
        assert_eq!((http, problem.status.0), (status, status), "{route}");
    }
    let (http, _) = node.problem(Method::GET, "/v1/inbox?after=x", "").await;
    assert_eq!(http, 400);
    node.handle.shutdown().await;
}

#[tokio::test]
async fn events_come_as_lines() {
    use http_body_util::BodyExt;
    let node = Lonely::start().await;
    let response = node.client.open(Method::GET, "/v1/events", Bytes::new()).await.expect("open");
    let event = ApiEvent::LoggedOut { status: Status::OK };
    node.feed.tell(event.clone());
    let frame = response.into_body().frame().await.expect("one").expect("whole");
    let line = frame.into_data().expect("data");
    assert!(line.ends_with(b"\n"));
    assert_eq!(serde_json::from_slice::<ApiEvent>(&line).expect("an event"), event);
    node.handle.shutdown().await;
}

#[tokio::test]
async fn a_log_out_ends_the_program() {
    let node = Lonely::start().await;
    let done: Done = node.client.post("/v1/logout", &()).await.expect("done");
    assert_eq!(done.status, Status::OK);
    node.logged_out.notified().await;
    node.handle.shutdown().await;
}

#[tokio::test]
async fn only_one_live_process_has_the_socket() {
    let node = Lonely::start().await;
    let path = node.folder.socket();
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let second = serve(&path, axum::Router::new());
    assert!(matches!(second, Err(ServeError::InUse { .. })), "{second:?}");
    node.server.end().await;
    assert!(!path.exists());
    let gone = node.client.get::<PeerStatus>("/v1/status").await.expect_err("gone");
    assert!(matches!(gone, ClientError::NotRunning { .. }), "{gone}");

    // As after a kill: the file is there, and nobody listens.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    drop(serve(&path, axum::Router::new()).expect("replaced"));
    let long = node.folder.file(&"x".repeat(100));
    assert!(matches!(serve(&long, axum::Router::new()), Err(ServeError::TooLong { .. })));
    node.handle.shutdown().await;
}

#[test]
fn http_has_the_numbers_of_the_table() {
    for status in Status::ALL {
        let http = problem::http_status(*status).as_u16();
        let expected = if matches!(status.0, 100 | 302) { 502 } else { status.0 };
        assert_eq!(http, expected);
    }
}
