use super::ground::*;
use crate::store::{DeskAnswer, DeskRequest, RegistrarStore, StoreError, User};
use overlay_node::driver::Store;
use overlay_proto::config::FURTHER_REGISTRARS_MAX;
use overlay_proto::id::{NodeId, RealmId, UserKey};
use overlay_proto::identity::Subject;
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use sqlx::Executor;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

on_both!(
    a_name_goes_to_one_key_and_keeps_its_serial,
    a_ticket_is_used_up_by_one_node,
    a_registrars_ticket_is_used_up_by_one_node_and_one_key,
    everything_answered_is_there_after_reopening,
    ten_thousand_tries_of_two_registrars_give_no_name_to_two_keys,
    a_newer_schema_asks_for_an_update,
    a_store_belongs_to_one_realm,
    a_failure_promises_nothing_and_passes,
    a_changed_row_is_seen,
    of_two_look_alikes_one_is_given_out,
    lists_of_revocations_outlive_the_process_and_never_go_back,
);

pub(super) async fn users(store: &RegistrarStore) -> Vec<User> {
    match store.ask(DeskRequest::Users { after: 0 }).await.expect("readable") {
        DeskAnswer::Users(users) => users,
        other => panic!("{other:?}"),
    }
}

async fn a_name_goes_to_one_key_and_keeps_its_serial(ground: Ground) {
    let store = ground.open(open_policy()).await;
    let alice = granted(&store, claim("alice", 1, None)).await;
    assert_eq!(granted(&store, claim("alice", 1, None)).await, alice);
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
    assert_ne!(granted(&store, claim("bob", 2, None)).await, alice);
    let users = users(&store).await;
    let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(users[0].serial, Some(alice));
    assert!(users[0].since_ms > 1_600_000_000_000);
}

async fn a_ticket_is_used_up_by_one_node(ground: Ground) {
    let store = ground.open(open_policy()).await;
    // Numbers that do not fit a signed integer are kept bit for bit.
    for serial in [0, 7, u64::MAX] {
        assert_eq!(granted(&store, redeem(serial, 1)).await, serial);
        assert_eq!(granted(&store, redeem(serial, 1)).await, serial);
        assert_eq!(store.submit(redeem(serial, 2)).await, StoreAnswer::Taken);
    }
}

async fn a_registrars_ticket_is_used_up_by_one_node_and_one_key(ground: Ground) {
    let store = ground.open(open_policy()).await;
    let redeem = |serial, node, key| StoreRequest::RedeemTicket {
        serial,
        node: NodeId([node; 32]),
        registrar: Some(Subject([key; 32])),
    };
    assert_eq!(granted(&store, redeem(7, 1, 2)).await, 7);
    assert_eq!(granted(&store, redeem(7, 1, 2)).await, 7, "a lost answer is asked for again");
    assert_eq!(store.submit(redeem(7, 1, 3)).await, StoreAnswer::Taken, "one key");
    assert_eq!(store.submit(redeem(7, 2, 2)).await, StoreAnswer::Taken, "one node");
    assert_eq!(store.submit(super::ground::redeem(7, 1)).await, StoreAnswer::Taken, "one role");
    // With another ticket: the same key again, or none, but no second one.
    assert_eq!(store.submit(redeem(8, 1, 3)).await, StoreAnswer::Taken);
    assert_eq!(granted(&store, redeem(8, 1, 2)).await, 8);
    granted(&store, super::ground::redeem(9, 1)).await;
    // What was refused has used nothing up, and the root finds whom it has certified.
    assert_eq!(granted(&store, super::ground::redeem(10, 4)).await, 10);
    drop(store);
    let store = ground.open(open_policy()).await;
    let find = |node| StoreRequest::FindSupernode { node: NodeId([node; 32]) };
    let registrar =
        |key: Option<u8>| StoreAnswer::Enrolled { registrar: key.map(|key| Subject([key; 32])) };
    assert_eq!(store.submit(find(1)).await, registrar(Some(2)));
    assert_eq!(store.submit(find(4)).await, registrar(None));
    assert_eq!(store.submit(find(2)).await, StoreAnswer::Missing);
    // Each registrar may sign a list of revocations, and nodes keep so many.
    for n in 1..FURTHER_REGISTRARS_MAX as u8 {
        granted(&store, redeem(100 + u64::from(n), 50 + n, 50 + n)).await;
    }
    assert_eq!(store.submit(redeem(120, 70, 70)).await, StoreAnswer::Full);
    granted(&store, redeem(121, 1, 2)).await;
    granted(&store, super::ground::redeem(122, 71)).await;
}

async fn everything_answered_is_there_after_reopening(ground: Ground) {
    let store = ground.open(open_policy()).await;
    let alice = granted(&store, claim("alice", 1, None)).await;
    granted(&store, redeem(9, 1)).await;
    let before = users(&store).await;
    // Dropped without a word, as a process that ends: nothing may hang on a clean close.
    drop(store);
    let store = ground.open(open_policy()).await;
    assert_eq!(users(&store).await, before);
    assert_eq!(granted(&store, claim("alice", 1, None)).await, alice);
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
    assert_eq!(store.submit(redeem(9, 2)).await, StoreAnswer::Taken);
    store.close().await;
    let store = ground.open(open_policy()).await;
    assert!(granted(&store, claim("bob", 2, None)).await > alice, "no serial is given twice");
}

/// Two stores on one database: as two processes would, they meet only in its lock.
async fn ten_thousand_tries_of_two_registrars_give_no_name_to_two_keys(ground: Ground) {
    const TRIES: usize = 10_000;
    const NAMES: usize = 1_000;
    let stores = [ground.open(open_policy()).await, ground.open(open_policy()).await].map(Arc::new);
    let tasks: Vec<_> = (0..TRIES)
        .map(|n| {
            // Each name is wanted by ten keys one after the other, by turns at both.
            let (name, key) = (format!("user{}", n / 10), (n % 10) as u8);
            let store = Arc::clone(&stores[usize::from(key) % 2]);
            tokio::spawn(async move {
                let answer = store.submit(claim(&name, key, None)).await;
                (name, key, answer)
            })
        })
        .collect();
    let mut owners: BTreeMap<String, (u8, u64)> = BTreeMap::new();
    let mut taken = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            (name, key, StoreAnswer::Granted { serial }) => {
                let before = owners.insert(name, (key, serial));
                assert_eq!(before, None, "a name was given to two keys");
            }
            (_, _, StoreAnswer::Taken) => taken += 1,
            (name, key, other) => panic!("{name} for {key}: {other:?}"),
        }
    }
    assert_eq!((owners.len(), taken), (NAMES, TRIES - NAMES));
    let listed = users(&stores[0]).await;
    let serials: BTreeMap<String, Option<u64>> =
        listed.into_iter().map(|user| (user.name.to_string(), user.serial)).collect();
    let answered: BTreeMap<String, Option<u64>> =
        owners.iter().map(|(name, (_, serial))| (name.clone(), Some(*serial))).collect();
    assert_eq!(serials, answered);
    let distinct: BTreeSet<u64> = owners.values().map(|(_, serial)| *serial).collect();
    assert_eq!(distinct.len(), NAMES, "serials are unique");
}

async fn a_newer_schema_asks_for_an_update(ground: Ground) {
    ground.open(open_policy()).await.close().await;
    let mut connection = ground.connection().await;
    let nothing = "'\\x00'";
    let nothing = if ground.place.to_string().starts_with("postgres") { nothing } else { "x'00'" };
    let later = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'later', TRUE, {nothing}, 0)"
    );
    connection.execute(sqlx::AssertSqlSafe(later)).await.expect("written");
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::Newer { found: 9_000, .. }), "{error:?}");
    assert!(error.to_string().contains("update this program"));
}

async fn a_store_belongs_to_one_realm(ground: Ground) {
    let store = ground.open(open_policy()).await;
    store.bind(RealmId([1; 32])).await.expect("new");
    store.bind(RealmId([1; 32])).await.expect("the same");
    let error = store.bind(RealmId([2; 32])).await.expect_err("another");
    assert!(
        matches!(error, StoreError::ForeignRealm { found: RealmId(key), .. } if key == [1; 32])
    );
}

/// A failed write is answered as failed, and the store works again once the cause is gone.
async fn a_failure_promises_nothing_and_passes(ground: Ground) {
    let store = ground.open(open_policy()).await;
    let mut other = ground.connection().await;
    other.execute("ALTER TABLE names RENAME TO hidden").await.expect("renamed");
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Failed);
    other.execute("ALTER TABLE hidden RENAME TO names").await.expect("renamed");
    granted(&store, claim("alice", 1, None)).await;
    assert!(!store.has_stopped());
}

async fn a_changed_row_is_seen(ground: Ground) {
    let store = ground.open(open_policy()).await;
    granted(&store, claim("alice", 1, None)).await;
    granted(&store, claim("bob", 2, None)).await;
    let mut other = ground.connection().await;
    let change = "UPDATE names SET name = 'alicf' WHERE name = 'alice'";
    other.execute(change).await.expect("written");
    // By the one that runs, when it comes to it; what is whole is served on.
    assert_eq!(store.submit(claim("alicf", 1, None)).await, StoreAnswer::Failed);
    granted(&store, claim("bob", 2, None)).await;
    drop(store);
    // And at the next start.
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

/// Row 61: of two names that look alike only one is ever certified.
async fn of_two_look_alikes_one_is_given_out(ground: Ground) {
    let store = ground.open(open_policy()).await;
    let mut pairs = vec![("coco".to_owned(), "сосо".to_owned()), ("b0b".into(), "bob".into())];
    for c in 'a'..='z' {
        for other in '\u{80}'..'\u{3000}' {
            let alike = |text: &str| Name::new(text).ok().map(|name| name.skeleton());
            let (one, two) = (c.to_string().repeat(4), other.to_string().repeat(4));
            let distinct = Name::new(&one).ok() != Name::new(&two).ok();
            if distinct && alike(&two).is_some() && alike(&one) == alike(&two) {
                pairs.push((one, two));
            }
        }
    }
    assert!(pairs.len() > 40, "{} pairs", pairs.len());
    let (mut both, mut none) = (0, 0);
    for (one, two) in &pairs {
        let (one, two) = (claim(one, 1, None), claim(two, 2, None));
        let (one, two) = tokio::join!(store.submit(one), store.submit(two));
        let granted = |answer| usize::from(matches!(answer, StoreAnswer::Granted { .. }));
        match granted(one) + granted(two) {
            2 => both += 1,
            0 => none += 1,
            _ => {}
        }
    }
    println!("look-alikes: {} pairs tried, both certified = {both}", pairs.len());
    // Three of a kind may leave a pair with none: the third had the looks before.
    assert_eq!(both, 0);
    assert!(none < pairs.len() / 2, "{none}");
    store.close().await;
}

/// A list that was acknowledged is there after a start; an older one never replaces it.
async fn lists_of_revocations_outlive_the_process_and_never_go_back(ground: Ground) {
    use overlay_proto::identity::{Revocation, RevocationList, Revoker, Role, SecretKey, Subject};
    use overlay_proto::time::WallTime;
    let root = SecretKey::from_bytes([7; 32]);
    let realm = RealmId(root.public());
    let revoker = Revoker::Root(root);
    let list = |count: u64| {
        let entry = |number| Revocation {
            number,
            role: Role::Device,
            serial: 0,
            subject: Subject([number as u8; 32]),
            issuer: None,
            since: 1,
            until: u64::MAX,
        };
        let entries = (1..=count).map(entry).collect();
        Arc::new(RevocationList::issue(&revoker, realm, entries, WallTime(1_000)))
    };
    let store = ground.open(open_policy()).await;
    let keep = |list| StoreRequest::KeepRevocations { list };
    for count in [1, 3] {
        let answer = store.submit(keep(list(count))).await;
        assert_eq!(answer, StoreAnswer::Granted { serial: count });
    }
    assert_eq!(store.submit(keep(list(2))).await, StoreAnswer::Taken, "older");
    granted(&store, claim("alice", 1, None)).await;
    let find = |name| StoreRequest::FindUser { name: Name::new(name).expect("valid") };
    let found = store.submit(find("alice")).await;
    assert_eq!(found, StoreAnswer::Found { serial: 1, user: UserKey([1; 32]) });
    assert_eq!(store.submit(find("bob")).await, StoreAnswer::Missing);
    store.close().await;
    let store = ground.open(open_policy()).await;
    let kept = store.revocations().await.expect("readable");
    assert_eq!(kept, [list(3)]);
    store.close().await;
}
