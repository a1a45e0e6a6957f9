use super::claims::users;
use super::ground::*;
use crate::store::{Code, DeskAnswer, DeskRequest, NewCode, RegistrarStore, User, UserState};
use overlay_node::driver::Store;
use overlay_proto::config::REGISTRATIONS_WAITING_PER_ADDRESS;
use overlay_proto::id::UserKey;
use overlay_proto::io::{Remote, StoreAnswer, StoreRequest};
use sqlx::Executor;
use std::net::Ipv4Addr;

on_both!(
    the_settings_code_is_asked_for_new_names_only,
    an_empty_code_is_a_code,
    a_code_is_good_for_its_uses_and_its_days,
    a_code_can_be_taken_back,
    an_approved_key_gets_its_name_when_it_asks_again,
    a_denied_key_is_told_so_and_the_name_is_free,
    a_key_waits_for_one_name_at_a_time,
    a_code_spares_the_wait,
    requests_are_bounded_and_those_who_wait_come_before_the_denied,
    one_address_fills_no_more_than_its_part_of_the_list,
);

async fn new_code(store: &RegistrarStore, uses: u32) -> NewCode {
    match store.ask(DeskRequest::NewCode { uses, days: 1 }).await.expect("made") {
        DeskAnswer::Made(code) => code,
        other => panic!("{other:?}"),
    }
}

async fn codes(store: &RegistrarStore) -> Vec<Code> {
    match store.ask(DeskRequest::Codes).await.expect("readable") {
        DeskAnswer::Codes(codes) => codes,
        other => panic!("{other:?}"),
    }
}

async fn requests(store: &RegistrarStore) -> Vec<(String, UserState)> {
    match store.ask(DeskRequest::Requests).await.expect("readable") {
        DeskAnswer::Users(users) => {
            users.into_iter().map(|User { name, state, .. }| (name.to_string(), state)).collect()
        }
        other => panic!("{other:?}"),
    }
}

async fn approve(store: &RegistrarStore, text: &str) -> DeskAnswer {
    store.ask(DeskRequest::Approve { name: name(text) }).await.expect("answered")
}

async fn deny(store: &RegistrarStore, text: &str) -> DeskAnswer {
    store.ask(DeskRequest::Deny { name: name(text) }).await.expect("answered")
}

async fn the_settings_code_is_asked_for_new_names_only(ground: Ground) {
    let store = ground.open(by_code(Some("sesame"))).await;
    for wrong in [None, Some(""), Some("sesam"), Some("sesame "), Some("Sesame")] {
        assert_eq!(store.submit(claim("alice", 1, wrong)).await, StoreAnswer::WrongCode);
    }
    let serial = granted(&store, claim("alice", 1, Some("sesame"))).await;
    assert_eq!(granted(&store, claim("alice", 1, None)).await, serial);
    // Whether a name is taken is no secret; the code does not come into it.
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
    assert_eq!(store.submit(claim("bob", 1, None)).await, StoreAnswer::WrongCode);
    assert!(!format!("{store:?} {:?}", by_code(Some("sesame"))).contains("sesame"));
}

async fn an_empty_code_is_a_code(ground: Ground) {
    let store = ground.open(by_code(Some(""))).await;
    assert_eq!(store.submit(claim("alice", 1, Some("x"))).await, StoreAnswer::WrongCode);
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::WrongCode);
}

async fn a_code_is_good_for_its_uses_and_its_days(ground: Ground) {
    let store = ground.open(by_code(None)).await;
    let made = new_code(&store, 2).await;
    assert_eq!(made.listed.uses_left, 2);
    assert!(!format!("{made:?}").contains(&made.code));
    let shown = Some(made.code.as_str());
    let alice = granted(&store, claim("alice", 1, shown)).await;
    // The same key again, as after a lost answer, costs no use.
    assert_eq!(granted(&store, claim("alice", 1, shown)).await, alice);
    // Nor does a name that is taken.
    assert_eq!(store.submit(claim("alice", 2, shown)).await, StoreAnswer::Taken);
    assert_eq!(codes(&store).await[0].uses_left, 1);
    granted(&store, claim("bob", 2, shown)).await;
    assert_eq!(store.submit(claim("carol", 3, shown)).await, StoreAnswer::WrongCode);
    assert!(!codes(&store).await[0].good);

    // A code of the past, with a checksum that fits: made in a store whose clock was wrong.
    let late = store.ask(DeskRequest::NewCode { uses: 1, days: 0 }).await.expect("made");
    let DeskAnswer::Made(late) = late else { panic!("{late:?}") };
    let answer = store.submit(claim("carol", 3, Some(&late.code))).await;
    assert_eq!(answer, StoreAnswer::WrongCode);
    // Codes that are over make place for new ones.
    new_code(&store, 1).await;
    assert_eq!(codes(&store).await.len(), 1);
}

async fn a_code_can_be_taken_back(ground: Ground) {
    let store = ground.open(by_code(None)).await;
    let (one, two) = (new_code(&store, 5).await, new_code(&store, 5).await);
    assert_ne!(one.listed.number, two.listed.number);
    let revoke = DeskRequest::RevokeCode { number: one.listed.number };
    assert_eq!(store.ask(revoke.clone()).await.expect("done"), DeskAnswer::Done);
    assert_eq!(store.ask(revoke).await.expect("done"), DeskAnswer::NotThere);
    let answer = store.submit(claim("alice", 1, Some(&one.code))).await;
    assert_eq!(answer, StoreAnswer::WrongCode);
    granted(&store, claim("alice", 1, Some(&two.code))).await;
}

async fn an_approved_key_gets_its_name_when_it_asks_again(ground: Ground) {
    let store = ground.open(by_approval()).await;
    for _ in 0..2 {
        assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Waiting);
    }
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
    assert_eq!(requests(&store).await, [("alice".to_owned(), UserState::Waiting)]);
    assert_eq!(approve(&store, "bob").await, DeskAnswer::NotThere);
    let DeskAnswer::Approved { serial } = approve(&store, "alice").await else { panic!() };
    assert_eq!(approve(&store, "alice").await, DeskAnswer::Approved { serial });
    assert!(requests(&store).await.is_empty());
    assert_eq!(users(&store).await[0].serial, Some(serial));
    // Over a restart, and to that key alone.
    drop(store);
    let store = ground.open(by_approval()).await;
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
    assert_eq!(granted(&store, claim("alice", 1, None)).await, serial);
}

async fn a_denied_key_is_told_so_and_the_name_is_free(ground: Ground) {
    let store = ground.open(by_approval()).await;
    assert_eq!(deny(&store, "alice").await, DeskAnswer::NotThere);
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Waiting);
    assert_eq!(deny(&store, "alice").await, DeskAnswer::Done);
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Denied);
    assert_eq!(requests(&store).await, [("alice".to_owned(), UserState::Denied)]);
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Waiting);
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Taken);
    assert!(matches!(approve(&store, "alice").await, DeskAnswer::Approved { .. }));
    granted(&store, claim("alice", 2, None)).await;
    // A no can be taken back.
    assert_eq!(store.submit(claim("bob", 3, None)).await, StoreAnswer::Waiting);
    assert_eq!(deny(&store, "bob").await, DeskAnswer::Done);
    assert!(matches!(approve(&store, "bob").await, DeskAnswer::Approved { .. }));
    granted(&store, claim("bob", 3, None)).await;
}

async fn a_key_waits_for_one_name_at_a_time(ground: Ground) {
    let store = ground.open(by_approval()).await;
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Waiting);
    assert_eq!(store.submit(claim("alise", 1, None)).await, StoreAnswer::Waiting);
    assert_eq!(requests(&store).await, [("alise".to_owned(), UserState::Waiting)]);
}

async fn a_code_spares_the_wait(ground: Ground) {
    let store = ground.open(by_approval()).await;
    let made = new_code(&store, 1).await;
    assert_eq!(store.submit(claim("alice", 1, Some("none"))).await, StoreAnswer::Waiting);
    granted(&store, claim("alice", 1, Some(&made.code))).await;
    assert!(requests(&store).await.is_empty());
}

async fn one_address_fills_no_more_than_its_part_of_the_list(ground: Ground) {
    let store = ground.open(by_approval()).await;
    let address = |last| Some(Remote::V4(Ipv4Addr::new(192, 0, 2, last)));
    let ask = |number: u8, origin| StoreRequest::ClaimName {
        name: name(&format!("user{number}")),
        user: UserKey([number; 32]),
        code: None,
        origin,
    };
    let most = REGISTRATIONS_WAITING_PER_ADDRESS as u8;
    for number in 0..most {
        assert_eq!(store.submit(ask(number, address(1))).await, StoreAnswer::Waiting);
    }
    assert_eq!(store.submit(ask(most, address(1))).await, StoreAnswer::Full);
    // Others, and those who wait already, are not touched by that.
    assert_eq!(store.submit(ask(most, address(2))).await, StoreAnswer::Waiting);
    assert_eq!(store.submit(ask(most + 1, None)).await, StoreAnswer::Waiting);
    assert_eq!(store.submit(ask(0, address(1))).await, StoreAnswer::Waiting);
    let other_name = StoreRequest::ClaimName {
        name: name("another"),
        user: UserKey([0; 32]),
        code: None,
        origin: address(1),
    };
    assert_eq!(store.submit(other_name).await, StoreAnswer::Waiting, "in place of its first");
    // It holds over a restart, and who was decided on makes room.
    drop(store);
    let store = ground.open(by_approval()).await;
    assert_eq!(store.submit(ask(200, address(1))).await, StoreAnswer::Full);
    assert_eq!(deny(&store, "user1").await, DeskAnswer::Done);
    assert_eq!(store.submit(ask(200, address(1))).await, StoreAnswer::Waiting);
    assert_eq!(store.submit(ask(201, address(1))).await, StoreAnswer::Full);
    assert!(matches!(approve(&store, "user2").await, DeskAnswer::Approved { .. }));
    assert_eq!(store.submit(ask(201, address(1))).await, StoreAnswer::Waiting);
}

async fn requests_are_bounded_and_those_who_wait_come_before_the_denied(ground: Ground) {
    let store = ground.open(by_approval()).await;
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Waiting);
    assert_eq!(store.submit(claim("mallory", 2, None)).await, StoreAnswer::Waiting);
    // So many that the next is one too many. Only their number counts, so they need no checksum.
    let most = overlay_proto::config::REGISTRATIONS_WAITING_MAX - 2;
    let (key, count) = match ground.place.to_string().starts_with("postgres") {
        true => ("decode(lpad(n::text, 64, '0'), 'hex')", "2000000000000"),
        false => ("CAST(printf('%032d', n) AS BLOB)", "2000000000000"),
    };
    let fill = format!(
        "WITH RECURSIVE numbers(n) AS
           (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {most})
         INSERT INTO requests (name, user_key, asked_at, denied, mark)
         SELECT 'user' || n, {key}, {count}, 0, 0 FROM numbers"
    );
    ground.connection().await.execute(sqlx::AssertSqlSafe(fill)).await.expect("written");
    assert_eq!(store.submit(claim("bob", 3, None)).await, StoreAnswer::Full);
    // Who waits already is not forgotten.
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Waiting);
    assert_eq!(deny(&store, "mallory").await, DeskAnswer::Done);
    assert_eq!(store.submit(claim("bob", 3, None)).await, StoreAnswer::Waiting);
}
