//! What only a store on a server has: a server that goes, and a password.

use super::ground::*;
use crate::store::{RegistrarStore, StoreError, StorePlace};
use overlay_node::driver::Store;
use overlay_proto::io::StoreAnswer;
use sqlx::Executor;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_has_ended_is_made_anew() {
    let Some(ground) = Ground::postgres().await else { return };
    let store = ground.open(open_policy()).await;
    let alice = granted(&store, claim("alice", 1, None)).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    ground.connection().await.execute(end).await.expect("ended");
    assert_eq!(granted(&store, claim("alice", 1, None)).await, alice);
    assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_in_force_on_the_connection() {
    let Some(ground) = Ground::postgres().await else { return };
    let turn_off = "ALTER DATABASE realm SET synchronous_commit TO off";
    let database = ground.place.to_string();
    let database = database.rsplit('/').next().expect("a database");
    let turn_off = turn_off.replace("realm", database);
    ground.connection().await.execute(sqlx::AssertSqlSafe(turn_off)).await.expect("set");
    let mut connection = ground.connection().await;
    for (show, wanted) in [
        ("SHOW synchronous_commit", "on"),
        ("SHOW search_path", "trellis"),
        ("SHOW lock_timeout", "5s"),
    ] {
        let (found,): (String,) =
            sqlx::query_as(show).fetch_one(&mut connection).await.expect("readable");
        assert_eq!(found, wanted, "{show}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_the_lock_ends() {
    let Some(ground) = Ground::postgres().await else { return };
    let store = ground.open(open_policy()).await;
    let mut other = ground.connection().await;
    other.execute("BEGIN").await.expect("begun");
    other.execute("LOCK TABLE names IN SHARE ROW EXCLUSIVE MODE").await.expect("locked");
    assert_eq!(store.submit(claim("alice", 1, None)).await, StoreAnswer::Failed);
    other.execute("ROLLBACK").await.expect("ended");
    granted(&store, claim("alice", 1, None)).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = folder.path().display().to_string().replace('/', "%2F");
    let url = format!("postgres://ann:sesame@{host}:5432/realm");
    let place = StorePlace::parse(&url, Path::new("")).expect("a URL");
    let error = RegistrarStore::open(place, open_policy()).await.expect_err("no server");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let told = format!("{error} {error:?}");
    assert!(told.contains("ann") && !told.contains("sesame"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_told() {
    let Some(ground) = Ground::postgres().await else { return };
    let StorePlace::Postgres(url) = &ground.place else { panic!("a server") };
    let mut options = url.options().expect("readable");
    options.database_url.set_path("/nowhere");
    let place = StorePlace::parse(options.database_url.as_str(), Path::new("")).expect("a URL");
    let error = RegistrarStore::open(place, open_policy()).await.expect_err("no database");
    assert!(matches!(error, StoreError::NotLetIn { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("sesame"));
}
