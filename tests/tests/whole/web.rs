//! As a new user would: somebody's web server is opened on another machine's loopback, by `peer
//! forward` and an ordinary `curl`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use overlay_tests::strace::left_out;
use overlay_tests::{Realm, eventually};
use std::process::{Command, Output};

/// More than any window or buffer on the way holds.
const LARGE_BYTES: usize = 30_000_001;
const PAGE: &str = "<h1>hello from bob</h1>";

fn large() -> Vec<u8> {
    (0..LARGE_BYTES).map(|n| (n * 31 % 251) as u8).collect()
}

/// A web server on a thread of its own; its port.
fn serve() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    listener.set_nonblocking(true).expect("set");
    std::thread::spawn(move || {
        overlay_tests::probe::in_runtime(async {
            let routes = Router::new()
                .route("/", get(|| async { PAGE }))
                .route("/large", get(|| async { large() }))
                .route("/shout", post(|body: String| async move { body.to_uppercase() }))
                .route("/gone", get(|| async { (StatusCode::GONE, "not here") }));
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, routes).await
        })
    });
    port
}

fn curl(words: &[&str]) -> Output {
    // Whatever proxy or settings the machine has.
    Command::new("curl").args(["-q", "-sS", "--noproxy", "*"]).args(words).output().expect("curl")
}

#[test]
fn curl_opens_a_web_server_behind_a_forward() {
    if !Command::new("curl").arg("--version").output().is_ok_and(|said| said.status.success()) {
        return left_out("a web server behind `peer forward`", "there is no curl on this machine");
    }
    let realm = Realm::start(1);
    let _peers = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    realm.peer("alice", &["contacts", "add", "bob"]).json();
    realm.peer("bob", &["contacts", "add", "alice"]).json();
    eventually("both to be contacts", || {
        let book = realm.peer("alice", &["contacts", "list"]).json();
        (book["contacts"][0]["standing"] == "contact").then_some(())
    });
    let target = format!("127.0.0.1:{}", serve());
    let (exposing, _) = realm.ready("bob", &["expose", "80", "--to", "alice", "--target", &target]);
    let (_forwarding, at) = realm.ready("alice", &["forward", "127.0.0.1:0", "bob:80"]);
    let at = at["listening"].as_str().expect("an address");
    let url = |path: &str| format!("http://{at}{path}");

    let page = curl(&["--fail", "-i", &url("/")]);
    let said = String::from_utf8_lossy(&page.stdout);
    assert!(page.status.success(), "{page:?}");
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with(PAGE), "{said}");
    // Two on one connection, the second of them large.
    let both = curl(&["--fail", &url("/"), &url("/large")]);
    assert!(both.status.success(), "{}", String::from_utf8_lossy(&both.stderr));
    assert!(both.stdout == [PAGE.as_bytes(), &large()].concat(), "it came as it was served");
    let shouted =
        curl(&["--fail", "-H", "Content-Type: text/plain", "-d", "hello", &url("/shout")]);
    assert_eq!(String::from_utf8_lossy(&shouted.stdout), "HELLO", "{shouted:?}");
    // Its errors are the server's.
    let gone = curl(&["--fail", &url("/gone")]);
    assert_eq!(gone.status.code(), Some(22), "{gone:?}");
    // Nobody exposes it any more: the connection is closed without a word, before or after the system
    // has taken the question.
    drop(exposing);
    let closed = curl(&[&url("/")]);
    assert!(matches!(closed.status.code(), Some(52 | 56)), "{closed:?}");
}
