//! What a test stands on: an empty place for a store, of either kind.

use super::cluster::Cluster;
use crate::store::connect;
use crate::store::{RegistrarStore, Registration, RegistrationPolicy, StoreError, StorePlace};
use overlay_node::driver::Store;
use overlay_proto::id::{NodeId, UserKey};
use overlay_proto::io::{StoreAnswer, StoreRequest};
use overlay_proto::name::Name;
use sqlx::{AnyConnection, Executor};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(super) fn open_policy() -> Registration {
    Registration::default()
}

pub(super) fn by_code(code: Option<&str>) -> Registration {
    let code = code.map(str::to_owned);
    Registration { policy: RegistrationPolicy::Code, code }
}

pub(super) fn by_approval() -> Registration {
    Registration { policy: RegistrationPolicy::Approve, code: None }
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("valid")
}

pub(super) fn claim(text: &str, key: u8, code: Option<&str>) -> StoreRequest {
    let code = code.map(str::to_owned);
    StoreRequest::ClaimName { name: name(text), user: UserKey([key; 32]), code, origin: None }
}

pub(super) fn redeem(serial: u64, node: u8) -> StoreRequest {
    StoreRequest::RedeemTicket { serial, node: NodeId([node; 32]), registrar: None }
}

pub(super) async fn granted(store: &RegistrarStore, request: StoreRequest) -> u64 {
    match store.submit(request).await {
        StoreAnswer::Granted { serial } => serial,
        other => panic!("{other:?}"),
    }
}

/// An empty place for a store.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) folder: tempfile::TempDir,
    pub(super) place: StorePlace,
}

impl Ground {
    /// On a file.
    pub(super) fn sqlite() -> Ground {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = StorePlace::File(folder.path().join("data").join("store.db"));
        Ground { folder, place }
    }

    /// On a file that no disk holds up, where the system has such: for what is done many times.
    pub(super) fn in_memory() -> Ground {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.expect("a temporary folder");
        let place = StorePlace::File(folder.path().join("data").join("store.db"));
        Ground { folder, place }
    }

    /// In a database of its own; none without PostgreSQL.
    pub(super) async fn postgres() -> Option<Ground> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let cluster = tokio::task::spawn_blocking(Cluster::get).await.expect("no panic")?;
        let name = format!("realm{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = |name: &str| {
            StorePlace::parse(&cluster.url(name), Path::new("")).expect("a URL of ours")
        };
        let mut admin = loop {
            // The server may still be starting.
            match connect::connect(&place("postgres")).await {
                Ok(connection) => break connection,
                Err(StoreError::Unreachable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let create = format!("CREATE DATABASE {name}");
        admin.execute(sqlx::AssertSqlSafe(create)).await.expect("made");
        connect::close(admin).await;
        Some(Ground { folder, place: place(&name) })
    }

    pub(super) async fn open(&self, registration: Registration) -> RegistrarStore {
        RegistrarStore::open(self.place.clone(), registration).await.expect("opens")
    }

    pub(super) async fn refusal(&self) -> StoreError {
        let opened = RegistrarStore::open(self.place.clone(), open_policy()).await;
        let error = opened.expect_err("refused");
        let text = error.to_string();
        assert!(text.contains(&self.place.to_string()), "names the store: {text}");
        error
    }

    pub(super) async fn connection(&self) -> AnyConnection {
        connect::connect(&self.place).await.expect("connects")
    }

    /// The file, where it is one.
    pub(super) fn path(&self) -> PathBuf {
        match &self.place {
            StorePlace::File(path) => path.clone(),
            StorePlace::Postgres(url) => panic!("{url} is no file"),
        }
    }
}
