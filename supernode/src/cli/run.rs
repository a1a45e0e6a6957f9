//! `supernode run`: the role, until Ctrl-C.

use super::args::RunArgs;
use crate::api::{Admin, admin_routes};
use crate::store::{Registration, SqliteStore, StoreError};
use overlay_node::api::{ApiEvent, Feed, pump, serve};
use overlay_node::cli::{Ending, Failure, Output, end_of_input, short};
use overlay_node::data::{Folder, Loaded};
use overlay_node::driver::{self, Options, Store};
use overlay_node::settings;
use overlay_proto::identity::Identity;
use overlay_proto::status::Status;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// The store's file in the data folder.
const STORE: &str = "store.sqlite";

pub(super) async fn run(folder: &Folder, args: RunArgs, out: &Output) -> Result<(), Failure> {
    let mut ending = Ending::watch()?;
    let Loaded { identity, contacts } = folder.load(driver::wall())?;
    let _lock = folder.lock()?;
    let code = args.registration.registration_code;
    let store = open_store(folder, &identity, code.clone()).await?;
    let mut lists = folder.revocations();
    if let Some(store) = &store {
        lists.extend(store.revocations().await.map_err(|error| Failure::local(error.to_string()))?);
    }
    let identity = Arc::new(identity);
    let handle = driver::start(Options {
        identity: identity.clone(),
        config: Arc::new(args.shape.config()),
        hosts: folder.hosts(&contacts),
        listen: settings::listen(args.place.listen, &args.place.announce),
        store: store.clone().map(|store| store as Arc<dyn Store>),
    })
    .await?;
    handle.recall(lists, Vec::new()).await;
    let feed = Feed::default();
    let pumped = pump(&handle, feed.clone(), folder.clone(), None);
    let realm = identity.realm.to_string();
    let admin =
        Admin { handle: handle.clone(), identity, code: code.map(Into::into), feed: feed.clone() };
    let server = serve(&folder.socket(), admin_routes(admin))?;
    let addresses: Vec<String> = handle.addresses().iter().map(ToString::to_string).collect();
    let node = handle.id().to_string();
    let listening = ApiEvent::Listening { node: node.clone(), addresses: addresses.clone() };
    out.show(&listening, || {
        format!(
            "supernode {} of realm {} listens on\n  {}\nInvite with: supernode invite; Ctrl-C ends it",
            short(&node),
            short(&realm),
            addresses.join("\n  ")
        )
    });
    let done = tokio::select! {
        () = show_events(&feed, out) => Err(Failure::local("the node has ended by itself: see its log")),
        () = ending.wished() => Ok(()),
        () = drained(&feed) => Ok(()),
        () = end_of_input(), if args.exit_with_parent => Ok(()),
    };
    server.end().await;
    tokio::select! {
        () = handle.shutdown() => {}
        () = ending.wished() => {}
    }
    drop(handle);
    let _ = pumped.await;
    // The driver has let go of it; what was promised is synced already.
    if let Some(store) = store.and_then(Arc::into_inner) {
        store.close().await;
    }
    done
}

async fn open_store(
    folder: &Folder,
    identity: &Identity,
    code: Option<String>,
) -> Result<Option<Arc<SqliteStore>>, Failure> {
    let Some(keys) = &identity.supernode else {
        return Err(Failure::new(
            Status::WRONG_ROLE,
            "this data folder is a peer's",
            "use `peer run`, or make a supernode in another folder with --data DIR",
        ));
    };
    // Only registrars give out names, and only the root's machine redeems tickets.
    if keys.registrar.is_none() && keys.root.is_none() {
        return Ok(None);
    }
    let failed = |error: StoreError| Failure::local(error.to_string());
    let store =
        SqliteStore::open(&folder.file(STORE), Registration { code }).await.map_err(failed)?;
    store.bind(identity.realm).await.map_err(failed)?;
    Ok(Some(Arc::new(store)))
}

/// Returns when the last peer has been sent elsewhere.
async fn drained(feed: &Feed) {
    let mut events = feed.listen();
    while !matches!(events.recv().await, Ok(ApiEvent::Drained) | Err(RecvError::Closed)) {}
}

/// Shows events to a program; people ask with `supernode status` and `supernode peers`.
async fn show_events(feed: &Feed, out: &Output) {
    let mut events = feed.listen();
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => ApiEvent::Missed { count },
            Err(RecvError::Closed) => return,
        };
        if out.json {
            out.show(&event, String::new);
        } else {
            tracing::info!(?event);
        }
    }
}
