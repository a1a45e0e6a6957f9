//! The way to the registrar's store: through the supernode that runs, else straight to it.

use super::args::{Storage, StoreText};
use crate::store::{
    DeskAnswer, DeskRequest, RegistrarStore, Registration, StoreError, StorePlace, confirm,
};
use overlay_node::api::{Client, ClientError};
use overlay_node::cli::Failure;
use overlay_node::data::{Folder, Loaded};
use overlay_node::driver;
use overlay_proto::id::RegistryId;
use overlay_proto::identity::Identity;
use overlay_proto::status::Status;
use std::ffi::OsString;
use std::path::Path;

/// The store's file in the data folder.
const STORE: &str = "store.sqlite";

/// Whether this machine has a registrar's store: only registrars give out names, and only the
/// root's machine redeems tickets.
pub(super) fn registers(identity: &Identity) -> bool {
    let keys = identity.supernode.as_ref();
    keys.is_some_and(|keys| keys.registrar.is_some() || keys.root.is_some())
}

/// Where the store of `folder` is.
pub(super) fn place(folder: &Folder, storage: &Storage) -> Result<StorePlace, Failure> {
    match &storage.store {
        None => Ok(StorePlace::File(folder.file(STORE))),
        Some(StoreText(text)) => StorePlace::parse(text, folder.path())
            .map_err(|error| Failure::usage(error.to_string())),
    }
}

/// Opens the store of `folder` for its realm. That of a further registrar must be the one that it
/// joined with, and is not made.
pub(super) async fn open(
    folder: &Folder,
    loaded: &Loaded,
    storage: &Storage,
    registration: Registration,
) -> Result<RegistrarStore, Failure> {
    let place = place(folder, storage)?;
    let realm = loaded.identity.realm;
    let failed = |error: StoreError| of_store(&error);
    if let Some(registry) = loaded.registry {
        confirm(&place, realm, registry).await.map_err(failed)?;
    }
    let store = RegistrarStore::open(place, registration).await.map_err(failed)?;
    store.bind(realm).await.map_err(failed)?;
    Ok(store)
}

/// The number of the store of `folder`, for registrars that are to share it.
pub(super) async fn registry(
    folder: &Folder,
    loaded: &Loaded,
    storage: &Storage,
) -> Result<RegistryId, Failure> {
    let failed = |error: StoreError| of_store(&error);
    // Before a file is made only to be refused.
    place(folder, storage)?.require_shared().map_err(failed)?;
    let store = open(folder, loaded, storage, Registration::default()).await?;
    let registry = store.shared_registry().await.map_err(failed);
    store.close().await;
    registry
}

/// Asks the registrar of `folder`, whether it runs or not.
pub(super) async fn ask(
    folder: &Folder,
    storage: &Storage,
    request: DeskRequest,
) -> Result<DeskAnswer, Failure> {
    match Client::new(folder.socket()).post("/v1/registrar", &request).await {
        Ok(answer) => return Ok(answer),
        Err(ClientError::NotRunning { .. }) => {}
        Err(ClientError::Problem(problem)) if problem.status == Status::NOT_SERVED => {
            return Err(no_registrar());
        }
        Err(error) => return Err(error.into()),
    }
    let loaded = folder.load(driver::wall())?;
    if !registers(&loaded.identity) {
        return Err(no_registrar());
    }
    let store = open(folder, &loaded, storage, Registration::default()).await?;
    let answer = store.ask(request).await.map_err(|error| of_store(&error));
    store.close().await;
    answer
}

/// A failure of the store, which names the way out by itself.
pub(crate) fn of_store(error: &StoreError) -> Failure {
    let status = match error {
        StoreError::ForeignRealm { .. } => Status::FOREIGN_REALM,
        StoreError::NotEmpty { .. }
        | StoreError::NotShared { .. }
        | StoreError::OtherStore { .. } => Status::FORBIDDEN,
        _ => Status::STORE_FAILED,
    };
    match status {
        Status::STORE_FAILED => Failure::local(error.to_string()),
        status => Failure::new(status, error.to_string(), ""),
    }
}

/// What an answer that fits no request is called.
pub(super) fn unexpected() -> Failure {
    Failure::local("the registrar's answer does not fit: both programs must be of one version")
}

fn no_registrar() -> Failure {
    Failure::new(
        Status::NOT_SERVED,
        "this supernode is no registrar",
        "run the command on the machine that gives out names, with its --data DIR",
    )
}

/// Refuses a password on the command line, where every user of the machine reads it.
pub(super) fn shown_to_all(words: &[OsString]) -> Option<Failure> {
    let secret = |word: &OsString| {
        let word = word.to_string_lossy();
        let text = word.strip_prefix("--store=").unwrap_or(&word);
        StorePlace::parse(text, Path::new("")).is_ok_and(|place| place.holds_secret())
    };
    words.iter().skip(1).any(secret).then(|| {
        Failure::usage(
            "a password on the command line is read by everybody on this machine: put the URL \
             into the environment (TRELLIS_STORE), into config.toml (store = ...), or the password \
             alone into ~/.pgpass; and change it, since it was shown",
        )
    })
}
