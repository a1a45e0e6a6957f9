use super::ground::*;
use crate::store::{
    DeskAnswer, DeskRequest, RegistrationPolicy, StoreError, StorePlace, confirm, connect,
    registry, restore,
};
use overlay_proto::id::{RealmId, RegistryId};
use sqlx::Executor;

on_both!(
    a_store_keeps_its_number_and_no_two_have_one,
    a_store_of_an_earlier_version_gets_a_number,
    a_copy_has_the_number_of_what_it_was_copied_from,
);

const REALM: RealmId = RealmId([1; 32]);

async fn number(ground: &Ground) -> RegistryId {
    let mut connection = ground.connection().await;
    let number = registry::registry(&mut connection).await.expect("it has one");
    connect::close(connection).await;
    number
}

async fn a_store_keeps_its_number_and_no_two_have_one(ground: Ground) {
    ground.open(open_policy()).await.close().await;
    let first = number(&ground).await;
    ground.open(open_policy()).await.close().await;
    assert_eq!(number(&ground).await, first);
    let other = Ground::sqlite();
    other.open(open_policy()).await.close().await;
    assert_ne!(number(&other).await, first);
}

/// As it is found after the migration that brings the number is taken back.
async fn a_store_of_an_earlier_version_gets_a_number(ground: Ground) {
    let store = ground.open(open_policy()).await;
    let alice = granted(&store, claim("alice", 1, None)).await;
    store.close().await;
    let mut connection = ground.connection().await;
    for undo in [
        "DELETE FROM meta WHERE key = 'registry'",
        "DELETE FROM _sqlx_migrations WHERE description = 'registry'",
    ] {
        let done = connection.execute(undo).await.expect("undone");
        assert_eq!(done.rows_affected(), 1, "{undo}");
    }
    connect::close(connection).await;
    let store = ground.open(open_policy()).await;
    assert_eq!(granted(&store, claim("alice", 1, None)).await, alice);
    store.close().await;
    assert_ne!(number(&ground).await, RegistryId([0; 16]));
}

async fn a_copy_has_the_number_of_what_it_was_copied_from(ground: Ground) {
    let other = Ground::sqlite();
    for (from, to) in [(&ground, &other), (&Ground::sqlite(), &ground)] {
        let store = from.open(open_policy()).await;
        store.bind(REALM).await.expect("new");
        let file = from.folder.path().join("names.backup");
        let backup = DeskRequest::Backup { file: file.clone() };
        let DeskAnswer::BackedUp(_) = store.ask(backup).await.expect("made") else { panic!() };
        store.close().await;
        to.open(open_policy()).await.close().await;
        assert_ne!(number(to).await, number(from).await);
        restore(&file, &to.place, REALM, false).await.expect("restored");
        assert_eq!(number(to).await, number(from).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_store_is_refused_and_not_touched() {
    let Some(ground) = Ground::postgres().await else { return };
    let Some(empty) = Ground::postgres().await else { return };
    let wanted = RegistryId([7; 16]);
    let error = confirm(&empty.place, REALM, wanted).await.expect_err("none");
    assert!(matches!(error, StoreError::OtherStore { found: None, .. }), "{error:?}");
    assert!(error.to_string().contains("set --store to the database of the registrar"));
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'trellis'";
    let (schemas,): (i64,) =
        sqlx::query_as(schemas).fetch_one(&mut empty.connection().await).await.expect("readable");
    assert_eq!(schemas, 0, "looking makes nothing");
    let store = ground.open(open_policy()).await;
    store.bind(REALM).await.expect("new");
    let found = store.shared_registry().await.expect("shared");
    assert_eq!(found, number(&ground).await);
    let error = confirm(&ground.place, REALM, wanted).await.expect_err("another");
    assert!(matches!(&error, StoreError::OtherStore { found: Some(f), .. } if *f == found));
    let error = confirm(&ground.place, RealmId([2; 32]), found).await.expect_err("foreign");
    assert!(matches!(error, StoreError::ForeignRealm { found: REALM, .. }), "{error:?}");
    assert_eq!(confirm(&ground.place, REALM, found).await.expect("the one"), None);
    store.note_policy(RegistrationPolicy::Approve).await.expect("noted");
    let policy = confirm(&ground.place, REALM, found).await.expect("the one");
    assert_eq!(policy, Some(RegistrationPolicy::Approve));
}

#[tokio::test]
async fn a_file_is_shared_with_nobody() {
    let ground = Ground::sqlite();
    let store = ground.open(open_policy()).await;
    let error = store.shared_registry().await.expect_err("a file");
    assert!(matches!(error, StoreError::NotShared { .. }), "{error:?}");
    let nowhere = StorePlace::File(ground.folder.path().join("nothing"));
    let error = confirm(&nowhere, REALM, RegistryId([7; 16])).await.expect_err("a file");
    assert!(matches!(error, StoreError::NotShared { .. }), "{error:?}");
    assert!(!ground.folder.path().join("nothing").exists());
}
