use super::claims::users;
use super::ground::*;
use crate::store::{Copied, DeskAnswer, DeskRequest, RegistrarStore, StoreError, restore};
use overlay_node::driver::Store;
use overlay_proto::id::RealmId;
use overlay_proto::io::StoreAnswer;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

on_both!(
    a_backup_is_restored_with_all_that_was_promised,
    a_restore_overwrites_nobody_unless_it_is_told_to,
    a_backup_of_another_realm_or_with_a_flipped_byte_changes_nothing,
    a_backup_made_while_names_are_given_out_is_of_one_moment,
);

const REALM: RealmId = RealmId([1; 32]);

async fn backup(store: &RegistrarStore, file: &Path) -> Result<Copied, StoreError> {
    match store.ask(DeskRequest::Backup { file: file.to_owned() }).await? {
        DeskAnswer::BackedUp(copied) => Ok(copied),
        other => panic!("{other:?}"),
    }
}

async fn filled(ground: &Ground) -> (RegistrarStore, PathBuf) {
    let store = ground.open(by_approval()).await;
    store.bind(REALM).await.expect("new");
    assert_eq!(store.submit(claim("carol", 3, None)).await, StoreAnswer::Waiting);
    for (name, key) in [("alice", 1), ("bob", 2)] {
        let DeskAnswer::Made(made) =
            store.ask(DeskRequest::NewCode { uses: 2, days: 1 }).await.expect("made")
        else {
            panic!("no code");
        };
        granted(&store, claim(name, key, Some(&made.code))).await;
    }
    granted(&store, redeem(u64::MAX, 9)).await;
    (store, ground.folder.path().join("names.backup"))
}

async fn a_backup_is_restored_with_all_that_was_promised(ground: Ground) {
    let (store, file) = filled(&ground).await;
    let copied = backup(&store, &file).await.expect("made");
    assert_eq!(copied, Copied { users: 2, tickets: 1, codes: 2, requests: 1, lists: 0 });
    let mode = std::fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let beside = std::fs::read_dir(ground.folder.path()).expect("readable").flatten();
    let left: Vec<_> =
        beside.filter(|entry| entry.file_name().to_string_lossy().contains("backup")).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(matches!(backup(&store, &file).await, Err(StoreError::NoBackup { .. })));
    let before = users(&store).await;

    // Into the other kind as well: a backup is how a realm moves to PostgreSQL.
    let mut targets = vec![Ground::sqlite()];
    targets.extend(Ground::postgres().await);
    for target in targets {
        assert_eq!(restore(&file, &target.place, REALM, false).await.expect("done"), copied);
        let restored = target.open(by_approval()).await;
        restored.bind(REALM).await.expect("the same");
        assert_eq!(users(&restored).await, before);
        assert_eq!(restored.submit(claim("alice", 7, None)).await, StoreAnswer::Taken);
        assert_eq!(restored.submit(claim("carol", 3, None)).await, StoreAnswer::Waiting);
        assert_eq!(restored.submit(redeem(u64::MAX, 8)).await, StoreAnswer::Taken);
        let approve = DeskRequest::Approve { name: name("carol") };
        let approved = restored.ask(approve).await.expect("done");
        // Numbers given out since the backup are on certificates already.
        let DeskAnswer::Approved { serial } = approved else { panic!("{approved:?}") };
        assert!(serial > before[1].serial.expect("registered") + 1_000);
    }
}

async fn a_restore_overwrites_nobody_unless_it_is_told_to(ground: Ground) {
    let (store, file) = filled(&ground).await;
    backup(&store, &file).await.expect("made");
    let DeskAnswer::Approved { serial } =
        store.ask(DeskRequest::Approve { name: name("carol") }).await.expect("done")
    else {
        panic!("not approved");
    };
    let before = users(&store).await;
    store.close().await;
    let error = restore(&file, &ground.place, REALM, false).await.expect_err("there are users");
    assert!(matches!(error, StoreError::NotEmpty { users: 3, .. }), "{error:?}");
    let store = ground.open(by_approval()).await;
    assert_eq!(users(&store).await, before);
    store.close().await;
    restore(&file, &ground.place, REALM, true).await.expect("forced");
    let store = ground.open(open_policy()).await;
    assert_eq!(users(&store).await, before[..2]);
    assert!(granted(&store, claim("dave", 4, None)).await > serial);
}

async fn a_backup_of_another_realm_or_with_a_flipped_byte_changes_nothing(ground: Ground) {
    let (store, file) = filled(&ground).await;
    backup(&store, &file).await.expect("made");
    let before = users(&store).await;
    let error = restore(&file, &ground.place, RealmId([2; 32]), true).await.expect_err("foreign");
    assert!(matches!(error, StoreError::ForeignRealm { found: REALM, .. }), "{error:?}");
    let good = std::fs::read(&file).expect("readable");
    let mut refused = 0;
    for at in (0..good.len()).filter(|at| good[*at] != 0).step_by(61) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&file, &bytes).expect("written");
        match restore(&file, &ground.place, REALM, true).await {
            Ok(_) => {}
            Err(error) => {
                refused += 1;
                let told = match &error {
                    StoreError::UnusableBackup { path, .. } => *path == file,
                    // The realm's key was hit.
                    StoreError::ForeignRealm { found, .. } => *found != REALM,
                    _ => false,
                };
                assert!(told, "{error:?}");
            }
        }
        assert_eq!(users(&store).await, before, "byte {at}");
    }
    assert!(refused > 10, "{refused}");
}

async fn a_backup_made_while_names_are_given_out_is_of_one_moment(ground: Ground) {
    let store = ground.open(open_policy()).await;
    store.bind(REALM).await.expect("new");
    let file = ground.folder.path().join("names.backup");
    let writing = async {
        for number in 0..200_u64 {
            // First the name, then the ticket of that number: never the other way round.
            granted(&store, claim(&format!("user{number}"), 1, None)).await;
            granted(&store, redeem(number, 1)).await;
        }
    };
    let (copied, ()) = tokio::join!(backup(&store, &file), writing);
    let copied = copied.expect("made");
    assert!(copied.users == copied.tickets || copied.users == copied.tickets + 1, "{copied:?}");
    let target = Ground::sqlite();
    restore(&file, &target.place, REALM, false).await.expect("whole");
    let restored = target.open(open_policy()).await;
    assert_eq!(users(&restored).await.len() as u64, copied.users);
}
