//! What only an embedded store has: files.

use super::ground::*;
use crate::store::{RegistrarStore, StoreError, StorePlace, open};
use overlay_node::driver::Store;
use overlay_proto::io::StoreAnswer;
use sqlx::{ConnectOptions, Connection, Executor};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// All files of a store.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-promised"];

fn file(path: &Path, suffix: &str) -> PathBuf {
    format!("{}{suffix}", path.display()).into()
}

/// A copy of the files of `ground` as they are now, which is what a crash would leave.
fn crashed(ground: &Ground) -> Ground {
    let copy = Ground::in_memory();
    std::fs::create_dir(copy.path().parent().expect("a folder")).expect("made");
    for suffix in ["", "-wal", "-promised"] {
        let from = file(&ground.path(), suffix);
        if from.exists() {
            std::fs::copy(from, file(&copy.path(), suffix)).expect("copied");
        }
    }
    copy
}

#[tokio::test]
async fn an_answer_comes_after_its_record_is_in_the_files() {
    let ground = Ground::sqlite();
    let store = ground.open(open_policy()).await;
    for round in 0..20_u8 {
        let name = format!("user{round}");
        let serial = granted(&store, claim(&name, round, None)).await;
        let crashed = crashed(&ground).open(open_policy()).await;
        assert_eq!(granted(&crashed, claim(&name, round, None)).await, serial);
    }
}

#[tokio::test]
async fn settings_are_in_force_on_the_connection() {
    let ground = Ground::sqlite();
    let mut scribe = open::open(&ground.place).await.expect("opens");
    let (journal, synchronous, foreign_keys, timeout): (String, i64, i64, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous, foreign_keys, timeout
         FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys, pragma_busy_timeout",
    )
    .fetch_one(&mut scribe.connection)
    .await
    .expect("readable");
    assert_eq!((journal.as_str(), synchronous, foreign_keys, timeout), ("wal", 2, 1, 20_000));
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let ground = Ground::sqlite();
    let path = ground.path();
    let folder = path.parent().expect("a folder");
    std::fs::create_dir(folder).expect("made");
    std::fs::write(&path, b"").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let store = ground.open(open_policy()).await;
    granted(&store, claim("alice", 1, None)).await;
    for suffix in SUFFIXES {
        assert_eq!(mode(&file(&path, suffix)), 0o600, "{suffix}");
    }
    let fresh = Ground::sqlite();
    let _store = fresh.open(open_policy()).await;
    assert_eq!(mode(fresh.path().parent().expect("a folder")), 0o700);
}

#[tokio::test]
async fn a_path_with_strange_characters_is_taken_literally() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = StorePlace::File(folder.path().join("a?mode=ro#b%41 ü.db"));
    let store = RegistrarStore::open(place.clone(), open_policy()).await.expect("opens");
    granted(&store, claim("alice", 1, None)).await;
    let StorePlace::File(path) = place else { panic!("a file") };
    assert!(std::fs::metadata(file(&path, "-wal")).expect("beside it").len() > 0);
}

#[tokio::test]
async fn garbage_is_called_damaged_and_left_alone() {
    let ground = Ground::sqlite();
    std::fs::create_dir(ground.path().parent().expect("a folder")).expect("made");
    let garbage: Vec<u8> = (0..8_192_u32).map(|n| (n * 31 % 251) as u8).collect();
    std::fs::write(ground.path(), &garbage).expect("written");
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("backup"));
    assert_eq!(std::fs::read(ground.path()).expect("readable"), garbage);
}

#[tokio::test]
async fn a_store_with_a_broken_page_is_called_damaged() {
    let ground = Ground::sqlite();
    let store = ground.open(open_policy()).await;
    for key in 0..200 {
        granted(&store, claim(&format!("user{key}"), key, None)).await;
    }
    store.close().await;
    let mut bytes = std::fs::read(ground.path()).expect("readable");
    let page = 4_096;
    assert!(bytes.len() > 4 * page);
    // Every page but the first, which holds header and schema.
    bytes[page..].iter_mut().step_by(7).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(ground.path(), &bytes).expect("written");
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let ground = Ground::sqlite();
    std::fs::create_dir(ground.path().parent().expect("a folder")).expect("made");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(ground.path());
    let mut connection = options.create_if_missing(true).connect().await.expect("opens");
    connection.execute("CREATE TABLE theirs (x)").await.expect("made");
    connection.close().await.expect("closed");
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o500)).expect("set");
    // The superuser writes anywhere but into the kernel's own folders.
    let privileged = std::fs::write(folder.path().join("probe"), b"").is_ok();
    let path = if privileged {
        PathBuf::from("/proc/self/store.db")
    } else {
        folder.path().join("store.db")
    };
    let place = StorePlace::File(path.clone());
    let error = RegistrarStore::open(place, open_policy()).await.expect_err("refused");
    assert!(matches!(error, StoreError::NoAccess { .. }), "{error:?}");
    assert!(error.to_string().contains(&path.display().to_string()));
}

/// A store of the first schema, as the first version of this program made it.
#[tokio::test]
async fn an_old_store_is_brought_to_this_version() {
    let ground = Ground::sqlite();
    std::fs::create_dir(ground.path().parent().expect("a folder")).expect("made");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(ground.path());
    let mut connection = options.create_if_missing(true).connect().await.expect("opens");
    let first = sqlx::migrate!("migrations/sqlite");
    first.run_to(1, &mut connection).await.expect("made");
    connection
        .execute(
            "INSERT INTO names (name, user_key, registered_at)
             VALUES ('alice', x'0101010101010101010101010101010101010101010101010101010101010101', 5);
             INSERT INTO tickets VALUES
             (7, x'0202020202020202020202020202020202020202020202020202020202020202', 5)",
        )
        .await
        .expect("written");
    connection.close().await.expect("closed");
    for _ in 0..2 {
        let store = ground.open(by_code(None)).await;
        assert_eq!(granted(&store, claim("alice", 1, None)).await, 1);
        assert_eq!(store.submit(claim("alice", 2, None)).await, StoreAnswer::Taken);
        assert_eq!(granted(&store, redeem(7, 2)).await, 7);
        store.close().await;
    }
}

#[tokio::test]
async fn an_old_copy_put_back_and_a_file_that_is_lost_are_seen() {
    let ground = Ground::sqlite();
    let store = ground.open(open_policy()).await;
    granted(&store, claim("alice", 1, None)).await;
    store.close().await;
    let old = std::fs::read(ground.path()).expect("readable");
    let store = ground.open(open_policy()).await;
    granted(&store, claim("bob", 2, None)).await;
    store.close().await;
    std::fs::write(ground.path(), old).expect("written");
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("old copy"), "{error}");
    std::fs::remove_file(ground.path()).expect("removed");
    let error = ground.refusal().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

/// A store that has promised a few things.
async fn promises(ground: &Ground) -> RegistrarStore {
    let store = ground.open(open_policy()).await;
    for key in 0..3 {
        granted(&store, claim(&format!("user{key}"), key, None)).await;
    }
    granted(&store, redeem(9, 9)).await;
    store
}

/// Whether the store opens, and then knows all that was promised: a wrong answer is a panic.
async fn knows_all(ground: &Ground, damage: &str) -> bool {
    let Ok(store) = RegistrarStore::open(ground.place.clone(), open_policy()).await else {
        return false;
    };
    for key in 0..3 {
        let user = format!("user{key}");
        let thief = store.submit(claim(&user, 77, None)).await;
        assert_eq!(thief, StoreAnswer::Taken, "{damage}: {user}");
        granted(&store, claim(&user, key, None)).await;
    }
    assert_eq!(store.submit(redeem(9, 8)).await, StoreAnswer::Taken, "{damage}");
    true
}

/// Every byte of the database, of its log and of the count beside it is flipped, one at a time.
/// Either the store is not opened, with the reason, or it knows all that it knew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_is_seen_or_does_no_harm() {
    let ground = Ground::sqlite();
    let store = promises(&ground).await;
    let (in_log, folded) = (crashed(&ground), {
        store.close().await;
        crashed(&ground)
    });
    // All bytes that say something, one in a few in the log, which has each page many times; and a
    // few of the empty ones.
    let cases = [(&folded, "", 1), (&in_log, "-wal", 17), (&folded, "-promised", 1)];
    let (mut seen, mut harmless) = (0, 0);
    for (from, suffix, step) in cases {
        let good = std::fs::read(file(&from.path(), suffix)).expect("readable");
        assert!(!good.is_empty(), "{suffix}");
        let telling = (0..good.len()).filter(|at| good[*at] != 0).step_by(step);
        let empty = (0..good.len()).filter(|at| good[*at] == 0).step_by(211);
        for at in telling.chain(empty) {
            let flipped = crashed(from);
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(file(&flipped.path(), suffix), &bytes).expect("written");
            match knows_all(&flipped, &format!("byte {at} of {suffix:?}")).await {
                true => harmless += 1,
                false => seen += 1,
            }
        }
    }
    println!("{} flips: {seen} seen, {harmless} harmless, 0 silently wrong", seen + harmless);
    assert!(seen > 100 && harmless > 100, "{seen} seen, {harmless} harmless");
}

/// The file and its log, cut at every so many bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_cut_short_is_seen() {
    let ground = Ground::sqlite();
    let store = promises(&ground).await;
    let in_log = crashed(&ground);
    store.close().await;
    let folded = crashed(&ground);
    let (mut seen, mut harmless) = (0, 0);
    for (whole, suffix) in [(&in_log, "-wal"), (&folded, "")] {
        let bytes = std::fs::read(file(&whole.path(), suffix)).expect("readable");
        for length in (0..bytes.len()).step_by(1_031) {
            let cut = crashed(whole);
            std::fs::write(file(&cut.path(), suffix), &bytes[..length]).expect("written");
            match knows_all(&cut, &format!("{length} bytes of {suffix:?}")).await {
                true => harmless += 1,
                false => seen += 1,
            }
        }
    }
    println!("{} cuts: {seen} seen, {harmless} harmless, 0 silently wrong", seen + harmless);
    // The last page may be empty but for its beginning.
    assert!(harmless <= 8 && seen > 60, "{seen} seen, {harmless} harmless");
}
