//! A program with a peer inside, against a peer that runs by itself.

use overlay_node::api::ApiEvent;
use overlay_node::client::{Client, ClientOptions};
use overlay_node::data::Folder;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::wire::Class;
use overlay_tests::{Realm, eventually};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);

fn name(text: &str) -> Name {
    Name::new(text).expect("valid")
}

async fn started(realm: &Realm, who: &str) -> Client {
    realm.join(who);
    let mut options = ClientOptions::default();
    options.listen.ip = [127, 0, 0, 1].into();
    let client = Client::start(&Folder::at(realm.folder(who)), options).await.expect("started");
    client.login().await.expect("logged in");
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_a_peer_inside_does_all_that_a_peer_does() {
    let realm = Realm::start(1);
    let alice = started(&realm, "alice").await;
    let _bob = realm.settle(&["bob"]);
    realm.in_place("bob", 1);
    let bob = name("bob");
    let mut events = alice.events();

    alice.send(&bob, "transient".to_owned()).await.expect("delivered");
    assert_eq!(realm.inbox("bob"), [("alice".to_owned(), "transient".to_owned())]);
    let id = alice.send_message(&bob, "persistent", None).await.expect("on the disk");
    let status = loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await.expect("in time") {
            Ok(ApiEvent::MailEnded { id: ended, status, .. }) if ended == id.to_string() => {
                break status;
            }
            other => drop(other.expect("an event")),
        }
    };
    assert_eq!(status, Status::OK);
    assert_eq!(realm.peer("bob", &["messages"]).json()["received"][0]["text"], "persistent");
    realm.peer("bob", &["message", "alice", "back", "--wait"]).json();
    assert_eq!(alice.messages(0).await[0].text, "back");

    assert_eq!(alice.lookup(&bob).await.expect("found").len(), 1);
    assert_eq!(alice.presence(&bob).await, None, "no contact yet");
    assert!(alice.add_contact(&bob, "it is me").await.expect("asked"), "bob is told");
    realm.peer("bob", &["contacts", "add", "alice"]).json();
    eventually("both to be contacts", || alice.contacts().has(&bob).then_some(()));
    assert!(alice.presence(&bob).await.is_some_and(|presence| presence.online));
    let echo = "echo".parse().expect("valid");
    let answer = alice.request(&bob, &echo, b"hello", PATIENCE).await;
    assert_eq!(answer.as_deref(), Ok(b"hello".as_slice()));
    let nothing = "nothing".parse().expect("valid");
    let refused = alice.open_stream(&bob, &nothing, Class::Message).await.expect_err("not served");
    assert_eq!(refused.status(), Status::NOT_SERVED);

    alice
        .serve("twice".parse().expect("valid"), |from, body| async move {
            assert_eq!(from, name("bob"));
            Ok([body.as_slice(), &body].concat())
        })
        .expect("free");
    let asked = realm.peer("bob", &["request", "alice", "twice", "so"]).json();
    assert_eq!(asked["answer"], "soso");
    alice.shutdown().await;
    let gone = realm.peer("bob", &["request", "alice", "twice", "so"]);
    assert_ne!(gone.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_them_call_each_other() {
    let realm = Realm::start(1);
    let (alice, bob) = (started(&realm, "alice").await, started(&realm, "bob").await);
    let call = || "call".parse().expect("valid");
    let everyone = overlay_node::session::Access::Everyone;
    let mut calls = bob.listen_to(call(), everyone).expect("free");
    let answering = tokio::spawn(async move {
        let incoming = calls.next().await.expect("a call");
        assert_eq!(incoming.from(), Some(&name("alice")));
        let mut stream = incoming.accept().await.expect("taken");
        let mut sound = stream.datagrams().expect("not taken yet");
        let heard = sound.receive().await.expect("a datagram");
        stream.write_all(&heard).await.expect("written");
        stream.shutdown().await.expect("shut down");
    });
    let mut stream =
        alice.open_stream(&name("bob"), &call(), Class::RealTime).await.expect("opened");
    let sound = stream.datagrams().expect("not taken yet");
    sound.send(b"20 ms of sound").expect("sent");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.expect("read");
    assert_eq!(said, b"20 ms of sound");
    answering.await.expect("answered");
    alice.shutdown().await;
    bob.shutdown().await;
}
